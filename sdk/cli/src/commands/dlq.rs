//! `soorma dlq`: dead letters.

use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use soorma::api::{DeadLetterQuery, Handled, Selection};
use soorma::{Client, Error, ErrorCode};
use tokio::time::MissedTickBehavior;

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
    /// Give them back to their groups, oldest first, to be tried again from the first attempt.
    Redrive {
        #[command(flatten)]
        chosen: Chosen,
        /// With --all, at most so many in a second, so that who could not deal with them is not flooded.
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        rate: u32,
    },
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
    /// Those of one event type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
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
            Selection {
                ids,
                all: self.all,
                group: self.which.group,
                topic: self.which.topic,
                kind: self.which.kind,
                ..Selection::default()
            },
            self.connection,
        ))
    }
}

pub(crate) async fn run(command: Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::List { which, limit, after, connection } => {
            let Which { group, topic, kind } = which;
            let query = DeadLetterQuery { group, topic, kind, after, limit: Some(limit) };
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
            printer.lines(&serde_json::to_string_pretty(&letter.event)?)
        }
        Command::Redrive { chosen, rate } => {
            let (selection, connection) = chosen.selection()?;
            let client = connection.client()?;
            let verb = async |some: &Selection| client.redrive(some).await;
            said(printer, "gave back", handle(printer, &client, selection, Some(rate), verb).await?)
        }
        Command::Discard(chosen) => {
            let (selection, connection) = chosen.selection()?;
            let client = connection.client()?;
            let verb = async |some: &Selection| client.discard(some).await;
            said(printer, "dropped", handle(printer, &client, selection, None, verb).await?)
        }
    }
}

/// How many parts a second of redriving has at most: smaller ones are smoother.
const PARTS: u32 = 10;
/// How many are asked for at once.
const PAGE: usize = 500;

/// Deals with what is selected: at once where ids are named, else piece by piece, with progress, so many in a second.
async fn handle(
    printer: Printer,
    client: &Client,
    selection: Selection,
    rate: Option<u32>,
    verb: impl AsyncFn(&Selection) -> Result<Handled, Error>,
) -> anyhow::Result<Handled> {
    if !selection.all {
        return Ok(verb(&selection).await?);
    }
    // All are found before the first is dealt with: one that fails again comes back under another id, and is not for us.
    let ids = ids_of(client, selection).await?;
    let most = u32::try_from(Selection::MAX_IDS).unwrap_or(u32::MAX);
    let at_once = rate.map_or(most, |rate| rate.div_ceil(PARTS).min(most));
    let period = rate.map_or(Duration::from_nanos(1), |rate| Duration::from_secs(1) * at_once / rate);
    let mut pace = tokio::time::interval(period);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let bar = ProgressBar::new(u64::try_from(ids.len()).unwrap_or(u64::MAX));
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} dead letters  {per_sec}")?);
    if printer.is_json() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    let mut all = Handled::default();
    for ids in ids.chunks(usize::try_from(at_once).unwrap_or(PAGE)) {
        pace.tick().await;
        let some = verb(&Selection { ids: Some(ids.to_vec()), ..Selection::default() }).await?;
        all.count += some.count;
        all.ids.extend(some.ids);
        all.missing.extend(some.missing);
        bar.inc(u64::try_from(ids.len()).unwrap_or(u64::MAX));
    }
    bar.finish_and_clear();
    Ok(all)
}

/// Finds all that are selected.
async fn ids_of(client: &Client, selection: Selection) -> Result<Vec<u64>, Error> {
    let Selection { group, topic, kind, .. } = selection;
    let mut query = DeadLetterQuery { group, topic, kind, after: None, limit: Some(PAGE) };
    let mut ids = Vec::new();
    loop {
        let page = client.dead_letters(&query).await?;
        ids.extend(page.dead_letters.iter().map(|letter| letter.id));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(ids),
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
    Error::not_found(format!(
        "there is no dead letter {}; list them with soorma dlq list (one that is listed is not given back while its group has as much \
         in hand as it may)",
        ids.join(", ")
    ))
}

fn count(n: usize) -> String {
    if n == 1 { "1 dead letter".to_owned() } else { format!("{n} dead letters") }
}
