//! A librarian that remembers what it is told, answers from that, and knows who asked what.
//!
//! Run it with `cargo run -p soorma-example-03-memory`; there is nothing to install, and nothing is left behind.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use soorma::config::Config;
use soorma::{
    Ctx, Data, Event, Fault, Node, Options, Role, Subscription, TenantId, Topic, Weights, Worker,
    new_event_id,
};

#[derive(Serialize, Deserialize)]
struct Said {
    text: String,
}

#[derive(Serialize, Deserialize)]
struct Answered {
    text: String,
}

/// How workers answer: what they return stands in `result`, why they could not in `error`.
#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Answer {
    Completed { result: Answered },
    Failed { error: String },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let mut config = Config::default();
    config.node.data = data.path().to_owned();
    let node = Node::start(config, Options { edge: false, ..Options::default() }).await?;

    let librarian = Worker::new("librarian")?
        .on_task("note.told", learn)
        .on_task("question.asked", answer)
        .on_task("questions.wanted", recall);
    node.agents().host(librarian).await?;

    let done = tokio::time::timeout(Duration::from_secs(30), visit(&node)).await;
    node.stop().await?;
    done.context("not done within 30 seconds")?
}

/// Stores what it is told. Told again, or tried again after a crash, it is still known once.
async fn learn(Said { text }: Said, ctx: Ctx) -> Result<Answered, Fault> {
    ctx.memory().store_knowledge(text).source("visitors").await?;
    Ok(Answered { text: "I will remember".to_owned() })
}

/// Answers by what it knows that fits best, by meaning and by words.
async fn answer(Said { text }: Said, ctx: Ctx) -> Result<Answered, Fault> {
    let memory = ctx.memory();
    let known = memory.search_knowledge(text.as_str(), 1).weights(Weights::HYBRID).await?;
    let Some(best) = known.items.into_iter().next() else {
        return Err(Fault::failed("I know nothing yet"));
    };
    memory.log_interaction(Role::User, text).await?;
    memory.log_interaction(Role::Assistant, best.content.as_str()).await?;
    let nth = memory.increment("questions", 1).await?;
    Ok(Answered { text: format!("{} (question {nth})", best.content) })
}

/// Says what whoever asks has asked so far: nobody else's questions.
async fn recall(_: Said, ctx: Ctx) -> Result<Answered, Fault> {
    let mut history = ctx.memory().recent_history(10).await?;
    history.reverse();
    let asked = history.into_iter().filter(|episode| episode.role == Role::User);
    let asked: Vec<String> = asked.map(|episode| episode.content).collect();
    Ok(Answered { text: if asked.is_empty() { "nothing".to_owned() } else { asked.join(" and ") } })
}

async fn visit(node: &Node) -> anyhow::Result<()> {
    for note in [
        "The library opens at nine in the morning.",
        "Books can be kept for four weeks.",
        "Cats are not allowed.",
    ] {
        ask(node, "ada", "note.told", note).await?;
    }
    ask(node, "ada", "question.asked", "when does the library open").await?;
    ask(node, "ada", "question.asked", "how long can books be kept").await?;
    ask(node, "ada", "questions.wanted", "what have I asked").await?;
    ask(node, "linus", "questions.wanted", "what have I asked").await
}

/// Asks as a user, and waits for the answer.
async fn ask(node: &Node, user: &str, kind: &str, text: &str) -> anyhow::Result<()> {
    let tenant = TenantId::default();
    // The stream is open before the request is out, so it shows the answer however fast that comes.
    let results = Subscription { tenant: tenant.clone(), topics: [Topic::ActionResults].into(), after: None };
    let mut results = node.bus().subscribe(results).await?;

    let id = new_event_id(&**node.clock(), &**node.entropy());
    let mut request = Event::new(id.clone(), user, kind, node.clock().now(), Topic::ActionRequests);
    request.data = Some(Data::from_value(&Said { text: text.to_owned() })?);
    request.correlation_id = Some(id.to_string());
    request.response_event = Some("librarian.answered".to_owned());
    // Whose memory it is.
    request.tenant_id = Some("library".to_owned());
    request.user_id = Some(user.to_owned());
    println!("{user}: {text}");
    node.bus().publish(&tenant, vec![request]).await?;

    loop {
        let event = &results.next().await?.entry.event;
        if event.correlation_id.as_deref() == Some(id.as_str()) {
            match event.data.as_ref().context("the answer carries nothing")?.parse()? {
                Answer::Completed { result } => println!("  {}: {}", event.source, result.text),
                Answer::Failed { error } => bail!("{} could not: {error}", event.source),
            }
            return Ok(());
        }
    }
}
