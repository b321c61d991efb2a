//! `soorma events publish`.

use std::io::Read as _;

use serde_json::json;
use soorma::{
    Clock as _, Data, Error, Event, EventId, MachineClock, MachineEntropy, Owner, Topic, new_event_id,
};

use crate::connection::Connection;
use crate::print::Printer;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
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
    /// The service tenant; that of the token, or st_default-tenant.
    #[arg(long)]
    service_tenant: Option<String>,
    /// The service user; that of the token, or su_default-user.
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
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
    // Where a token says who it is, the platform fills in what is left out.
    let or = |said: Option<String>, default: &str| match args.connection.has_token() {
        true => said,
        false => Some(said.unwrap_or_else(|| default.to_owned())),
    };
    event.tenant_id = or(args.service_tenant, Owner::DEFAULT_SERVICE_TENANT);
    event.user_id = or(args.user, Owner::DEFAULT_USER);
    let published = args.connection.client()?.publish(&event).await?;
    if printer.is_json() {
        printer.object(
            &json!({ "id": published.event_id, "topic": topic, "correlation_id": event.correlation_id }),
        )
    } else {
        printer.line(&format!("published {} on {topic}", published.event_id))
    }
}
