//! Groups and dead letters reach the log as they are asked for.

use std::time::Duration;

use soorma_bus::Config;
use soorma_core::{ErrorCode, Topic};
use soorma_ports::{Bus, ConsumerSpec, DeadLetterFilter, Settle, Start};
use soorma_testkit::{name, tenant};

use super::world::World;

const TOPIC: Topic = Topic::ActionRequests;

#[tokio::test(start_paused = true)]
async fn what_a_group_rejects_is_a_dead_letter_of_its_tenant_alone_until_it_is_redriven() {
    let world = World::new(Config::default()).await;
    let (one, two) = (tenant("one"), tenant("two"));
    let spec = ConsumerSpec {
        tenant: one.clone(),
        group: name("workers"),
        topics: [TOPIC].into(),
        start: Start::Now,
        ack_within: Duration::from_secs(30),
        max_attempts: 3,
        max_unsettled: 10,
        key: None,
        expire_after: None,
    };
    let group = world.bus.join(spec).await.expect("joined");
    world.publish(&two, TOPIC, ["foreign".into()]).await;
    world.publish(&one, TOPIC, ["own".into()]).await;
    let handed = group.next(10, Duration::from_secs(1)).await.expect("handed out");
    assert_eq!(handed.len(), 1);
    let reject = Settle::Reject { cause: "no".into() };
    group.settle(vec![(handed[0].id, reject)]).await.expect("settled");

    let all = DeadLetterFilter::default();
    let letters = world.bus.dead_letters(&one, &all, 0, 10).await.expect("listed");
    assert_eq!(letters.iter().map(|letter| letter.event.id.as_str()).collect::<Vec<_>>(), ["own"]);
    let id = letters[0].id;
    assert_eq!(world.bus.dead_letters(&two, &all, 0, 10).await, Ok(vec![]));
    assert_eq!(world.bus.dead_letter(&two, id).await.expect_err("not theirs").code, ErrorCode::NotFound);
    assert_eq!(world.bus.redrive(&two, &[id]).await, Ok(vec![]));
    assert_eq!(world.bus.discard(&two, &[id]).await, Ok(vec![]));
    assert_eq!(world.bus.dead_letter(&one, id).await.expect("it is there").cause, "no");

    assert_eq!(world.bus.redrive(&one, &[id]).await, Ok(vec![id]));
    let again = group.next(10, Duration::from_secs(1)).await.expect("handed out");
    assert_eq!((again.len(), again[0].id.attempt), (1, 1));
    assert_eq!(world.bus.discard(&one, &[id]).await, Ok(vec![]));
}
