//! `soorma config`: which values hold, and why.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;
use soorma::Error;
use soorma::config::{File, Loaded, Sources, is_ours, load, reference};

use crate::print::Printer;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show every value and where it comes from: the default, soorma.toml, or the environment.
    Show(Layers),
    /// Print a soorma.toml with every key, its default and its meaning.
    Reference,
}

/// Where configuration comes from.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Layers {
    /// The configuration file; ./soorma.toml where it exists and nothing is said.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Set a value, such as `--set bus.ack_within=10s`; goes before the file and the environment.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl Layers {
    /// Loads the configuration; `flags` of the command go before all else.
    pub(crate) fn load(&self, flags: Vec<(String, String)>) -> anyhow::Result<Loaded> {
        let path = match &self.config {
            Some(path) => Some(path.clone()),
            None => Some(PathBuf::from("soorma.toml")).filter(|path| path.exists()),
        };
        let file = match path {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    Error::invalid(format!("cannot read the configuration file {}: {error}", path.display()))
                })?;
                Some(File { path, text })
            }
        };
        let mut set = Vec::new();
        for pair in &self.set {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| Error::invalid(format!("--set {pair} is not of the form KEY=VALUE")))?;
            set.push((key.to_owned(), value.to_owned()));
        }
        set.extend(flags);
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| is_ours(name))
            .collect();
        load(Sources { file, env, flags: set }).map_err(|errors| {
            let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
            let what = if lines.len() == 1 {
                "the configuration is wrong"
            } else {
                "the configuration is wrong in several places"
            };
            Error::invalid(format!("{what}:\n  {}", lines.join("\n  "))).into()
        })
    }
}

pub(crate) fn run(command: Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Reference if printer.is_json() => printer.object(&json!({ "toml": reference() })),
        Command::Reference => printer.raw(reference().as_bytes()),
        Command::Show(layers) => {
            let loaded = layers.load(Vec::new())?;
            if printer.is_json() {
                let rows: Vec<_> = loaded
                    .rows
                    .iter()
                    .map(|row| json!({ "key": row.path, "value": row.value, "source": row.source.to_string() }))
                    .collect();
                return printer.object(&rows);
            }
            let rows = loaded.rows.into_iter().map(|row| {
                vec![row.path.to_string(), row.value.to_string(), row.source.to_string(), row.doc.to_string()]
            });
            printer.table(&["key", "value", "from", "meaning"], rows.collect())
        }
    }
}
