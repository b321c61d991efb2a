//! Which rows are measured, and when it is enough.

use crate::best::Best;
use crate::view::View;

/// So many are measured at first, twice as many as are asked for at least: what they say is where to stop.
const FIRST: usize = 200;

/// So many times what was measured at first are measured at most, where everything is about equally near.
const MOST: usize = 20;

/// Returns how many rows are measured at first.
pub(crate) fn first(k: usize) -> usize {
    k.saturating_mul(2).max(FIRST)
}

/// Offers the rows that look near to `best`, the nearest first, until a row that is better would hardly look as far.
///
/// `measure` says the key and the cosine of a row, or nothing of one that is not admitted. Rows that are not admitted do not count: the search
/// goes on until there are `k`, or no rows.
pub(crate) fn search(
    view: &View,
    rows: usize,
    k: usize,
    best: &mut Best,
    measure: impl Fn(usize) -> Option<(i64, f32)>,
) {
    let first = first(k);
    let (mut from, mut wanted, mut measured) = (0, first, 0);
    loop {
        let to = view.reach(wanted);
        for (key, cosine) in view.ring(from, to).into_iter().filter_map(&measure) {
            measured += 1;
            best.offer(key, cosine, |_| true);
        }
        let seen = view.within(to);
        // As many again, of those that are admitted, as far as one can tell from the share so far.
        let more = seen.saturating_mul(first.max(measured)) / measured.max(1);
        let enough = match best.floor() {
            Some(_) if measured >= first.saturating_mul(MOST) => seen,
            Some(floor) => view.within(view.likely(floor)),
            None => rows,
        };
        if seen >= enough.min(rows) {
            return;
        }
        wanted = enough.min(seen.saturating_add(more.max(1)));
        from = to + 1;
    }
}
