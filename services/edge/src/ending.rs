//! When a stream is ended by the node: because it closes, or because who reads it has proven who they are for so long and no longer.

use std::pin::Pin;

use soorma_core::Timestamp;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

use crate::app::{App, closing};

#[derive(Debug)]
pub(crate) struct Ending {
    stopping: watch::Receiver<bool>,
    over: Option<Pin<Box<Sleep>>>,
}

impl Ending {
    /// Of a stream that is opened now, with a token that is over then.
    pub(crate) fn new(app: &App, until: Option<Timestamp>) -> Self {
        let now = app.edge.clock.now();
        let over = until.map(|until| Box::pin(sleep(until.since(now))));
        Self { stopping: app.stopping.clone(), over }
    }

    /// Waits for it. Dropping the future loses nothing.
    pub(crate) async fn comes(&mut self) {
        match &mut self.over {
            None => closing(&mut self.stopping).await,
            Some(over) => tokio::select! {
                () = closing(&mut self.stopping) => {}
                () = over.as_mut() => {}
            },
        }
    }
}
