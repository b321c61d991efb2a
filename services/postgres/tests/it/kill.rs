//! The server is killed in the middle of writes, again and again: what was answered is there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use soorma_ports::{RegistryRow, RegistryStore};
use soorma_testkit::servers::{PostgresDatabase, PostgresServer};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

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
    let answered: watch::Sender<BTreeSet<String>> = watch::Sender::default();
    let (restarts, _) = watch::channel(0);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, answered, mut restarts) = (store.clone(), answered.clone(), restarts.subscribe());
        writers.spawn(async move {
            for batch in 0.. {
                let ids: Vec<_> = (0..BATCH).map(|nth| format!("w{writer}-{batch}-{nth}")).collect();
                let writes = ids.iter().map(|id| put("acme", id)).collect();
                match store.write(writes).await {
                    Ok(_) => answered.send_modify(|answered| answered.extend(ids)),
                    // Until the server is back; it may be already.
                    Err(_) => drop(timeout(Duration::from_millis(50), restarts.changed()).await),
                }
            }
        });
    }
    for kill in 0..KILLS {
        // Something is answered between kills, so that they come in the middle of work.
        let more = answered.borrow().len() + 10 * BATCH * (kill + 1);
        let mut answered = answered.subscribe();
        let written = timeout(Duration::from_secs(30), answered.wait_for(|answered| answered.len() >= more));
        assert!(written.await.is_ok(), "nothing is written");
        server.restart();
        restarts.send_replace(kill);
    }
    writers.shutdown().await;
    let page = store.changes(0.into(), usize::MAX).await.unwrap();
    let ids = page.changes.iter().filter_map(|change| match &change.row {
        RegistryRow::Agent { agent, .. } => Some(agent.id.to_string()),
        _ => None,
    });
    let there: BTreeSet<String> = ids.collect();
    let answered = answered.borrow().clone();
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
