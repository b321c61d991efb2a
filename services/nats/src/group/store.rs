//! Reading and replacing the state of a group.

use bytes::Bytes;
use soorma_core::{Name, TenantId};
use soorma_ports::EventLogError;

use super::state::GroupState;
use crate::core::Core;
use crate::error::{Refused, corrupt};
use crate::token::encode;
use crate::wire::Put;

/// What became of a replacement.
#[derive(Debug)]
pub(crate) enum Saved {
    /// It is stored, under this revision.
    As(u64),
    /// Somebody else was faster; nothing was stored.
    Raced,
}

impl Core {
    /// Returns the state of a group and its revision; revision 0 where there is none.
    pub(crate) async fn load(
        &self,
        tenant: &TenantId,
        group: &Name,
    ) -> Result<(Option<GroupState>, u64), EventLogError> {
        let subject = self.names.state(tenant, group);
        let Some((revision, payload)) = self.wire.newest(&self.names.groups_stream(), &subject).await? else {
            return Ok((None, 0));
        };
        let state = serde_json::from_slice(&payload)
            .map_err(|error| corrupt(&format!("the state of the group {group}"), error))?;
        Ok((Some(state), revision))
    }

    /// Replaces the state of a group, if it still has this revision, and stores dead letters with it: all or nothing.
    pub(crate) async fn save(
        &self,
        tenant: &TenantId,
        group: &Name,
        state: &GroupState,
        revision: u64,
        letters: Vec<Put>,
    ) -> Result<Saved, EventLogError> {
        let payload = Bytes::from(serde_json::to_vec(state).map_err(|error| corrupt("a group", error))?);
        let subject = self.names.state(tenant, group);
        let put = Put { subject, payload, expected: Some(revision), ttl: None };
        let mut puts = letters;
        // The last, so that the sequence of the batch is its revision.
        puts.push(put);
        match self.wire.store(&puts).await {
            Ok(revision) => {
                // Those in this process hear it at once.
                self.signals.state_stored(&encode(tenant.as_str()), &encode(group.as_str()), revision);
                Ok(Saved::As(revision))
            }
            // A batch that the server gave up is tried again like a race.
            Err(Refused::Raced(_) | Refused::BatchBroken(_)) => Ok(Saved::Raced),
            Err(Refused::Log(error)) => Err(error),
        }
    }
}
