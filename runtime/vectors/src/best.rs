//! The best so far.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::Near;

/// The `k` best of all that was offered: by cosine, and by key among those that are equally near.
#[derive(Debug)]
pub(crate) struct Best {
    k: usize,
    worst_first: BinaryHeap<Found>,
    /// Below this nothing is taken any more.
    floor: f32,
}

impl Best {
    /// Makes room for `k` of at most `offered`.
    pub(crate) fn new(k: usize, offered: usize) -> Self {
        let k = k.min(offered);
        Self { k, worst_first: BinaryHeap::with_capacity(k), floor: f32::NEG_INFINITY }
    }

    /// Takes what is better than the worst of `k`, and asks whether it is admitted only then: most never are asked for.
    ///
    /// `distance` is what it looked like before it was measured.
    #[inline]
    pub(crate) fn offer(&mut self, near: Near, distance: u16, admit: impl Fn(i64) -> bool) {
        if near.cosine >= self.floor {
            self.consider(Found { near, distance }, admit);
        }
    }

    #[cold]
    fn consider(&mut self, found: Found, admit: impl Fn(i64) -> bool) {
        let full = self.worst_first.len() >= self.k;
        if (full && self.worst_first.peek().is_none_or(|worst| found >= *worst)) || !admit(found.near.key) {
            return;
        }
        if full {
            self.worst_first.pop();
        }
        self.worst_first.push(found);
        if self.worst_first.len() == self.k {
            self.floor = self.worst_first.peek().map_or(f32::NEG_INFINITY, |worst| worst.near.cosine);
        }
    }

    /// Returns the largest distance of them, when there are `k`.
    pub(crate) fn farthest(&self) -> Option<u16> {
        let farthest = self.worst_first.iter().map(|found| found.distance).max();
        farthest.filter(|_| self.worst_first.len() >= self.k)
    }

    /// Returns them, the best first.
    pub(crate) fn into_sorted(self) -> Vec<Near> {
        self.worst_first.into_sorted_vec().into_iter().map(|found| found.near).collect()
    }
}

/// Ordered from the best to the worst.
#[derive(Debug)]
struct Found {
    near: Near,
    distance: u16,
}

impl Ord for Found {
    fn cmp(&self, other: &Self) -> Ordering {
        other.near.cosine.total_cmp(&self.near.cosine).then(self.near.key.cmp(&other.near.key))
    }
}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Found {}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(k: usize, offered: &[(i64, f32)], admit: impl Fn(i64) -> bool) -> Vec<(i64, f32)> {
        let mut best = Best::new(k, offered.len());
        for (key, cosine) in offered {
            best.offer(Near { key: *key, cosine: *cosine }, 0, &admit);
        }
        best.into_sorted().into_iter().map(|near| (near.key, near.cosine)).collect()
    }

    #[test]
    fn the_best_come_first_and_the_equal_by_key() {
        let offered = [(5, 0.5), (1, 0.1), (9, 0.9), (4, 0.5), (6, 0.5)];
        for (k, expected) in [
            (0, &[][..]),
            (1, &[(9, 0.9)]),
            (2, &[(9, 0.9), (4, 0.5)]),
            (3, &[(9, 0.9), (4, 0.5), (5, 0.5)]),
            (9, &[(9, 0.9), (4, 0.5), (5, 0.5), (6, 0.5), (1, 0.1)]),
            (usize::MAX, &[(9, 0.9), (4, 0.5), (5, 0.5), (6, 0.5), (1, 0.1)]),
        ] {
            assert_eq!(best(k, &offered, |_| true), expected, "{k}");
        }
    }

    #[test]
    fn only_what_would_be_taken_is_asked_for() {
        let asked = std::cell::RefCell::new(Vec::new());
        let admit = |key| {
            asked.borrow_mut().push(key);
            key != 2
        };
        assert_eq!(best(1, &[(1, 0.5), (3, 0.4), (2, 0.9), (4, 0.5), (0, 0.5)], admit), [(0, 0.5)]);
        assert_eq!(asked.into_inner(), [1, 2, 0], "3 is worse, and 4 is the later key");
    }

    #[test]
    fn how_far_they_looked_is_said_when_there_are_as_many_as_are_wanted() {
        let mut best = Best::new(2, 9);
        for (key, cosine, distance, expected) in
            [(1, 0.5, 90, None), (2, 0.7, 30, Some(90)), (3, 0.4, 99, Some(90)), (4, 0.6, 40, Some(40))]
        {
            best.offer(Near { key, cosine }, distance, |_| true);
            assert_eq!(best.farthest(), expected, "{key}");
        }
    }
}
