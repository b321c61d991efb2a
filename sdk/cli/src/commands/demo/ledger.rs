//! What the collector has heard, each event once, however often it comes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use soorma::EventId;
use tokio::sync::Notify;

/// What a reader says of a file. A file with many words takes several events.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Said {
    /// Some of its words.
    Words { path: String, words: BTreeMap<String, u64> },
    /// How it comes out, behind `parts` events of words.
    Counted { path: String, lines: u64, words: u64, parts: u64 },
    /// It has a NUL byte.
    NoText { path: String },
    /// It cannot be read.
    Unreadable { path: String, why: String },
}

#[derive(Debug, Clone)]
pub(crate) struct Ledger(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    expected: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    seen: HashSet<EventId>,
    totals: Totals,
    /// Events of words that are still to come, by file; negative while the file's end has not come.
    parts: HashMap<String, i128>,
    done: usize,
}

/// All files together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub(crate) files: u64,
    pub(crate) lines: u64,
    pub(crate) words: u64,
    pub(crate) events: u64,
    pub(crate) unreadable: Vec<(String, String)>,
    runs: HashMap<String, u64>,
}

impl Ledger {
    pub(crate) fn new(expected: usize) -> Self {
        Self(Arc::new(Shared { expected, state: Mutex::default(), changed: Notify::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what an event says, unless it has been taken in.
    pub(crate) fn enter(&self, id: EventId, said: Said) {
        let mut state = self.state();
        if !state.seen.insert(id) {
            return;
        }
        let State { totals, parts, done, .. } = &mut *state;
        // The request that it answers is an event as well; words are further ones.
        totals.events += if matches!(said, Said::Words { .. }) { 1 } else { 2 };
        match said {
            Said::Words { path, words } => {
                for (word, count) in words {
                    *totals.runs.entry(word).or_default() += count;
                }
                let left = parts.entry(path.clone()).or_default();
                *left -= 1;
                if *left == 0 {
                    parts.remove(&path);
                    *done += 1;
                }
            }
            Said::Counted { path, lines, words, parts: all } => {
                totals.files += 1;
                totals.lines += lines;
                totals.words += words;
                let left = parts.entry(path.clone()).or_default();
                *left += i128::from(all);
                if *left == 0 {
                    parts.remove(&path);
                    *done += 1;
                }
            }
            Said::NoText { .. } => *done += 1,
            Said::Unreadable { path, why } => {
                totals.unreadable.push((path, why));
                *done += 1;
            }
        }
        drop(state);
        self.0.changed.notify_waiters();
    }

    pub(crate) fn files_done(&self) -> u64 {
        u64::try_from(self.state().done).unwrap_or(u64::MAX)
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.state().done >= self.0.expected
    }

    /// Waits until something is entered, at most `within`.
    pub(crate) async fn changed(&self, within: Duration) {
        // Nothing said in time is no failure: the caller looks again.
        let _late = tokio::time::timeout(within, self.0.changed.notified()).await;
    }

    pub(crate) fn totals(&self) -> Totals {
        self.state().totals.clone()
    }
}

impl Totals {
    /// The commonest words, ties by the word.
    pub(crate) fn top(&self, n: usize) -> Vec<(String, u64)> {
        let mut runs: Vec<_> = self.runs.iter().map(|(word, count)| (word.clone(), *count)).collect();
        runs.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        runs.truncate(n);
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_counts_once_in_whatever_order_they_come() {
        let words =
            |path: &str, word: &str| Said::Words { path: path.into(), words: [(word.to_owned(), 2)].into() };
        let said = [
            words("a", "x"),
            words("a", "y"),
            Said::Counted { path: "a".into(), lines: 3, words: 4, parts: 2 },
            Said::Counted { path: "b".into(), lines: 1, words: 1, parts: 0 },
            Said::NoText { path: "c".into() },
        ];
        for turn in 0..said.len() {
            let ledger = Ledger::new(3);
            let mut order: Vec<usize> = (0..said.len()).collect();
            order.rotate_left(turn);
            for nth in order.iter().chain(&order) {
                ledger.enter(EventId::new(nth.to_string()).unwrap(), said[*nth].clone());
            }
            assert!(ledger.is_complete());
            let totals = ledger.totals();
            assert_eq!((totals.files, totals.lines, totals.words, totals.events), (2, 4, 5, 8));
            assert_eq!(totals.top(1), [("x".to_owned(), 2)]);
        }
    }
}
