//! Whether the places of a group are places in the streams that are there now.
//!
//! A stream that was deleted is made anew and begins at 1; a power cut can take the end of one that is not synced. Whoever went on from a
//! place of before would get nothing until the stream has grown beyond it.

use futures_util::future::try_join_all;
use soorma_core::{Name, Position, TenantId, Topic};
use soorma_ports::EventLogError;

use super::state::GroupState;
use super::store::Saved;
use crate::core::Core;
use crate::error::{away, corrupt};

/// How often others may be faster before a call is given up.
const MOST_RACES: usize = 100;

impl Core {
    /// Returns the state of a group with places that are there, and its revision; revision 0 where there is none.
    pub(super) async fn load_in_place(
        &self,
        tenant: &TenantId,
        group: &Name,
    ) -> Result<(Option<GroupState>, u64), EventLogError> {
        for _ in 0..MOST_RACES {
            let (Some(held), revision) = self.load(tenant, group).await? else { return Ok((None, 0)) };
            let mut state = held.clone();
            self.put_in_place(group, &mut state).await?;
            if state == held {
                return Ok((Some(state), revision));
            }
            match self.save(tenant, group, &state, revision, Vec::new()).await? {
                Saved::As(revision) => return Ok((Some(state), revision)),
                Saved::Raced => {}
            }
        }
        Err(EventLogError::Unavailable(format!(
            "the members of the group {group} were faster too often; try again"
        )))
    }

    /// Has a group go on from where there is something, and forget what it had open elsewhere.
    pub(crate) async fn put_in_place(
        &self,
        group: &Name,
        state: &mut GroupState,
    ) -> Result<(), EventLogError> {
        let now = self.now();
        let topics: Vec<Topic> = state.cursors.keys().copied().collect();
        let streams = try_join_all(topics.iter().map(|topic| self.stream(*topic))).await?;
        for (topic, (made, head)) in topics.into_iter().zip(streams) {
            if let Some((was, is)) = state.put_in_place(topic, made, head, now) {
                tracing::warn!(
                    %group, %topic, %was, %is,
                    "the place of a group is no longer in the log, it goes on elsewhere and without what it had open there"
                );
            }
        }
        Ok(())
    }

    /// Returns when the stream of a topic was made, and where it ends.
    async fn stream(&self, topic: Topic) -> Result<(i64, Position), EventLogError> {
        let name = self.names.events_stream(topic);
        let stream = async { self.wire.jetstream.get_stream(name).await.map_err(away) };
        let stream = self.wire.answer(stream).await?;
        let info = stream.cached_info();
        let made = i64::try_from(info.created.unix_timestamp_nanos() / 1_000);
        let made = made.map_err(|error| corrupt("the age of a stream", error))?;
        Ok((made, Position(info.state.last_sequence)))
    }
}
