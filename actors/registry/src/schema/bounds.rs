//! How much work a schema can make, known before it is used.
//!
//! A schema may refer to itself, so that its work has no bound of its own: the bound is counted, for each depth of a
//! payload, as if nothing were ever skipped. It is computed for all subschemas from those that they lead to, one
//! depth after the other, and never by trying.

use super::order::{buildable, called_first};
use super::schema_fault::SchemaFault;
use super::subschemas::{Child, MAX_DEPTH, Subschema, Subschemas};

/// How many evaluations of subschemas the whole of a payload may take, and each member of it or item. A union of some
/// hundred kinds passes; what doubles with every reference does not.
const MOST_TIMES: u64 = 4_096;

/// How many evaluations one check may come to, counted before it begins, as if nothing were skipped. As many take some
/// tenths of a second; events of ordinary size and schema stay below a hundredth of it. Where one value at each depth
/// could take more, a payload is too deep.
pub(super) const MOST_CHECKS: u64 = 2_000_000;

/// How many subschemas may be under way at once in place, one called by the other; and on the whole way down.
/// The checker recurses on the stack of whoever calls it, and so does the building of it.
const MOST_IN_PLACE: u64 = 64;
const MOST_ON_THE_WAY: u64 = 512;

/// How often each depth of a payload may be looked at by a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    times: Vec<u64>,
    /// The same without the work of matching patterns: how often what is wrong at a place may be named.
    named: Vec<u64>,
    bytes: usize,
}

impl Bounds {
    /// Returns about how many bytes of memory the schema takes when it is compiled and was used.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns how many evaluations of subschemas one value can take at most, at whatever depth.
    pub fn most_times(&self) -> u64 {
        self.times.iter().copied().max().unwrap_or_default()
    }

    /// Returns how deep a payload may be nested to be checked; a scalar has depth 0.
    pub fn max_depth(&self) -> usize {
        self.times.len().saturating_sub(1)
    }

    /// Returns how many evaluations of subschemas one place at a depth can take at most, or nothing where the depth
    /// is beyond what can be checked.
    pub fn times(&self, depth: usize) -> Option<u64> {
        self.times.get(depth).copied()
    }

    /// Takes over from the bounds without patterns how often what is wrong may be named.
    pub(super) fn naming_as(self, without_patterns: Self) -> Self {
        Self { named: without_patterns.named, ..self }
    }

    pub(super) fn taking(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// Returns what it costs at most to check that much, depth by depth.
    pub(super) fn checks(&self, row: &[u64]) -> u64 {
        cost(&self.times, row)
    }

    /// Returns what it costs at most to name all that is wrong with that much, depth by depth.
    pub(super) fn names(&self, row: &[u64]) -> u64 {
        cost(&self.named, row)
    }
}

fn cost(times: &[u64], row: &[u64]) -> u64 {
    let each = row.iter().enumerate();
    let each = each.map(|(depth, many)| many.saturating_mul(times.get(depth).copied().unwrap_or(u64::MAX)));
    each.fold(0, u64::saturating_add)
}

/// What is known of a subschema, for one depth below the place that it is evaluated at.
#[derive(Clone, Copy, Default)]
struct Row {
    /// Evaluations at one place of that depth for one evaluation here.
    checks: u64,
    /// Evaluations there for asking once what this one has evaluated.
    asks: u64,
    /// The most subschemas that call one another on a way to that depth.
    way: u64,
}

/// Computes the bounds of a schema, or says why it has none.
pub(super) fn bounds(subschemas: &Subschemas) -> Result<Bounds, Vec<SchemaFault>> {
    let all = &subschemas.all;
    let order = called_first(all).map_err(|fault| vec![fault])?;
    buildable(all, &order)?;
    let mut rows = next_rows(all, &order, None);
    let in_place = MOST_IN_PLACE / step(all);
    let faults =
        all.iter().zip(&rows).filter_map(|(subschema, row)| too_much_here(subschema, *row, in_place));
    let faults: Vec<_> = faults.take(SchemaFault::MOST).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let (mut times, mut on_one_way) = (Vec::with_capacity(MAX_DEPTH + 1), 0_u64);
    for depth in 0..=MAX_DEPTH {
        let root = rows.first().copied().unwrap_or_default();
        if depth <= 1 && root.checks > MOST_TIMES {
            let sentence = format!(
                "members or items would have to be checked {} times each, at most {MOST_TIMES} are possible",
                root.checks
            );
            return Err(vec![SchemaFault::new("", sentence)]);
        }
        on_one_way = on_one_way.saturating_add(root.checks);
        if on_one_way > MOST_CHECKS || root.way > MOST_ON_THE_WAY {
            break;
        }
        times.push(root.checks);
        rows = next_rows(all, &order, Some(&rows));
    }
    Ok(Bounds { named: times.clone(), times, bytes: 0 })
}

fn too_much_here(subschema: &Subschema, row: Row, in_place: u64) -> Option<SchemaFault> {
    let sentence = if row.checks > MOST_TIMES {
        format!(
            "one value would have to be checked {} times here, at most {MOST_TIMES} are possible",
            row.checks
        )
    } else if row.way > MOST_IN_PLACE {
        format!("more than {in_place} subschemas lead from one to the next for the same value")
    } else {
        return None;
    };
    Some(SchemaFault::new(&subschema.pointer, sentence))
}

/// Goes one depth further down.
fn next_rows(all: &[Subschema], order: &[usize], above: Option<&[Row]>) -> Vec<Row> {
    let step = step(all);
    let mut rows = vec![Row::default(); all.len()];
    for &index in order {
        let Some(subschema) = all.get(index) else { continue };
        let below = above.map(|rows| below(subschema, rows));
        let mut row = Row::default();
        for called in subschema.in_place.iter().filter_map(|&called| rows.get(called)) {
            row.checks = row.checks.saturating_add(called.checks);
            row.asks = row.asks.saturating_add(called.checks).saturating_add(called.asks);
            row.way = row.way.max(called.way);
        }
        match below {
            None => {
                row.checks = row.checks.saturating_add(subschema.weight);
                row.asks = row.asks.saturating_add(1);
                row.way = row.way.saturating_add(step);
            }
            Some(below) => {
                row.checks = row.checks.saturating_add(below.checks);
                row.asks = row.asks.saturating_add(below.asks);
                row.way = row.way.max(below.way).saturating_add(step);
            }
        }
        if subschema.unevaluated {
            // Once for the verdict and once more to name what is at fault; asking goes through all again.
            row.checks = row.checks.saturating_add(row.asks.saturating_mul(2));
        }
        if let Some(place) = rows.get_mut(index) {
            *place = row;
        }
    }
    rows
}

/// How often one subschema may be under way at once: where it is asked what was evaluated, it may be asked and, to be
/// asked, checked.
fn step(all: &[Subschema]) -> u64 {
    if all.iter().any(|subschema| subschema.unevaluated) { 2 } else { 1 }
}

/// What a subschema makes of the children of a value. A child is a member or an item; as a member it is reached by
/// one name, and its name is looked at beside it.
fn below(subschema: &Subschema, rows: &[Row]) -> Row {
    let (mut member, mut any_member, mut item, mut any_item, mut way) = (0, 0, 0, 0, 0);
    for (child, target) in &subschema.below {
        let Some(row) = rows.get(*target) else { continue };
        way = row.way.max(way);
        match child {
            Child::Member => member = row.checks.max(member),
            Child::AnyMember | Child::Name => any_member = row.checks.saturating_add(any_member),
            Child::Item => item = row.checks.max(item),
            Child::AnyItem => any_item = row.checks.saturating_add(any_item),
        }
    }
    let (any_member, any_item): (u64, u64) = (any_member, any_item);
    let checks = any_member.saturating_add(member).max(any_item.saturating_add(item));
    Row { checks, asks: any_member.max(any_item), way }
}
