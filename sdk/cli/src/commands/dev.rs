//! `soorma dev`: the platform on this machine.

use std::path::PathBuf;

use serde_json::json;
use soorma::Error;
use soorma::config::Tokens;

use super::config::Layers;
use super::memory::DEV_KEY;
use super::platform::{self, Ready};
use crate::print::{Printer, Tone};

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
    let mut config = args.layers.load(flags)?.config;
    // What is tried on a laptop stays on it; `serve` goes to servers.
    config.nats.servers = None;
    config.postgres.url.clear();
    config.postgres.owner_url.clear();
    if config.memory.admin_key.is_empty() {
        DEV_KEY.clone_into(&mut config.memory.admin_key);
    }
    if !config.edge.listen.ip().is_loopback() {
        let addr = config.edge.listen;
        return Err(Error::invalid(format!(
            "dev listens on this machine only, and {addr} is not loopback: use 127.0.0.1:PORT or [::1]:PORT, or `soorma serve`, which asks for tokens"
        ))
        .into());
    }
    let data = config.node.data.clone();
    let asked = match config.auth.tokens {
        Tokens::Optional => "this machine only, no token needed",
        Tokens::Required => "this machine only, with a token",
    };
    platform::run(config, printer, |ready| greet(printer, ready, &data, asked)).await
}

fn greet(printer: Printer, ready: &Ready, data: &std::path::Path, asked: &str) -> anyhow::Result<()> {
    let Ready { url, embedder, .. } = ready;
    if printer.is_json() {
        return printer
            .object(&json!({ "url": url, "data": data, "embedder": embedder, "pid": std::process::id() }));
    }
    let version = env!("CARGO_PKG_VERSION");
    let at = if url == "http://127.0.0.1:8080" { String::new() } else { format!(" --url {url}") };
    printer.lines(&format!(
        "soorma {version} is ready\n\
         \n  \
           listens on  {}   {}\n  \
           data in     {}\n  \
           finds by    {}\n\
         \n\
         in another terminal:\n  \
           soorma events tail{at}\n  \
           soorma events publish greeting.requested --topic action-requests --response-event greeting.answered --data '{{\"name\":\"Ada\"}}'{at}\n  \
           soorma tree{at}\n\
         \n\
         Ctrl-C stops it",
        printer.tone(Tone::Good, url),
        printer.tone(Tone::Quiet, asked),
        data.display(),
        printer.tone(Tone::Quiet, &ready.finds()),
    ))
}
