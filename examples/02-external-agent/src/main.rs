//! A worker in Python, joined to an embedded platform over HTTP, and a client that asks it to greet.
//!
//! Run it with `cargo run -p soorma-example-02-external-agent`; it needs `python3`, and nothing is left behind.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use soorma::config::Config;
use soorma::{
    Client, Clock as _, Data, Event, EventStream, Frame, MachineClock, MachineEntropy, Node, Options, Scope,
    StreamRequest, Topic, new_event_id,
};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

const WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/worker.py");

#[derive(Serialize)]
struct Greet<'a> {
    name: &'a str,
}

#[derive(Deserialize)]
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
    config.edge.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let node = Node::start(config, Options::default()).await?;
    let addr = node.addr().context("the platform has no address")?;

    let done = tokio::time::timeout(Duration::from_secs(60), greet(&format!("http://{addr}"))).await;
    node.stop().await?;
    done.context("not done within 60 seconds")?
}

/// Has three people greeted by the worker; everything goes over HTTP.
async fn greet(url: &str) -> anyhow::Result<()> {
    let mut worker = Command::new("python3")
        .args([WORKER, url])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context(
            "python3 does not start; install Python 3.8 or newer, for example with apt install python3",
        )?;
    let output = worker.stdout.take().context("the worker has no output")?;
    // It says so when it has joined its group: what is published from then on reaches it.
    let mut said = BufReader::new(output).lines();
    said.next_line().await?.context("the worker ended before it joined its group")?;
    println!("worker.py waits for requests");

    let owner = Scope { service_tenant: Some("st".into()), user: Some("su".into()), ..Scope::default() };
    let client = Client::new(url)?.scope(owner);
    // The stream is open before a request is out, so it shows the answers however fast they come.
    let results = StreamRequest {
        topics: [Topic::ActionResults].into(),
        agent_id: "hello-client".to_owned(),
        ..StreamRequest::default()
    };
    let mut results = client.stream(&results).await?;
    for name in ["Ada", "Grace", "Linus"] {
        let request = request(&Greet { name })?;
        println!("hello-client asks: {} for {name}", request.kind);
        client.publish(&request).await?;
        let answer = answer_to(&request, &mut results).await?;
        match answer.data.as_ref().context("the answer carries nothing")?.parse()? {
            Answer::Completed { result } => {
                println!("{} says: {}, {}", answer.source, answer.kind, result.greeting);
            }
            Answer::Failed { error } => bail!("{} could not: {error}", answer.source),
        }
    }
    worker.kill().await?;
    Ok(())
}

fn request(greet: &Greet<'_>) -> anyhow::Result<Event> {
    let id = new_event_id(&MachineClock, &MachineEntropy);
    let correlation = id.to_string();
    let now = MachineClock.now();
    let mut event = Event::new(id, "hello-client", "greeting.requested", now, Topic::ActionRequests);
    event.data = Some(Data::from_value(greet)?);
    event.correlation_id = Some(correlation);
    event.response_event = Some("greeting.answered".to_owned());
    Ok(event)
}

async fn answer_to(request: &Event, results: &mut EventStream) -> anyhow::Result<Event> {
    while let Some(frame) = results.next().await? {
        match frame {
            Frame::Message(event, _) if event.correlation_id == request.correlation_id => return Ok(*event),
            _ => {}
        }
    }
    bail!("the stream ended before the answer came")
}
