//! `kill -9` of the platform in the middle of writing to memory: what was answered is there, found and not there by halves. In the file, and
//! on Postgres.
//!
//! `SOORMA_SEED` says what chance follows from.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use soorma::api::memory::{ChangeValue, LogEpisode, RecallQuery, StoreFact};
use soorma::{AnyJson, Client, Error, Role};
use soorma_testkit::servers::PostgresDatabase;
use soorma_testkit::{SeededEntropy, token_of};
use tokio::task::JoinSet;

use super::place::{Dev, PATIENCE, Place, Running, SECRET_OF_TESTS};

const AT_ONCE: usize = 8;
const KILLS: u64 = 3;
/// After how many answers of a round the kill comes at the latest.
const KILLED_BY: u64 = 300;

/// What was asked for, and what was answered.
#[derive(Default)]
struct Known {
    next: usize,
    facts: BTreeSet<usize>,
    episodes: BTreeSet<usize>,
    /// Increments that were answered, and those of which it is not known.
    counted: u64,
    open: u64,
}

fn text(n: usize) -> String {
    format!("entry{n} says that number{n} is known to witness{n}")
}

/// Writes until the platform is gone.
async fn write(client: Client, known: Arc<Mutex<Known>>) {
    loop {
        let n = {
            let mut known = known.lock().unwrap();
            known.next += 1;
            known.next
        };
        let memory = client.memory();
        let done: Result<(), Error> = async {
            let fact =
                StoreFact { content: text(n), external_id: Some(format!("x{n}")), ..StoreFact::default() };
            memory.store_knowledge(&fact).await?;
            known.lock().unwrap().facts.insert(n);
            known.lock().unwrap().open += 1;
            let one = ChangeValue::Increment { by: AnyJson::from_value(&1).unwrap() };
            memory.update("p", "count", &one).await?;
            {
                let mut known = known.lock().unwrap();
                (known.counted, known.open) = (known.counted + 1, known.open - 1);
            }
            let episode = LogEpisode {
                agent_id: "a".to_owned(),
                role: Role::Tool,
                content: text(n),
                metadata: None,
                session_id: None,
            };
            memory.log_interaction(&episode).await?;
            known.lock().unwrap().episodes.insert(n);
            Ok(())
        }
        .await;
        if let Err(error) = done {
            assert!(error.code.may_retry(), "{error:?}");
            return;
        }
    }
}

/// Reads a list to its end.
async fn all(client: &Client) -> (BTreeSet<usize>, BTreeSet<usize>) {
    let number = |text: &str| text.strip_prefix("entry").unwrap().split(' ').next().unwrap().parse().unwrap();
    let (mut facts, mut episodes) = (BTreeSet::new(), BTreeSet::new());
    let mut query = RecallQuery { limit: Some(200), ..RecallQuery::default() };
    loop {
        let page = client.memory().knowledge(&query).await.unwrap();
        for fact in page.items {
            let n: usize = number(&fact.content);
            assert_eq!((fact.content, fact.external_id), (text(n), Some(format!("x{n}"))), "whole");
            assert!(facts.insert(n), "{n} is there twice");
        }
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    loop {
        let page = client.memory().interactions(&query).await.unwrap();
        for episode in page.items {
            assert!(episodes.insert(number(&episode.content)), "twice: {}", episode.content);
        }
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return (facts, episodes);
        }
    }
}

async fn survives(start: impl Fn() -> Dev) {
    let seed =
        std::env::var("SOORMA_SEED").map_or(u64::from(std::process::id()), |seed| seed.parse().unwrap());
    println!("SOORMA_SEED={seed}");
    let chance = SeededEntropy::new(seed);
    let known: Arc<Mutex<Known>> = Arc::default();
    for _ in 0..KILLS {
        let dev = start();
        let until = known.lock().unwrap().facts.len() + usize::try_from(chance.below(KILLED_BY)).unwrap();
        let mut load = JoinSet::new();
        for _ in 0..AT_ONCE {
            load.spawn(write(dev.client(), Arc::clone(&known)));
        }
        while known.lock().unwrap().facts.len() < until {
            assert!(!load.is_empty());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        dev.kill();
        while let Some(ended) = load.join_next().await {
            ended.unwrap();
        }
    }
    let dev = start();
    let client = dev.client();
    let (facts, episodes) = all(&client).await;
    // All who wrote are gone.
    let known = std::mem::take(&mut *known.lock().unwrap());
    let lost: Vec<_> = known.facts.difference(&facts).collect();
    assert!(lost.is_empty(), "answered and lost: {lost:?}");
    let lost: Vec<_> = known.episodes.difference(&episodes).collect();
    assert!(lost.is_empty(), "answered and lost: {lost:?}");
    let count: u64 = client.memory().retrieve("p", "count").await.unwrap().unwrap_or_default();
    assert!((known.counted..=known.counted + known.open).contains(&count), "{count} of {}", known.counted);
    // All that is there gets its vector, and is found by it.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let embedding = client.memory().stats().await.unwrap().embedding.unwrap();
        if embedding.embedded == embedding.texts {
            assert_eq!(embedding.texts, u64::try_from(facts.len() + episodes.len()).unwrap());
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{embedding:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for n in facts.iter().step_by(20) {
        let query = RecallQuery { q: Some(text(*n)), limit: Some(1), ..RecallQuery::default() };
        let found = client.memory().search_knowledge(&query).await.unwrap().items;
        assert_eq!(found[0].content, text(*n));
        assert!(found[0].score.unwrap() > 0.99, "{:?}", found[0].score);
    }
    println!("{} answered, {} there; {count} counted", known.facts.len(), facts.len());
    dev.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_survives_kills_in_the_file() {
    let place = Place::new();
    survives(|| place.dev(&[])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_survives_kills_on_postgres() {
    let (place, database) = (Place::new(), PostgresDatabase::fresh());
    let start = || {
        let mut command: Command = place.command(&["serve", "--json", "--listen", "127.0.0.1:0"]);
        command.args(["--postgres", database.url()]).env(SECRET_OF_TESTS.0, SECRET_OF_TESTS.1);
        let dev = Dev::started(Running::start(command)).unwrap_or_else(|done| panic!("{done:?}"));
        dev.with_token(token_of("pt_tests", "ada"))
    };
    survives(start).await;
}
