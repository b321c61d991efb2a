//! What an agent says of itself, as one text.

use std::vec::IntoIter;

use soorma_core::AgentRecord;

use crate::meaning::Candidate;

/// How many bytes of it count: what it says first, and about as much as models read.
const MOST_BYTES: usize = 8 * 1_024;
/// After so much text others have their turn on this thread.
pub(super) const TURN: usize = 64 * 1_024;

/// Writes the name of an agent, what it is for, and what it can do. The name is among it, as in what `text` looks through, so that no text is
/// empty: one that says nothing would have a direction that means nothing.
pub(super) fn of(record: &AgentRecord) -> String {
    let mut text = String::new();
    let name = [record.bare_name(), record.description.as_str()];
    let capabilities =
        record.capabilities.iter().flat_map(|one| [one.name.as_str(), one.description.as_str()]);
    for part in name.into_iter().chain(capabilities).filter(|part| !part.trim().is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(part);
        if text.len() > MOST_BYTES {
            text.truncate(text.floor_char_boundary(MOST_BYTES));
            break;
        }
    }
    text
}

/// Texts that are turned into vectors together, and the agents of each.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    pub(super) texts: Vec<String>,
    pub(super) of: Vec<Vec<&'a mut Candidate>>,
}

impl<'a> Batch<'a> {
    /// Takes agents with so many texts off the beginning. Instances of one agent say the same, and stand beside each other.
    pub(super) fn take(left: &mut IntoIter<&'a mut Candidate>, size: usize) -> Self {
        let mut batch = Self::default();
        while let Some(next) = left.as_slice().first() {
            let text = of(next.row.record());
            match batch.of.last_mut() {
                Some(same) if batch.texts.last() == Some(&text) => same.extend(left.next()),
                _ if batch.texts.len() == size => break,
                _ => {
                    batch.texts.push(text);
                    batch.of.push(left.next().into_iter().collect());
                }
            }
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use soorma_core::{Capability, EventRef, Name, TenantId, Timestamp};
    use soorma_ports::Standing;

    use tokio::time::Instant;

    use super::*;
    use crate::view::row::{Moment, Row};

    fn record(named: &str, description: &str, capabilities: &[(&str, &str)]) -> AgentRecord {
        let name = |text: &str| Name::new(text).expect("a name");
        let capability = |(called, does): &(&str, &str)| Capability {
            name: name(called),
            description: (*does).to_owned(),
            consumes: EventRef { name: name("e"), topic: None },
            produces: Vec::new(),
        };
        AgentRecord {
            id: name("id"),
            name: name(named),
            description: description.to_owned(),
            kind: None,
            version: None,
            capabilities: capabilities.iter().map(capability).collect(),
            consumes: Vec::new(),
            produces: Vec::new(),
        }
    }

    #[test]
    fn it_is_the_name_the_description_and_the_capabilities_as_far_as_there_is_room() {
        for (record, text) in [
            (record("web:1.0.0", "", &[]), "web"),
            (
                record("web", "Finds.", &[("search", " "), ("read", "Reads.")]),
                "web\nFinds.\nsearch\nread\nReads.",
            ),
            (
                record("w", &"d".repeat(MOST_BYTES - 2), &[("never", "")]),
                &format!("w\n{}", "d".repeat(MOST_BYTES - 2)),
            ),
            (record("w", &"ü".repeat(MOST_BYTES), &[]), &format!("w\n{}", "ü".repeat(MOST_BYTES / 2 - 1))),
            (record("ww", &"ü".repeat(MOST_BYTES), &[]), &format!("ww\n{}", "ü".repeat(MOST_BYTES / 2 - 2))),
        ] {
            assert_eq!(of(&record), text);
        }
    }

    #[test]
    fn a_batch_has_so_many_texts_and_each_of_those_beside_each_other_once() {
        let candidate = |named: &str| {
            let now = Timestamp::default();
            let row = Row::new(TenantId::default(), record(named, "", &[]), Standing::READY, now, now);
            let agent = row.registered(Moment { wall: now, steady: Instant::now(), lease: Duration::ZERO });
            Candidate { row: Arc::new(row), agent, vector: None }
        };
        let mut candidates = ["a:1", "a:2", "b", "c", "c", "c", "d"].map(candidate);
        let mut left = candidates.iter_mut().collect::<Vec<_>>().into_iter();
        let shape = |batch: &Batch<'_>| {
            let counts = batch.of.iter().map(Vec::len);
            batch.texts.iter().cloned().zip(counts).collect::<Vec<_>>()
        };
        let of = |expected: &[(&str, usize)]| {
            expected.iter().map(|(text, count)| ((*text).to_owned(), *count)).collect::<Vec<_>>()
        };
        assert_eq!(shape(&Batch::take(&mut left, 3)), of(&[("a", 2), ("b", 1), ("c", 3)]));
        assert_eq!(shape(&Batch::take(&mut left, 3)), of(&[("d", 1)]));
        assert_eq!(shape(&Batch::take(&mut left, 3)), of(&[]));
    }
}
