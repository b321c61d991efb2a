//! `soorma dev`: the platform on this machine.

use std::path::PathBuf;

use serde_json::json;
use soorma::config::{Config, LogFormat};
use soorma::{Error, Node, Options};

use super::config::Layers;
use crate::print::{Printer, Tone};
use crate::signals;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder that holds the data; made where it does not exist [default: ./.soorma].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to listen, on this machine only; port 0 takes a free one [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    #[command(flatten)]
    layers: Layers,
}

pub(crate) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
    let mut flags = Vec::new();
    if let Some(data) = &args.data {
        flags.push(("node.data".to_owned(), data.display().to_string()));
    }
    if let Some(listen) = &args.listen {
        flags.push(("edge.listen".to_owned(), listen.clone()));
    }
    let config = args.layers.load(flags)?.config;
    if !config.edge.listen.ip().is_loopback() {
        let addr = config.edge.listen;
        return Err(Error::invalid(format!(
            "dev asks nobody for a token, so it listens on this machine only, and {addr} is not loopback: use 127.0.0.1:PORT or [::1]:PORT"
        ))
        .into());
    }
    log_lines(&config)?;
    // Taken before anything is started, so that no request to stop is missed.
    let stop = signals::asked_to_stop();
    tokio::pin!(stop);
    let data = config.node.data.clone();
    let node = tokio::select! {
        node = Node::start(config, Options::default()) => node.map_err(Error::from)?,
        stop = &mut stop => return Ok(stop?),
    };
    let url = node.addr().map(|addr| format!("http://{addr}")).unwrap_or_default();
    // Who started it may have stopped reading, as `head -1` does: that is no reason to end, nor to end without order.
    let _unread = greet(printer, &url, &data);
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

fn greet(printer: Printer, url: &str, data: &std::path::Path) -> anyhow::Result<()> {
    if printer.is_json() {
        return printer.object(&json!({ "url": url, "data": data, "pid": std::process::id() }));
    }
    let version = env!("CARGO_PKG_VERSION");
    let at = if url == "http://127.0.0.1:8080" { String::new() } else { format!(" --url {url}") };
    printer.line(&format!(
        "soorma {version} is ready\n\
         \n  \
           listens on  {}   {}\n  \
           data in     {}\n\
         \n\
         in another terminal:\n  \
           soorma events tail{at}\n  \
           soorma events publish greeting.requested --topic action-requests --response-event greeting.answered --data '{{\"name\":\"Ada\"}}'{at}\n  \
           soorma tree{at}\n\
         \n\
         Ctrl-C stops it",
        printer.tone(Tone::Good, url),
        printer.tone(Tone::Quiet, "this machine only, no token needed"),
        data.display(),
    ))
}

/// Log lines go to standard error: standard output is for what was asked.
fn log_lines(config: &Config) -> anyhow::Result<()> {
    use std::io::IsTerminal as _;
    let filter = tracing_subscriber::EnvFilter::try_new(&config.telemetry.log)
        .map_err(|error| Error::invalid(format!("telemetry.log = '{}': {error}", config.telemetry.log)))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.telemetry.format {
        LogFormat::Json => lines.json().try_init(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("cannot write log lines: {error}"))
}
