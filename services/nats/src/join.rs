//! Making a group, or joining it.

use std::collections::BTreeMap;
use std::time::Duration;

use soorma_core::{Position, Topic};
use soorma_ports::{ConsumerSpec, EventLogError, Start};

use crate::core::Core;
use crate::group::{GroupState, Saved};
use crate::read::within;

/// How often others may be faster before a call is given up.
const MOST_RACES: usize = 100;

impl Core {
    /// The newest spec holds for all members; topics are added, and never taken away.
    pub(crate) async fn join(&self, spec: &ConsumerSpec) -> Result<(), EventLogError> {
        check(spec)?;
        for _ in 0..MOST_RACES {
            let (held, revision) = self.load(&spec.tenant, &spec.group).await?;
            let starts = self.starts(spec, held.as_ref()).await?;
            let now = self.now();
            let mut state = held.clone().unwrap_or_else(|| GroupState::new(now));
            state.join(spec, &starts, now);
            self.put_in_place(&spec.group, &mut state).await?;
            if held.as_ref() == Some(&state) {
                return Ok(());
            }
            match self.save(&spec.tenant, &spec.group, &state, revision, Vec::new()).await? {
                Saved::As(_) => return Ok(()),
                Saved::Raced => {}
            }
        }
        Err(EventLogError::Unavailable(format!(
            "the members of the group {} were faster too often; try again",
            spec.group
        )))
    }

    /// Where the topics start that the group does not have yet.
    async fn starts(
        &self,
        spec: &ConsumerSpec,
        held: Option<&GroupState>,
    ) -> Result<BTreeMap<Topic, Position>, EventLogError> {
        let mut starts = BTreeMap::new();
        for topic in &spec.topics {
            if held.is_some_and(|held| held.takes(*topic)) {
                continue;
            }
            let start = match &spec.start {
                Start::Earliest if held.is_none() => Position(0),
                Start::After(cursor) if held.is_none() && cursor.get(*topic).is_some() => {
                    let after = cursor.get(*topic).unwrap_or_default();
                    within(*topic, after, self.bounds(*topic).await?)?;
                    after
                }
                Start::Now | Start::Earliest | Start::After(_) => self.bounds(*topic).await?.head,
            };
            starts.insert(*topic, start);
        }
        Ok(starts)
    }
}

fn check(spec: &ConsumerSpec) -> Result<(), EventLogError> {
    let wrong = |message: &str| Err(EventLogError::Invalid(message.into()));
    if spec.topics.is_empty() {
        return wrong("a consumer needs at least one topic");
    }
    if spec.max_attempts == 0 || spec.max_unsettled == 0 || spec.ack_within.is_zero() {
        return wrong("max_attempts, max_unsettled and ack_within of a consumer must be more than zero");
    }
    if spec.expire_after.is_some_and(|after| after < Duration::from_secs(1)) {
        return wrong("expire_after of a consumer must be at least a second");
    }
    Ok(())
}
