//! Whose turn it is: of many who ask, each has one thing done after the other of its own, and none all that there is room for.

use std::collections::{BTreeMap, VecDeque};

/// What waits, of each who asks.
#[derive(Debug)]
pub(crate) struct Turns<K, J> {
    lines: BTreeMap<K, Line<J>>,
    /// Those of whom something waits, who was served longest ago first.
    order: VecDeque<K>,
    most_waiting: usize,
}

#[derive(Debug)]
struct Line<J> {
    waiting: VecDeque<J>,
    at_work: usize,
}

impl<K: Ord + Clone, J> Turns<K, J> {
    /// Of each who asks, at most so much waits.
    pub(crate) fn new(most_waiting: usize) -> Self {
        Self { lines: BTreeMap::new(), order: VecDeque::new(), most_waiting }
    }

    /// Says whether there was room.
    pub(crate) fn push(&mut self, who: K, job: J) -> bool {
        let line =
            self.lines.entry(who.clone()).or_insert_with(|| Line { waiting: VecDeque::new(), at_work: 0 });
        if line.waiting.len() >= self.most_waiting {
            return false;
        }
        if line.waiting.is_empty() {
            self.order.push_back(who);
        }
        line.waiting.push_back(job);
        true
    }

    /// Takes what is next, of those of whom less is at work than they may have; [`done`](Self::done) is told of it afterwards.
    pub(crate) fn take(&mut self, most_at_work: impl Fn(&K) -> usize) -> Option<(K, J)> {
        for _ in 0..self.order.len() {
            let who = self.order.pop_front()?;
            let Some(line) = self.lines.get_mut(&who) else { continue };
            if line.at_work >= most_at_work(&who) {
                self.order.push_back(who);
                continue;
            }
            let Some(job) = line.waiting.pop_front() else { continue };
            line.at_work += 1;
            if !line.waiting.is_empty() {
                self.order.push_back(who.clone());
            }
            return Some((who, job));
        }
        None
    }

    pub(crate) fn done(&mut self, who: &K) {
        if let Some(line) = self.lines.get_mut(who) {
            line.at_work = line.at_work.saturating_sub(1);
            if line.at_work == 0 && line.waiting.is_empty() {
                self.lines.remove(who);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(jobs: &[(char, u32)]) -> Turns<char, u32> {
        let mut turns = Turns::new(3);
        for (who, job) in jobs {
            assert!(turns.push(*who, *job));
        }
        turns
    }

    #[test]
    fn each_has_a_turn_and_of_its_own_the_first_comes_first() {
        let mut turns = filled(&[('a', 1), ('a', 2), ('a', 3), ('b', 4), ('c', 5), ('b', 6)]);
        let taken: Vec<_> = std::iter::from_fn(|| turns.take(|_| usize::MAX)).collect();
        assert_eq!(taken, [('a', 1), ('b', 4), ('c', 5), ('a', 2), ('b', 6), ('a', 3)]);
        assert!(turns.is_empty());
    }

    #[test]
    fn who_has_enough_at_work_waits_and_holds_up_nobody() {
        let mut turns = filled(&[('a', 1), ('a', 2), ('a', 3), ('b', 4)]);
        let most = |who: &char| if *who == 'a' { 1 } else { 2 };
        assert_eq!(turns.take(most), Some(('a', 1)));
        assert_eq!(turns.take(most), Some(('b', 4)));
        assert_eq!(turns.take(most), None);
        turns.done(&'b');
        assert_eq!(turns.take(most), None);
        turns.done(&'a');
        assert_eq!(turns.take(most), Some(('a', 2)));
    }

    #[test]
    fn one_who_asks_too_much_is_refused_and_others_are_not() {
        let mut turns = filled(&[('a', 1), ('a', 2), ('a', 3)]);
        assert!(!turns.push('a', 4) && turns.push('b', 5));
        assert_eq!(turns.take(|_| 1), Some(('a', 1)));
        assert!(turns.push('a', 6));
    }

    #[test]
    fn of_who_is_done_nothing_is_kept() {
        let mut turns = filled(&[('a', 1), ('b', 2)]);
        while let Some((who, _)) = turns.take(|_| 1) {
            turns.done(&who);
        }
        assert!(turns.lines.is_empty() && turns.order.is_empty());
    }
}
