//! The server is killed in the middle of writes, again and again: what was answered is there.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use soorma_ports::{RegistryRow, RegistryStore};
use soorma_testkit::servers::{PostgresDatabase, PostgresServer};
use tokio::task::JoinSet;

use super::world::{open, put};

const WRITERS: usize = 4;
const KILLS: usize = 5;
/// How many agents are put by one call.
const BATCH: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_there_whole_when_the_server_was_killed() {
    let mut server = PostgresServer::start(&["fsync=on"]);
    let database = PostgresDatabase::on(&server.url());
    let store = Arc::new(open(&database).await);
    let answered: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, answered) = (store.clone(), answered.clone());
        writers.spawn(async move {
            for batch in 0.. {
                let ids: Vec<_> = (0..BATCH).map(|nth| format!("w{writer}-{batch}-{nth}")).collect();
                let writes = ids.iter().map(|id| put("acme", id)).collect();
                if store.write(writes).await.is_ok() {
                    answered.lock().unwrap().extend(ids);
                }
                tokio::task::yield_now().await;
            }
        });
    }
    for kill in 0..KILLS {
        // Something is answered between kills, so that they come in the middle of work.
        let before = answered.lock().unwrap().len();
        let began = tokio::time::Instant::now();
        while answered.lock().unwrap().len() < before + 10 * BATCH * (kill + 1) {
            assert!(began.elapsed() < Duration::from_secs(30), "nothing is written");
            tokio::task::yield_now().await;
        }
        server.restart();
    }
    writers.shutdown().await;
    let page = store.changes(0, usize::MAX).await.unwrap();
    let ids = page.changes.iter().filter_map(|change| match &change.row {
        RegistryRow::Agent { agent, .. } => Some(agent.id.to_string()),
        _ => None,
    });
    let there: BTreeSet<String> = ids.collect();
    let answered = answered.lock().unwrap().clone();
    println!("{} answered, {} there", answered.len(), there.len());
    let lost: Vec<_> = answered.difference(&there).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    // What was not answered is there wholly or not at all.
    assert_eq!(there.len() % BATCH, 0);
    let revisions: BTreeSet<u64> = page.changes.iter().map(|change| change.revision).collect();
    assert_eq!(revisions.len(), there.len(), "no two have one revision");
    // The counter has not gone back.
    let written = store.write(vec![put("acme", "after")]).await.unwrap();
    assert!(written[0].unwrap().revision > *revisions.last().unwrap());
}
