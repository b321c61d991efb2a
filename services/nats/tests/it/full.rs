//! A server that has no room.

use std::sync::Arc;
use std::time::Duration;

use soorma_core::{Position, Topic};
use soorma_nats::{Durability, NatsLogConfig};
use soorma_ports::{EventLog, EventLogError, Reach, Settle};
use soorma_testkit::servers::NatsServer;
use soorma_testkit::{event, tenant};

use super::world::{World, config, workers};

const FULL: Topic = Topic::BusinessFacts;
const TOPIC: Topic = Topic::TaskEvents;

async fn without_room(durability: Durability) {
    let server = NatsServer::configured("jetstream { max_file_store: 1MB }");
    let servers = vec![server.url().to_owned()];
    let world = World::new(NatsLogConfig { servers, durability, ..config() }).await;
    let acme = tenant("acme");
    let member = world.log.consumer(workers(TOPIC)).await.unwrap();
    world.log.append(&acme, vec![event("a", TOPIC).into()]).await.unwrap();
    let in_hand = member.next(1, Duration::ZERO).await.unwrap();

    let mut appended = Vec::new();
    let refused = loop {
        let mut large = event(&format!("large-{}", appended.len()), FULL);
        large.subject = Some("x".repeat(50_000));
        match world.log.append(&acme, vec![large.into()]).await {
            Ok(answer) => appended.push(answer[0].position),
            Err(error) => break error,
        }
        assert!(appended.len() < 100, "it holds more than it has");
    };
    assert!(matches!(refused, EventLogError::Full(_)), "{refused}");
    assert!(appended.len() > 5, "{}", appended.len());
    // Neither a call of several, nor what the groups store.
    let mut several: Vec<_> = (0..3).map(|nth| event(&format!("s{nth}"), FULL)).collect();
    several[1].subject = Some("x".repeat(90_000));
    let refused = world.log.append(&acme, several.into_iter().map(Arc::new).collect()).await.unwrap_err();
    assert!(matches!(refused, EventLogError::Full(_)), "{refused}");
    let there = world.log.read(&Reach::Platform, FULL, Position(0), 1_000).await.unwrap();
    let there: Vec<_> = there.entries.iter().map(|entry| entry.position).collect();
    assert_eq!(there, appended, "what was answered is there, and nothing else");

    // Room is made by who looks after the server.
    let stream = format!("{}-{FULL}", world.config.prefix);
    world.jetstream().await.get_stream(stream).await.unwrap().purge().await.unwrap();
    assert_eq!(world.log.check().await, Ok(()));
    world.log.append(&acme, vec![event("b", FULL).into()]).await.unwrap();
    assert_eq!(member.settle(vec![(in_hand[0].id, Settle::Ack)]).await, Ok(vec![true]));
}

#[tokio::test]
async fn without_room_it_is_full_and_with_room_it_goes_on() {
    without_room(Durability::Acknowledged).await;
}

#[tokio::test]
async fn without_room_what_was_gathered_is_refused_as_full() {
    without_room(Durability::Synced).await;
}
