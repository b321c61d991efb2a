//! Appends that are stored together, each with its own answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use soorma_core::{Position, Topic};
use soorma_ports::{Appended, EventLog, EventLogError, Reach};
use soorma_testkit::{event, tenant};

use super::contract_synced::synced;
use super::world::World;

const TOPIC: Topic = Topic::TaskEvents;

/// Appends calls, each of a tenant with some ids, all at the same time.
async fn at_once(world: &World, calls: &[(&str, Vec<String>)]) -> Vec<Result<Vec<Appended>, EventLogError>> {
    join_all(calls.iter().map(|(of, ids)| async {
        let events = ids.iter().map(|id| Arc::new(event(id, TOPIC))).collect();
        world.log.append(&tenant(of), events).await
    }))
    .await
}

async fn ids(world: &World, of: &str) -> Vec<(String, Position)> {
    let page = world.log.read(&Reach::Tenant(tenant(of)), TOPIC, Position(0), 10_000).await.unwrap();
    assert_eq!(page.next, world.log.bounds(TOPIC).await.unwrap().head, "nothing is left out at the end");
    page.entries.into_iter().map(|entry| (entry.event.id.to_string(), entry.position)).collect()
}

/// How many messages each batch has, those that are no part of one left out.
async fn batches(world: &World) -> Vec<usize> {
    let stream = format!("{}-{TOPIC}", world.config.prefix);
    let stream = world.jetstream().await.get_stream(stream).await.unwrap();
    let mut sizes = BTreeMap::<String, usize>::new();
    for sequence in 1..=stream.cached_info().state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        if let Some(batch) = message.headers.get("Nats-Batch-Id") {
            *sizes.entry(batch.as_str().to_owned()).or_default() += 1;
        }
    }
    sizes.into_values().collect()
}

#[tokio::test]
async fn appends_that_wait_at_the_same_time_are_one_batch() {
    let world = World::new(synced()).await;
    let calls: Vec<_> = (0..64).map(|nth| ("acme", vec![format!("e{nth}")])).collect();
    let answers = at_once(&world, &calls).await;
    let positions: BTreeSet<_> = answers.into_iter().map(|answer| answer.unwrap()[0].position).collect();
    assert_eq!(positions.len(), 64);
    let batches = batches(&world).await;
    // The first may have gone alone before the others came.
    assert!(batches.len() <= 2 && batches.iter().sum::<usize>() >= 63, "{batches:?}");
}

#[tokio::test]
async fn one_that_is_alone_is_no_batch() {
    let world = World::new(synced()).await;
    for nth in 0..5 {
        assert!(at_once(&world, &[("acme", vec![format!("e{nth}")])]).await[0].is_ok());
    }
    assert!(batches(&world).await.is_empty());
}

#[tokio::test]
async fn calls_of_several_tenants_in_one_batch_are_each_seen_whole() {
    let world = World::new(synced()).await;
    let of = |tenant, from: usize| (tenant, (from..from + 10).map(|nth| format!("e{nth}")).collect());
    let calls = [of("acme", 0), of("globex", 0), of("acme", 10), of("initech", 0)];
    let answers = at_once(&world, &calls).await;
    assert_eq!(batches(&world).await, [40]);
    for who in ["acme", "globex", "initech"] {
        let mut expected = Vec::new();
        for ((tenant, ids), answer) in calls.iter().zip(&answers) {
            if *tenant == who {
                let positions = answer.as_ref().unwrap().iter().map(|appended| appended.position);
                expected.extend(ids.iter().cloned().zip(positions));
            }
        }
        assert_eq!(ids(&world, who).await, expected);
    }
}

#[tokio::test]
async fn what_is_there_already_is_told_to_its_own_call_alone() {
    let world = World::new(synced()).await;
    let call = |who, ids: &[&str]| (who, ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
    let before = at_once(&world, &[call("acme", &["a", "b"]), call("globex", &["a"])]).await;
    let before = |call: usize, nth: usize| before[call].as_ref().unwrap()[nth].position;
    let mut calls = vec![
        call("acme", &["a"]),
        call("acme", &["c", "b", "d"]),
        call("initech", &["a"]),
        call("initech", &["a"]),
        call("globex", &["x", "x", "a"]),
    ];
    calls.extend((0..20).map(|nth| ("acme", vec![format!("e{nth}")])));
    let answers = at_once(&world, &calls).await;
    let answers: Vec<Vec<Appended>> = answers.into_iter().map(Result::unwrap).collect();
    let duplicate = |position| Appended { position, duplicate: true };
    assert_eq!(answers[0], [duplicate(before(0, 0))]);
    assert_eq!(answers[1][1], duplicate(before(0, 1)));
    assert!(!answers[1][0].duplicate && !answers[1][2].duplicate);
    assert!(answers[1][0].position < answers[1][2].position);
    assert_eq!(answers[2][0].position, answers[3][0].position, "one of both was first");
    assert_ne!(answers[2][0].duplicate, answers[3][0].duplicate);
    assert!(!answers[4][0].duplicate);
    assert_eq!(answers[4][1..], [duplicate(answers[4][0].position), duplicate(before(1, 0))]);
    assert!(answers[5..].iter().all(|answer| !answer[0].duplicate));
    for (who, count) in [("acme", 24), ("globex", 2), ("initech", 1)] {
        let there = ids(&world, who).await;
        assert_eq!(there.len(), count, "{there:?}");
        for ((tenant, ids), answer) in calls.iter().zip(&answers) {
            let places = ids.iter().cloned().zip(answer.iter().map(|appended| appended.position));
            assert!(*tenant != who || places.into_iter().all(|place| there.contains(&place)));
        }
    }
}

#[tokio::test]
async fn a_call_that_the_server_refuses_does_not_spoil_those_beside_it() {
    let world = World::new(synced()).await;
    let jetstream = world.jetstream().await;
    let stream = format!("{}-{TOPIC}", world.config.prefix);
    let mut settings = jetstream.get_stream(&stream).await.unwrap().cached_info().config.clone();
    settings.max_message_size = 2_000;
    jetstream.update_stream(&settings).await.unwrap();
    let mut events: Vec<_> = (0..30).map(|nth| event(&format!("e{nth}"), TOPIC)).collect();
    events[7].subject = Some("x".repeat(3_000));
    let acme = tenant("acme");
    let answers = join_all(events.into_iter().map(|event| world.log.append(&acme, vec![event.into()]))).await;
    for (nth, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(appended) => assert!(nth != 7 && !appended[0].duplicate),
            Err(error) => assert!(nth == 7 && matches!(error, EventLogError::Invalid(_)), "{nth}: {error}"),
        }
    }
    assert_eq!(ids(&world, "acme").await.len(), 29);
}

#[tokio::test]
async fn more_than_can_wait_or_go_together_all_get_their_place() {
    let world = World::new(synced()).await;
    let calls: Vec<_> = (0..3_000).map(|nth| ("acme", vec![format!("e{nth}")])).collect();
    let answers = at_once(&world, &calls).await;
    let positions = answers.into_iter().map(|answer| answer.unwrap()[0].position);
    let expected: BTreeSet<_> = calls.into_iter().map(|(_, mut ids)| ids.remove(0)).zip(positions).collect();
    assert_eq!(ids(&world, "acme").await.into_iter().collect::<BTreeSet<_>>(), expected);
}
