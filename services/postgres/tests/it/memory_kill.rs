//! The server is killed in the middle of writes of memory: what was answered is there, with its words and its vector.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use soorma_core::{MemoryScope, Owner, Timestamp};
use soorma_ports::{
    Embedded, Generation, MemoryAct, MemoryDone, MemoryDraft, MemoryQuery, MemoryStore, MemoryWrite,
    RankQuery, When, unit,
};
use soorma_testkit::servers::{PostgresDatabase, PostgresServer};
use soorma_testkit::tenant;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use super::world::open_memory;

const WRITERS: u128 = 4;
const KILLS: usize = 5;
/// How many entries are put by one call.
const BATCH: u128 = 10;
const NOW: Timestamp = Timestamp::MIN;

fn scope() -> MemoryScope {
    MemoryScope { tenant: tenant("acme"), owner: Owner::new("shop", "ada").unwrap() }
}

fn generation() -> Generation {
    Generation::new("kill", 2).unwrap()
}

/// Put again and again under the keys of its writer, so that texts and vectors are replaced too.
fn put(writer: u128, batch: u128, nth: u128) -> MemoryWrite {
    let id = Uuid::from_u128((writer << 64) + (batch << 32) + nth);
    let vector = unit(vec![1.0, f32::from(u8::try_from(batch % 200).unwrap())]).unwrap();
    let draft = MemoryDraft {
        id,
        key: Some(format!("w{writer} {} {nth}", batch % 50)),
        text: Some(format!("batch{batch} of writer{writer}")),
        vector: Some(Embedded { generation: generation(), vector }),
        ..MemoryDraft::default()
    };
    MemoryWrite { scope: scope(), at: NOW, act: MemoryAct::Put { draft: Box::new(draft), when: When::Any } }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_there_with_its_words_and_vectors_when_the_server_was_killed() {
    let mut server = PostgresServer::start(&["fsync=on"]);
    let database = PostgresDatabase::on(&server.url());
    let postgres = soorma_postgres::Postgres::open(super::world::config(database.url())).await.unwrap();
    postgres.prepare_vectors(&generation()).await.unwrap();
    let store = Arc::new(postgres.memory());
    let answered: watch::Sender<Vec<(Uuid, u64)>> = watch::Sender::default();
    let (restarts, _) = watch::channel(0);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, answered, mut restarts) = (store.clone(), answered.clone(), restarts.subscribe());
        writers.spawn(async move {
            for batch in 0.. {
                let writes = (0..BATCH).map(|nth| put(writer, batch, nth)).collect();
                match store.write(writes).await {
                    Ok(done) => {
                        let done = done.into_iter().map(|done| match done.unwrap() {
                            MemoryDone::Put { id, revision, .. } => (id, revision),
                            MemoryDone::Removed(_) => panic!("all are puts"),
                        });
                        answered.send_modify(|answered| answered.extend(done));
                    }
                    // Until the server is back; it may be already.
                    Err(_) => drop(timeout(Duration::from_millis(50), restarts.changed()).await),
                }
            }
        });
    }
    for kill in 0..KILLS {
        // Something is answered between kills, so that they come in the middle of work.
        let more = answered.borrow().len() + 100 * (kill + 1);
        let mut answered = answered.subscribe();
        let written = timeout(Duration::from_secs(30), answered.wait_for(|answered| answered.len() >= more));
        assert!(written.await.is_ok(), "nothing is written");
        server.restart();
        restarts.send_replace(kill);
    }
    writers.shutdown().await;
    let store = open_memory(&database).await;
    let query = MemoryQuery { limit: usize::MAX, ..MemoryQuery::default() };
    let there = store.list(&scope(), NOW, &query).await.unwrap().entries;
    let answered = answered.borrow().clone();
    println!("{} answered, {} there", answered.len(), there.len());
    for (id, revision) in answered {
        let entry = there.iter().find(|entry| entry.id == id);
        let entry = entry.unwrap_or_else(|| panic!("{id} was answered and is not there"));
        assert!(entry.revision >= revision, "{id} went back");
    }
    let revisions: BTreeSet<u64> = there.iter().map(|entry| entry.revision).collect();
    assert_eq!(revisions.len(), there.len(), "no two have one revision");
    // What was not answered is there wholly or not at all.
    assert_eq!(there.len() % usize::try_from(BATCH).unwrap(), 0);
    assert_eq!(store.unembedded(&generation(), None, 10).await.unwrap(), []);
    let belongs =
        "SELECT (SELECT count(*) FROM soorma.memory_words), (SELECT count(*) FROM soorma.memory_vectors)";
    assert_eq!(database.execute(belongs), format!("{0}|{0}", there.len()));
    for entry in there.iter().step_by(17) {
        let text = entry.text.clone().unwrap();
        let query = RankQuery { words: Some(text.clone()), depth: there.len(), ..RankQuery::default() };
        let found = store.rank(&scope(), NOW, &query).await.unwrap().words;
        let best: Vec<_> =
            found.iter().take_while(|(_, score)| *score >= found[0].1).map(|(id, _)| *id).collect();
        assert!(best.contains(&entry.id), "{text}");
    }
    // The count has not gone back.
    let written = store.write(vec![put(0, 0, 0)]).await.unwrap();
    let MemoryDone::Put { revision, .. } = written[0].clone().unwrap() else { panic!("{written:?}") };
    assert!(revision > *revisions.last().unwrap());
}
