//! A platform in this process: started, told of, run until it is asked to stop, and ended in order.

use serde_json::json;
use soorma::config::{Config, EmbedderKind, LogFormat};
use soorma::{Error, Node, Options};

use crate::print::Printer;
use crate::signals;

/// Where a platform is, and by what memory and agents are found in it.
pub(crate) struct Ready {
    pub(crate) url: String,
    /// The model and dimensions of the embedder, where there is one.
    pub(crate) embedder: Option<String>,
    kind: Option<EmbedderKind>,
}

impl Ready {
    /// Says it to a person.
    pub(crate) fn finds(&self) -> String {
        match (&self.embedder, self.kind) {
            (None, _) => "words and time alone: there is no embedder (models.embedder)".to_owned(),
            (Some(of), Some(EmbedderKind::Hashing)) => {
                format!("{of}: shared words and spellings, not meaning")
            }
            (Some(of), _) => of.clone(),
        }
    }
}

/// Runs a platform; `greet` says that it is ready, and where.
pub(crate) async fn run(
    config: Config,
    printer: Printer,
    greet: impl FnOnce(&Ready) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    log_lines(&config)?;
    let kind = config.models.embedder;
    // Taken before anything is started, so that no request to stop is missed.
    let stop = signals::asked_to_stop();
    tokio::pin!(stop);
    let node = tokio::select! {
        node = Node::start(config, Options::default()) => node.map_err(Error::from)?,
        stop = &mut stop => return Ok(stop?),
    };
    let url = node.addr().map(|addr| format!("http://{addr}")).unwrap_or_default();
    // Who started it may have stopped reading, as `head -1` does: that is no reason to end, nor to end without order.
    let embedder = node.embedder().map(|embedder| embedder.generation().to_string());
    let _unread = greet(&Ready { url, embedder, kind });
    tokio::select! {
        stop = stop => stop?,
        ended = node.ended() => {
            let why = ended.err().map_or_else(|| "it ended by itself".to_owned(), |error| error.to_string());
            // What is left is closed as far as that goes.
            drop(node.stop().await);
            return Err(Error::internal(format!("the platform has ended: {why}")).into());
        }
    }
    if !printer.is_json() {
        let _unread = printer.line("stopping: what is in hand is finished first; Ctrl-C again stops at once");
    }
    tokio::select! {
        stopped = node.stop() => stopped.map_err(Error::from)?,
        again = signals::interrupted() => {
            again?;
            return Err(Error::new(soorma::ErrorCode::Cancelled, "stopped at once; nothing that was accepted is lost").into());
        }
    }
    if printer.is_json() { printer.object(&json!({ "stopped": true })) } else { printer.line("stopped") }
}

/// Log lines go to standard error: standard output is for what was asked.
fn log_lines(config: &Config) -> anyhow::Result<()> {
    use std::io::IsTerminal as _;
    // What becomes of the connection to NATS is said by the event log itself, once; a directive of the user's own goes before this one.
    let directives = format!("async_nats=off,{}", config.telemetry.log);
    let filter = tracing_subscriber::EnvFilter::try_new(directives)
        .map_err(|error| Error::invalid(format!("telemetry.log = '{}': {error}", config.telemetry.log)))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.telemetry.format {
        LogFormat::Json => lines.json().try_init(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("cannot write log lines: {error}"))
}
