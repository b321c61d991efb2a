//! What the members of one group have to do with each other's events, leases and failures. Paused time, no I/O.

use std::time::Duration;

use soorma_core::{PartitionKey, Position, Topic};
use soorma_ports::{Acks, Bus, ConsumerSpec, EventLogError, ExternalAgent, GroupCommand, Kinds, Settle};
use soorma_testkit::{Call, Fault, name, tenant};

use super::external::{Agent, LEASE, explicit};
use super::world::{World, n, request, settle};

const SECOND: Duration = Duration::from_secs(1);

/// A member of `workers` that wants some types only.
fn wanting(agent_id: &str, kinds: &str) -> ExternalAgent {
    ExternalAgent { kinds: Kinds::parse(kinds), ..explicit(agent_id) }
}

impl World {
    async fn publish_kinds(&self, kind: &str, range: std::ops::Range<u64>) {
        for id in range {
            self.publish_in("one", request(&format!("{kind}-{id}"), kind, n(id))).await;
        }
    }

    async fn in_hand(&self) -> u64 {
        self.bus.group(&tenant("one"), &name("workers")).await.unwrap().in_hand
    }
}

impl Agent {
    /// Rejects ten events, after which it is given nothing for five seconds.
    async fn reject_ten(&mut self, world: &World) {
        for _ in 0..10 {
            let (_, ticket) = self.within(1).await.unwrap();
            assert!(world.tell(ticket, Settle::Reject { cause: "bad".into() }).await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_only_a_pausing_member_wants_waits_for_it_untried() {
    let world = World::new().await;
    let [mut orders, mut bills] =
        [wanting("orders", "order.*"), wanting("bills", "bill.*")].map(|mut agent| {
            agent.group.ack_within = SECOND;
            agent
        });
    orders.connection_id = "o".into();
    bills.connection_id = "b".into();
    let mut orders = world.connect(orders).await;
    let mut bills = world.connect(bills).await;
    world.publish_kinds("bill.sent", 0..10).await;
    bills.reject_ten(&world).await;
    world.publish_kinds("bill.late", 0..1).await;
    assert_eq!(bills.within(4).await, None, "it pauses");
    let (event, ticket) = bills.within(3).await.unwrap();
    assert_eq!((event.as_str(), ticket.delivery.attempt), ("bill.late-0", 1));
    assert_eq!(world.letters().await, 10);
    assert!(orders.all().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_untried_for_a_pausing_member_that_asked_for_it() {
    let world = World::new().await;
    let [mut a, mut b] = ["a", "b"].map(|id| {
        let mut agent = explicit(id);
        agent.group = ConsumerSpec::new(tenant("one"), name("workers"), [Topic::ActionResults]);
        agent.group.ack_within = SECOND;
        agent
    });
    (a.credit, b.credit) = (50, 1);
    let answer = |id: u64| {
        let mut answer = request(&format!("r{id}"), "done", n(id));
        answer.topic = Topic::ActionResults;
        answer.correlation_id = Some("c-q".into());
        answer
    };
    let mut b = world.connect(b).await;
    world.publish_by("one", Some("b"), request("q", "t", n(0))).await;
    world.publish_in("one", answer(0)).await;
    settle().await;
    // From here on b's proxy asks for nothing, having one in hand or being in its pause.
    let mut a = world.connect(a).await;
    for id in 1..10 {
        world.publish_in("one", answer(id)).await;
    }
    settle().await;
    b.reject_ten(&world).await;
    settle().await;
    world.publish_in("one", answer(10)).await;
    assert_eq!(b.within(4).await, None, "it pauses");
    let (event, ticket) = b.within(3).await.unwrap();
    assert_eq!((event.as_str(), ticket.delivery.attempt), ("r10", 1));
    assert_eq!((world.letters().await, a.all().await), (10, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_member_is_not_given_more_by_others_than_it_has_room_for_and_they_do_not_starve() {
    let world = World::new().await;
    let mut slow = ExternalAgent { credit: 2, ..wanting("bills", "bill.*") };
    slow.group.max_unsettled = 40;
    let mut quick = wanting("orders", "order.*");
    quick.group = slow.group.clone();
    let mut bills = world.connect(slow).await;
    let mut orders = world.connect(quick).await;
    world.publish_kinds("bill.sent", 0..200).await;
    let (first, ticket) = bills.within(1).await.unwrap();
    assert_eq!(bills.all().await.len(), 1);
    settle().await;
    assert_eq!((first.as_str(), world.in_hand().await), ("bill.sent-0", 2));
    world.publish_kinds("order.placed", 0..1).await;
    assert_eq!(orders.within(5).await.map(|(event, _)| event).as_deref(), Some("order.placed-0"));
    // What it had no room for comes when it has, and no attempt was used up.
    assert!(world.tell(ticket, Settle::Ack).await);
    let (_, next) = bills.within(3).await.unwrap();
    assert_eq!(next.delivery.attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_member_has_no_room_for_goes_to_another_that_wants_it() {
    let world = World::new().await;
    let mut full = world.connect(ExternalAgent { credit: 1, ..wanting("a", "bill.*") }).await;
    let mut roomy = world.connect(ExternalAgent { credit: 50, ..wanting("b", "bill.*") }).await;
    let _orders = world.connect(wanting("c", "order.*")).await;
    world.publish_kinds("bill.sent", 0..30).await;
    let (a, b) = (full.all().await.len(), roomy.all().await.len());
    assert_eq!((a, b, world.in_hand().await), (1, 29, 30));
}

#[tokio::test(start_paused = true)]
async fn what_a_hung_member_lets_lie_goes_to_one_that_waits_for_work_at_once() {
    let world = World::new().await;
    // It has room for more, so its own proxy waits for events, too.
    let mut hung = world.connect(explicit("a")).await;
    world.requests(0..1).await;
    assert_eq!(hung.all().await, ["e0"]);
    let mut healthy = world.connect(explicit("b")).await;
    assert_eq!(healthy.within(LEASE.as_secs() - 1).await, None);
    let (event, ticket) = healthy.within(2).await.unwrap();
    assert_eq!((event.as_str(), ticket.delivery.attempt), ("e0", 2));
    assert!(world.tell(ticket, Settle::Ack).await);
    assert_eq!(hung.within(2 * LEASE.as_secs()).await, None);
}

#[tokio::test(start_paused = true)]
async fn each_lease_that_runs_out_is_a_failure_also_where_there_is_room_for_more() {
    let world = World::new().await;
    let mut hung = explicit("a");
    hung.group.max_attempts = 1_000;
    let mut hung = world.connect(hung).await;
    world.requests(0..1).await;
    for attempt in 1..=10 {
        let (_, ticket) = hung.within(LEASE.as_secs() + 5).await.unwrap();
        assert_eq!(ticket.delivery.attempt, attempt, "each is shown");
    }
    tokio::time::sleep(LEASE + SECOND).await;
    assert_eq!((hung.within(3).await, world.proxies()[0].credit), (None, 0), "it pauses");
    assert!(hung.within(3).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_member_that_joins_anew_leaves_the_groups_lease_and_key_as_they_are() {
    let world = World::new().await;
    let mut older = world.connect(ExternalAgent { credit: 2, ..explicit("a") }).await;
    let key: PartitionKey = "plan".parse().unwrap();
    let mut newer = ExternalAgent { credit: 1, ..explicit("b") };
    (newer.group.ack_within, newer.group.key) = (LEASE * 4, Some(key.clone()));
    let mut newer = world.connect(newer).await;
    world.requests(0..3).await;
    let (of_newer, ticket) = newer.within(1).await.unwrap();
    let (_, done) = older.within(1).await.unwrap();
    // Only the older one has room and asks for events, so it is this one that the log fails.
    world.log.on(Call::Next, Fault::Fail(EventLogError::Unavailable("away".into())));
    assert!(world.tell(done, Settle::Ack).await);
    let (_, done) = older.within(5).await.unwrap();
    assert!(world.tell(done, Settle::Ack).await);
    assert_eq!((older.within(5).await, world.log.pending()), (None, 0));
    let group = world.bus.group(&tenant("one"), &name("workers")).await.unwrap();
    assert_eq!(group.key, Some(key));
    // An extension is for as long as the group's lease is in the log.
    assert!(world.tell(ticket, Settle::Extend).await);
    assert_eq!(older.within(LEASE.as_secs() * 4 - 10).await, None);
    assert_eq!(older.within(20).await.map(|(event, _)| event), Some(of_newer));
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_group_can_never_be_joined_again_ends() {
    let world = World::new().await;
    let mut agent = world.connect(explicit("a")).await;
    settle().await;
    let gone =
        EventLogError::Gone { topic: Topic::ActionRequests, after: Position(1), before_first: Position(9) };
    // What passes is waited for.
    world.log.on(Call::Consumer, Fault::Fail(EventLogError::Unavailable("away".into())));
    world.log.on(Call::Consumer, Fault::Fail(gone));
    world.bus.command(&tenant("one"), &name("workers"), GroupCommand::Remove).await.unwrap();
    assert_eq!(agent.within(1).await, None);
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(world.log.pending(), 0);
    assert!(agent.is_ended().await);
}

#[tokio::test(start_paused = true)]
async fn the_time_that_settles_begins_when_the_agent_takes_an_event() {
    let world = World::new().await;
    let acks = Acks::Implied { settle_after: 5 * SECOND };
    let mut agent = world.connect(ExternalAgent { acks, ..explicit("a") }).await;
    world.requests(0..1).await;
    assert!(agent.within(1).await.is_some());
    // Its connection is slow: the event lies there until the next is asked for.
    tokio::time::sleep(20 * SECOND).await;
    assert_eq!(agent.within(3).await, None);
    assert_eq!(world.in_hand().await, 1);
    assert_eq!(agent.within(3).await, None);
    assert_eq!(world.in_hand().await, 0);
}
