//! How a person, or the machine, asks a command to end.

use tokio::signal::unix::{SignalKind, signal};

/// Completes at the first Ctrl-C or SIGTERM.
pub(crate) async fn asked_to_stop() -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
