//! A dead letter, as it is stored.
//!
//! It has a subject of its own: while its event is redriven the content stays there, marked.

use serde::{Deserialize, Serialize};
use soorma_core::{Event, Name, Position, Timestamp};
use soorma_ports::DeadLetter;

use super::state::Buried;

/// The longest cause that is kept.
const LONGEST_CAUSE: usize = 2_000;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Letter {
    pub(crate) event: Event,
    cause: String,
    attempts: u32,
    pub(crate) first_at: Timestamp,
    last_at: Timestamp,
    /// Whether it was given back to its group; then it is no letter any more.
    #[serde(default)]
    pub(crate) redriven: bool,
}

impl Letter {
    pub(crate) fn new(buried: &Buried, event: Event) -> Self {
        let end =
            (0..=LONGEST_CAUSE.min(buried.cause.len())).rev().find(|end| buried.cause.is_char_boundary(*end));
        let cause = buried.cause.get(..end.unwrap_or(0)).unwrap_or_default().to_owned();
        let Buried { attempts, first_at, last_at, .. } = *buried;
        Self { event, cause, attempts, first_at, last_at, redriven: false }
    }

    /// Reads a letter; what is empty is one no more.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        if payload.is_empty() { None } else { serde_json::from_slice(payload).ok() }
    }

    pub(crate) fn into_dead_letter(self, id: u64, group: Name, position: Position) -> DeadLetter {
        DeadLetter {
            id,
            group,
            position,
            cause: self.cause,
            attempts: self.attempts,
            first_at: self.first_at,
            last_at: self.last_at,
            event: self.event.into(),
        }
    }
}
