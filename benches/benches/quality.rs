//! Does memory find what answers a question? Without a judge: what is told and asked is made from a seed, and of each question it is known
//! what answers it. All is done twice, and the same must be found.
//!
//! `cargo bench -p soorma-benches --bench quality`, with feature hashing; with a sentence model from a folder:
//! `SOORMA_SENTENCE_MODEL=FOLDER cargo bench -p soorma-benches --features local-models --bench quality`
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench that cannot go on is to end"
)]
#![expect(clippy::print_stdout, reason = "the bench's result")]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use soorma_benches::table;
use soorma_core::{Data, MemoryScope, Owner, Role, TenantId, Timestamp};
use soorma_memory::{Config, Memories};
use soorma_ports::{
    Clock, Embedder, Episodic as _, NewEpisode, NewFact, Recall, RecallFilter, Semantic as _, Weights,
};
use soorma_sqlite::{SqliteLog, SqliteLogConfig};
use soorma_supervise::{Root, Strategy, SupervisorSpec};
use soorma_testkit::SeededEntropy;
use uuid::Uuid;

#[path = "../../runtime/vectors/tests/it/like_real.rs"]
#[expect(dead_code, reason = "the tests of vectors use all of it")]
mod like_real;
mod made_up;

use made_up::{Question, Sort, Told, made};

const SEED: u64 = 0x5eed;
/// How many are looked at.
const DEPTH: usize = 10;
const WAYS: [(&str, Weights); 4] = [
    ("meaning", Weights::MEANING),
    ("words", Weights { meaning: 0.0, words: 1.0, recency: 0.0 }),
    ("hybrid", Weights::HYBRID),
    ("hybrid, recency a quarter", Weights { meaning: 1.0, words: 1.0, recency: 0.25 }),
];

/// At which rank the answer of each question was, for each way; nothing where it was not among the first.
type Ranks = Vec<Vec<Option<usize>>>;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let embedder = embedder();
    let (told, asked) = made(SEED);
    let facts = told.iter().filter(|told| told.session.is_none()).count();
    println!(
        "{}: {facts} facts and {} episodes, {} questions; seed {SEED:#x}",
        embedder.generation(),
        told.len() - facts,
        asked.len()
    );
    let first = runtime.block_on(run(&embedder, &told, &asked));
    show(&asked, &first);
    let again = runtime.block_on(run(&embedder, &told, &asked));
    let differ =
        first.iter().flatten().zip(again.iter().flatten()).filter(|(one, other)| one != other).count();
    if differ > 0 {
        println!("\na second run found the answers of {differ} questions elsewhere");
        return ExitCode::FAILURE;
    }
    println!("\na second run found each answer at the same rank");
    ExitCode::SUCCESS
}

#[cfg(feature = "local-models")]
fn embedder() -> Arc<dyn Embedder> {
    use soorma_models::{HashingEmbedder, LocalConfig, LocalEmbedder};
    let Some(folder) = std::env::var_os("SOORMA_SENTENCE_MODEL") else {
        return Arc::new(HashingEmbedder::new());
    };
    Arc::new(LocalEmbedder::open(LocalConfig::new(folder)).unwrap_or_else(|error| panic!("{error}")))
}

#[cfg(not(feature = "local-models"))]
fn embedder() -> Arc<dyn Embedder> {
    Arc::new(soorma_models::HashingEmbedder::new())
}

/// A clock that stands still until it is set, so that two runs have the same times.
#[derive(Debug)]
struct Minutes(AtomicI64);

impl Minutes {
    /// The time at which something is told.
    fn of(place: usize) -> Timestamp {
        // 2026-01-01T00:00:00Z.
        Timestamp::from_micros(1_767_225_600_000_000 + i64::try_from(place).unwrap() * 60_000_000)
    }

    fn set(&self, place: usize) {
        self.0.store(Self::of(place).micros(), Ordering::SeqCst);
    }
}

impl Clock for Minutes {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Tells all in order to a memory that has nothing, and asks.
async fn run(embedder: &Arc<dyn Embedder>, told: &[Told], asked: &[Question]) -> Ranks {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Minutes(AtomicI64::new(Minutes::of(0).micros())));
    let log =
        SqliteLog::open(&folder.path().join("log.db"), SqliteLogConfig::default(), Arc::clone(&clock) as _);
    let log = log.unwrap();
    let config = Config {
        embedder: Some(Arc::clone(embedder)),
        // A vector that comes late is another result.
        embed_within: std::time::Duration::from_secs(60),
        search_within: std::time::Duration::from_secs(60),
        ..Config::default()
    };
    let (branch, memory) =
        Memories::new(log.memory(), Arc::clone(&clock) as _, Arc::new(SeededEntropy::new(SEED)), config);
    let root = Root::start(SupervisorSpec::new("root", Strategy::OneForOne).child(branch)).await.unwrap();
    let owner = Owner::new("st", "su").unwrap();
    let scope = MemoryScope { tenant: TenantId::default(), owner };
    let mut ids = Vec::new();
    for (place, told) in told.iter().enumerate() {
        clock.set(place);
        ids.push(tell(&memory, &scope, told).await);
    }
    clock.set(told.len());
    let mut ranks = Vec::new();
    for (_, weights) in WAYS {
        let mut of_way = Vec::new();
        for question in asked {
            let found = ask(&memory, &scope, question, weights).await;
            of_way.push(found.iter().position(|id| *id == ids[question.answer]));
        }
        ranks.push(of_way);
    }
    root.stop().await.unwrap();
    log.close().await;
    ranks
}

async fn tell(memory: &Memories, scope: &MemoryScope, told: &Told) -> Uuid {
    let metadata = Data::from_json("{}").unwrap();
    let content = told.text.clone();
    if let Some(session) = told.session {
        let new = NewEpisode {
            agent: "assistant".to_owned(),
            role: Role::User,
            content,
            metadata,
            session: Some(format!("session-{session}")),
        };
        return memory.log_episode(scope, new).await.unwrap().id;
    }
    let new = NewFact {
        content,
        external_id: None,
        public: false,
        metadata,
        tags: None,
        source: None,
        valid_from: told.from.map(Minutes::of),
        valid_to: told.until.map(Minutes::of),
        episode: None,
    };
    let (fact, is_new) = memory.store_fact(scope, new).await.unwrap();
    assert!(is_new, "nothing is told twice");
    fact.id
}

async fn ask(memory: &Memories, scope: &MemoryScope, question: &Question, weights: Weights) -> Vec<Uuid> {
    let filter = RecallFilter { valid_at: question.as_of.map(Minutes::of), ..RecallFilter::default() };
    let recall = Recall { weights, filter, ..Recall::new(question.text.clone(), DEPTH) };
    if question.sort == Sort::Said {
        let found = memory.search_episodes(scope, Some("assistant"), &recall).await.unwrap();
        return found.items.into_iter().map(|episode| episode.id).collect();
    }
    let found = memory.search_facts(scope, &recall).await.unwrap();
    found.items.into_iter().map(|fact| fact.id).collect()
}

fn show(asked: &[Question], ranks: &Ranks) {
    let rows: Vec<Vec<String>> = WAYS
        .iter()
        .zip(ranks)
        .map(|((name, _), ranks)| {
            let mut row = vec![(*name).to_owned()];
            row.extend(
                [1, 5, 10].map(|k| format!("{:.3}", mean(ranks, |rank| f64::from(u8::from(rank < k))))),
            );
            row.push(format!("{:.3}", reciprocal(ranks)));
            row
        })
        .collect();
    print!("{}", table(&["by", "recall@1", "recall@5", "recall@10", "MRR"], &rows));

    let rows: Vec<Vec<String>> = Sort::ALL
        .iter()
        .map(|(sort, name)| {
            let of = |ranks: &[Option<usize>]| -> Vec<Option<usize>> {
                let both = asked.iter().zip(ranks);
                both.filter(|(question, _)| question.sort == *sort).map(|(_, rank)| *rank).collect()
            };
            let mut row = vec![(*name).to_owned(), of(&ranks[0]).len().to_string()];
            row.extend(ranks.iter().map(|ranks| format!("{:.3}", reciprocal(&of(ranks)))));
            row
        })
        .collect();
    let mut head = vec!["MRR of what is asked", "questions"];
    head.extend(WAYS.map(|(name, _)| name));
    println!();
    print!("{}", table(&head, &rows));
}

fn reciprocal(ranks: &[Option<usize>]) -> f64 {
    mean(ranks, |rank| 1.0 / (rank as f64 + 1.0))
}

/// The mean of what each rank counts; what was not found counts nothing.
fn mean(ranks: &[Option<usize>], counts: impl Fn(usize) -> f64) -> f64 {
    ranks.iter().flatten().map(|rank| counts(*rank)).sum::<f64>() / ranks.len() as f64
}
