use std::time::Duration;

use soorma_core::ChildState;
use soorma_supervise::{
    Actor, Addr, Backoff, ChildSpec, Cx, Failure, Intensity, Reply, Restart, Root, Sharded, StartError,
    Strategy, SupervisorSpec,
};

use super::fixture::{Diary, Msg, count, find, patient, probe, settle};

/// A small actor, of which there can be many.
struct Mite(u32);

enum Poke {
    Die,
    Ask(Reply<u32>),
}

impl Actor for Mite {
    type Args = u32;
    type Msg = Poke;
    async fn start(n: u32, _: &mut Cx<Poke>) -> Result<Self, Failure> {
        Ok(Self(n))
    }
    async fn handle(&mut self, msg: Poke, _: &mut Cx<Poke>) -> Result<(), Failure> {
        match msg {
            Poke::Die => Err("poked".into()),
            Poke::Ask(reply) => {
                reply.send(self.0);
                Ok(())
            }
        }
    }
}

fn mites(n: u32) -> (Vec<ChildSpec>, Vec<Addr<Poke>>) {
    (0..n)
        .map(|n| {
            let (spec, addr) = ChildSpec::actor_with_mailbox::<Mite>(n.to_string(), n, 8);
            (spec.backoff(Backoff::NONE), addr)
        })
        .unzip()
}

async fn all_answer(addrs: &[Addr<Poke>]) {
    for (n, addr) in (0_u32..).zip(addrs) {
        assert_eq!(addr.call(Duration::from_secs(1), Poke::Ask).await, Ok(n));
    }
}

const STORM: Intensity = Intensity::new(100_000, Duration::from_secs(1));

#[tokio::test(start_paused = true)]
async fn ten_thousand_children_of_one_parent_die_at_once_and_all_come_back() {
    let (specs, addrs) = mites(10_000);
    let spec = specs
        .into_iter()
        .fold(SupervisorSpec::new("root", Strategy::OneForOne).intensity(STORM), SupervisorSpec::child);
    let root = Root::start(spec).await.unwrap();
    addrs.iter().for_each(|addr| addr.cast(Poke::Die).unwrap());
    settle().await;
    all_answer(&addrs).await;
    assert!(
        root.tree().children.iter().all(|child| child.restarts == 1 && child.state == ChildState::Running)
    );
    root.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn sharded_children_are_spread_a_thousand_to_a_shard_and_survive_a_storm() {
    let (spec, sharded) = Sharded::new("many", STORM, 100_000);
    let root = Root::start(patient("root", Strategy::OneForOne).child(spec)).await.unwrap();
    let (specs, addrs) = mites(2_500);
    for spec in specs {
        sharded.start(spec).await.unwrap();
    }
    let tree = root.tree();
    let sizes: Vec<_> = find(&tree, "many").children.iter().map(|shard| shard.children.len()).collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
    addrs.iter().for_each(|addr| addr.cast(Poke::Die).unwrap());
    settle().await;
    all_answer(&addrs).await;
    root.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sharded_supervisor_refuses_a_second_of_one_id_and_more_than_its_bound() {
    let (spec, sharded) = Sharded::new("many", STORM, 3);
    let _root = Root::start(patient("root", Strategy::OneForOne).child(spec)).await.unwrap();
    let (mut specs, _addrs) = mites(4);
    let last = specs.pop().unwrap();
    let again = specs[1].clone();
    for spec in specs {
        sharded.start(spec).await.unwrap();
    }
    assert_eq!(sharded.start(again).await, Err(StartError::Exists));
    assert_eq!(sharded.start(last.clone()).await, Err(StartError::Full));
    assert!(sharded.remove("1").await);
    assert!(!sharded.remove("1").await);
    assert_eq!(sharded.start(last).await, Ok(()));
    assert_eq!(sharded.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_killed_shard_comes_back_with_its_children() {
    let (spec, sharded) = Sharded::new("many", STORM, 10);
    let root = Root::start(patient("root", Strategy::OneForOne).child(spec)).await.unwrap();
    let (specs, addrs) = mites(5);
    for spec in specs {
        sharded.start(spec).await.unwrap();
    }
    assert!(root.kill("many/0"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    all_answer(&addrs).await;
}

#[tokio::test(start_paused = true)]
async fn a_child_takes_messages_as_soon_as_it_was_added() {
    let (spec, handle) = SupervisorSpec::dynamic("pool").into_child();
    let _root = Root::start(patient("root", Strategy::OneForOne).child(spec)).await.unwrap();
    let (a, addr) = probe("a", &Diary::default());
    handle.start(a).await.unwrap();
    addr.cast(Msg::Add).unwrap();
    assert_eq!(count(&addr).await, 1);
}

#[tokio::test(start_paused = true)]
async fn remove_returns_when_the_child_has_ended_by_its_own_rules() {
    let diary = Diary::default();
    let (spec, handle) = SupervisorSpec::dynamic("pool").into_child();
    let _root = Root::start(patient("root", Strategy::OneForOne).child(spec)).await.unwrap();
    let (a, addr) = probe("a", &diary);
    handle.start(a).await.unwrap();
    addr.cast(Msg::Work(Duration::from_secs(2), "done")).unwrap();
    settle().await;
    assert!(handle.remove("a").await);
    assert_eq!(diary.take(), ["a up", "done", "a down"]);
    assert!(handle.is_empty() && !handle.remove("a").await);
}

#[tokio::test(start_paused = true)]
async fn dynamic_children_that_are_done_are_dropped() {
    let diary = Diary::default();
    let (spec, handle) = SupervisorSpec::dynamic("pool").into_child();
    let root = Root::start(patient("root", Strategy::OneForOne).child(spec)).await.unwrap();
    let (a, addr_a) = probe("a", &diary);
    let (b, addr_b) = probe("b", &diary);
    handle.start(a.restart(Restart::Transient)).await.unwrap();
    handle.start(b.restart(Restart::Temporary)).await.unwrap();
    addr_a.cast(Msg::Finish).unwrap();
    addr_b.cast(Msg::Panic).unwrap();
    settle().await;
    assert!(handle.is_empty() && find(&root.tree(), "pool").children.is_empty());
}

#[tokio::test(start_paused = true)]
async fn dynamic_children_stop_side_by_side() {
    let diary = Diary::default();
    let (spec, handle) = SupervisorSpec::dynamic("pool").into_child();
    let root = Root::start(patient("root", Strategy::OneForOne).child(spec)).await.unwrap();
    for name in ["a", "b", "c"] {
        let (child, addr) = probe(name, &diary);
        handle.start(child).await.unwrap();
        addr.cast(Msg::Work(Duration::from_secs(2), name)).unwrap();
    }
    settle().await;
    let asked = tokio::time::Instant::now();
    root.stop().await.unwrap();
    assert_eq!(asked.elapsed().as_secs(), 1, "two seconds each, all at once, begun a moment ago");
}

#[tokio::test(start_paused = true)]
async fn two_nodes_in_one_process_share_nothing() {
    let diary = Diary::default();
    let mut roots = Vec::new();
    let mut addrs = Vec::new();
    for _ in 0..2 {
        let (a, addr) = probe("a", &diary);
        roots.push(Root::start(patient("root", Strategy::OneForOne).child(a)).await.unwrap());
        addrs.push(addr);
    }
    addrs[0].cast(Msg::Add).unwrap();
    addrs[1].cast(Msg::Panic).unwrap();
    settle().await;
    assert_eq!((count(&addrs[0]).await, count(&addrs[1]).await), (1, 0));
    assert_eq!((find(&roots[0].tree(), "a").restarts, find(&roots[1].tree(), "a").restarts), (0, 1));
    roots[0].stop().await.unwrap();
    assert_eq!(count(&addrs[1]).await, 0);
}
