//! nats-server, or one of a cluster, is killed at random moments: what was answered is there, nothing is half there, and groups go on.
//!
//! `SOORMA_KILLS` is the number of rounds, `SOORMA_SEED` gives back a seed that was printed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use soorma_core::{Position, Topic};
use soorma_nats::{Durability, NatsLog, NatsLogConfig};
use soorma_ports::{Consumer, ConsumerSpec, EventLog, EventLogError, Reach, Settle, Start};
use soorma_testkit::servers::NatsServer;
use soorma_testkit::{SeededEntropy, TestClock, event, name, tenant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::world::prefix;

const TOPIC: Topic = Topic::ActionRequests;
const PRODUCERS: usize = 6;
const PARTS: usize = 3;
/// Longer than the test takes.
const LEASE: Duration = Duration::from_secs(1_000);

/// What was answered.
#[derive(Debug)]
enum Said {
    Appended(String),
    Acked(String),
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn config(
    servers: &[NatsServer],
    durability: Durability,
    prefix: &str,
    answer_within: Duration,
) -> NatsLogConfig {
    NatsLogConfig {
        durability,
        servers: servers.iter().map(|server| server.url().to_owned()).collect(),
        replicas: servers.len(),
        prefix: prefix.into(),
        answer_within,
        ..NatsLogConfig::default()
    }
}

/// Opens the log; a cluster may have to find a leader first.
async fn open(config: &NatsLogConfig) -> Arc<NatsLog> {
    let opened = async {
        loop {
            match NatsLog::open(config, Arc::new(TestClock::new())).await {
                Err(EventLogError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
                opened => return opened.unwrap(),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), opened).await.unwrap()
}

async fn workers(log: &NatsLog) -> Arc<dyn Consumer> {
    let spec = ConsumerSpec {
        tenant: tenant("acme"),
        group: name("workers"),
        topics: [TOPIC].into(),
        start: Start::Earliest,
        ack_within: LEASE,
        max_attempts: u32::MAX,
        max_unsettled: 1_000,
        key: None,
        expire_after: None,
    };
    log.consumer(spec).await.unwrap()
}

/// Whether the server was away: then what was asked may have been done, or not.
fn answered<T>(answer: Result<T, EventLogError>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(EventLogError::Unavailable(_)) => None,
        Err(other) => panic!("a server that was killed is unavailable, not: {other}"),
    }
}

/// Appends and works off until it is told to stop; says what was answered.
fn live(
    log: &Arc<NatsLog>,
    member: &Arc<dyn Consumer>,
    said: &mpsc::UnboundedSender<Said>,
    stop: &Arc<AtomicU64>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    for producer in 0..PRODUCERS {
        let (log, said, stop) = (log.clone(), said.clone(), stop.clone());
        tasks.spawn(async move {
            while stop.load(Ordering::SeqCst) == 0 {
                let batch = format!("b{}", NEXT.fetch_add(1, Ordering::SeqCst));
                // Half of them alone, half of them several at once.
                let parts = if producer % 2 == 0 { 1 } else { PARTS };
                let parts = (0..parts).map(|part| Arc::new(event(&format!("{batch}-{part}-{parts}"), TOPIC)));
                if answered(log.append(&tenant("acme"), parts.collect()).await).is_some() {
                    said.send(Said::Appended(batch)).unwrap();
                }
            }
        });
    }
    for _ in 0..2 {
        let (member, said, stop) = (member.clone(), said.clone(), stop.clone());
        tasks.spawn(async move {
            while stop.load(Ordering::SeqCst) == 0 {
                for delivery in
                    answered(member.next(5, Duration::from_millis(50)).await).into_iter().flatten()
                {
                    let counted = answered(member.settle(vec![(delivery.id, Settle::Ack)]).await);
                    if let Some(counted) = counted {
                        assert_eq!(counted, [true]);
                        said.send(Said::Acked(delivery.event.id.to_string())).unwrap();
                    }
                }
            }
        });
    }
    tasks
}

#[derive(Debug, Default)]
struct Known {
    appended: BTreeSet<String>,
    acked: BTreeSet<String>,
}

impl Known {
    fn note(&mut self, said: Said) {
        match said {
            Said::Appended(batch) => assert!(self.appended.insert(batch)),
            Said::Acked(id) => assert!(self.acked.insert(id.clone()), "{id} was acknowledged before"),
        }
    }
}

async fn check(log: &NatsLog, known: &Known) {
    let page = log.read(&Reach::Tenant(tenant("acme")), TOPIC, Position(0), 1_000_000).await.unwrap();
    let ids: Vec<&str> = page.entries.iter().map(|entry| entry.event.id.as_str()).collect();
    let mut there = BTreeSet::new();
    let mut rest = &ids[..];
    while let Some(first) = rest.first() {
        let [batch, part, parts] = first.split('-').collect::<Vec<_>>()[..] else { panic!("{first}") };
        assert_eq!(part, "0", "a batch begins with its first part");
        let (whole, after) = rest.split_at(parts.parse().unwrap());
        let expected: Vec<_> = (0..whole.len()).map(|part| format!("{batch}-{part}-{parts}")).collect();
        assert_eq!(whole, expected, "batches are whole and stand together");
        assert!(there.insert(batch.to_owned()), "{batch} is there twice");
        rest = after;
    }
    let lost: Vec<_> = known.appended.difference(&there).collect();
    assert!(lost.is_empty(), "answered and lost: {lost:?}");
}

#[tokio::test]
async fn what_was_answered_survives_the_server_being_killed() {
    survives(Durability::Acknowledged, vec![NatsServer::start(&[])]).await;
}

#[tokio::test]
async fn what_was_gathered_and_answered_survives_the_server_being_killed() {
    let server = NatsServer::configured("jetstream { sync_interval: always }");
    survives(Durability::Synced, vec![server]).await;
}

#[tokio::test]
async fn what_a_cluster_answered_survives_one_of_it_being_killed() {
    survives(Durability::Acknowledged, NatsServer::cluster(3)).await;
}

/// Kills one of the servers in each round.
async fn survives(durability: Durability, mut servers: Vec<NatsServer>) {
    // A cluster takes some seconds to find a new leader.
    let rounds = number("SOORMA_KILLS").unwrap_or(if servers.len() == 1 { 6 } else { 2 });
    let seed = number("SOORMA_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("SOORMA_KILLS={rounds} SOORMA_SEED={seed}");
    let entropy = SeededEntropy::new(seed);
    let prefix = prefix();
    // The one that lives through it does not wait long; the one that looks afterwards is patient.
    let hasty = config(&servers, durability, &prefix, Duration::from_millis(500));
    let patient = config(&servers, durability, &prefix, Duration::from_secs(5));
    drop(open(&patient).await);
    let log = open(&hasty).await;
    let member = workers(&log).await;
    let (say, mut said) = mpsc::unbounded_channel();
    let mut known = Known::default();
    for round in 0..rounds {
        let stop = Arc::new(AtomicU64::new(0));
        let tasks = live(&log, &member, &say, &stop);
        // At a random answer, so at a random moment of the work of others that it says nothing about.
        for _ in 0..=entropy.below(300) {
            known.note(said.recv().await.unwrap());
        }
        let nth = usize::try_from(entropy.below(servers.len() as u64)).unwrap();
        let server = &mut servers[nth];
        server.kill();
        stop.store(1, Ordering::SeqCst);
        if round % 2 == 0 {
            // Half of the calls hear of the end while the server is away, half when it is back.
            tasks.join_all().await;
            server.restart();
        } else {
            server.restart();
            tasks.join_all().await;
        }
        while let Ok(said) = said.try_recv() {
            known.note(said);
        }
        check(&*open(&patient).await, &known).await;
        while log.check().await.is_err() {}
    }
    drop((member, log));
    let log = open(&patient).await;
    assert!(!known.appended.is_empty() && !known.acked.is_empty(), "something was done");

    // What was acknowledged does not come again; all else does, from a group that nobody has in hand any more.
    let spec = ConsumerSpec {
        tenant: tenant("acme"),
        group: name("workers"),
        topics: [TOPIC].into(),
        start: Start::Earliest,
        ack_within: LEASE,
        max_attempts: u32::MAX,
        max_unsettled: 1_000_000,
        key: None,
        expire_after: None,
    };
    let member = log.consumer(spec).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(LEASE + Duration::from_secs(1)).await;
    tokio::time::resume();
    let mut again = BTreeSet::new();
    loop {
        let some = member.next(400, Duration::ZERO).await.unwrap();
        if some.is_empty() {
            break;
        }
        again.extend(some.iter().map(|delivery| delivery.event.id.to_string()));
        member.settle(some.iter().map(|delivery| (delivery.id, Settle::Ack)).collect()).await.unwrap();
    }
    let twice: Vec<_> = again.intersection(&known.acked).collect();
    assert!(twice.is_empty(), "acknowledged and handed out again: {twice:?}");
    let all = log.read(&Reach::Platform, TOPIC, Position(0), 1_000_000).await.unwrap();
    let unsaid = all.entries.len() - again.len() - known.acked.len();
    // Acknowledged by the server, which was killed before it could say so: at most what two members had in hand each time.
    assert!(unsaid <= usize::try_from(rounds).unwrap() * 2 * 5, "{unsaid} are neither open nor acknowledged");
}
