//! Keeps the view in step with the store: the one road by which it changes, whoever wrote.

use std::convert::Infallible;
use std::sync::Arc;

use soorma_ports::{ReadFrom, RegistryStoreError};
use soorma_supervise::{Failure, Outage, TaskCx};

use crate::shared::Shared;
use crate::view::View;

/// How many changes are read at once: some milliseconds of work, during which this task lets nobody else run.
const PAGE: usize = 1_000;

/// Follows the store until it is asked to stop. A new incarnation goes on where the last one was.
pub(crate) async fn run(shared: Arc<Shared>, cx: TaskCx) -> Result<(), Failure> {
    let outage = Outage::new("the registry's changes");
    loop {
        let failed = tokio::select! {
            biased;
            () = cx.stopping() => return Ok(()),
            failed = follow(&shared, &outage) => match failed {
                Ok(never) => match never {},
                Err(error) => error,
            },
        };
        let wait = outage.failed(&failed);
        tokio::select! {
            () = cx.stopping() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn follow(shared: &Shared, outage: &Outage) -> Result<Infallible, RegistryStoreError> {
    let mut from = match shared.seen() {
        Some(at) => ReadFrom::from(at),
        None => read_all(shared).await?,
    };
    loop {
        if shared.has_gone_back() {
            tracing::warn!("the registry's store has gone back; it is read anew");
            from = read_all(shared).await?;
        }
        match shared.store.changes(from, PAGE).await {
            Ok(page) => {
                outage.over();
                from = page.next();
                let view = shared.view_so_far();
                for change in page.changes {
                    if let Some(row) = view.apply(change) {
                        shared.watch_lease(&row);
                    }
                }
                shared.seen_upto(from.after);
                if page.more {
                    tokio::task::yield_now().await;
                    continue;
                }
            }
            Err(RegistryStoreError::Gone(revision)) => {
                tracing::warn!(
                    revision,
                    "the registry is read anew: what changed meanwhile is not known any more"
                );
                from = read_all(shared).await?;
                continue;
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            changed = shared.store.changed(from.after) => changed?,
            () = shared.written.notified() => {}
        }
    }
}

/// Reads all that there is into a new view, beside the one that is read from, and puts it in its place. Returns up to where it goes.
async fn read_all(shared: &Shared) -> Result<ReadFrom, RegistryStoreError> {
    let view = Arc::new(View::default());
    let mut from = ReadFrom::default();
    loop {
        let page = shared.store.changes(from, PAGE).await?;
        from = page.next();
        for change in page.changes {
            // Leases are looked at when all is there.
            let _row = view.apply(change);
        }
        if !page.more {
            break;
        }
        tokio::task::yield_now().await;
    }
    view.remember(&shared.view_so_far());
    shared.replace_view(view);
    shared.watch_all_leases();
    shared.read_upto(from.after);
    Ok(from)
}
