//! Agents that run elsewhere, over their connections. Paused time, no I/O.

use std::time::Duration;

use soorma_core::{ErrorCode, Event, TenantId, Topic, TreeNode};
use soorma_ports::{
    Acks, Bus, Connection, ConsumerSpec, DeadLetterFilter, ExternalAgent, ExternalAgents as _, GroupCommand,
    Kinds, Outgoing, Settle, Ticket,
};
use soorma_testkit::{Call, name, tenant};
use tokio::time::{Instant, timeout};

use super::world::{Seen, World, n, request, settle};

pub(super) const HOUR: Duration = Duration::from_secs(3_600);
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// An agent of the group `workers` of the tenant `one`, which settles by tickets.
pub(super) fn explicit(agent_id: &str) -> ExternalAgent {
    let group = ConsumerSpec { ack_within: LEASE, ..spec() };
    ExternalAgent {
        group,
        agent_id: name(agent_id),
        connection_id: format!("connection-of-{agent_id}"),
        acks: Acks::Explicit,
        credit: 100,
        kinds: None,
    }
}

/// One that settles by answers alone.
pub(super) fn implied(agent_id: &str) -> ExternalAgent {
    ExternalAgent { acks: Acks::Implied { settle_after: HOUR }, ..explicit(agent_id) }
}

pub(super) fn spec() -> ConsumerSpec {
    ConsumerSpec::new(tenant("one"), name("workers"), [Topic::ActionRequests])
}

pub(super) struct Agent(pub(super) Box<dyn Connection>);

impl Agent {
    /// The next event, if it comes within so many seconds.
    pub(super) async fn within(&mut self, seconds: u64) -> Option<(String, Ticket)> {
        match timeout(Duration::from_secs(seconds), self.0.next()).await {
            Ok(Outgoing::Event { delivery, ticket, .. }) => Some((delivery.event.id.to_string(), ticket)),
            Ok(Outgoing::End) => panic!("the connection has ended"),
            Err(_) => None,
        }
    }

    /// All that comes now.
    pub(super) async fn all(&mut self) -> Vec<String> {
        let mut ids = Vec::new();
        while let Ok(outgoing) = timeout(Duration::from_millis(50), self.0.next()).await {
            match outgoing {
                Outgoing::Event { delivery, .. } => ids.push(delivery.event.id.to_string()),
                Outgoing::End => panic!("the connection has ended"),
            }
        }
        ids
    }

    pub(super) async fn is_ended(&mut self) -> bool {
        matches!(timeout(Duration::from_secs(1), self.0.next()).await, Ok(Outgoing::End))
    }
}

impl World {
    pub(super) async fn connect(&self, agent: ExternalAgent) -> Agent {
        Agent(self.agents.connect(agent).await.expect("connected"))
    }

    pub(super) async fn requests(&self, range: std::ops::Range<u64>) {
        for id in range {
            self.publish_in("one", request(&format!("e{id}"), "t", n(id))).await;
        }
    }

    pub(super) async fn publish_in(&self, whose: &str, event: Event) {
        self.publish_by(whose, None, event).await;
    }

    /// Publishes as the edge does.
    pub(super) async fn publish_by(&self, whose: &str, agent_id: Option<&str>, event: Event) {
        let tenant = tenant(whose);
        let publishing = self.agents.publishing(&tenant, agent_id, std::slice::from_ref(&event));
        let appended = self.bus.publish(&tenant, vec![event]).await.unwrap();
        if let Some(publishing) = publishing {
            publishing.done(&appended);
        }
    }

    pub(super) async fn tell(&self, ticket: Ticket, settle: Settle) -> bool {
        self.agents.settle(&tenant("one"), vec![(ticket, settle)]).await.unwrap()[0]
    }

    pub(super) fn proxies(&self) -> Vec<TreeNode> {
        let find =
            |node: &TreeNode, id: &str| node.children.iter().find(|child| child.id == id).unwrap().clone();
        let external = find(&find(&self.root.tree(), "agents"), "external");
        external.children.into_iter().flat_map(|shard| shard.children).collect()
    }

    pub(super) async fn letters(&self) -> usize {
        self.bus.dead_letters(&tenant("one"), &DeadLetterFilter::default(), 0, 100).await.unwrap().len()
    }
}

pub(super) fn ids(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|id| format!("e{id}")).collect()
}

pub(super) fn retry() -> Settle {
    Settle::Retry { after: Duration::ZERO, cause: "no luck".into() }
}

#[tokio::test(start_paused = true)]
async fn each_connection_is_in_the_tree_with_what_it_has_in_hand() {
    let world = World::new().await;
    assert_eq!(world.proxies(), []);
    let mut first = world.connect(ExternalAgent { credit: 5, ..explicit("w/1") }).await;
    let second =
        world.connect(ExternalAgent { connection_id: "0123456789ab".into(), ..explicit("w/1") }).await;
    let mut of_all = explicit("x");
    of_all.group.tenant = TenantId::default();
    let third = world.connect(of_all).await;
    let shown: Vec<_> = world.proxies().into_iter().map(|proxy| proxy.id).collect();
    assert_eq!(shown, ["workers@one#w%2F1", "workers@one#w%2F1~456789ab", "workers#x"]);
    assert_eq!(world.agents.connections(&tenant("one"), &name("workers")), 2);
    drop((second, third));
    settle().await;
    world.requests(0..2).await;
    assert_eq!(first.all().await, ids(0..2));
    let proxies = world.proxies();
    assert_eq!((proxies.len(), proxies[0].depth, proxies[0].credit), (1, 2, 3));
    drop(first);
    settle().await;
    assert_eq!((world.proxies(), world.agents.connections(&tenant("one"), &name("workers"))), (vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_is_killed_ends_its_connection_and_its_events_come_back() {
    let world = World::new().await;
    let mut agent = world.connect(implied("a")).await;
    world.requests(0..3).await;
    assert_eq!(agent.all().await, ids(0..3));
    assert!(world.root.kill("agents/external/0/workers@one#a"));
    assert!(agent.is_ended().await);
    assert!(agent.is_ended().await, "it says so again");
    let mut heir = world.connect(implied("b")).await;
    assert_eq!(heir.within(LEASE.as_secs() - 2).await, None);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(heir.all().await, ids(0..3));
}

#[tokio::test(start_paused = true)]
async fn what_is_unsettled_at_the_end_goes_to_another_at_once_and_in_order() {
    let world = World::new().await;
    let mut agent = world.connect(ExternalAgent { credit: 4, ..explicit("a") }).await;
    world.requests(0..6).await;
    let (_, first) = agent.within(1).await.unwrap();
    assert_eq!(agent.all().await, ids(1..4));
    assert!(world.tell(first, Settle::Ack).await);
    assert_eq!(agent.all().await, ids(4..5));
    drop(agent);
    let mut heir = world.connect(explicit("b")).await;
    let mut attempts = Vec::new();
    for id in 1..6 {
        let (event, ticket) = heir.within(1).await.unwrap();
        assert_eq!(event, format!("e{id}"));
        attempts.push(ticket.delivery.attempt);
    }
    assert_eq!(attempts, [2, 1, 1, 1, 1], "the oldest counts as tried");
    heir.0.close().await;
    assert!(heir.is_ended().await);
    let mut last = world.connect(explicit("c")).await;
    let (event, ticket) = last.within(1).await.unwrap();
    assert_eq!((event.as_str(), ticket.delivery.attempt), ("e1", 2), "that the node closes counts for none");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_settled_in_time_goes_to_another_member_and_makes_room() {
    let world = World::new().await;
    let mut silent = world.connect(ExternalAgent { credit: 1, ..explicit("a") }).await;
    world.requests(0..1).await;
    let (_, late) = silent.within(1).await.unwrap();
    let mut other = world.connect(explicit("b")).await;
    assert_eq!(other.within(LEASE.as_secs() - 2).await, None);
    let (event, ticket) = other.within(4).await.unwrap();
    assert_eq!((event.as_str(), ticket.delivery.attempt), ("e0", 2));
    assert!(!world.tell(late, retry()).await, "it is another's now");
    world.requests(1..2).await;
    assert!(world.tell(ticket, Settle::Ack).await);
    assert_eq!([silent.all().await, other.all().await].concat(), ids(1..2), "one of them has room for it");
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_an_event_that_was_shown_is_the_agents_to_extend() {
    let world = World::new().await;
    let mut agent = world.connect(ExternalAgent { credit: 1, ..explicit("a") }).await;
    world.requests(0..1).await;
    let (_, ticket) = agent.within(1).await.unwrap();
    let mut other = world.connect(ExternalAgent { credit: 1, ..explicit("b") }).await;
    for _ in 0..5 {
        tokio::time::sleep(LEASE - Duration::from_secs(1)).await;
        assert!(world.tell(ticket.clone(), Settle::Extend).await);
    }
    assert_eq!(other.within(LEASE.as_secs() - 1).await, None);
    assert_eq!(other.within(5).await.map(|(event, _)| event), Some("e0".into()), "nobody else extends it");
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_never_shown_more_than_its_credit_and_settling_makes_room() {
    let world = World::new().await;
    let mut agent = world.connect(ExternalAgent { credit: 3, ..explicit("a") }).await;
    world.requests(0..20).await;
    let mut tickets = std::collections::VecDeque::new();
    for id in 0..20 {
        if tickets.len() == 3 {
            assert_eq!(agent.within(1).await, None);
            assert!(world.tell(tickets.pop_front().unwrap(), Settle::Ack).await);
        }
        let (event, ticket) = agent.within(1).await.unwrap();
        assert_eq!(event, format!("e{id}"));
        tickets.push_back(ticket);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ticket_settles_once_and_only_in_its_tenant_and_group() {
    let world = World::new().await;
    let mut agent = world.connect(explicit("a")).await;
    world.requests(0..1).await;
    let (_, ticket) = agent.within(1).await.unwrap();
    let elsewhere = Ticket { group: name("nobody"), ..ticket.clone() };
    let settle = |whose: &str, ticket: &Ticket| {
        let (whose, settlements) = (tenant(whose), vec![(ticket.clone(), Settle::Ack)]);
        let agents = world.agents.clone();
        async move { agents.settle(&whose, settlements).await.unwrap() }
    };
    assert_eq!(settle("two", &ticket).await, [false]);
    assert_eq!(settle("one", &elsewhere).await, [false]);
    assert_eq!(settle("one", &ticket).await, [true]);
    assert_eq!(settle("one", &ticket).await, [false]);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_was_removed_is_joined_again() {
    let world = World::new().await;
    let mut agent = world.connect(implied("a")).await;
    world.bus.command(&tenant("one"), &name("workers"), GroupCommand::Remove).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.requests(0..2).await;
    assert_eq!(agent.all().await, ids(0..2));
}

#[tokio::test(start_paused = true)]
async fn one_that_keeps_failing_is_given_one_event_at_a_time_until_it_settles_one() {
    let world = World::new().await;
    let mut agent = explicit("a");
    agent.group.max_attempts = 1_000;
    let mut agent = world.connect(agent).await;
    world.requests(0..30).await;
    for _ in 0..10 {
        let (_, ticket) = agent.within(1).await.unwrap();
        assert!(world.tell(ticket, retry()).await);
    }
    let proxy = world.proxies().remove(0);
    assert_eq!((agent.within(4).await, proxy.credit), (None, 0), "it pauses");
    let begun = Instant::now();
    let (_, tried) = agent.within(2).await.unwrap();
    assert_eq!(agent.within(20).await, None, "one at a time");
    assert!(world.tell(tried, retry()).await);
    let (_, tried) = agent.within(60).await.unwrap();
    assert!(begun.elapsed() > Duration::from_secs(30), "the pauses grow: {:?}", begun.elapsed());
    assert!(world.tell(tried, Settle::Ack).await);
    assert_eq!(agent.all().await.len(), 29, "all at once again");
    assert_eq!(world.letters().await, 0);
}

#[tokio::test(start_paused = true)]
async fn leases_that_run_out_and_connections_that_end_with_work_in_hand_are_failures_too() {
    for ends in [false, true] {
        let world = World::new().await;
        let mut agent = explicit("a");
        agent.group.max_attempts = 1_000;
        agent.credit = 1;
        let mut connection = world.connect(agent.clone()).await;
        world.requests(0..3).await;
        for _ in 0..10 {
            connection.within(LEASE.as_secs() * 2).await.unwrap();
            if ends {
                drop(connection);
                settle().await;
                connection = world.connect(agent.clone()).await;
            }
        }
        if !ends {
            tokio::time::sleep(LEASE).await;
        }
        assert_eq!(connection.within(4).await, None, "it pauses");
        assert!(connection.within(2).await.is_some());
        // Others are not held up by it.
        let mut other = world.connect(explicit("b")).await;
        assert_eq!(other.all().await.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_failing_agent_was_not_shown_goes_to_others() {
    let world = World::new().await;
    let mut failing = world.connect(explicit("a")).await;
    world.requests(0..30).await;
    for _ in 0..10 {
        let (_, ticket) = failing.within(1).await.unwrap();
        assert!(world.tell(ticket, Settle::Reject { cause: "bad".into() }).await);
    }
    let mut other = world.connect(explicit("b")).await;
    assert_eq!(other.all().await, ids(10..30));
    assert_eq!(world.letters().await, 10);
}

#[tokio::test(start_paused = true)]
async fn answers_come_to_who_asked_while_it_is_connected_and_to_any_other_afterwards() {
    let world = World::new().await;
    let asker = |id: &str, credit| {
        let mut asker = ExternalAgent { credit, ..implied(id) };
        asker.group = ConsumerSpec::new(tenant("one"), name("askers"), [Topic::ActionResults]);
        asker
    };
    let names = ["a", "b", "c", "d"];
    let mut askers = Vec::new();
    for name in names {
        askers.push(world.connect(asker(name, 256)).await);
    }
    for id in 0..800 {
        let event = request(&format!("q{id}"), "t", n(id));
        // Half of them say who they are by a header, the others by the sender.
        let who = names[usize::try_from(id % 4).unwrap()];
        if id < 400 {
            world.publish_by("one", Some(who), event).await;
        } else {
            world.publish_by("one", None, Event { source: who.into(), ..event }).await;
        }
    }
    let answer = |id: u64| {
        let mut answer = request(&format!("r{id}"), "done", n(id));
        answer.topic = Topic::ActionResults;
        answer.source = "worker".into();
        answer.correlation_id = Some(format!("c-q{id}"));
        answer
    };
    // Whoever answers first is not taken for who asked.
    for id in 0..800 {
        world.publish_by("one", Some("worker-1"), answer(id)).await;
    }
    for (nth, asker) in askers.iter_mut().enumerate() {
        let mut seen = asker.all().await;
        seen.sort();
        let mut expect: Vec<_> = (0..800).skip(nth).step_by(4).map(|id| format!("r{id}")).collect();
        expect.sort();
        assert_eq!(seen, expect, "{}", names[nth]);
    }
    // `d` leaves; its answers of later go to the others, and what it had not dealt with.
    drop(askers.pop());
    settle().await;
    let mut rest = Vec::new();
    for asker in &mut askers {
        rest.extend(asker.all().await);
    }
    assert_eq!(rest.len(), 56 * 3, "as much as they have room for: {rest:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_in_one_tenant_sends_nothing_anywhere_in_another() {
    let world = World::new().await;
    let of = |whose: &str, id: &str| {
        let mut agent = implied(id);
        agent.group = ConsumerSpec::new(tenant(whose), name("askers"), [Topic::ActionResults]);
        agent
    };
    let mut ones = [world.connect(of("one", "a")).await, world.connect(of("one", "b")).await];
    let mut twos = [world.connect(of("two", "a")).await, world.connect(of("two", "b")).await];
    // The conversation is a's in one tenant and b's in the other.
    world.publish_by("one", Some("a"), request("q", "t", n(0))).await;
    world.publish_by("two", Some("b"), request("q", "t", n(0))).await;
    for whose in ["one", "two"] {
        for id in 0..20 {
            let mut answer = request(&format!("{whose}-{id}"), "done", n(id));
            answer.topic = Topic::ActionResults;
            answer.correlation_id = Some("c-q".into());
            world.publish_in(whose, answer).await;
        }
    }
    let counts = [
        ones[0].all().await.iter().filter(|id| id.starts_with("one")).count(),
        ones[1].all().await.len(),
        twos[0].all().await.len(),
        twos[1].all().await.iter().filter(|id| id.starts_with("two")).count(),
    ];
    assert_eq!(counts, [20, 0, 0, 20]);
}

#[tokio::test(start_paused = true)]
async fn types_that_an_agent_does_not_want_go_to_one_that_does_and_are_done_where_nobody_does() {
    let world = World::new().await;
    let mut orders =
        world.connect(ExternalAgent { kinds: Kinds::parse("order.*"), ..explicit("orders") }).await;
    let mut bills =
        world.connect(ExternalAgent { kinds: Kinds::parse("bill.sent"), ..explicit("bills") }).await;
    for (id, kind) in ["order.placed", "bill.sent", "other", "order.late", "bill.paid"].iter().enumerate() {
        world.publish_in("one", request(&format!("e{id}"), kind, n(0))).await;
    }
    assert_eq!((orders.all().await, bills.all().await), (vec!["e0".into(), "e3".into()], vec!["e1".into()]));
    let group = world.bus.group(&tenant("one"), &name("workers")).await.unwrap();
    assert_eq!(group.behind(), 3, "what nobody wants is done: {group:?}");
}

#[tokio::test(start_paused = true)]
async fn the_group_of_a_hosted_agent_cannot_be_joined_from_elsewhere() {
    let seen = Seen::default();
    let worker = soorma_agents::Worker::new("workers").unwrap().tenant(tenant("one"));
    let worker = worker.on_task("t", move |super::world::N { n }, _| {
        let seen = seen.clone();
        async move {
            seen.note(n.to_string());
            Ok(serde_json::json!({}))
        }
    });
    let world = World::with(worker).await;
    let error = world.agents.connect(explicit("a")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict, "{error}");
    assert!(world.agents.hosts(&tenant("one"), &name("workers")));
    assert!(!world.agents.hosts(&tenant("two"), &name("workers")));
    let mut elsewhere = explicit("a");
    elsewhere.group.tenant = tenant("two");
    assert!(world.agents.connect(elsewhere).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn leases_are_kept_while_an_agent_that_cannot_acknowledge_is_at_work() {
    let world = World::new().await;
    let mut agent = world.connect(implied("a")).await;
    world.requests(0..2).await;
    assert_eq!(agent.all().await, ids(0..2));
    let mut other = world.connect(implied("b")).await;
    assert_eq!(other.within(600).await, None);
    // Its answer settles.
    let mut answer = request("r", "done", n(0));
    answer.topic = Topic::ActionResults;
    answer.source = "workers".into();
    answer.parent_event_id = Some("e1".into());
    answer.correlation_id = None;
    world.publish_in("one", answer).await;
    drop(agent);
    assert_eq!(other.all().await, ids(0..1));
}

#[tokio::test(start_paused = true)]
async fn time_settles_what_an_agent_has_taken() {
    let world = World::new().await;
    let acks = Acks::Implied { settle_after: Duration::from_secs(5) };
    let mut agent = world.connect(ExternalAgent { acks, credit: 2, ..explicit("a") }).await;
    world.requests(0..6).await;
    let begun = Instant::now();
    for id in 0..6 {
        assert_eq!(agent.within(20).await.unwrap().0, format!("e{id}"));
    }
    assert!((10..12).contains(&begun.elapsed().as_secs()), "two each five seconds: {:?}", begun.elapsed());
    // The last was shown, but whether it was taken nobody knows.
    tokio::time::sleep(HOUR).await;
    let group = world.bus.group(&tenant("one"), &name("workers")).await.unwrap();
    assert_eq!(group.behind(), 1, "{group:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_closed_waits_until_all_is_given_back() {
    let world = World::new().await;
    let mut agent = world.connect(implied("a")).await;
    world.requests(0..2).await;
    assert_eq!(agent.all().await, ids(0..2));
    world.log.delay(1, Call::Settle, Duration::from_secs(3));
    let begun = Instant::now();
    agent.0.close().await;
    assert_eq!(begun.elapsed().as_secs(), 3);
    let group = world.bus.group(&tenant("one"), &name("workers")).await.unwrap();
    assert_eq!((group.in_hand, group.waiting), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn when_the_node_stops_nothing_counts_as_tried() {
    let world = World::new().await;
    let mut agent = world.connect(implied("a")).await;
    world.requests(0..2).await;
    assert_eq!(agent.all().await, ids(0..2));
    world.root.stop().await.unwrap();
    assert!(agent.is_ended().await);
    let consumer = world.bus.join(spec()).await.unwrap();
    let handed = consumer.next(10, Duration::from_secs(1)).await.unwrap();
    assert_eq!(handed.iter().map(|delivery| delivery.id.attempt).collect::<Vec<_>>(), [1, 1]);
}
