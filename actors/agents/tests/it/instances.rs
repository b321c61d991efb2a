use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use soorma_agents::{Limits, Worker};
use soorma_core::Event;

use super::world::{N, World, n, settle};

/// How many handlers run at once, by key; the most in all, and of one key.
#[derive(Default)]
struct Load(BTreeMap<u64, u32>, usize, u32);

#[derive(Clone, Default)]
struct Gauge(Arc<Mutex<Load>>);

impl Gauge {
    fn enter(&self, key: u64) {
        let mut gauge = self.0.lock().unwrap();
        *gauge.0.entry(key).or_default() += 1;
        let all = gauge.0.values().sum::<u32>();
        gauge.1 = gauge.1.max(usize::try_from(all).unwrap());
        gauge.2 = gauge.2.max(gauge.0[&key]);
    }

    fn leave(&self, key: u64) {
        *self.0.lock().unwrap().0.get_mut(&key).unwrap() -= 1;
    }

    /// The most at once in all, and of one key.
    fn most(&self) -> (usize, u32) {
        let gauge = self.0.lock().unwrap();
        (gauge.1, gauge.2)
    }
}

fn worker(gauge: &Gauge, order: &Arc<Mutex<Vec<u64>>>, take: Duration) -> Worker {
    let (gauge, order) = (gauge.clone(), order.clone());
    Worker::new("w").unwrap().on_task("t", move |N { n }, _| {
        let (gauge, order) = (gauge.clone(), order.clone());
        async move {
            gauge.enter(n % 10);
            tokio::time::sleep(take).await;
            gauge.leave(n % 10);
            order.lock().unwrap().push(n);
            Ok(json!({}))
        }
    })
}

fn key(event: &Event) -> Option<String> {
    let N { n } = event.data.as_ref()?.parse().ok()?;
    Some((n % 10).to_string())
}

#[tokio::test(start_paused = true)]
async fn a_pool_handles_as_many_at_once_as_it_has_instances() {
    let (gauge, order) = (Gauge::default(), Arc::default());
    let world = World::with(worker(&gauge, &order, Duration::from_millis(100)).pool(4)).await;
    let begun = tokio::time::Instant::now();
    for id in 0..40 {
        world.ask(&id.to_string(), "t", n(id)).await;
    }
    while order.lock().unwrap().len() < 40 {
        settle().await;
    }
    assert_eq!(gauge.most().0, 4);
    assert!(begun.elapsed() < Duration::from_millis(1_100), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn each_key_has_its_own_instance_one_event_at_a_time_in_order() {
    let (gauge, order) = (Gauge::default(), Arc::default());
    let world = World::with(worker(&gauge, &order, Duration::from_millis(100)).keyed(100, key)).await;
    for id in 0..100 {
        world.ask(&id.to_string(), "t", n(id)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(gauge.most(), (10, 1), "ten keys side by side, one at a time each");
    let order = order.lock().unwrap().clone();
    assert_eq!(order.len(), 100);
    for key in 0..10 {
        let of_key: Vec<_> = order.iter().filter(|n| **n % 10 == key).collect();
        assert!(of_key.is_sorted(), "{of_key:?}");
    }
    assert_eq!(world.agent("w").children[0].children.len(), 10);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(world.agent("w").children[0].children.is_empty(), "idle instances are let go");
    world.ask("again", "t", n(7)).await;
    settle().await;
    assert_eq!(world.agent("w").children[0].children.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn more_keys_than_instances_take_turns() {
    let (gauge, order) = (Gauge::default(), Arc::default());
    let limits = Limits { ack_within: Duration::from_secs(5), ..Limits::default() };
    let all = |event: &Event| Some(event.id.to_string());
    let world =
        World::with(worker(&gauge, &order, Duration::from_millis(10)).keyed(16, all).limits(limits)).await;
    let mut most = 0;
    for id in 0..1_000 {
        world.ask(&id.to_string(), "t", n(id)).await;
    }
    while order.lock().unwrap().len() < 1_000 {
        tokio::time::sleep(Duration::from_millis(3)).await;
        most = most.max(world.agent("w").children[0].children.len());
    }
    assert_eq!(gauge.most().0, 16);
    assert!(most <= 32, "{most} instances live at once");
    let mut order = order.lock().unwrap().clone();
    order.sort_unstable();
    assert_eq!(order, (0..1_000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn keyed_instances_come_back_when_their_supervisor_is_killed_and_keep_the_order() {
    let (gauge, order) = (Gauge::default(), Arc::default());
    let limits = Limits { max_attempts: 100, retry_first: Duration::from_millis(1), ..Limits::default() };
    let world =
        World::with(worker(&gauge, &order, Duration::from_millis(50)).keyed(100, key).limits(limits)).await;
    for id in 0..50 {
        world.ask(&id.to_string(), "t", n(id)).await;
    }
    settle().await;
    assert!(world.root.kill("agents/hosted/0/w/instances"));
    tokio::time::sleep(Duration::from_secs(120)).await;
    let mut order = order.lock().unwrap().clone();
    order.sort_unstable();
    order.dedup();
    assert_eq!(order, (0..50).collect::<Vec<_>>());
    assert!(world.dead().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_event_on_which_the_key_function_panics_is_a_dead_letter_and_the_agent_goes_on() {
    let (gauge, order) = (Gauge::default(), Arc::default());
    let picky = |event: &Event| {
        assert_ne!(event.id.as_str(), "1", "no key for that one");
        Some("k".to_owned())
    };
    let world = World::with(worker(&gauge, &order, Duration::from_millis(10)).keyed(4, picky)).await;
    for id in 0..3 {
        world.ask(&id.to_string(), "t", n(id)).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(*order.lock().unwrap(), [0, 2]);
    let dead = world.dead().await;
    assert_eq!((dead.len(), dead[0].event.id.as_str()), (1, "1"));
    assert_eq!(world.agent("w").state, soorma_core::ChildState::Running);
}
