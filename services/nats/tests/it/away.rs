//! A server that is not there: at the start, for a while, or not really.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use soorma_core::{Position, Topic};
use soorma_nats::{Credentials, DialledLog, Durability, NatsLog, NatsLogConfig};
use soorma_ports::{EventLog, EventLogError, Reach, Settle};
use soorma_testkit::servers::NatsServer;
use soorma_testkit::{TestClock, event, tenant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::world::{World, config, prefix, workers};

const TOPIC: Topic = Topic::ActionRequests;
/// Longer than anything here takes that does not wait for an answer which never comes.
const LONG: Duration = Duration::from_secs(60);

fn of(server: &NatsServer) -> NatsLogConfig {
    NatsLogConfig {
        servers: vec![server.url().to_owned()],
        prefix: prefix(),
        answer_within: LONG,
        ..config()
    }
}

fn dialled(config: NatsLogConfig) -> Arc<DialledLog> {
    DialledLog::new(config, Arc::new(TestClock::new()))
}

#[tokio::test]
async fn a_server_that_comes_later_is_found_by_the_same_log() {
    let mut server = NatsServer::start(&[]);
    let log = dialled(of(&server));
    server.kill();
    let port = server.url().rsplit(':').next().unwrap();
    let acme = tenant("acme");
    let said = |error: EventLogError| match error {
        EventLogError::Unavailable(said) => said,
        other => panic!("a server that is not there is unavailable, not: {other}"),
    };
    assert!(said(log.check().await.unwrap_err()).contains("dialled"), "nobody has dialled yet");
    assert_eq!(log.first_try().await, Ok(()), "it may still come");
    for answer in [
        log.check().await.unwrap_err(),
        log.append(&acme, vec![event("a", TOPIC).into()]).await.unwrap_err(),
        log.read(&Reach::Platform, TOPIC, Position(0), 1).await.unwrap_err(),
        log.consumer(workers(TOPIC)).await.unwrap_err(),
        log.follow(TOPIC, Position(0)).await.unwrap_err(),
    ] {
        let said = said(answer);
        assert!(said.contains(port) && said.contains("trying again"), "{said}");
    }
    let mut tasks = JoinSet::new();
    let dials = log.clone();
    tasks.spawn(async move { dials.run().await });
    server.restart();
    let there = async {
        while log.check().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, there).await.unwrap();
    log.append(&acme, vec![event("a", TOPIC).into()]).await.unwrap();
    let member = log.consumer(workers(TOPIC)).await.unwrap();
    let handed = member.next(1, Duration::ZERO).await.unwrap();
    assert_eq!(member.settle(vec![(handed[0].id, Settle::Ack)]).await, Ok(vec![true]));
    assert!(tasks.try_join_next().is_none(), "it stays in the tree");
}

/// A server that says what it is, and lets everybody in.
async fn says_of_itself(version: &str) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let info = format!(
        "INFO {{\"server_id\":\"A\",\"server_name\":\"the-old-one\",\"version\":\"{version}\",\"proto\":1,\
         \"host\":\"127.0.0.1\",\"port\":4222,\"headers\":true,\"max_payload\":1048576}}\r\n"
    );
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            socket.write_all(info.as_bytes()).await.unwrap();
            let mut heard = String::new();
            while !heard.contains("PING") {
                let mut some = [0; 1_024];
                let count = socket.read(&mut some).await.unwrap();
                heard.push_str(&String::from_utf8_lossy(&some[..count]));
            }
            socket.write_all(b"PONG\r\n").await.unwrap();
        }
    });
    (url, tasks)
}

#[tokio::test]
async fn an_older_server_is_refused_by_its_name_and_version() {
    let (url, _tasks) = says_of_itself("2.9.10").await;
    let log = dialled(NatsLogConfig { servers: vec![url], ..config() });
    let error = log.first_try().await.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, EventLogError::Invalid(_)), "{said}");
    assert!(said.contains("the-old-one") && said.contains("2.9.10") && said.contains("2.12"), "{said}");
    let meanwhile = log.check().await.unwrap_err();
    assert!(matches!(&meanwhile, EventLogError::Unavailable(said) if said.contains("2.9.10")), "{meanwhile}");
}

#[tokio::test]
async fn a_first_try_that_is_refused_for_good_says_why() {
    let server = NatsServer::start(&["--user", "soorma", "--pass", "right"]);
    let user = |password: &str| Credentials::User { name: "soorma".into(), password: password.into() };
    let wrong = dialled(NatsLogConfig { credentials: user("wrong"), ..of(&server) });
    let error = wrong.first_try().await.unwrap_err();
    assert!(
        matches!(&error, EventLogError::Invalid(said) if said.contains("refuses the credentials")),
        "{error}"
    );
    let right = dialled(NatsLogConfig { credentials: user("right"), ..of(&server) });
    assert_eq!(right.first_try().await, Ok(()));
    assert_eq!(right.check().await, Ok(()), "it is open");
}

/// What is appended while the server is killed and comes again.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    appended: AtomicUsize,
    refused: AtomicUsize,
}

async fn reaches(count: &AtomicUsize, more: usize) {
    let until = count.load(Ordering::SeqCst) + more;
    let reached = async {
        while count.load(Ordering::SeqCst) < until {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, reached).await.unwrap();
}

async fn gone_for_a_while_under_load(durability: Durability, mut server: NatsServer) {
    let config = NatsLogConfig { durability, ..of(&server) };
    let log = NatsLog::open(&config, Arc::new(TestClock::new())).await.unwrap();
    let load = Arc::new(Load::default());
    let mut producers = JoinSet::new();
    for producer in 0..8 {
        let (log, load) = (log.clone(), load.clone());
        producers.spawn(async move {
            let (mut answered, mut longest) = (Vec::new(), Duration::ZERO);
            for nth in 0.. {
                if load.stop.load(Ordering::SeqCst) {
                    break;
                }
                let parts = if producer % 2 == 0 { 1 } else { 3 };
                let ids: Vec<_> = (0..parts).map(|part| format!("{producer}-{nth}-{part}")).collect();
                let events = ids.iter().map(|id| Arc::new(event(id, TOPIC))).collect();
                let started = Instant::now();
                match log.append(&tenant("acme"), events).await {
                    Ok(appended) => {
                        answered
                            .extend(ids.into_iter().zip(appended.iter().map(|appended| appended.position)));
                        load.appended.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(EventLogError::Unavailable(_)) => drop(load.refused.fetch_add(1, Ordering::SeqCst)),
                    Err(other) => panic!("a server that is away is unavailable, not: {other}"),
                }
                longest = longest.max(started.elapsed());
            }
            (answered, longest)
        });
    }
    for _ in 0..3 {
        reaches(&load.appended, 100).await;
        server.kill();
        // At once, each of them: one that waited for an answer would be refused after a minute.
        reaches(&load.refused, 1_000).await;
        server.restart();
    }
    reaches(&load.appended, 100).await;
    load.stop.store(true, Ordering::SeqCst);
    let page = log.read(&Reach::Platform, TOPIC, Position(0), 1_000_000).await.unwrap();
    let there: BTreeSet<_> =
        page.entries.iter().map(|entry| (entry.event.id.to_string(), entry.position)).collect();
    let ids: BTreeSet<_> = page.entries.iter().map(|entry| entry.event.id.as_str()).collect();
    assert_eq!(ids.len(), page.entries.len(), "nothing is there twice");
    for (answered, longest) in producers.join_all().await {
        assert!(longest < LONG / 2, "{longest:?}");
        let head = page.next;
        let lost: Vec<_> =
            answered.iter().filter(|place| place.1 <= head && !there.contains(*place)).collect();
        assert!(lost.is_empty(), "answered and lost: {lost:?}");
    }
}

#[tokio::test]
async fn away_for_a_while_under_load_nobody_waits_and_nothing_is_lost() {
    gone_for_a_while_under_load(Durability::Acknowledged, NatsServer::start(&[])).await;
}

#[tokio::test]
async fn away_for_a_while_what_is_gathered_is_refused_at_once_and_nothing_is_lost() {
    let server = NatsServer::configured("jetstream { sync_interval: always }");
    gone_for_a_while_under_load(Durability::Synced, server).await;
}

#[tokio::test]
async fn a_server_that_hangs_is_waited_for_no_longer_than_said() {
    for durability in [Durability::Acknowledged, Durability::Synced] {
        let server = NatsServer::start(&[]);
        let hasty = NatsLogConfig {
            answer_within: Duration::from_millis(500),
            // More wait than may be on their way.
            max_unanswered: 4,
            durability,
            ..of(&server)
        };
        let log = NatsLog::open(&hasty, Arc::new(TestClock::new())).await.unwrap();
        let member = log.consumer(workers(TOPIC)).await.unwrap();
        server.pause();
        let acme = tenant("acme");
        let started = Instant::now();
        let appends = (0..40).map(|nth| log.append(&acme, vec![event(&format!("e{nth}"), TOPIC).into()]));
        let appends = futures_util::future::join_all(appends);
        let (appended, read, next) = tokio::join!(
            appends,
            log.read(&Reach::Platform, TOPIC, Position(0), 1),
            member.next(1, Duration::ZERO)
        );
        let took = started.elapsed();
        for answer in
            appended.into_iter().map(|answer| answer.map(drop)).chain([read.map(drop), next.map(drop)])
        {
            assert!(matches!(answer, Err(EventLogError::Unavailable(_))), "{answer:?}");
        }
        assert!(took >= Duration::from_millis(500) && took < Duration::from_secs(10), "{took:?}");
        server.resume();
        let goes_on = async { while log.append(&acme, vec![event("e0", TOPIC).into()]).await.is_err() {} };
        timeout(LONG, goes_on).await.unwrap();
    }
}

#[tokio::test]
async fn who_follows_looks_anew_though_nobody_says_that_something_was_stored() {
    let world = World::new(config()).await;
    let mut follower = world.log.follow(TOPIC, Position(0)).await.unwrap();
    // The connection stays, and what the server says of events is lost.
    let jetstream = world.jetstream().await;
    let stream = jetstream.get_stream(format!("{}-{TOPIC}", world.config.prefix)).await.unwrap();
    let silent =
        async_nats::jetstream::stream::Config { republish: None, ..stream.cached_info().config.clone() };
    jetstream.update_stream(silent).await.unwrap();
    let next = follower.next();
    tokio::pin!(next);
    // Until it has looked and waits.
    assert!(timeout(Duration::from_millis(200), &mut next).await.is_err());
    world.log.append(&tenant("acme"), vec![event("a", TOPIC).into()]).await.unwrap();
    let mut found = Vec::new();
    for _ in 0..10 {
        world.elapse(Duration::from_secs(10)).await;
        if let Ok(next) = timeout(Duration::from_millis(200), &mut next).await {
            found = next.unwrap();
            break;
        }
    }
    let found: Vec<_> = found.iter().map(|entry| entry.event.id.as_str()).collect();
    assert_eq!(found, ["a"]);
}
