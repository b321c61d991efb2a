//! `soorma events groups`: who works through events, and how far behind they are.

use std::time::Duration;

use clap::Subcommand;
use serde_json::json;
use soorma::api::{GroupItem, GroupQuery};
use soorma::{Client, Error, ErrorCode};

use crate::connection::Connection;
use crate::print::{Printer, Tone};
use crate::signals;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Show the list again every second.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List them.
    List,
    /// Show one, with its place in each topic.
    Show {
        /// Its name.
        name: String,
    },
    /// Have it hand out nothing until it is resumed.
    Pause {
        /// Its name.
        name: String,
    },
    /// Have it go on.
    Resume {
        /// Its name.
        name: String,
    },
    /// Have it go on from another place.
    Seek {
        /// Its name.
        name: String,
        /// `now`, `earliest`, or a position such as `action-requests=7`.
        #[arg(long)]
        to: String,
    },
    /// Forget it, with what it has in hand and its dead letters.
    Remove {
        /// Its name.
        name: String,
    },
}

/// How often the list is drawn.
const REFRESH: Duration = Duration::from_secs(1);
/// How many groups are asked for at once.
const PAGE: usize = 100;

pub(super) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
    let client = args.connection.client()?;
    match args.command {
        None | Some(Command::List) if args.watch && printer.is_live() => watch(&client, printer).await,
        None | Some(Command::List) => {
            let groups = all(&client).await?;
            list(printer, &groups)
        }
        Some(Command::Show { name }) => show(printer, &known(&name, client.group(&name).await)?),
        Some(Command::Pause { name }) => told(printer, &known(&name, client.pause(&name).await)?),
        Some(Command::Resume { name }) => told(printer, &known(&name, client.resume(&name).await)?),
        // Here the place may be what is not there: the answer says which.
        Some(Command::Seek { name, to }) => told(printer, &client.seek(&name, to).await?),
        Some(Command::Remove { name }) => {
            known(&name, client.remove_group(&name).await)?;
            if printer.is_json() {
                printer.object(&json!({ "removed": name }))
            } else {
                printer.line(&format!("{name} is removed"))
            }
        }
    }
}

/// Says what to do where there is no such group.
fn known<T>(name: &str, answer: Result<T, Error>) -> Result<T, Error> {
    answer.map_err(|error| match error.code {
        ErrorCode::NotFound => {
            Error::not_found(format!("there is no group {name}; list them with soorma events groups"))
        }
        _ => error,
    })
}

async fn all(client: &Client) -> Result<Vec<GroupItem>, Error> {
    let mut groups = Vec::new();
    let mut after = None;
    loop {
        let page = client.groups(&GroupQuery { after, limit: Some(PAGE) }).await?;
        groups.extend(page.groups);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(groups),
        }
    }
}

async fn watch(client: &Client, printer: Printer) -> anyhow::Result<()> {
    let stop = signals::asked_to_stop();
    tokio::pin!(stop);
    loop {
        let groups = all(client).await?;
        // Home, and all below it cleared.
        printer.raw(b"\x1b[H\x1b[2J")?;
        list(printer, &groups)?;
        printer.line(&printer.tone(Tone::Quiet, "every second · Ctrl-C ends"))?;
        tokio::select! {
            stop = &mut stop => return Ok(stop?),
            () = tokio::time::sleep(REFRESH) => {}
        }
    }
}

fn list(printer: Printer, groups: &[GroupItem]) -> anyhow::Result<()> {
    if printer.is_json() {
        return printer.object(groups);
    }
    if groups.is_empty() {
        return printer.line("no groups: one is made when an agent connects or is hosted");
    }
    let blank = |n: u64| if n == 0 { String::new() } else { n.to_string() };
    let rows = groups.iter().map(|group| {
        vec![
            group.name.clone(),
            state(printer, group),
            blank(group.behind),
            group.oldest_seconds.map(age).unwrap_or_default(),
            blank(group.in_hand),
            blank(group.waiting),
            blank(group.dead_letters),
            group.topics.keys().cloned().collect::<Vec<_>>().join(" "),
        ]
    });
    let head = ["group", "state", "behind", "oldest", "in hand", "waiting", "dead letters", "topics"];
    printer.table(&head, rows.collect())
}

fn state(printer: Printer, group: &GroupItem) -> String {
    let (tone, text) = if group.paused {
        (Tone::Warn, "paused".to_owned())
    } else {
        match group.streams {
            0 => (Tone::Quiet, "-".to_owned()),
            1 => (Tone::Good, "1 stream".to_owned()),
            n => (Tone::Good, format!("{n} streams")),
        }
    };
    printer.tone(tone, &text)
}

fn show(printer: Printer, group: &GroupItem) -> anyhow::Result<()> {
    if printer.is_json() {
        return printer.object(group);
    }
    let lines = [
        ("group", group.name.clone()),
        ("state", state(printer, group)),
        ("behind", group.behind.to_string()),
        ("oldest", group.oldest_seconds.map_or_else(|| "-".to_owned(), age)),
        ("in hand", group.in_hand.to_string()),
        ("waiting", group.waiting.to_string()),
        ("dead letters", group.dead_letters.to_string()),
        ("in order by", group.partitionkey.clone().unwrap_or_else(|| "-".to_owned())),
        ("last used", group.used_at.to_string()),
        (
            "forgotten",
            group.expire_after_seconds.map_or_else(
                || "never".to_owned(),
                |seconds| format!("{} after its last use", age(Duration::from_secs(seconds).as_secs_f64())),
            ),
        ),
    ];
    for (name, value) in lines {
        printer.line(&format!("{name:<13} {value}"))?;
    }
    printer.line("")?;
    let rows = group
        .topics
        .iter()
        .map(|(topic, place)| vec![topic.clone(), place.position.to_string(), place.lag.to_string()]);
    printer.table(&["topic", "position", "lag"], rows.collect())
}

fn told(printer: Printer, group: &GroupItem) -> anyhow::Result<()> {
    if printer.is_json() {
        return printer.object(group);
    }
    let state = if group.paused { "is paused" } else { "goes on" };
    printer.line(&format!("{} {state}: {} events behind", group.name, group.behind))
}

/// Writes a span in its largest unit.
fn age(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default().as_secs();
    match whole {
        0..60 => format!("{whole}s"),
        60..3_600 => format!("{}m", whole / 60),
        3_600..86_400 => format!("{}h", whole / 3_600),
        _ => format!("{}d", whole / 86_400),
    }
}
