//! A write as it goes to the writer: documents are texts by then.

use serde::Serialize;
use soorma_core::{Name, PayloadSchema, SchemaVersion, TenantId, Topic};
use soorma_ports::{RegistryAct, RegistryStoreError, RegistryWrite, Standing};

use crate::writer::Kind;

pub(super) struct Draft {
    pub(super) tenant: TenantId,
    /// In microseconds since 1970.
    pub(super) at: i64,
    pub(super) what: What,
}

pub(super) enum What {
    PutAgent { id: Name, document: String, standing: Standing },
    Hear { id: Name, standing: Option<Standing> },
    RemoveAgent { id: Name, unless_heard_after: Option<i64> },
    PutEvent { name: Name, topic: Topic, document: String },
    PutSchema { name: Name, version: SchemaVersion, document: String },
}

impl Draft {
    pub(super) fn new(write: RegistryWrite) -> Result<Self, RegistryStoreError> {
        let RegistryWrite { tenant, at, what } = write;
        let what = match what {
            RegistryAct::PutAgent { agent, standing } => {
                What::PutAgent { document: document(&agent)?, id: agent.id, standing }
            }
            RegistryAct::Hear { agent, standing } => What::Hear { id: agent, standing },
            RegistryAct::RemoveAgent { agent, unless_heard_after } => {
                let unless_heard_after = unless_heard_after.map(soorma_core::Timestamp::micros);
                What::RemoveAgent { id: agent, unless_heard_after }
            }
            RegistryAct::PutEvent(event) => {
                What::PutEvent { document: document(&event)?, name: event.name, topic: event.topic }
            }
            RegistryAct::PutSchema(schema) => {
                let schema = PayloadSchema { created_at: at, ..schema };
                What::PutSchema { document: document(&schema)?, name: schema.name, version: schema.version }
            }
        };
        Ok(Self { tenant, at: at.micros(), what })
    }
}

fn document<T: Serialize>(of: &T) -> Result<String, RegistryStoreError> {
    serde_json::to_string(of).map_err(|error| RegistryStoreError::Invalid(format!("no JSON: {error}")))
}

/// What the writes of one call ask of the commit together.
pub(super) fn kind(drafts: &[Draft]) -> Kind {
    let kind = |draft: &Draft| match draft.what {
        What::PutAgent { .. } | What::PutEvent { .. } | What::PutSchema { .. } => Kind::Grows,
        // In place of its record: it needs no room, and is to go well in a store that is full.
        What::RemoveAgent { .. } => Kind::Synced,
        // It is said again before it is missed.
        What::Hear { .. } => Kind::Written,
    };
    let has = |wanted: Kind| drafts.iter().any(|draft| kind(draft) == wanted);
    [Kind::Grows, Kind::Synced].into_iter().find(|wanted| has(*wanted)).unwrap_or(Kind::Written)
}
