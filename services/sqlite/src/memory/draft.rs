//! A write as it goes to the writer: checked, and as it is to stand in the file.

use std::sync::Arc;

use soorma_core::{MemoryKind, MemoryScope, Timestamp};
use soorma_ports::{Generation, MemoryAct, MemoryDraft, MemoryPlace, MemoryStoreError, MemoryWrite, When};
use uuid::Uuid;

use super::checksum;
use super::words::Cut;
use crate::numbers::{count, signed};
use crate::writer::Kind;

#[derive(Debug)]
pub(super) struct Write {
    pub(super) scope: MemoryScope,
    /// In microseconds since 1970.
    pub(super) at: i64,
    pub(super) act: Act,
}

#[derive(Debug)]
pub(super) enum Act {
    Put { draft: Box<Draft>, when: Must },
    Remove { place: MemoryPlace, revision: Option<i64> },
    RemoveGroup { kind: MemoryKind, group: String },
}

/// What must be there, as in [`When`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Must {
    Any,
    Absent,
    Present,
    Revision(i64),
}

#[derive(Debug)]
pub(super) struct Draft {
    pub(super) id: Uuid,
    pub(super) kind: MemoryKind,
    pub(super) group: String,
    pub(super) key: Option<String>,
    pub(super) public: bool,
    pub(super) text: Option<String>,
    /// Of the text.
    pub(super) words: Option<Cut>,
    pub(super) body: String,
    /// In order, each once.
    pub(super) labels: Vec<String>,
    /// The same as JSON, if there are any.
    pub(super) labels_json: Option<String>,
    pub(super) valid_from: Option<i64>,
    pub(super) valid_until: Option<i64>,
    pub(super) expires_at: Option<i64>,
    /// Of text and body.
    pub(super) bytes: i64,
    pub(super) vector: Option<Vector>,
}

/// A vector as numbers and as it stands in the file.
#[derive(Debug)]
pub(super) struct Vector {
    pub(super) generation: Generation,
    pub(super) numbers: Arc<[f32]>,
    pub(super) bytes: Vec<u8>,
    pub(super) checksum: i64,
}

impl Vector {
    pub(super) fn new(generation: Generation, numbers: Vec<f32>) -> Result<Self, MemoryStoreError> {
        checksum::check(&generation, &numbers)?;
        let bytes = checksum::bytes(&numbers);
        let checksum = checksum::checksum(&bytes);
        Ok(Self { generation, numbers: numbers.into(), bytes, checksum })
    }
}

impl Write {
    pub(super) fn new(write: MemoryWrite) -> Result<Self, MemoryStoreError> {
        let MemoryWrite { scope, at, act } = write;
        let act = match act {
            MemoryAct::Put { draft, when } => {
                let when = match when {
                    When::Any => Must::Any,
                    When::Absent => Must::Absent,
                    When::Present => Must::Present,
                    When::Revision(revision) => Must::Revision(signed(revision)),
                };
                Act::Put { draft: Box::new(Draft::new(*draft)?), when }
            }
            MemoryAct::Remove { place, revision } => Act::Remove { place, revision: revision.map(signed) },
            MemoryAct::RemoveGroup { kind, group } => Act::RemoveGroup { kind, group },
        };
        Ok(Self { scope, at: at.micros(), act })
    }
}

impl Draft {
    fn new(draft: MemoryDraft) -> Result<Self, MemoryStoreError> {
        let mut labels = draft.labels;
        labels.sort_unstable();
        labels.dedup();
        let json = |labels| {
            serde_json::to_string(labels)
                .map_err(|error| MemoryStoreError::Invalid(format!("labels are no JSON: {error}")))
        };
        let labels_json = if labels.is_empty() { None } else { Some(json(&labels)?) };
        let vector =
            draft.vector.map(|embedded| Vector::new(embedded.generation, embedded.vector)).transpose()?;
        let micros = |time: Option<Timestamp>| time.map(Timestamp::micros);
        Ok(Self {
            id: draft.id,
            kind: draft.kind,
            group: draft.group,
            key: draft.key,
            public: draft.public,
            bytes: count(draft.text.as_ref().map_or(0, String::len)) + count(draft.body.len()),
            words: draft.text.as_deref().map(Cut::new),
            text: draft.text,
            body: draft.body,
            labels,
            labels_json,
            valid_from: micros(draft.valid_from),
            valid_until: micros(draft.valid_until),
            expires_at: micros(draft.expires_at),
            vector,
        })
    }
}

/// What the writes of one call ask of the commit together.
pub(super) fn kind(writes: &[Write]) -> Kind {
    // Removing needs no room, and is to go well in a store that is full.
    if writes.iter().any(|write| matches!(write.act, Act::Put { .. })) { Kind::Grows } else { Kind::Synced }
}

/// How much text the writes of one call have that is searched by words.
pub(super) fn indexed_bytes(writes: &[Write]) -> usize {
    let of = |write: &Write| match &write.act {
        Act::Put { draft, .. } => draft.words.as_ref().map_or(0, Cut::bytes),
        Act::Remove { .. } | Act::RemoveGroup { .. } => 0,
    };
    writes.iter().map(of).sum()
}
