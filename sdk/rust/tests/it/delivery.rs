//! What the published services lose, deliver twice or give to others, and what must come to whom.

use std::time::Duration;

use soorma::api::{DeadLetterQuery, Nack, Selection};
use soorma::{ErrorCode, Explicit, Frame, Start, StreamRequest, Topic};
use tokio::task::JoinSet;

use super::world::{
    PATIENCE, World, event, ids, large, member, names, next, on_both, open, publish, sorted, watcher,
};

const REQUESTS: Topic = Topic::ActionRequests;
const RESULTS: Topic = Topic::ActionResults;

on_both!(
    what_is_published_while_a_group_has_no_member_comes_when_one_does,
    a_new_group_that_asks_for_the_earliest_gets_what_was_published_before,
    an_agent_that_was_away_gets_what_it_missed_also_over_a_restart,
    a_member_that_dies_with_work_in_hand_loses_none_of_it,
    a_member_that_stops_reading_keeps_nothing_from_the_others,
    what_is_not_acknowledged_in_time_goes_to_another,
    another_tenant_that_asks_for_everything_sees_and_takes_nothing,
    the_same_id_is_published_and_delivered_once,
    of_one_key_events_come_in_order_whoever_works,
    answers_come_to_the_one_who_asked,
    a_dead_letter_is_told_of_and_given_back,
    a_paused_group_waits_and_a_moved_one_goes_through_again,
);

async fn what_is_published_while_a_group_has_no_member_comes_when_one_does(world: World) {
    let world = world.start().await;
    let client = world.client();
    drop(open(&client, &member("worker", "w-1", REQUESTS)).await);
    publish(&client, REQUESTS, &names("e", 5)).await;
    let mut stream = open(&client, &member("worker", "w-2", REQUESTS)).await;
    assert_eq!(ids(&mut stream, 5).await, names("e", 5));
    world.stop().await;
}

async fn a_new_group_that_asks_for_the_earliest_gets_what_was_published_before(world: World) {
    let world = world.start().await;
    let client = world.client();
    publish(&client, REQUESTS, &names("e", 5)).await;
    let early = StreamRequest { start: Some(Start::Earliest), ..member("early", "w-1", REQUESTS) };
    assert_eq!(ids(&mut open(&client, &early).await, 5).await, names("e", 5));
    // One that asks for nothing starts now.
    let mut late = open(&client, &member("late", "w-1", REQUESTS)).await;
    publish(&client, REQUESTS, &names("f", 1)).await;
    assert_eq!(ids(&mut late, 1).await, names("f", 1));
    world.stop().await;
}

async fn an_agent_that_was_away_gets_what_it_missed_also_over_a_restart(world: World) {
    let mut world = world.start().await;
    let client = world.client();
    let request = StreamRequest { explicit: Some(Explicit::default()), ..member("worker", "w", REQUESTS) };
    let mut stream = open(&client, &request).await;
    publish(&client, REQUESTS, &names("seen", 3)).await;
    for _ in 0..3 {
        let id = delivery(&mut stream).await.0;
        assert_eq!(client.ack(std::slice::from_ref(&id)).await.unwrap().settled, [id]);
    }
    drop(stream);
    publish(&client, REQUESTS, &names("missed", 3)).await;
    world.restart().await;
    publish(&world.client(), REQUESTS, &names("later", 2)).await;
    let mut stream = open(&world.client(), &request).await;
    assert_eq!(ids(&mut stream, 5).await, [names("missed", 3), names("later", 2)].concat());
    world.stop().await;
}

async fn a_member_that_dies_with_work_in_hand_loses_none_of_it(world: World) {
    let world = world.start().await;
    let client = world.client();
    let mut dies = open(&client, &member("worker", "dies", REQUESTS)).await;
    publish(&client, REQUESTS, &names("e", 100)).await;
    let first = ids(&mut dies, 10).await;
    let mut lives = open(&client, &member("worker", "lives", REQUESTS)).await;
    drop(dies);
    assert_eq!(first, names("e", 10));
    assert_eq!(sorted(ids(&mut lives, 100).await), sorted(names("e", 100)));
    world.stop().await;
}

async fn a_member_that_stops_reading_keeps_nothing_from_the_others(world: World) {
    let set = |config: &mut soorma::config::Config| {
        config.edge.stall_after = Duration::from_secs(1);
        config.edge.settle_after = Duration::from_secs(20);
    };
    let world = world.with(set).start().await;
    let client = world.client();
    // More than what fits into the buffers between the node and one who does not read.
    let _stuck = client.stream(&member("worker", "stuck", REQUESTS)).await.unwrap();
    let sent = names("e", 100);
    for id in &sent {
        client.publish(&large(id, REQUESTS, 200_000)).await.unwrap();
    }
    let mut reads = open(&client, &member("worker", "reads", REQUESTS)).await;
    assert_eq!(sorted(ids(&mut reads, 100).await), sorted(sent));
    world.stop().await;
}

/// Reads the next delivery: its id, the attempt, and the id of its event.
async fn delivery(stream: &mut soorma::EventStream) -> (String, u32, String) {
    loop {
        let frame = tokio::time::timeout(PATIENCE, stream.next()).await.expect("a delivery comes").unwrap();
        match frame.expect("the stream goes on") {
            Frame::Delivery(delivery) => {
                return (delivery.delivery_id, delivery.attempt, delivery.event.id.to_string());
            }
            Frame::Heartbeat => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn what_is_not_acknowledged_in_time_goes_to_another(world: World) {
    let world = world.start().await;
    let client = world.client();
    let explicit = Explicit { lease: Some(Duration::from_secs(2)) };
    let request = |id| StreamRequest { explicit: Some(explicit), ..member("worker", id, REQUESTS) };
    let mut hangs = open(&client, &request("hangs")).await;
    publish(&client, REQUESTS, &names("e", 3)).await;
    let mut taken = Vec::new();
    for _ in 0..3 {
        taken.push(delivery(&mut hangs).await);
    }
    let mut works = open(&client, &request("works")).await;
    // One is done, one needs longer, one is forgotten.
    let settled = client.ack(&[taken[0].0.clone()]).await.unwrap();
    assert_eq!((settled.settled.len(), settled.stale.len()), (1, 0));
    let longer = vec![taken[1].0.clone()];
    let forgotten = tokio::time::timeout(PATIENCE, async {
        loop {
            tokio::select! {
                delivery = delivery(&mut works) => return delivery,
                () = tokio::time::sleep(Duration::from_millis(500)) => {
                    assert_eq!(client.extend(&longer).await.unwrap().settled, longer);
                }
            }
        }
    });
    let (again, attempt, id) = forgotten.await.expect("it goes to another");
    assert_eq!((attempt, id), (2, taken[2].2.clone()));
    // The old holder is told that it has it no more; an ack counts whoever sends it.
    let nack = Nack { ids: vec![taken[2].0.clone()], reason: Some("late".into()), ..Nack::default() };
    assert_eq!(client.nack(&nack).await.unwrap().stale, nack.ids);
    let both = client.ack(&[again, longer[0].clone()]).await.unwrap();
    assert_eq!(both.settled.len(), 2);
    assert_eq!(client.group("worker").await.unwrap().behind, 0);
    world.stop().await;
}

async fn another_tenant_that_asks_for_everything_sees_and_takes_nothing(world: World) {
    let world = world.start().await;
    let (ours, theirs) = (world.client_of("acme"), world.client_of("globex"));
    let mut work = open(&ours, &member("worker", "w-1", REQUESTS)).await;
    let everything = StreamRequest { agent_id: "spy".into(), ..StreamRequest::default() };
    let mut watch = open(&theirs, &everything).await;
    let mut steal =
        open(&theirs, &StreamRequest { agent_name: Some("worker".into()), ..everything.clone() }).await;
    publish(&ours, REQUESTS, &names("secret", 20)).await;
    assert_eq!(ids(&mut work, 20).await, names("secret", 20));
    publish(&theirs, REQUESTS, &names("own", 1)).await;
    // The first that they see is their own.
    assert_eq!(ids(&mut watch, 1).await, names("own", 1));
    assert_eq!(ids(&mut steal, 1).await, names("own", 1));
    let groups =
        |page: soorma::api::GroupPage| page.groups.into_iter().map(|group| group.behind).collect::<Vec<_>>();
    assert_eq!(groups(theirs.groups(&Default::default()).await.unwrap()).len(), 1);
    assert_eq!(ours.group("worker").await.unwrap().name, "worker");
    assert_eq!(world.client_of("initech").group("worker").await.unwrap_err().code, ErrorCode::NotFound);
    world.stop().await;
}

async fn the_same_id_is_published_and_delivered_once(world: World) {
    let mut world = world.start().await;
    let client = world.client();
    let mut live = open(&client, &watcher(REQUESTS)).await;
    let mut work = open(&client, &member("worker", "w-1", REQUESTS)).await;
    let one = event("once", REQUESTS);
    for _ in 0..3 {
        assert_eq!(client.publish(&one).await.unwrap().event_id, "once");
    }
    let twice = client.publish_all(&[one.clone(), event("other", REQUESTS), one.clone()]).await.unwrap();
    assert_eq!(twice.events.iter().map(|event| event.duplicate).collect::<Vec<_>>(), [true, false, true]);
    for stream in [&mut live, &mut work] {
        assert_eq!(ids(stream, 2).await, ["once", "other"]);
    }
    drop((live, work));
    world.restart().await;
    let client = world.client();
    let mut live = open(&client, &watcher(REQUESTS)).await;
    client.publish(&one).await.unwrap();
    publish(&client, REQUESTS, &names("last", 1)).await;
    assert_eq!(ids(&mut live, 1).await, names("last", 1));
    world.stop().await;
}

async fn of_one_key_events_come_in_order_whoever_works(world: World) {
    let world = world.start().await;
    let client = world.client();
    let keyed = |id: &str| StreamRequest {
        explicit: Some(Explicit::default()),
        key: Some("plan_id".parse().unwrap()),
        ..member("planner", id, REQUESTS)
    };
    let members = [open(&client, &keyed("p-1")).await, open(&client, &keyed("p-2")).await];
    let plans = ["a", "b", "c"];
    let events: Vec<_> = (0..60)
        .map(|n| {
            let plan = plans[n % 3];
            let mut event = event(&format!("{plan}{n:02}"), REQUESTS);
            event.plan_id = Some(plan.into());
            event
        })
        .collect();
    client.publish_all(&events).await.unwrap();
    let (done, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let mut work = JoinSet::new();
    for mut stream in members {
        let (client, done) = (client.clone(), done.clone());
        work.spawn(async move {
            loop {
                let (delivery, _, id) = delivery(&mut stream).await;
                // Before it is settled: then another may have the next already.
                done.send(id).unwrap();
                client.ack(&[delivery]).await.unwrap();
            }
        });
    }
    let mut order = Vec::new();
    while order.len() < 60 {
        order.push(tokio::time::timeout(PATIENCE, seen.recv()).await.expect("work goes on").unwrap());
    }
    for plan in plans {
        let of_plan: Vec<_> = order.iter().filter(|id| id.starts_with(plan)).collect();
        assert!(of_plan.len() == 20 && of_plan.is_sorted(), "{of_plan:?}");
    }
    work.shutdown().await;
    world.stop().await;
}

async fn answers_come_to_the_one_who_asked(world: World) {
    let world = world.start().await;
    let mut askers = JoinSet::new();
    let worker = world.client();
    let mut work = open(&worker, &member("worker", "w-1", REQUESTS)).await;
    let mut streams = Vec::new();
    for n in 0..4 {
        let client = world.client().agent_id(format!("asker-{n}"));
        let stream = open(&client, &member("asker", &format!("asker-{n}"), RESULTS)).await;
        streams.push((n, client, stream));
    }
    for (n, client, mut stream) in streams {
        askers.spawn(async move {
            for nth in 0..50 {
                let mut request = event(&format!("q-{n}-{nth}"), REQUESTS);
                request.correlation_id = Some(request.id.to_string());
                client.publish(&request).await.unwrap();
                let answer = next(&mut stream).await;
                assert_eq!(answer.correlation_id, request.correlation_id, "the answer to asker {n}");
            }
            // While it is open, what it was shown is nobody else's.
            stream
        });
    }
    let answering = async {
        loop {
            let request = next(&mut work).await;
            let mut answer = event(&format!("a-{}", request.id), RESULTS);
            answer.source = "worker".into();
            answer.correlation_id = request.correlation_id;
            answer.parent_event_id = Some(request.id.to_string());
            worker.publish(&answer).await.unwrap();
        }
    };
    tokio::select! {
        () = answering => {}
        streams = askers.join_all() => assert_eq!(streams.len(), 4),
    }
    world.stop().await;
}

async fn a_dead_letter_is_told_of_and_given_back(world: World) {
    let world = world.start().await;
    let client = world.client();
    let mut told = open(&client, &watcher(Topic::SystemEvents)).await;
    let request = StreamRequest { explicit: Some(Explicit::default()), ..member("worker", "w-1", REQUESTS) };
    let mut work = open(&client, &request).await;
    publish(&client, REQUESTS, &names("poison", 3)).await;
    for _ in 0..3 {
        let (id, ..) = delivery(&mut work).await;
        let nack = Nack { ids: vec![id], reason: Some("cannot".into()), reject: true, ..Nack::default() };
        assert_eq!(client.nack(&nack).await.unwrap().settled.len(), 1);
    }
    let mut parents = Vec::new();
    for _ in 0..3 {
        let event = next(&mut told).await;
        assert_eq!(event.kind, "event.dead_lettered");
        parents.push(event.parent_event_id.unwrap());
    }
    assert_eq!(parents, names("poison", 3));
    assert_eq!(client.group("worker").await.unwrap().dead_letters, 3);
    let letters = client.dead_letters(&DeadLetterQuery::default()).await.unwrap().dead_letters;
    assert!(letters.iter().all(|letter| letter.cause == "cannot" && letter.attempts == 1), "{letters:?}");
    // Some, piece by piece, in order.
    let first = Selection { all: true, limit: Some(2), ..Selection::default() };
    let handled = client.redrive(&first).await.unwrap();
    assert_eq!((handled.count, handled.next.is_some()), (2, true));
    for expected in names("poison", 2) {
        let (id, attempt, event) = delivery(&mut work).await;
        assert_eq!((attempt, event), (1, expected));
        client.ack(&[id]).await.unwrap();
    }
    let rest = Selection { after: handled.next, ..first };
    assert_eq!(client.discard(&rest).await.unwrap().count, 1);
    assert_eq!(client.group("worker").await.unwrap().dead_letters, 0);
    world.stop().await;
}

async fn a_paused_group_waits_and_a_moved_one_goes_through_again(world: World) {
    let world = world.start().await;
    let client = world.client();
    let request = StreamRequest { explicit: Some(Explicit::default()), ..member("worker", "w-1", REQUESTS) };
    let mut work = open(&client, &request).await;
    assert!(client.pause("worker").await.unwrap().paused);
    publish(&client, REQUESTS, &names("e", 3)).await;
    assert_eq!(client.group("worker").await.unwrap().behind, 3);
    assert_eq!(client.group("worker").await.unwrap().in_hand, 0);
    assert!(!client.resume("worker").await.unwrap().paused);
    for round in 0..2 {
        for expected in names("e", 3) {
            let (id, _, event) = delivery(&mut work).await;
            assert_eq!(event, expected, "round {round}");
            client.ack(&[id]).await.unwrap();
        }
        if round == 0 {
            client.seek("worker", "earliest").await.unwrap();
        }
    }
    let wrong = client.seek("worker", "yesterday").await.unwrap_err();
    assert_eq!(wrong.code, ErrorCode::Invalid, "{wrong}");
    drop(work);
    client.remove_group("worker").await.unwrap();
    assert_eq!(client.group("worker").await.unwrap_err().code, ErrorCode::NotFound);
    world.stop().await;
}
