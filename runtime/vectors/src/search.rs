//! Which rows are measured, and when it is enough.

use crate::Near;
use crate::best::Best;
use crate::view::View;

/// So many are measured at first, twice as many as are asked for at least: what is found among them says where to stop.
const FIRST: usize = 200;

/// So many times as many as at first are measured at most, where everything is about equally near.
const MOST: usize = 20;

/// Where fewer are asked for, so many are found all the same: how far one looks says little.
const FEWEST: usize = 10;

/// Returns how many rows are measured at first.
pub(crate) fn first(k: usize) -> usize {
    k.saturating_mul(2).max(FIRST)
}

/// Returns `k` of the nearest of so many rows, where `measure` says how near a row is, or nothing of one that is not admitted.
///
/// Rows are measured in rings around what is looked for, the nearest ones first, until a row that is as near as those that were found
/// would hardly look as far. Rows that are not admitted do not count: the search goes on until there are `k`, or no rows.
pub(crate) fn search(
    view: &View,
    rows: usize,
    k: usize,
    measure: impl Fn(usize) -> Option<Near>,
) -> Vec<Near> {
    let first = first(k);
    let mut best = Best::new(k.max(FEWEST), rows);
    let (mut from, mut wanted, mut measured) = (0, first, 0);
    loop {
        let to = view.reach(wanted);
        for row in view.ring(from, to) {
            if let Some(near) = measure(row) {
                measured += 1;
                best.offer(near, view.distance(row), |_| true);
            }
        }
        let seen = view.within(to);
        let enough = match best.farthest() {
            Some(_) if measured >= first.saturating_mul(MOST) => seen,
            Some(distance) => view.within(view.likely(distance)),
            None => rows,
        };
        if seen >= enough.min(rows) {
            break;
        }
        // As many again of those that are admitted, as far as the share so far tells.
        let more = seen.saturating_mul(first.max(measured)) / measured.max(1);
        wanted = enough.min(seen.saturating_add(more.max(1)));
        from = to + 1;
    }
    let mut found = best.into_sorted();
    found.truncate(k);
    found
}
