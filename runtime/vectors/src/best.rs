//! The best so far.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::Near;

/// The `k` best of all that was offered: by cosine, and by key among those that are equally near.
#[derive(Debug)]
pub(crate) struct Best {
    k: usize,
    worst_first: BinaryHeap<Ranked>,
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
    #[inline]
    pub(crate) fn offer(&mut self, key: i64, cosine: f32, admit: impl Fn(i64) -> bool) {
        if cosine >= self.floor {
            self.consider(Near { key, cosine }, admit);
        }
    }

    #[cold]
    fn consider(&mut self, near: Near, admit: impl Fn(i64) -> bool) {
        let ranked = Ranked(near);
        let full = self.worst_first.len() >= self.k;
        if full && self.worst_first.peek().is_none_or(|worst| ranked >= *worst) || !admit(near.key) {
            return;
        }
        if full {
            self.worst_first.pop();
        }
        self.worst_first.push(ranked);
        if self.worst_first.len() == self.k {
            self.floor = self.worst_first.peek().map_or(f32::NEG_INFINITY, |worst| worst.0.cosine);
        }
    }

    /// Returns the cosine of the worst of `k`, when there are as many.
    pub(crate) fn floor(&self) -> Option<f32> {
        (self.worst_first.len() >= self.k).then_some(self.floor)
    }

    /// Returns them, the best first.
    pub(crate) fn into_sorted(self) -> Vec<Near> {
        self.worst_first.into_sorted_vec().into_iter().map(|ranked| ranked.0).collect()
    }
}

/// Orders the better before the worse.
#[derive(Debug)]
struct Ranked(Near);

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.cosine.total_cmp(&self.0.cosine).then(self.0.key.cmp(&other.0.key))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(k: usize, offered: &[(i64, f32)], admit: impl Fn(i64) -> bool) -> Vec<(i64, f32)> {
        let mut best = Best::new(k, offered.len());
        for (key, cosine) in offered {
            best.offer(*key, *cosine, &admit);
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
    fn there_is_a_floor_when_there_are_as_many_as_are_wanted() {
        let mut best = Best::new(2, 9);
        assert_eq!(best.floor(), None);
        best.offer(1, 0.5, |_| true);
        assert_eq!(best.floor(), None);
        best.offer(2, 0.7, |_| true);
        assert_eq!(best.floor(), Some(0.5));
        best.offer(3, 0.6, |_| true);
        assert_eq!(best.floor(), Some(0.6));
    }
}
