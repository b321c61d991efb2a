//! `soorma dlq`: dead letters.

use clap::Subcommand;
use soorma::api::{DeadLetterQuery, Handled, Selection};
use soorma::{Error, ErrorCode};

use crate::connection::Connection;
use crate::print::Printer;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List them, oldest first.
    List {
        #[command(flatten)]
        which: Which,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Only those after this id.
        #[arg(long)]
        after: Option<u64>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one, with its event.
    Show {
        /// Its id.
        id: u64,
        #[command(flatten)]
        connection: Connection,
    },
    /// Give them back to their groups, to be tried again from the first attempt.
    Redrive(Chosen),
    /// Drop them for good.
    Discard(Chosen),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Those of one group.
    #[arg(long)]
    group: Option<String>,
    /// Those of one topic.
    #[arg(long)]
    topic: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Chosen {
    /// Their ids.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<u64>,
    /// All of them, or all of a group or topic.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    connection: Connection,
}

impl Chosen {
    fn selection(self) -> Result<(Selection, Connection), Error> {
        if self.ids.len() > Selection::MAX_IDS {
            return Err(Error::invalid(format!("at most {} ids go in one command", Selection::MAX_IDS)));
        }
        let ids = (!self.all).then_some(self.ids);
        Ok((
            Selection { ids, all: self.all, group: self.which.group, topic: self.which.topic },
            self.connection,
        ))
    }
}

pub(crate) async fn run(command: Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::List { which, limit, after, connection } => {
            let query = DeadLetterQuery { group: which.group, topic: which.topic, after, limit: Some(limit) };
            let page = connection.client()?.dead_letters(&query).await?;
            if printer.is_json() {
                return printer.object(&page);
            }
            if page.dead_letters.is_empty() {
                return printer.line("no dead letters");
            }
            let rows = page.dead_letters.into_iter().map(|letter| {
                let id = letter.id.to_string();
                let time = letter.last_at.to_string().get(..19).map(ToOwned::to_owned).unwrap_or_default();
                vec![id, letter.group, letter.event_type, letter.attempts.to_string(), time, letter.cause]
            });
            printer.table(&["id", "group", "type", "attempts", "given up", "cause"], rows.collect())?;
            match page.next {
                Some(next) => printer.line(&format!("more with --after {next}")),
                None => Ok(()),
            }
        }
        Command::Show { id, connection } => {
            let letter = connection.client()?.dead_letter(id).await.map_err(|error| match error.code {
                ErrorCode::NotFound => missing(&[id]),
                _ => error,
            })?;
            if printer.is_json() {
                return printer.object(&letter);
            }
            let lines = [
                ("id", letter.id.to_string()),
                ("group", letter.group),
                ("cause", letter.cause),
                ("attempts", letter.attempts.to_string()),
                ("first tried", letter.first_at.to_string()),
                ("given up", letter.last_at.to_string()),
                ("topic", format!("{} at {}", letter.topic, letter.position)),
            ];
            for (name, value) in lines {
                printer.line(&format!("{name:<12} {value}"))?;
            }
            printer.line(&serde_json::to_string_pretty(&letter.event)?)
        }
        Command::Redrive(chosen) => {
            let (selection, connection) = chosen.selection()?;
            said(printer, "gave back", connection.client()?.redrive(&selection).await?)
        }
        Command::Discard(chosen) => {
            let (selection, connection) = chosen.selection()?;
            said(printer, "dropped", connection.client()?.discard(&selection).await?)
        }
    }
}

fn said(printer: Printer, what: &str, handled: Handled) -> anyhow::Result<()> {
    if printer.is_json() {
        printer.object(&handled)?;
    } else {
        printer.line(&format!("{what} {}", count(handled.count)))?;
    }
    if handled.missing.is_empty() {
        return Ok(());
    }
    Err(missing(&handled.missing).into())
}

fn missing(ids: &[u64]) -> Error {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    Error::not_found(format!("there is no dead letter {}; list them with soorma dlq list", ids.join(", ")))
}

fn count(n: usize) -> String {
    if n == 1 { "1 dead letter".to_owned() } else { format!("{n} dead letters") }
}
