//! `soorma serve`: the platform beside its servers.

use std::path::PathBuf;

use serde_json::json;
use soorma::config::{Config, Source, Tokens};

use super::config::Layers;
use super::platform::{self, Ready};
use crate::print::{Printer, Tone};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The NATS servers that keep the event log, with commas between them; without any it is kept in the data folder. A user, token or
    /// credentials file is better given by configuration or environment: arguments can be seen by others on the machine.
    #[arg(long, value_name = "URL")]
    nats: Option<String>,
    /// The Postgres database that keeps the registry and memory; without one they are kept in the data folder. One with a password is better given by
    /// configuration or environment (SOORMA__POSTGRES__URL).
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// The folder that holds the data that no server keeps [default: ./.soorma].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    #[command(flatten)]
    layers: Layers,
}

pub(crate) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
    let mut flags = Vec::new();
    let data = args.data.map(|data| data.display().to_string());
    for (key, value) in [
        ("nats.servers", args.nats),
        ("postgres.url", args.postgres),
        ("node.data", data),
        ("edge.listen", args.listen),
    ] {
        flags.extend(value.map(|value| (key.to_owned(), value)));
    }
    let loaded = args.layers.load(flags)?;
    // As it is shown: without a password.
    let servers = loaded.rows.iter().find(|row| row.path == "nats.servers").map(|row| row.value.clone());
    let mut config = loaded.config;
    // Who runs a platform for others asks who they are, unless told not to.
    if loaded.rows.iter().any(|row| row.path == "auth.tokens" && row.source == Source::Default) {
        config.auth.tokens = Tokens::Required;
    }
    let asked = match config.auth.tokens {
        Tokens::Required => "every request needs a token",
        Tokens::Optional => "this machine only: nobody is asked for a token",
    };
    let places = Places::of(&config, servers.unwrap_or_default());
    platform::run(config, printer, |ready| greet(printer, ready, &places, asked)).await
}

/// Where what is kept is kept.
struct Places {
    events: String,
    registry: String,
}

impl Places {
    fn of(config: &Config, servers: String) -> Self {
        let folder = config.node.data.display().to_string();
        let events = match config.nats.servers {
            Some(_) => format!("{servers} (streams {}-*)", config.nats.prefix),
            None => folder.clone(),
        };
        let registry = match config.postgres.url.as_str() {
            "" => folder,
            // Of the address, only what follows the password.
            url => {
                let at = url.rsplit_once('@').or_else(|| url.split_once("://")).map_or("", |(_, at)| at);
                let at = at.split_once('?').map_or(at, |(at, _)| at);
                format!("postgres://{at} (schema {})", config.postgres.schema)
            }
        };
        Self { events, registry }
    }
}

fn greet(printer: Printer, ready: &Ready, places: &Places, asked: &str) -> anyhow::Result<()> {
    let Ready { url, embedder, .. } = ready;
    if printer.is_json() {
        return printer.object(&json!({
            "url": url, "events": places.events, "registry": places.registry, "memory": places.registry, "embedder": embedder,
            "pid": std::process::id(),
        }));
    }
    let version = env!("CARGO_PKG_VERSION");
    printer.lines(&format!(
        "soorma {version} serves\n  \
           listens on  {}   {}\n  \
           events on   {}\n  \
           registry on {}, and memory\n  \
           finds by    {}\n\
         {url}/readyz says whether it takes work; SIGTERM or Ctrl-C stops it in order",
        printer.tone(Tone::Good, url),
        printer.tone(Tone::Quiet, asked),
        places.events,
        places.registry,
        printer.tone(Tone::Quiet, &ready.finds()),
    ))
}
