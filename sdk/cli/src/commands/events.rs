//! `soorma events`: what they mean; publish, watch, read again, and see who works through them.

mod definitions;
mod groups;
mod publish;
mod replay;
mod tail;

use std::collections::BTreeSet;

use clap::Subcommand;
use serde_json::json;
use soorma::{Cursor, Error, Event, Topic};

use crate::print::{Printer, Tone};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publish an event; it is on disk when this returns.
    Publish(Box<publish::Args>),
    /// Show events as they come.
    Tail(tail::Args),
    /// Show the events that are kept, up to now; or have a group go through them again.
    Replay(replay::Args),
    /// List what events mean.
    List(definitions::List),
    /// Show what one event means, with the schemas of its payload and its answer.
    Show(definitions::Show),
    /// Show groups and how far behind they are; pause, resume, move and remove them.
    Groups(groups::Args),
}

pub(crate) async fn run(command: Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Publish(args) => publish::run(*args, printer).await,
        Command::Tail(args) => tail::run(args, printer).await,
        Command::Replay(args) => replay::run(args, printer).await,
        Command::List(args) => definitions::list(args, printer).await,
        Command::Show(args) => definitions::show(args, printer).await,
        Command::Groups(args) => groups::run(args, printer).await,
    }
}

fn topics(texts: &[String]) -> Result<BTreeSet<Topic>, Error> {
    let topic =
        |text: &String| text.parse().map_err(|error: soorma::UnknownTopic| Error::invalid(error.to_string()));
    texts.iter().map(topic).collect()
}

fn position(option: &str, text: &str) -> Result<Cursor, Error> {
    text.parse().map_err(|_| {
        Error::invalid(format!(
            "{option} {text} is no position: give the `at` of an event that was shown before"
        ))
    })
}

fn too_slow(at: Option<Cursor>) -> Error {
    let again = at.map(|at| format!("; go on with --after {at}")).unwrap_or_default();
    Error::unavailable(format!("this reader was too slow{again}"))
}

fn show(printer: Printer, event: &Event, at: Option<&Cursor>) -> anyhow::Result<()> {
    let at = at.map(ToString::to_string);
    if printer.is_json() {
        return printer.object(&json!({ "at": at, "event": event }));
    }
    let data = event.data.as_ref().map_or("", |data| data.as_str());
    let short: String = data.chars().take(160).collect();
    let more = if short.len() < data.len() { "…" } else { "" };
    let time = event.time.to_string();
    let clock = time.get(11..23).unwrap_or(&time);
    printer.line(&format!(
        "{} {} {} {} {short}{more}",
        printer.tone(Tone::Quiet, clock),
        event.topic,
        printer.tone(Tone::Good, &event.kind),
        printer.tone(Tone::Quiet, &format!("from {}", event.source)),
    ))
}
