//! The registry's store, in the file of the log: its writes go to the log's writer and share its commits, its reads to the log's readers.
//!
//! An agent stands in the sequence of changes at two places: where its record was said, and where it was last heard since. So one who
//! pages through the changes finds the record at its place however often the agent is heard meanwhile.

mod changes;
mod draft;
mod feed;
mod write;

pub(crate) use feed::Feed;

use std::sync::Arc;

use async_trait::async_trait;
use soorma_core::Timestamp;
use soorma_ports::{
    ReadFrom, Refused, RegistryPage, RegistryStore, RegistryStoreError, RegistryWrite, Written,
};
use tokio::sync::watch;

use crate::error::{closed, registry_error};
use crate::readers::Readers;
use crate::writer::{Kind, Writer};

/// The registry's store in the file of a [`SqliteLog`](crate::SqliteLog), for one process.
///
/// What is put or removed is synced to the disk before it is answered, and refused when the file has its largest size. A call with nothing but
/// signs of life is written before it is answered, and synced with the next commit that is: it survives the end of the process at any
/// moment, and a power cut may undo the last of them, as if they had come a moment too late.
pub struct SqliteRegistry {
    writer: Writer,
    readers: Arc<Readers>,
    written: watch::Receiver<u64>,
}

impl std::fmt::Debug for SqliteRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteRegistry").field("written", &*self.written.borrow()).finish_non_exhaustive()
    }
}

impl SqliteRegistry {
    pub(crate) fn new(writer: Writer, readers: Arc<Readers>, written: watch::Receiver<u64>) -> Self {
        Self { writer, readers, written }
    }
}

#[async_trait]
impl RegistryStore for SqliteRegistry {
    async fn write(
        &self,
        writes: Vec<RegistryWrite>,
    ) -> Result<Vec<Result<Written, Refused>>, RegistryStoreError> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        // Here and not in the writer, where all others would wait for it.
        let drafts = writes.into_iter().map(draft::Draft::new).collect::<Result<Vec<_>, _>>()?;
        let kind = draft::kind(&drafts);
        self.writer.ask(kind, move |tx| Ok(write::write(tx, &drafts)?)).await.map_err(registry_error)
    }

    async fn changes(&self, from: ReadFrom, limit: usize) -> Result<RegistryPage, RegistryStoreError> {
        let page = self.readers.read(move |connection| Ok(changes::page(connection, from, limit)?)).await;
        page.map_err(registry_error)?
    }

    async fn changed(&self, after: u64) -> Result<(), RegistryStoreError> {
        let mut written = self.written.clone();
        // The writer holds the other end: without it nothing new is ever seen.
        written.wait_for(|written| *written != after).await.map_err(|_| registry_error(closed()))?;
        Ok(())
    }

    async fn forget(&self, removed_before: Timestamp) -> Result<u64, RegistryStoreError> {
        let forget = move |tx: &mut crate::writer::Tx<'_>| Ok(write::forget(tx, removed_before)?);
        self.writer.ask(Kind::Synced, forget).await.map_err(registry_error)
    }

    async fn check(&self) -> Result<(), RegistryStoreError> {
        let probe = self.writer.ask(Kind::Grows, |tx| Ok(tx.state.probe(tx.connection)?));
        probe.await.map_err(registry_error)
    }
}
