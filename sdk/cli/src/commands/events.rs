//! `soorma events`: publish, and watch.

use std::collections::BTreeSet;
use std::io::Read as _;

use clap::Subcommand;
use serde_json::json;
use soorma::{
    Clock as _, Cursor, Data, Error, Event, EventId, Frame, MachineClock, MachineEntropy, StreamRequest,
    Topic, new_event_id,
};

use crate::connection::Connection;
use crate::print::{Printer, Tone};
use crate::signals;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publish an event; it is on disk when this returns.
    Publish(Box<Publish>),
    /// Show events as they come.
    Tail(Tail),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Publish {
    /// The event's type, such as order.placed.
    kind: String,
    /// The topic.
    #[arg(long, default_value = "business-facts")]
    topic: String,
    /// What it carries: a JSON object; `-` reads it from standard input.
    #[arg(long, default_value = "{}")]
    data: String,
    /// Who sends it.
    #[arg(long, default_value = "cli")]
    source: String,
    /// The id; the same id is published once. A new one where nothing is said.
    #[arg(long)]
    id: Option<String>,
    /// What ties a request and its answers together.
    #[arg(long)]
    correlation_id: Option<String>,
    /// The event type of the answer.
    #[arg(long)]
    response_event: Option<String>,
    /// The service tenant.
    #[arg(long, default_value = "st_default-tenant")]
    service_tenant: String,
    /// The service user.
    #[arg(long, default_value = "su_default-user")]
    user: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Tail {
    /// Topics; all where none is named.
    topics: Vec<String>,
    /// Only events of this type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Resume after this position: the `at` of an event shown before.
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// End after so many events.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) async fn run(command: Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Publish(args) => publish(*args, printer).await,
        Command::Tail(args) => tail(args, printer).await,
    }
}

async fn publish(args: Publish, printer: Printer) -> anyhow::Result<()> {
    let topic: Topic =
        args.topic.parse().map_err(|error: soorma::UnknownTopic| Error::invalid(error.to_string()))?;
    let mut text = args.data;
    if text == "-" {
        text.clear();
        std::io::stdin().lock().read_to_string(&mut text)?;
    }
    let data = Data::from_json(&text).map_err(|error| Error::invalid(format!("--data: {error}")))?;
    let id = match args.id {
        Some(id) => EventId::new(id).map_err(|error| Error::invalid(format!("--id {error}")))?,
        None => new_event_id(&MachineClock, &MachineEntropy),
    };
    let mut event = Event::new(id, args.source, args.kind, MachineClock.now(), topic);
    event.data = Some(data);
    event.correlation_id = args.correlation_id.or_else(|| Some(event.id.to_string()));
    event.response_event = args.response_event;
    event.tenant_id = Some(args.service_tenant);
    event.user_id = Some(args.user);
    let published = args.connection.client()?.publish(&event).await?;
    if printer.is_json() {
        printer.object(
            &json!({ "id": published.event_id, "topic": topic, "correlation_id": event.correlation_id }),
        )
    } else {
        printer.line(&format!("published {} on {topic}", published.event_id))
    }
}

async fn tail(args: Tail, printer: Printer) -> anyhow::Result<()> {
    let mut topics = BTreeSet::new();
    for topic in &args.topics {
        topics.insert(topic.parse::<Topic>().map_err(|error| Error::invalid(error.to_string()))?);
    }
    let after: Option<Cursor> = match &args.after {
        Some(text) => Some(text.parse().map_err(|_| {
            Error::invalid(format!(
                "--after {text} is no position: give the `at` of an event that was shown before"
            ))
        })?),
        None => None,
    };
    let agent_id = format!("tail-{}", std::process::id());
    let request = StreamRequest { topics, agent_id, agent_name: None, after };
    let mut stream = args.connection.client()?.stream(&request).await?;
    if printer.is_live() {
        printer.note("waiting for events · Ctrl-C ends");
    }
    let stop = signals::asked_to_stop();
    tokio::pin!(stop);
    let mut shown = 0;
    while args.count.is_none_or(|count| shown < count) {
        let frame = tokio::select! {
            frame = stream.next() => frame?,
            stop = &mut stop => return Ok(stop?),
        };
        match frame {
            Some(Frame::Message(event, at)) => {
                if args.kind.as_ref().is_some_and(|kind| *kind != event.kind) {
                    continue;
                }
                shown += 1;
                show(printer, &event, at.as_ref())?;
            }
            Some(Frame::Disconnected) | None => {
                return Err(Error::unavailable("the platform closed the stream; it may be stopping").into());
            }
            Some(_) => {}
        }
    }
    Ok(())
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
