//! Which entries a caller sees, a filter takes and an order puts first.

use std::cmp::Ordering;

use soorma_core::{MemoryScope, Timestamp};
use soorma_ports::{MemoryAfter, MemoryEntry, MemoryFilter, MemoryOrder, Seen};
use uuid::Uuid;

pub(super) fn is_expired(entry: &MemoryEntry, now: Timestamp) -> bool {
    entry.expires_at.is_some_and(|expires_at| expires_at <= now)
}

/// Whether one of the same tenant sees an entry.
pub(super) fn is_seen(entry: &MemoryEntry, scope: &MemoryScope, reach: Seen) -> bool {
    let own = !entry.public && entry.owner == scope.owner;
    match reach {
        Seen::Private => own,
        Seen::Public => entry.public,
        Seen::Both => own || entry.public,
    }
}

pub(super) fn is_taken(entry: &MemoryEntry, filter: &MemoryFilter) -> bool {
    filter.kind.as_ref().is_none_or(|kind| *kind == entry.kind)
        && filter.group.as_ref().is_none_or(|group| *group == entry.group)
        && filter.labels.iter().all(|label| entry.labels.contains(label))
        && filter.since.is_none_or(|since| entry.created_at >= since)
        && filter.before.is_none_or(|before| entry.created_at < before)
        && filter.valid_at.is_none_or(|time| {
            entry.valid_from.is_none_or(|from| from <= time)
                && entry.valid_until.is_none_or(|until| time < until)
        })
}

/// How one place in an order stands to another; nothing where one of them is of another order.
pub(super) fn compare(one: &MemoryAfter, other: &MemoryAfter, order: MemoryOrder) -> Option<Ordering> {
    let first_first = match (one, other) {
        (MemoryAfter::At(time, id), MemoryAfter::At(other_time, other_id)) if order != MemoryOrder::Key => {
            (time, id).cmp(&(other_time, other_id))
        }
        (MemoryAfter::Key(key, id), MemoryAfter::Key(other_key, other_id)) if order == MemoryOrder::Key => {
            (key.as_bytes(), id).cmp(&(other_key.as_bytes(), other_id))
        }
        _ => return None,
    };
    Some(match order {
        MemoryOrder::Newest | MemoryOrder::Updated => first_first.reverse(),
        MemoryOrder::Oldest | MemoryOrder::Key => first_first,
    })
}

/// Puts the greatest score first, and the lesser id where two are equal.
pub(super) fn best_first(mut scored: Vec<(Uuid, f32)>, depth: usize) -> Vec<(Uuid, f32)> {
    scored.sort_by(|(id, score), (other_id, other_score)| {
        other_score.total_cmp(score).then_with(|| id.cmp(other_id))
    });
    scored.truncate(depth);
    scored
}
