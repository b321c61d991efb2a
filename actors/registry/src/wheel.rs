//! A timer wheel: what is to be looked at, by the turn at which it is due. Pure; who turns it says what a turn is.

/// Entries by the turn at which they are due. Each turn costs what is due at it, however much else there is.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    slots: Vec<Vec<T>>,
    turn: u64,
}

impl<T> Wheel<T> {
    /// Makes a wheel that sees so many turns ahead, at least one.
    pub(crate) fn new(turns: usize) -> Self {
        Self { slots: (0..=turns.max(1)).map(|_| Vec::new()).collect(), turn: 0 }
    }

    /// Enters something that is due after so many turns; returns the turn at which it comes. What is due at once comes at the next turn,
    /// and what lies beyond the wheel at its last: whoever finds it not due then enters it again.
    pub(crate) fn enter(&mut self, after: u64, what: T) -> u64 {
        let furthest = self.len() - 1;
        let due = self.turn + after.clamp(1, furthest);
        let at = self.slot(due);
        if let Some(slot) = self.slots.get_mut(at) {
            slot.push(what);
        }
        due
    }

    /// Goes on by one turn; returns it, and what is due.
    pub(crate) fn turn(&mut self) -> (u64, Vec<T>) {
        self.turn += 1;
        let at = self.slot(self.turn);
        (self.turn, self.slots.get_mut(at).map(std::mem::take).unwrap_or_default())
    }

    /// Drops all entries. Turns go on where they were, so that entries of before are known by theirs.
    pub(crate) fn clear(&mut self) {
        self.slots.iter_mut().for_each(|slot| *slot = Vec::new());
    }

    fn len(&self) -> u64 {
        u64::try_from(self.slots.len()).unwrap_or(u64::MAX)
    }

    fn slot(&self, turn: u64) -> usize {
        usize::try_from(turn % self.len()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_entered_comes_at_its_turn() {
        let mut wheel = Wheel::new(5);
        assert_eq!(wheel.enter(0, "at once"), 1);
        assert_eq!(wheel.enter(1, "next"), 1);
        assert_eq!(wheel.enter(5, "last"), 5);
        assert_eq!(wheel.enter(u64::MAX, "beyond"), 5);
        assert_eq!(wheel.turn(), (1, vec!["at once", "next"]));
        assert_eq!(wheel.enter(1, "later"), 2);
        assert_eq!(wheel.turn(), (2, vec!["later"]));
        assert_eq!(wheel.turn(), (3, vec![]));
        assert_eq!(wheel.turn(), (4, vec![]));
        assert_eq!(wheel.turn(), (5, vec!["last", "beyond"]));
        wheel.enter(2, "dropped");
        wheel.clear();
        assert_eq!((wheel.turn(), wheel.turn()), ((6, vec![]), (7, vec![])));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_early_or_late(turns in 0_usize..20, steps in prop::collection::vec(prop::option::of(0_u64..40), 0..200)) {
            let mut wheel = Wheel::new(turns);
            let mut expected: Vec<(u64, usize)> = Vec::new();
            let mut now = 0;
            for (nth, step) in steps.into_iter().enumerate() {
                match step {
                    Some(after) => {
                        let due = wheel.enter(after, nth);
                        let furthest = u64::try_from(turns.max(1)).expect("small");
                        prop_assert_eq!(due, now + after.clamp(1, furthest));
                        expected.push((due, nth));
                    }
                    None => {
                        now += 1;
                        let (turn, due) = wheel.turn();
                        prop_assert_eq!(turn, now);
                        let now_due: Vec<usize> =
                            expected.iter().filter(|(at, _)| *at == now).map(|(_, nth)| *nth).collect();
                        prop_assert_eq!(due, now_due);
                        expected.retain(|(at, _)| *at > now);
                    }
                }
            }
        }
    }
}
