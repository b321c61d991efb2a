//! `soorma events list` and `show`: what events mean.

use soorma::api::registry::{EventItem, EventQuery};
use soorma::{Client, Data, Error, ErrorCode, Topic};

use crate::commands::schemas::pretty;
use crate::connection::Connection;
use crate::print::Printer;

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Those of one topic.
    #[arg(long)]
    topic: Option<Topic>,
    /// At most so many.
    #[arg(long, default_value_t = 500)]
    limit: usize,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The event's type.
    name: String,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn list(args: List, printer: Printer) -> anyhow::Result<()> {
    let topic = args.topic.map(|topic| topic.to_string());
    let query = EventQuery { topic, limit: Some(args.limit), ..EventQuery::default() };
    let page = args.connection.client()?.events(&query).await?;
    if printer.is_json() {
        return printer.object(&page);
    }
    if page.events.is_empty() {
        return printer.line(
            "no events are defined: say what one means with POST /v1/events, or register an agent that does",
        );
    }
    let rows = page.events.iter().map(|event| {
        vec![
            event.event_name.clone(),
            event.topic.to_string(),
            schema(event.payload_schema_name.as_deref(), event.payload_schema.as_ref()).to_owned(),
            schema(event.response_schema_name.as_deref(), event.response_schema.as_ref()).to_owned(),
            event.description.clone(),
        ]
    });
    printer.table(&["event", "topic", "payload", "answer", "what it says"], rows.collect())?;
    match page.next_cursor {
        Some(_) => printer.line(&format!("and more: give --topic, or a higher --limit than {}", args.limit)),
        None => Ok(()),
    }
}

pub(super) async fn show(args: Show, printer: Printer) -> anyhow::Result<()> {
    let client = args.connection.client()?;
    let event = client.event(&args.name).await.map_err(|error| match error.code {
        ErrorCode::NotFound => Error::not_found(format!(
            "{}; list those that are defined with soorma events list",
            error.message
        )),
        _ => error,
    })?;
    if printer.is_json() {
        return printer.object(&event);
    }
    let EventItem { event_name, topic, description, .. } = &event;
    for (name, value) in [("event", event_name), ("topic", &topic.to_string())] {
        printer.line(&format!("{name:<8} {value}"))?;
    }
    printer.lines(format!("says     {description}").trim_end())?;
    for (what, name, inline) in [
        ("payload", &event.payload_schema_name, &event.payload_schema),
        ("answer", &event.response_schema_name, &event.response_schema),
    ] {
        let (title, body) = content(&client, name.as_deref(), inline.as_ref()).await?;
        printer.line(&format!("{what:<8} {title}"))?;
        if let Some(body) = body {
            printer.lines(&pretty(body.as_str()))?;
        }
    }
    Ok(())
}

/// Names the schema that holds: one that is kept under a name comes before one that stands in the definition.
fn schema<'a>(name: Option<&'a str>, inline: Option<&Data>) -> &'a str {
    name.unwrap_or(if inline.is_some() { "(its own)" } else { "" })
}

async fn content(
    client: &Client,
    name: Option<&str>,
    inline: Option<&Data>,
) -> Result<(String, Option<Data>), Error> {
    let Some(name) = name else {
        let title = if inline.is_some() { "a schema of its own" } else { "any" };
        return Ok((title.to_owned(), inline.cloned()));
    };
    match client.schema(name, None).await {
        Ok(newest) => Ok((format!("{name}@{}", newest.version), Some(newest.json_schema))),
        Err(error) if error.code == ErrorCode::NotFound => {
            Ok((format!("{name}, which is not registered"), inline.cloned()))
        }
        Err(error) => Err(error),
    }
}
