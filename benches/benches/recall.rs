//! How near to exact is memory's search by meaning, for tenants of very unequal size and for one that has very much, and how fast? On both
//! stores, beside plain pgvector.
//!
//! `cargo bench -p soorma-benches --bench recall`; with `-- quick` a tenth of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot go on is to end")]
#![expect(clippy::print_stdout, reason = "the bench's result")]

use std::sync::Arc;
use std::time::Duration;

use soorma_benches::table;
use soorma_memory::{Config, Memories};
use soorma_node::{MachineClock, MachineEntropy};
use soorma_ports::{Clock as _, Generation, MemoryStore, Recall, Semantic as _};
use soorma_postgres::{Postgres, PostgresConfig};
use soorma_sqlite::{SqliteLog, SqliteLogConfig};
use soorma_supervise::{Root, Strategy, SupervisorSpec};
use soorma_testkit::ScriptedEmbedder;
use soorma_testkit::servers::{PostgresDatabase, PostgresServer};
use tokio::time::Instant;
use uuid::Uuid;

mod found;
#[path = "../../runtime/vectors/tests/it/like_real.rs"]
#[expect(dead_code, reason = "the tests of vectors use all of it")]
mod like_real;
mod plain_pgvector;
mod tenants;

use found::{Answers, Figures, Shown, row_of_one, show};
use like_real::{LikeReal, Random};
use plain_pgvector::Plain;
use tenants::{Asked, K, Tenant, fill, question, sizes};

const SEED: u64 = 0x5eed;
const DIMENSIONS: usize = 384;
/// Questions to each tenant, and to the biggest and the one with very much.
pub(crate) const EACH: usize = 3;
const OF_ONE: usize = 300;
/// Whose vectors are as many as those of all others together.
const ONE: &str = "one";

/// What is stored and asked.
pub(crate) struct World {
    generation: Generation,
    pub(crate) tenants: Vec<Tenant>,
    one: Tenant,
    /// By tenants, the biggest first.
    pub(crate) asked: Vec<Asked>,
    pub(crate) of_biggest: Vec<Asked>,
    of_one: Vec<Asked>,
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "quick");
    let (tenants, vectors) = if quick { (100, 10_000) } else { (1_000, 100_000) };
    let world = World::new(tenants, vectors);
    println!(
        "{vectors} vectors of {DIMENSIONS} numbers, {tenants} tenants; the biggest has {}, the smallest {}; seed {SEED:#x}",
        world.tenants[0].rows.len(),
        world.tenants[world.tenants.len() - 1].rows.len()
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (embedded, mut of_one) = runtime.block_on(embedded(&world));
    let (postgres, plain, more) = runtime.block_on(postgres(&world));
    of_one.extend(more);
    show(&world, &[embedded, postgres, plain]);
    println!("The index of Postgres and what it takes are of those and of as many of the one tenant below.");
    println!("\n{vectors} vectors of one tenant");
    print!("{}", table(&["through", "recall", "p50 / p99 ms", "goal"], &of_one));
}

impl World {
    fn new(count: u32, vectors: usize) -> Self {
        let mut source = LikeReal::new(SEED, DIMENSIONS);
        let mut ids = 0;
        let mut tenant = |name: &str, rows| Tenant::new(name, &mut ids, rows, &mut source);
        let tenants: Vec<Tenant> = (0..)
            .zip(sizes(count, vectors))
            .map(|(nth, rows): (u32, _)| tenant(&format!("tenant-{nth:04}"), rows))
            .collect();
        let one = tenant(ONE, vectors);
        let asked = tenants
            .iter()
            .flat_map(|tenant| source.vectors(EACH).into_iter().map(|vector| tenant.ask(vector)));
        let asked = asked.collect();
        let mut many =
            |tenant: &Tenant| source.vectors(OF_ONE).into_iter().map(|vector| tenant.ask(vector)).collect();
        let (of_biggest, of_one) = (many(&tenants[0]), many(&one));
        let generation = Generation::new("scripted", DIMENSIONS).unwrap();
        Self { generation, tenants, one, asked, of_biggest, of_one }
    }

    async fn fill(&self, store: &dyn MemoryStore) -> f64 {
        let all: Vec<&Tenant> = self.tenants.iter().chain([&self.one]).collect();
        fill(store, &MachineClock, &self.generation, &all, &mut Random(SEED)).await
    }

    fn count(&self) -> usize {
        self.tenants.iter().chain([&self.one]).map(|tenant| tenant.rows.len()).sum()
    }
}

/// Asks one after the other, and all of it twice: what is asked for the first time is read from the disk.
async fn ask(store: &dyn MemoryStore, generation: &Generation, asked: &[Asked]) -> Answers {
    let now = MachineClock.now();
    let mut answers = Vec::new();
    for turn in 0..2 {
        for asked in asked {
            let query = question(generation, asked);
            let begun = Instant::now();
            let ranks = store.rank(&asked.scope, now, &query).await.unwrap();
            let took = begun.elapsed();
            let found: Vec<Uuid> = ranks.meaning.into_iter().map(|(id, _)| id).collect();
            assert_eq!(found.len(), asked.exact.len(), "as many as there are");
            if turn == 1 {
                answers.push((found, took));
            }
        }
    }
    answers
}

async fn embedded(world: &World) -> (Shown, Vec<Vec<String>>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let log = SqliteLog::open(&path, SqliteLogConfig::default(), Arc::new(MachineClock)).unwrap();
    let store: Arc<dyn MemoryStore> = log.memory();
    let filled = world.fill(&*store).await;
    let before = resident();
    let of_all = ask(&*store, &world.generation, &world.asked).await;
    let of_biggest = ask(&*store, &world.generation, &world.of_biggest).await;
    let memory = resident().saturating_sub(before);
    let by_store = ask(&*store, &world.generation, &world.of_one).await;
    let by_memory = through_memory(&store, world).await;
    let count = world.count();
    println!(
        "embedded: {count} entries written in {filled:.1} s, {:.0}/s, each synced with 249 others; file {} MiB; one scope of {} and all others in memory: {} MiB",
        count as f64 / filled,
        std::fs::metadata(&path).unwrap().len() >> 20,
        world.one.rows.len(),
        resident().saturating_sub(before)
    );
    log.close().await;
    let shown = Shown {
        name: "embedded",
        of_all,
        of_biggest,
        built: "none".to_owned(),
        memory: format!("{memory} MiB"),
    };
    let goal = "p50 < 1 ms, ≥ 0.95";
    let rows = vec![
        row_of_one("embedded, the store", &world.of_one, &by_store, goal),
        row_of_one("embedded, memory: ranked, fused and read", &world.of_one, &by_memory, goal),
    ];
    (shown, rows)
}

/// Asks memory itself, as an agent does, with an embedder that knows the questions.
async fn through_memory(store: &Arc<dyn MemoryStore>, world: &World) -> Answers {
    let embedder = ScriptedEmbedder::new(&world.generation.to_string());
    // What was asked a moment ago needs no embedder: each time it is asked in other words.
    let text = |turn: u32, nth: usize| format!("question {nth} in turn {turn}");
    for turn in 0..2 {
        for (nth, asked) in world.of_one.iter().enumerate() {
            embedder.say(&text(turn, nth), &asked.vector);
        }
    }
    let config = Config { embedder: Some(embedder), ..Config::default() };
    let (branch, memory) =
        Memories::new(Arc::clone(store), Arc::new(MachineClock), Arc::new(MachineEntropy), config);
    let root = Root::start(SupervisorSpec::new("root", Strategy::OneForOne).child(branch)).await.unwrap();
    let mut answers = Vec::new();
    for turn in 0..2 {
        answers.clear();
        for (nth, asked) in world.of_one.iter().enumerate() {
            let recall = Recall::new(text(turn, nth), K);
            let begun = Instant::now();
            let found = memory.search_facts(&asked.scope, &recall).await.unwrap();
            answers.push((found.items.iter().map(|fact| fact.id).collect(), begun.elapsed()));
        }
    }
    root.stop().await.unwrap();
    answers
}

async fn postgres(world: &World) -> (Shown, Shown, Vec<Vec<String>>) {
    let server = PostgresServer::start(&[
        "fsync=on",
        "shared_buffers=1GB",
        "maintenance_work_mem=512MB",
        "max_wal_size=8GB",
    ]);
    let database = PostgresDatabase::on(&server.url());
    let config = PostgresConfig { url: database.url().to_owned(), ..PostgresConfig::default() };
    let postgres =
        Postgres::open(PostgresConfig { answer_within: Duration::from_secs(60), ..config }).await.unwrap();
    let store = postgres.memory();
    let filled = world.fill(&store).await;
    let begun = Instant::now();
    postgres.prepare_vectors(&world.generation).await.unwrap();
    let built = begun.elapsed();
    database.execute("VACUUM ANALYZE");
    let size = |what: &str| database.execute(&format!("SELECT ({what})::bigint / 1048576"));
    let index = size(
        "SELECT sum(pg_relation_size(indexrelid)) FROM pg_stat_user_indexes WHERE relname LIKE 'memory_vectors_%' AND pg_get_indexdef(indexrelid) LIKE '%hnsw%'",
    );
    let table = size(
        "SELECT sum(pg_table_size(relid)) FROM pg_stat_user_tables WHERE relname LIKE 'memory_vectors_%'",
    );
    let count = world.count();
    println!(
        "Postgres: {count} entries written in {filled:.1} s, {:.0}/s, in transactions of 250; index of all made in {built:.1?}; vectors {table} MiB, index {index} MiB",
        count as f64 / filled
    );
    let of_all = ask(&store, &world.generation, &world.asked).await;
    let of_biggest = ask(&store, &world.generation, &world.of_biggest).await;
    let by_store = ask(&store, &world.generation, &world.of_one).await;
    let mut late = LikeReal::new(SEED + 1, DIMENSIONS);
    let late = Tenant::new("late", &mut u128::from(u64::MAX), world.tenants.len(), &mut late);
    let written = fill(&store, &MachineClock, &world.generation, &[&late], &mut Random(SEED)).await;
    println!("Postgres: {:.0} entries/s written while the index is there", late.rows.len() as f64 / written);
    database.execute("DELETE FROM soorma.memory_vectors WHERE tenant = 'late'");

    let mut plain = Plain::of_ours(&database, ONE).await;
    plain.go_on(true).await;
    // It looks at up to 20,000 for each.
    let some: Vec<&Asked> = world.asked.iter().step_by(20).collect();
    let goes_on = ask_plain(&mut plain, &some).await;
    let figures = Figures::of(some.iter().copied(), &goes_on);
    println!(
        "plain pgvector that goes on until it has enough (iterative scan): recall {:.3}, rows {:.1} of {:.1}, p50 / p99 {} ms",
        figures.recall,
        figures.rows,
        figures.wanted,
        figures.times()
    );
    plain.go_on(false).await;
    let of_all_plain = ask_plain(&mut plain, &world.asked.iter().collect::<Vec<_>>()).await;
    let of_biggest_plain = ask_plain(&mut plain, &world.of_biggest.iter().collect::<Vec<_>>()).await;
    let plain_size = size("pg_total_relation_size('plain')");
    let ours = Shown {
        name: "Postgres",
        of_all,
        of_biggest,
        built: format!("{built:.1?}"),
        memory: format!("{} MiB", table.parse::<u64>().unwrap() + index.parse::<u64>().unwrap()),
    };
    let plain = Shown {
        name: "plain pgvector",
        of_all: of_all_plain,
        of_biggest: of_biggest_plain,
        built: format!("{:.1?}", plain.built),
        memory: format!("{plain_size} MiB"),
    };
    (ours, plain, vec![row_of_one("Postgres, the store", &world.of_one, &by_store, "≥ 0.95")])
}

async fn ask_plain(plain: &mut Plain, asked: &[&Asked]) -> Answers {
    let mut answers = Vec::new();
    for asked in asked {
        let begun = Instant::now();
        let found = plain.find(asked).await;
        answers.push((found, begun.elapsed()));
    }
    answers
}

/// MiB that this process has in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() >> 10
}
