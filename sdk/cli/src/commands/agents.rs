//! `soorma agents`: who is here, what they can do, and how they are.

mod changes;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Subcommand;
use serde_json::json;
use soorma::api::registry::{AgentQuery, AgentView, CapabilityItem, RANKED_ROWS};
use soorma::{
    AgentKind, AgentStatus, Client, Clock as _, Error, ErrorCode, MachineClock, RankedBy, Timestamp, Topic,
};

use crate::connection::Connection;
use crate::print::{Printer, Tone};
use crate::signals;
use changes::{Change, changes, seen};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List them and how they are.
    List(List),
    /// Show one, with what it can do.
    Show {
        /// Its id, or its name where only one has it.
        id: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Show who is here, and then what changes, as it happens: who comes, how they are, who leaves.
    Watch {
        #[command(flatten)]
        which: Which,
        /// End after so many lines.
        #[arg(long, value_name = "N")]
        count: Option<usize>,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    which: Which,
    /// Those that are so: starting, ready, degraded, quarantined, draining or expired.
    #[arg(long)]
    status: Option<AgentStatus>,
    /// Also those that have not been heard for so long that they count as gone.
    #[arg(long)]
    expired: bool,
    /// Those first that fit best what they are to do, said in a sentence; needs models.embedder.
    #[arg(long, value_name = "SENTENCE", conflicts_with = "expired")]
    query: Option<String>,
    /// At most so many: 500 where nothing is said, and 10 with --query.
    #[arg(long)]
    limit: Option<usize>,
    /// Show the list again every second.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Those with this capability.
    #[arg(long, value_name = "NAME")]
    capability: Option<String>,
    /// Those that handle this event.
    #[arg(long, value_name = "TYPE")]
    event: Option<String>,
    /// Those that handle or publish something on this topic.
    #[arg(long)]
    topic: Option<Topic>,
    /// Those of this kind: tool, worker or planner.
    #[arg(long)]
    kind: Option<AgentKind>,
    /// Those in whose name, description or capabilities all of these words stand.
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
}

impl Which {
    fn query(self) -> AgentQuery {
        let Self { capability, event: consumed_event, topic, kind, text } = self;
        AgentQuery { capability, consumed_event, topic, kind, text, ..AgentQuery::default() }
    }
}

/// How many are listed where nothing is said.
const ROWS: usize = 500;
/// How often what is live is looked at.
const REFRESH: Duration = Duration::from_secs(1);
/// How many capabilities or events a row names.
const NAMED: usize = 3;

pub(crate) async fn run(command: Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::List(args) => list(args, printer).await,
        Command::Show { id, connection } => show(printer, &find(&connection.client()?, &id).await?),
        Command::Watch { which, count, connection } => {
            watch(&connection.client()?, which.query(), count, printer).await
        }
    }
}

async fn list(args: List, printer: Printer) -> anyhow::Result<()> {
    let client = args.connection.client()?;
    let usual = if args.query.is_some() { RANKED_ROWS } else { ROWS };
    let limit = args.limit.unwrap_or(usual);
    let query = AgentQuery {
        status: args.status,
        include_expired: args.expired,
        query: args.query,
        limit: Some(limit),
        ..args.which.query()
    };
    let stop = signals::asked_to_stop();
    tokio::pin!(stop);
    loop {
        let page = match query.query {
            Some(_) => client.discover_in_full(&query).await?,
            None => client.agents_in_full(&query).await?,
        };
        if printer.is_json() {
            return printer.object(&page);
        }
        let live = args.watch && printer.is_live();
        if live {
            // Home, and all below it cleared.
            printer.raw(b"\x1b[H\x1b[2J")?;
        }
        if page.agents.is_empty() {
            let unasked = AgentQuery { limit: query.limit, ..AgentQuery::default() } == query;
            printer.line(if unasked {
                "no agents: one is here when it is hosted, or when it registers with POST /v1/agents"
            } else {
                "no agent is so: soorma agents list --expired shows all that there are"
            })?;
        } else {
            table(printer, &page.agents)?;
        }
        if page.next_cursor.is_some() {
            printer.line(&format!("and more: narrow it down, or give a higher --limit than {limit}"))?;
        }
        if page.ranking == Some(RankedBy::Words) {
            printer.line("by the words in common: the embedder could not be asked in time")?;
        }
        if !live {
            return Ok(());
        }
        printer.line(&printer.tone(Tone::Quiet, "every second · Ctrl-C ends"))?;
        tokio::select! {
            stop = &mut stop => return Ok(stop?),
            () = tokio::time::sleep(REFRESH) => {}
        }
    }
}

fn table(printer: Printer, agents: &[AgentView]) -> anyhow::Result<()> {
    let now = MachineClock.now();
    // Those that are ranked have a score, all of them.
    let scored = agents.iter().any(|agent| agent.score.is_some());
    let rows = agents.iter().map(|AgentView { agent, state, score }| {
        let score = score.map(|score| format!("{score:.2}"));
        let row = [
            agent.name.clone(),
            agent.agent_id.clone(),
            state.kind.map(|kind| kind.to_string()).unwrap_or_default(),
            printer.tone(tone(state.status), state.status.as_str()),
            some(agent.capabilities.iter().map(|capability| capability.task_name.as_str())),
            some(agent.consumed_events.iter().map(String::as_str)),
            heard(now, state.last_heartbeat),
        ];
        score.into_iter().chain(row).collect()
    });
    let head = ["name", "id", "kind", "status", "capabilities", "consumes", "heard"];
    let head: Vec<_> = scored.then_some("score").into_iter().chain(head).collect();
    printer.table(&head, rows.collect())
}

/// Finds an agent by its id, or by its name.
async fn find(client: &Client, id: &str) -> Result<AgentView, Error> {
    let missing = match client.agent(id).await {
        Err(error) if error.code == ErrorCode::NotFound => error,
        found => return found,
    };
    let query = AgentQuery { name: Some(id.to_owned()), include_expired: true, ..AgentQuery::default() };
    let mut named = client.agents_in_full(&query).await?.agents;
    match (named.pop(), named.len()) {
        (Some(agent), 0) => Ok(agent),
        (Some(last), more) => {
            let ids = some(named.iter().chain([&last]).map(|agent| agent.agent.agent_id.as_str()));
            Err(Error::invalid(format!("{} agents are called {id}; say which: {ids}", more + 1)))
        }
        (None, _) => Err(Error::not_found(format!(
            "{}; list those that are here with soorma agents list --expired",
            missing.message
        ))),
    }
}

fn show(printer: Printer, view: &AgentView) -> anyhow::Result<()> {
    if printer.is_json() {
        return printer.object(view);
    }
    let AgentView { agent, state, .. } = view;
    let now = MachineClock.now();
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let why = state.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let lines = [
        ("name", agent.name.clone()),
        ("id", agent.agent_id.clone()),
        ("kind", or_none(state.kind.map(|kind| kind.to_string()))),
        ("version", or_none(state.version.clone())),
        ("status", format!("{}{why}", printer.tone(tone(state.status), state.status.as_str()))),
        ("registered", state.registered_at.to_string()),
        ("heard", format!("{} ({})", state.last_heartbeat, heard(now, state.last_heartbeat))),
        ("lease ends", state.expires_at.to_string()),
        ("consumes", agent.consumed_events.join(" ")),
        ("produces", agent.produced_events.join(" ")),
    ];
    for (name, value) in lines {
        printer.line(format!("{name:<11} {value}").trim_end())?;
    }
    if !agent.description.is_empty() {
        printer.lines(&format!("\n{}", agent.description))?;
    }
    if agent.capabilities.is_empty() {
        return Ok(());
    }
    printer.line("")?;
    let rows = agent.capabilities.iter().map(|capability| {
        let CapabilityItem { task_name, description, consumed_event: asked, produced_events } = capability;
        let answers = produced_events.iter().map(|event| event.event_name.as_str());
        vec![
            task_name.clone(),
            asked.event_name.clone(),
            asked.topic.to_string(),
            some(answers),
            description.clone(),
        ]
    });
    printer.table(&["capability", "asked by", "topic", "answered by", "what it does"], rows.collect())
}

async fn watch(
    client: &Client,
    query: AgentQuery,
    count: Option<usize>,
    printer: Printer,
) -> anyhow::Result<()> {
    let query = AgentQuery { include_expired: true, ..query };
    let stop = signals::asked_to_stop();
    tokio::pin!(stop);
    if printer.is_live() {
        printer.note("who is here, and what changes · Ctrl-C ends");
    }
    let (mut before, mut left) = (BTreeMap::new(), count.unwrap_or(usize::MAX));
    loop {
        let now = seen(all(client, &query).await?);
        for change in changes(&before, &now).into_iter().take(left) {
            left -= 1;
            tell(printer, &change)?;
        }
        if left == 0 {
            return Ok(());
        }
        before = now;
        tokio::select! {
            stop = &mut stop => return Ok(stop?),
            () = tokio::time::sleep(REFRESH) => {}
        }
    }
}

/// All that fit, page by page.
async fn all(client: &Client, query: &AgentQuery) -> Result<Vec<AgentView>, Error> {
    let mut query = query.clone();
    let mut agents = Vec::new();
    loop {
        let page = client.agents_in_full(&query).await?;
        agents.extend(page.agents);
        match page.next_cursor {
            Some(next) => query.cursor = Some(next),
            None => return Ok(agents),
        }
    }
}

fn tell(printer: Printer, change: &Change) -> anyhow::Result<()> {
    let Change { id, name, status, reason } = change;
    let now = MachineClock.now();
    let word = status.map_or("gone", AgentStatus::as_str);
    if printer.is_json() {
        return printer
            .object(&json!({ "at": now, "agentId": id, "name": name, "status": word, "reason": reason }));
    }
    let now = now.to_string();
    let clock = now.get(11..19).unwrap_or(&now);
    let which = if id == name { String::new() } else { format!(" {}", printer.tone(Tone::Quiet, id)) };
    let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let word = printer.tone(status.map_or(Tone::Quiet, tone), word);
    printer.line(&format!("{} {name}{which} {word}{why}", printer.tone(Tone::Quiet, clock)))
}

const fn tone(status: AgentStatus) -> Tone {
    match status {
        AgentStatus::Ready => Tone::Good,
        AgentStatus::Starting | AgentStatus::Degraded | AgentStatus::Draining => Tone::Warn,
        AgentStatus::Quarantined => Tone::Bad,
        AgentStatus::Expired => Tone::Quiet,
    }
}

/// Names the first few, and says how many more there are.
fn some<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    let mut text = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(" ");
    if let Some(more) = names.len().checked_sub(NAMED + 1) {
        text.push_str(&format!(" +{}", more + 1));
    }
    text
}

/// Says how long ago somebody was heard, in the largest unit.
fn heard(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.since(at).as_secs();
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_a_few_and_counts_the_rest() {
        for (names, text) in [
            (&[][..], ""),
            (&["a"], "a"),
            (&["a", "b", "c"], "a b c"),
            (&["a", "b", "c", "d", "e"], "a b c +2"),
        ] {
            assert_eq!(some(names.iter().copied()), text);
        }
    }

    #[test]
    fn how_long_ago_is_said_in_the_largest_unit_and_never_negative() {
        let now = Timestamp::from_micros(1_000_000_000_000_000);
        let ago = |seconds: i64| heard(now, Timestamp::from_micros(now.micros() - seconds * 1_000_000));
        for (seconds, text) in [
            (-5, "0 s ago"),
            (0, "0 s ago"),
            (12, "12 s ago"),
            (60, "1 min ago"),
            (7_199, "1 h ago"),
            (200_000, "2 d ago"),
        ] {
            assert_eq!(ago(seconds), text);
        }
    }
}
