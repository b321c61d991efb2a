//! Groups and dead letters reach the log as they are asked for.

use std::time::Duration;

use soorma_bus::Config;
use soorma_core::{ErrorCode, Topic};
use soorma_ports::{Bus, ConsumerSpec, DeadLetterFilter, EventLogError, GroupCommand, Reach, Settle, Start};
use soorma_testkit::{Call, Fault, name, tenant};

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

#[tokio::test(start_paused = true)]
async fn groups_are_seen_and_told_what_to_do_by_their_tenant_alone() {
    let world = World::new(Config::default()).await;
    let (one, two, workers) = (tenant("one"), tenant("two"), name("workers"));
    let member = world.bus.join(ConsumerSpec::new(one.clone(), workers.clone(), [TOPIC])).await.unwrap();
    world.publish(&one, TOPIC, ["a".into(), "b".into()]).await;
    let handed = member.next(1, Duration::from_secs(1)).await.unwrap();
    assert_eq!(world.bus.group(&one, &workers).await.unwrap().behind(), 2);
    assert_eq!(world.bus.groups(&Reach::Tenant(one.clone()), None, 10).await.unwrap().len(), 1);
    assert_eq!(world.bus.groups(&Reach::Tenant(two.clone()), None, 10).await, Ok(vec![]));
    let acks = vec![(handed[0].id, Settle::Ack)];
    let codes = [
        world.bus.group(&two, &workers).await.unwrap_err(),
        world.bus.settle(&two, &workers, acks.clone()).await.unwrap_err(),
        world.bus.command(&two, &workers, GroupCommand::Remove).await.unwrap_err(),
    ];
    assert!(codes.iter().all(|error| error.code == ErrorCode::NotFound), "{codes:?}");
    assert_eq!(world.bus.settle(&one, &workers, acks).await, Ok(vec![true]));
    world.bus.command(&one, &workers, GroupCommand::Pause).await.unwrap();
    assert_eq!(member.next(1, Duration::from_secs(1)).await, Ok(vec![]));
    world.bus.command(&one, &workers, GroupCommand::Remove).await.unwrap();
    assert_eq!(world.bus.groups(&Reach::Platform, None, 10).await, Ok(vec![]));
}

#[tokio::test(start_paused = true)]
async fn the_janitor_forgets_groups_that_nobody_uses_also_after_the_log_was_away() {
    let world = World::new(Config::default()).await;
    let hour = Duration::from_secs(3_600);
    let idle =
        ConsumerSpec { expire_after: Some(hour), ..ConsumerSpec::new(tenant("one"), name("idle"), [TOPIC]) };
    let kept = ConsumerSpec { group: name("kept"), expire_after: None, ..idle.clone() };
    drop((world.bus.join(idle).await.unwrap(), world.bus.join(kept).await.unwrap()));
    world.log.on(Call::Groups, Fault::Fail(EventLogError::Unavailable("away".into())));
    let names = async || -> Vec<String> {
        let groups = world.bus.groups(&Reach::Platform, None, 10).await.unwrap();
        groups.into_iter().map(|group| group.group.to_string()).collect()
    };
    tokio::select! {
        () = world.bus.run_janitor() => unreachable!("it goes on"),
        () = tokio::time::sleep(hour - Duration::from_secs(61)) => {}
    }
    assert_eq!(names().await, ["idle", "kept"]);
    tokio::select! {
        () = world.bus.run_janitor() => unreachable!("it goes on"),
        () = tokio::time::sleep(Duration::from_secs(122)) => {}
    }
    assert_eq!(names().await, ["kept"]);
}
