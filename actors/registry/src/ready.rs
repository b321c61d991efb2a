//! What was made of schemas, kept while there is room for it: a row of the view has the text alone. A tenant has a share of the room, and where
//! there is too little for all, whoever has most gives way; of each what was not used for longest goes first.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use soorma_core::TenantId;

use crate::made::Made;

/// How many bytes all takes together, by estimate.
const MOST: usize = 128 * 1_024 * 1_024;
/// How many of a tenant: above a thousand ordinary schemas. What alone is larger is made anew whenever it is needed, in its tenant's turn.
const SHARE: usize = MOST / 4;

/// Where what was made of one schema is, while it is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot(Arc<Place>);

#[derive(Debug, Default)]
struct Place {
    made: Mutex<Option<Arc<Made>>>,
    /// After how many that were kept it was used last.
    used: AtomicU64,
}

impl Place {
    fn take(&self) -> Option<Arc<Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// All that is kept of a node.
#[derive(Debug)]
pub(crate) struct Ready {
    most: usize,
    share: usize,
    count: AtomicU64,
    shares: Mutex<Shares>,
}

#[derive(Debug, Default)]
struct Shares {
    bytes: usize,
    of: HashMap<TenantId, Share>,
}

#[derive(Debug, Default)]
struct Share {
    bytes: usize,
    entries: Vec<Entry>,
}

/// The row that it belongs to may be gone, and what was made with it.
#[derive(Debug)]
struct Entry {
    place: Weak<Place>,
    bytes: usize,
}

impl Default for Ready {
    fn default() -> Self {
        Self::new(MOST, SHARE)
    }
}

impl Ready {
    fn new(most: usize, share: usize) -> Self {
        Self { most, share, count: AtomicU64::new(0), shares: Mutex::default() }
    }

    /// Returns what was made, where it is kept.
    pub(crate) fn get(&self, slot: &Slot) -> Option<Arc<Made>> {
        let made = slot.0.made.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        slot.0.used.store(self.count.load(Ordering::Relaxed), Ordering::Relaxed);
        Some(made)
    }

    /// Returns what was made, or makes it. Takes up to seconds: for a thread that nobody else waits for.
    pub(crate) fn get_or_make(
        &self,
        tenant: &TenantId,
        slot: &Slot,
        make: impl FnOnce() -> Made,
    ) -> Arc<Made> {
        if let Some(made) = self.get(slot) {
            return made;
        }
        let made = Arc::new(make());
        // It takes a while to drop what has many parts: nobody is to wait for it in a lock.
        drop(self.keep(tenant, slot, &made));
        made
    }

    /// Keeps what was made; returns what had to go for it.
    fn keep(&self, tenant: &TenantId, slot: &Slot, made: &Arc<Made>) -> Vec<Arc<Made>> {
        let bytes = made.bytes();
        if bytes > self.share {
            return Vec::new();
        }
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut place = slot.0.made.lock().unwrap_or_else(PoisonError::into_inner);
            if place.is_some() {
                // Another was first, with the same.
                return Vec::new();
            }
            *place = Some(Arc::clone(made));
        }
        slot.0.used.store(self.count.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        shares.bytes += bytes;
        let share = shares.of.entry(tenant.clone()).or_default();
        share.bytes += bytes;
        share.entries.push(Entry { place: Arc::downgrade(&slot.0), bytes });
        let (mut gone, mut freed) = (Vec::new(), 0);
        if share.bytes > self.share {
            freed += share.shrink(self.share - self.share / 8, &mut gone);
        }
        shares.bytes -= freed;
        while shares.bytes > self.most {
            let Some((_, largest)) = shares.of.iter_mut().max_by_key(|(_, share)| share.bytes) else { break };
            let freed = largest.shrink(largest.bytes - largest.bytes / 8 - 1, &mut gone);
            shares.bytes -= freed;
        }
        shares.of.retain(|_, share| !share.entries.is_empty());
        gone
    }
}

impl Share {
    /// Lets go until so many bytes are left; returns how many went.
    fn shrink(&mut self, to: usize, gone: &mut Vec<Arc<Made>>) -> usize {
        let before = self.bytes;
        // Those whose row is gone take no room any more.
        self.entries.sort_by_cached_key(|entry| {
            std::cmp::Reverse(entry.place.upgrade().map_or(0, |place| place.used.load(Ordering::Relaxed)))
        });
        while self.bytes > to {
            let Some(entry) = self.entries.pop() else { break };
            self.bytes -= entry.bytes;
            gone.extend(entry.place.upgrade().and_then(|place| place.take()));
        }
        before - self.bytes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use soorma_core::Data;
    use soorma_testkit::tenant;

    use super::*;

    fn made() -> Made {
        Made::of(&Data::from_value(&json!({ "required": ["id"] })).expect("an object"), "it")
    }

    fn kept(slots: &[Slot]) -> Vec<usize> {
        let is_kept = |slot: &Slot| slot.0.made.lock().expect("whole").is_some();
        (0..slots.len()).filter(|nth| is_kept(&slots[*nth])).collect()
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first_and_is_made_anew_when_it_is_needed() {
        let (ready, one) = (Ready::new(usize::MAX, 3 * made().bytes()), tenant("one"));
        let slots: Vec<_> = (0..4).map(|_| Slot::default()).collect();
        for slot in &slots[..3] {
            let _made = ready.get_or_make(&one, slot, made);
        }
        assert_eq!(kept(&slots), [0, 1, 2]);
        assert!(ready.get(&slots[0]).is_some());
        let _made = ready.get_or_make(&one, &slots[3], made);
        let left = kept(&slots);
        assert!(left.contains(&0) && left.contains(&3) && !left.contains(&1), "{left:?}");
        assert!(ready.shares.lock().expect("whole").bytes <= 3 * made().bytes());
        let _made = ready.get_or_make(&one, &slots[1], made);
        assert!(ready.get(&slots[1]).is_some());
    }

    #[test]
    fn who_has_most_gives_way_to_others() {
        let ready = Ready::new(4 * made().bytes(), 4 * made().bytes());
        let (large, small): (Vec<_>, Vec<_>) =
            (0..8).map(|nth| (nth, Slot::default())).partition(|(nth, _)| *nth < 4);
        let of = |slots: Vec<(i32, Slot)>| slots.into_iter().map(|(_, slot)| slot).collect::<Vec<_>>();
        let (large, small) = (of(large), of(small));
        let _made = ready.get_or_make(&tenant("small"), &small[0], made);
        for slot in large.iter().cycle().take(40) {
            let _made = ready.get_or_make(&tenant("large"), slot, made);
        }
        assert_eq!(kept(&small), [0], "though it was not used for longest");
        let _made = ready.get_or_make(&tenant("small"), &small[1], made);
        assert_eq!(kept(&small), [0, 1]);
        assert!(kept(&large).len() <= 2);
    }

    #[test]
    fn rows_that_are_gone_take_no_room_for_long_and_what_is_too_large_is_not_kept() {
        let (ready, one) = (Ready::new(usize::MAX, 3 * made().bytes()), tenant("one"));
        for _ in 0..100 {
            let _made = ready.get_or_make(&one, &Slot::default(), made);
        }
        let shares = ready.shares.lock().expect("whole");
        assert!(shares.bytes <= 3 * made().bytes());
        assert_eq!(shares.bytes, shares.of.values().map(|share| share.bytes).sum::<usize>());
        let (none, slot) = (Ready::new(usize::MAX, made().bytes() - 1), Slot::default());
        let _made = none.get_or_make(&one, &slot, made);
        assert!(none.get(&slot).is_none());
    }
}
