//! The two agents of the demo, and what sets them to work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use soorma::config::ByteSize;
use soorma::{
    Agent, Breaker, Ctx, Data, Emission, Error, Event, EventId, Fault, Limits, Node, TenantId, Topic, Worker,
};
use tokio::io::AsyncReadExt as _;

use super::count::Counter;
use super::gremlin::Gremlin;
use super::ledger::{Ledger, Said};

const REQUESTED: &str = "file.count.requested";
const SAID: &str = "file.said";
/// Letters in the words of one event; a longer word goes alone.
const PART: usize = 128 * 1024;
/// A file with a longer word, if that is what it is, is not counted: all of a word stands in one event.
const LONGEST_WORD: usize = 32 * 1024 * 1024;
/// Has room for the longest word, and for what stands around it.
pub(crate) const LARGEST_EVENT: ByteSize = ByteSize(64 * 1024 * 1024);
/// How many files are read at once.
const READERS: u32 = 16;

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    root: PathBuf,
    path: String,
}

/// The agents at work.
#[derive(Debug)]
pub(crate) struct Hosted {
    agents: [Agent; 2],
    redeliveries: Arc<AtomicU64>,
}

impl Hosted {
    /// How often a handler got an event that had been handed out before.
    pub(crate) fn redeliveries(&self) -> u64 {
        self.redeliveries.load(Ordering::Relaxed)
    }

    /// Lets those out that are held.
    pub(crate) async fn release(&self, node: &Node) {
        for agent in &self.agents {
            node.agents().release(agent).await;
        }
    }
}

/// Hosts the agents. They survive as many crashes as it takes: with chaos there are many, without there is none.
pub(crate) async fn host(node: &Node, ledger: &Ledger, gremlin: Option<Gremlin>) -> Result<Hosted, Error> {
    let any = soorma::Intensity::new(u32::MAX, Duration::from_secs(1));
    let limits = Limits {
        max_attempts: 10_000,
        retry_first: Duration::from_millis(2),
        retry_max: Duration::from_millis(20),
        ack_within: Duration::from_secs(2),
        handler_timeout: Duration::from_secs(600),
        breaker: Breaker { after: u32::MAX, ..Breaker::default() },
        crashes: any,
        restarts: any,
        max_emissions: 100_000,
        ..Limits::default()
    };
    let redeliveries = Arc::new(AtomicU64::new(0));
    let begin = {
        let redeliveries = Arc::clone(&redeliveries);
        move |ctx: &Ctx| {
            redeliveries.fetch_add(u64::from(ctx.attempt() > 1), Ordering::Relaxed);
            if let Some(gremlin) = &gremlin {
                gremlin.strike(ctx);
            }
        }
    };
    let reader = {
        let begin = begin.clone();
        Worker::new("reader")
            .map_err(|error| Error::internal(error.to_string()))?
            // An instance for each file.
            .keyed(READERS, |event| event.subject.clone())
            .limits(limits.clone())
            .on_event(Topic::ActionRequests, REQUESTED, move |request: Request, ctx: Ctx| {
                begin(&ctx);
                read(request, ctx)
            })
    };
    let collector = {
        let ledger = ledger.clone();
        Worker::new("collector")
            .map_err(|error| Error::internal(error.to_string()))?
            .pool(2)
            .limits(limits)
            .on_event(Topic::ActionResults, SAID, move |said: Said, ctx: Ctx| {
                begin(&ctx);
                ledger.enter(ctx.event().id.clone(), said);
                std::future::ready(Ok(()))
            })
    };
    let agents = [Agent::from(reader), Agent::from(collector)];
    for agent in &agents {
        node.agents().host(agent.clone()).await?;
    }
    Ok(Hosted { agents, redeliveries })
}

/// Asks for every file.
pub(crate) async fn ask(node: &Node, root: &Path, files: &[String]) -> anyhow::Result<()> {
    let tenant = TenantId::default();
    let bus = node.bus();
    for batch in files.chunks(500) {
        let mut events = Vec::new();
        for path in batch {
            let mut random = [0; 10];
            node.entropy().fill(&mut random);
            let now = node.clock().now();
            let id = EventId::uuid_v7(now.unix_ms(), &random);
            let mut event = Event::new(id, "demo", REQUESTED, now, Topic::ActionRequests);
            event.subject = Some(path.clone());
            event.data = Some(Data::from_value(&Request { root: root.to_owned(), path: path.clone() })?);
            events.push(event);
        }
        bus.publish(&tenant, events).await?;
    }
    Ok(())
}

/// Counts a file and says what it came to.
async fn read(request: Request, ctx: Ctx) -> Result<(), Fault> {
    let Request { root, path } = request;
    let say = |said: &Said| ctx.emit(Emission::new(Topic::ActionResults, SAID, said)?);
    let count = match count(&root.join(&path)).await {
        Ok(Some(count)) => count,
        Ok(None) => return say(&Said::NoText { path }),
        Err(error) => return say(&Said::Unreadable { path, why: error.to_string() }),
    };
    let mut parts = 0;
    let mut runs = count.runs.into_iter().peekable();
    while runs.peek().is_some() {
        let mut left = PART;
        let mut words = BTreeMap::new();
        // Eight for what stands around a word.
        while let Some((word, count)) = runs.next_if(|(word, _)| words.is_empty() || word.len() + 8 <= left) {
            left = left.saturating_sub(word.len() + 8);
            words.insert(word, count);
        }
        say(&Said::Words { path: path.clone(), words })?;
        parts += 1;
    }
    say(&Said::Counted { path, lines: count.lines, words: count.words, parts })
}

async fn count(path: &Path) -> std::io::Result<Option<super::count::Count>> {
    let mut file = tokio::fs::File::open(path).await?;
    let mut counter = Counter::default();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let n = file.read(&mut buffer).await?;
        let Some(piece) = buffer.get(..n).filter(|piece| !piece.is_empty()) else {
            return Ok(counter.finish());
        };
        if !counter.feed(piece) {
            return Ok(None);
        }
        if counter.open_run() > LONGEST_WORD {
            return Err(std::io::Error::other("it has a word of more than 32 MiB"));
        }
    }
}
