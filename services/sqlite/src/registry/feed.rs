//! How those who wait for changes hear of them: after the commit, from the writer.

use rusqlite::Connection;
use tokio::sync::watch;

/// Up to which revision all is committed.
pub(crate) struct Feed {
    committed: watch::Sender<u64>,
    /// The last revision that this batch has given.
    given: Option<u64>,
}

impl Feed {
    pub(crate) fn open(connection: &Connection) -> rusqlite::Result<Self> {
        let last = super::write::last(connection)?;
        Ok(Self { committed: watch::Sender::new(last), given: None })
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }

    /// Begins a batch.
    pub(crate) fn begin(&mut self) {
        self.given = None;
    }

    /// A revision was given in this batch.
    pub(super) fn gives(&mut self, revision: u64) {
        self.given = Some(revision);
    }

    /// Tells those who wait.
    pub(crate) fn committed(&mut self) {
        if let Some(given) = self.given.take() {
            self.committed.send_replace(given);
        }
    }
}
