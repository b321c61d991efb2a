//! How a person, or the machine, asks a command to end.

use tokio::signal::unix::{SignalKind, signal};

/// Completes at the first Ctrl-C or SIGTERM after the call: what comes before the first poll is not missed.
pub(crate) fn asked_to_stop() -> impl Future<Output = std::io::Result<()>> {
    let interrupt = signal(SignalKind::interrupt());
    let terminate = signal(SignalKind::terminate());
    async move {
        let (mut interrupt, mut terminate) = (interrupt?, terminate?);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    }
}

/// Completes at the next Ctrl-C. A second SIGTERM, which some supervisors send along, is not a person's haste.
pub(crate) async fn interrupted() -> std::io::Result<()> {
    signal(SignalKind::interrupt())?.recv().await;
    Ok(())
}
