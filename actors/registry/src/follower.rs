//! Keeps the view in step with the store: the one road by which it changes, whoever wrote.

use std::convert::Infallible;
use std::sync::Arc;

use soorma_ports::RegistryStoreError;
use soorma_supervise::{Failure, TaskCx};

use crate::outage::Outage;
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
    let mut at = match shared.seen() {
        Some(at) => at,
        None => read_all(shared).await?,
    };
    loop {
        match shared.store.changes(at, PAGE).await {
            Ok(page) => {
                outage.over();
                let view = shared.view_so_far();
                for change in page.changes {
                    if let Some(row) = view.apply(change) {
                        shared.watch_lease(&row);
                    }
                }
                at = at.max(page.upto);
                shared.seen_upto(at);
                if page.more {
                    continue;
                }
            }
            Err(RegistryStoreError::Gone(revision)) => {
                tracing::warn!(revision, "the registry is read anew: what changed meanwhile was forgotten");
                at = read_all(shared).await?;
                continue;
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            changed = shared.store.changed(at) => changed?,
            () = shared.written.notified() => {}
        }
    }
}

/// Reads all that there is into a new view, beside the one that is read from, and puts it in its place. Returns up to where it goes.
async fn read_all(shared: &Shared) -> Result<u64, RegistryStoreError> {
    let view = Arc::new(View::default());
    let mut at = 0;
    loop {
        let page = shared.store.changes(at, PAGE).await?;
        for change in page.changes {
            // Leases are looked at when all is there.
            let _row = view.apply(change);
        }
        at = at.max(page.upto);
        if !page.more {
            break;
        }
    }
    view.remember(&shared.view_so_far());
    shared.replace_view(view);
    shared.watch_all_leases();
    shared.seen_upto(at);
    Ok(at)
}
