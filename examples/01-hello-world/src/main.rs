//! A worker that greets, and a client that asks it to, in one process over an embedded platform.
//!
//! Run it with `cargo run -p soorma-example-01-hello-world`; there is nothing to install, and nothing is left behind.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use soorma::config::Config;
use soorma::{Ctx, Data, Event, Fault, Node, Options, Subscription, TenantId, Topic, Worker, new_event_id};

#[derive(Serialize, Deserialize)]
struct Greet {
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Greeting {
    greeting: String,
}

/// How workers answer: what they return stands in `result`, why they could not in `error`.
#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Answer {
    Completed { result: Greeting },
    Failed { error: String },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let mut config = Config::default();
    config.node.data = data.path().to_owned();
    let node = Node::start(config, Options { edge: false, ..Options::default() }).await?;

    node.agents().host(Worker::new("hello-worker")?.on_task("greeting.requested", greet)).await?;

    let answered = tokio::time::timeout(Duration::from_secs(30), ask(&node, "Ada")).await;
    node.stop().await?;
    answered.context("no answer came within 30 seconds")?
}

/// The worker: what it returns is the answer.
async fn greet(Greet { name }: Greet, _: Ctx) -> Result<Greeting, Fault> {
    Ok(Greeting { greeting: format!("hello {name}") })
}

/// The client: asks, and waits for the answer.
async fn ask(node: &Node, name: &str) -> anyhow::Result<()> {
    let tenant = TenantId::default();
    // The stream is open before the request is out, so it shows the answer however fast that comes.
    let results = Subscription { tenant: tenant.clone(), topics: [Topic::ActionResults].into(), after: None };
    let mut results = node.bus().subscribe(results).await?;

    let id = new_event_id(&**node.clock(), &**node.entropy());
    let now = node.clock().now();
    let mut request =
        Event::new(id.clone(), "hello-client", "greeting.requested", now, Topic::ActionRequests);
    request.data = Some(Data::from_value(&Greet { name: name.to_owned() })?);
    request.correlation_id = Some(id.to_string());
    request.response_event = Some("greeting.answered".to_owned());
    println!("hello-client asks: {} for {name}", request.kind);
    node.bus().publish(&tenant, vec![request]).await?;

    loop {
        let event = &results.next().await?.entry.event;
        if event.correlation_id.as_deref() == Some(id.as_str()) {
            let data = event.data.as_ref().context("the answer carries nothing")?;
            match data.parse()? {
                Answer::Completed { result } => {
                    println!("{} says: {}, {}", event.source, event.kind, result.greeting);
                }
                Answer::Failed { error } => bail!("{} could not: {error}", event.source),
            }
            return Ok(());
        }
    }
}
