//! What a call reads: by indexes that begin with the tenant, and so much and no more.

use std::time::Duration;

use soorma_core::{MemoryKind, MemoryScope, Owner, Timestamp};
use soorma_ports::{
    MemoryAct, MemoryDraft, MemoryFilter, MemoryOrder, MemoryPlace, MemoryQuery, MemoryStore,
    MemoryStoreError, MemoryWrite, RankQuery, Seen, When,
};
use soorma_postgres::{Postgres, PostgresConfig};
use soorma_testkit::servers::PostgresDatabase;
use soorma_testkit::tenant;
use uuid::Uuid;

use super::world::{config, open_memory};

const NOW: Timestamp = Timestamp::MIN;
const GROUP: &str = "plan";

fn scope() -> MemoryScope {
    MemoryScope { tenant: tenant("acme"), owner: Owner::new("shop", "ada").unwrap() }
}

fn draft(nth: u16) -> MemoryDraft {
    MemoryDraft {
        id: Uuid::from_u128(u128::from(nth)),
        group: GROUP.into(),
        key: (!nth.is_multiple_of(5)).then(|| format!("key{nth}")),
        public: nth.is_multiple_of(3),
        text: Some("a common word".into()),
        labels: vec![format!("label{}", nth % 10)],
        ..MemoryDraft::default()
    }
}

fn write(act: MemoryAct) -> MemoryWrite {
    MemoryWrite { scope: scope(), at: NOW, act }
}

async fn fill(database: &PostgresDatabase, count: u16) {
    let puts = (0..count).map(|nth| MemoryAct::Put { draft: Box::new(draft(nth)), when: When::Any });
    let store = open_memory(database).await;
    let answers = store.write(puts.map(write).collect()).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
}

/// In a session of its own: what one has read is counted when it ends.
fn count_from_here(database: &PostgresDatabase) {
    database.execute("SELECT pg_stat_reset()");
}

/// Waits until nobody works on a database any more: what a connection has read is counted by then.
async fn wait_until_counted(database: &PostgresDatabase) {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let until = tokio::time::Instant::now() + Duration::from_secs(10);
    while database.execute(others) != "0" {
        assert!(tokio::time::Instant::now() < until, "a connection does not end");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_others_have_is_not_read() {
    let database = PostgresDatabase::fresh();
    fill(&database, 100).await;
    // Of many others, newer and of the same kind, group, keys and words.
    database.execute(
        "INSERT INTO soorma.memory_entries (tenant, id, service_tenant, owner, public, kind, grp, key, text, body, labels, created_at, updated_at, revision) \
         SELECT 't' || n % 100, gen_random_uuid(), service_tenant, owner, public, kind, grp, key || '-' || n, text, body, labels, created_at + n, updated_at + n, n \
         FROM soorma.memory_entries, generate_series(1, 200) AS n WHERE tenant = 'acme'; \
         INSERT INTO soorma.memory_words SELECT e.tenant, e.id, $$':' 'common' 'word'$$::tsvector || array_to_tsvector(ARRAY['#' || md5(e.tenant)]) \
         FROM soorma.memory_entries e WHERE e.tenant <> 'acme'; \
         ANALYZE soorma.memory_entries; ANALYZE soorma.memory_words",
    );
    count_from_here(&database);
    let store = open_memory(&database).await;
    let filter = |reach| MemoryFilter {
        kind: Some(MemoryKind::SEMANTIC),
        group: Some(GROUP.into()),
        reach,
        ..MemoryFilter::default()
    };
    for reach in [Seen::Private, Seen::Public, Seen::Both] {
        for order in [MemoryOrder::Newest, MemoryOrder::Oldest, MemoryOrder::Updated, MemoryOrder::Key] {
            let query = MemoryQuery { filter: filter(reach), order, after: None, limit: 10 };
            assert_eq!(store.list(&scope(), NOW, &query).await.unwrap().entries.len(), 10, "{query:?}");
        }
        for labels in [vec![], vec!["label3".to_owned()]] {
            let filter = MemoryFilter { labels, group: None, ..filter(reach) };
            let query = RankQuery {
                filter,
                words: Some("common".into()),
                time: true,
                depth: 50,
                ..RankQuery::default()
            };
            let ranks = store.rank(&scope(), NOW, &query).await.unwrap();
            assert!(!ranks.time.is_empty());
            assert_eq!(ranks.time.len(), ranks.words.len(), "{query:?}");
        }
    }
    let states = store.states(&scope(), NOW, (&MemoryKind::SEMANTIC, GROUP), None, 10).await.unwrap();
    assert_eq!(states.len(), 10);
    let key = MemoryPlace::Key {
        kind: MemoryKind::SEMANTIC,
        group: GROUP.into(),
        key: "key1".into(),
        public: false,
    };
    let places = [MemoryPlace::Id(Uuid::from_u128(1)), key];
    assert!(store.get(&scope(), NOW, &places).await.unwrap().iter().all(Option::is_some));
    assert_eq!(store.count(&tenant("acme"), Some(&scope().owner), None).await.unwrap()[0].entries, 100);
    let removed = MemoryAct::RemoveGroup { kind: MemoryKind::SEMANTIC, group: GROUP.into() };
    store.write(vec![write(removed)]).await.unwrap()[0].clone().unwrap();
    drop(store);
    wait_until_counted(&database).await;
    let whole = database.execute(
        "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE relname LIKE 'memory%' AND relname <> 'memory_generations' AND seq_tup_read > 0",
    );
    assert_eq!(whole, "", "read from one end to the other");
    let read =
        database.execute("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname LIKE 'memory%'");
    let read: u32 = read.parse().unwrap();
    assert!(read < 5_000, "{read} were read");
}

/// Puts copies of an entry into the tables, with a word that each tenth of a thousand has alone.
fn copy(database: &PostgresDatabase, times: u32) {
    database.execute(&format!(
        "INSERT INTO soorma.memory_entries (tenant, id, service_tenant, owner, public, kind, grp, text, body, labels, created_at, updated_at, revision) \
         SELECT tenant, ('00000000-0000-0000-0001-' || lpad(to_hex(n), 12, '0'))::uuid, service_tenant, owner, public, kind, grp, text, body, labels, n, n, 9 \
         FROM soorma.memory_entries, generate_series(1, {times}) AS n WHERE key = 'key1'; \
         INSERT INTO soorma.memory_words SELECT w.tenant, ('00000000-0000-0000-0001-' || lpad(to_hex(n), 12, '0'))::uuid, \
         CASE WHEN n % 10000 = 0 THEN w.words || 'rare:4'::tsvector ELSE w.words END \
         FROM soorma.memory_words w JOIN soorma.memory_entries e USING (tenant, id), generate_series(1, {times}) AS n WHERE e.key = 'key1'; \
         ANALYZE soorma.memory_words"
    ));
    count_from_here(database);
}

#[tokio::test]
async fn of_very_many_texts_those_with_the_rarest_words_are_read() {
    let database = PostgresDatabase::fresh();
    fill(&database, 2).await;
    copy(&database, 40_000);
    let store = open_memory(&database).await;
    let found = async |words: &str| {
        let query = RankQuery { words: Some(words.into()), depth: 10, ..RankQuery::default() };
        store.rank(&scope(), NOW, &query).await.unwrap().words
    };
    let rare = found("a common rare word and none").await;
    let ids: Vec<u128> = rare.iter().map(|(id, _)| id.as_u128() & 0xffff_ffff).collect();
    assert_eq!(ids, [10_000, 20_000, 30_000, 40_000]);
    // Where none is rare, as many are found as are asked for.
    assert_eq!(found("common").await.len(), 10);
    drop(store);
    wait_until_counted(&database).await;
    let entries = database
        .execute("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'memory_entries_pkey'");
    let entries: u32 = entries.parse().unwrap();
    assert!(entries < 20_000, "{entries} entries were looked at");
}

#[tokio::test]
async fn a_search_by_words_that_takes_too_long_does_without_them() {
    let database = PostgresDatabase::fresh();
    fill(&database, 10).await;
    let quick = PostgresConfig { answer_within: Duration::from_millis(500), ..config(database.url()) };
    let store = Postgres::open(quick).await.unwrap().memory();
    let held = database.hold("LOCK TABLE soorma.memory_words");
    let query = RankQuery { words: Some("common".into()), time: true, depth: 10, ..RankQuery::default() };
    let ranks = store.rank(&scope(), NOW, &query).await.unwrap();
    assert_eq!((ranks.time.len(), ranks.words.len()), (6, 0));
    // Who asks for nothing else is told.
    let alone = RankQuery { time: false, ..query.clone() };
    let told = store.rank(&scope(), NOW, &alone).await;
    assert!(matches!(&told, Err(MemoryStoreError::Unavailable(_))), "{told:?}");
    drop(held);
    let ranks = store.rank(&scope(), NOW, &query).await.unwrap();
    assert_eq!((ranks.time.len(), ranks.words.len()), (6, 6));
}
