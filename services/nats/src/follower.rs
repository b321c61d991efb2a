//! Following a topic.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{Position, Topic};
use soorma_ports::{Entry, EventLogError, Follower, Reach};

use crate::core::Core;
use crate::read::within;

/// How many events are taken at once.
const FOLLOWED_AT_ONCE: usize = 256;
/// After what time it looks, though it was told of nothing. What the server says may get lost on a connection that stays (a route of a
/// cluster breaks, a leader dies); a look every half minute for each topic costs nothing.
const LOOK_ANEW: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct NatsFollower {
    pub(crate) core: Arc<Core>,
    pub(crate) topic: Topic,
    pub(crate) after: Position,
}

#[async_trait]
impl Follower for NatsFollower {
    async fn next(&mut self) -> Result<Vec<Entry>, EventLogError> {
        let core = self.core.clone();
        let closed = || EventLogError::Unavailable("there is no such topic".into());
        loop {
            let appended = core.signals.of_topic(self.topic).ok_or_else(closed)?.notified();
            tokio::pin!(appended);
            // From here on it hears of appends, also of those between the look and the wait.
            appended.as_mut().enable();
            let found = core.find(&Reach::Platform, self.topic, self.after, FOLLOWED_AT_ONCE).await?;
            let first = found.entries.first().map_or(found.looked, |(entry, _)| entry.position);
            if first.0 > self.after.0 + 1 {
                // A gap is what retention has passed, or a message of another program.
                within(self.topic, self.after, core.bounds(self.topic).await?)?;
            }
            self.after = found.looked;
            if !found.entries.is_empty() {
                return Ok(found.entries.into_iter().map(|(entry, _)| entry).collect());
            }
            if !found.more {
                // Told or not, it looks.
                drop(tokio::time::timeout(LOOK_ANEW, appended).await);
            }
        }
    }
}
