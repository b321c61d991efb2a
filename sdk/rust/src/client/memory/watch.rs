//! A plan that is watched.

use serde::Serialize;
use soorma_api::memory::WorkingSnapshot;
use soorma_api::{frame, routes::memory as routes};
use soorma_core::{Error, WorkingChange};

use super::{ClientMemory, before_names};
use crate::client::frames::{Frames, wrong};
use crate::sse::Raw;

/// What a watched plan says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Watched {
    /// Values that are there at the beginning, and whether they are the last of those. What is in none of these is not there.
    Snapshot(Vec<WorkingChange>, bool),
    /// What happened to a value.
    Change(WorkingChange),
    /// It lives.
    Heartbeat,
    /// It ends: the server closes it, or it was not read for too long.
    Disconnected,
}

/// A plan that is watched; what happens to it comes until this is dropped.
#[derive(Debug)]
pub struct PlanWatch(Frames);

impl ClientMemory<'_> {
    /// Watches a plan: first all that it has at hand, then what happens to that. Of a value that changes faster than it is read, the last state is told.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn watch_plan(&self, plan: &str) -> Result<PlanWatch, Error> {
        #[derive(Serialize)]
        struct Query {
            watch: bool,
        }
        let url = self.0.address(before_names(routes::WORKING), &[plan])?;
        Ok(PlanWatch(Frames::new(self.0.answer(self.0.get(url, &Query { watch: true })?).await?)))
    }
}

impl PlanWatch {
    /// Waits for what it says next; `None` when it has ended: watch again, and compare. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the connection is lost, or says what is no watch.
    pub async fn next(&mut self) -> Result<Option<Watched>, Error> {
        loop {
            let Some(raw) = self.0.next().await? else { return Ok(None) };
            if let Some(watched) = read(&raw)? {
                return Ok(Some(watched));
            }
        }
    }
}

fn read(raw: &Raw) -> Result<Option<Watched>, Error> {
    Ok(Some(match raw.event.as_str() {
        frame::SNAPSHOT => {
            let snapshot: WorkingSnapshot = serde_json::from_str(&raw.data).map_err(wrong)?;
            Watched::Snapshot(snapshot.changes, snapshot.complete)
        }
        frame::CHANGE => Watched::Change(serde_json::from_str(&raw.data).map_err(wrong)?),
        frame::HEARTBEAT => Watched::Heartbeat,
        frame::DISCONNECTED | frame::SLOW_CONSUMER => Watched::Disconnected,
        // That it is open, and what a later server may say.
        _ => return Ok(None),
    }))
}
