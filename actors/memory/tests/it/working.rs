//! What a plan has at hand: sets, conditions, changes in one step, time, and keys.

use std::sync::Arc;
use std::time::Duration;

use soorma_core::{ErrorCode, WorkingValue};
use soorma_memory::Config;
use soorma_ports::{Clock as _, SetWhen, Working as _, WorkingOp};
use soorma_testkit::MemoryCall;
use tokio::task::JoinSet;

use super::world::{Node, World, ada, json, plain, scope};

async fn update(node: &Node, key: &str, op: WorkingOp) -> Result<String, ErrorCode> {
    let changed = node.memory.update_value(&ada(), "p", key, op).await;
    changed.map(|value| value.value.as_str().to_owned()).map_err(|error| error.code)
}

async fn keys(node: &Node, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let keys = node.memory.keys(&ada(), "p", prefix, after, limit).await.expect("keys");
    keys.into_iter().map(|key| key.key).collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_set_last_is_there_with_all_its_digits() {
    let (world, node) = plain().await;
    for value in ["null", "1.0", r#"{"b":1,"a":[12345678901234567890123]}"#, "\"x\""] {
        node.set("p", "k:1", value).await;
        assert_eq!(node.value("p", "k:1").await.as_deref(), Some(value));
    }
    let memory = &node.memory;
    let first = memory.value(&ada(), "p", "k:1").await.expect("read").expect("there");
    let set = memory.set_value(&ada(), "p", "k:1", json("2"), SetWhen::Any, None).await.expect("set");
    assert_eq!((set.id, set.updated_at, set.expires_at), (first.id, world.clock.now(), None));
    assert!(set.revision > first.revision);
    assert_eq!(memory.value(&ada(), "p", "k:1").await.expect("read"), Some(set), "as it was answered");
    assert!(node.value("p", "other").await.is_none() && node.value("other", "k:1").await.is_none());
    assert_eq!(world.store.calls(MemoryCall::Get), 8, "a set reads nothing");
}

#[tokio::test(start_paused = true)]
async fn a_condition_is_held_by_one_alone_and_by_one_of_many() {
    let (_world, node) = plain().await;
    let set = async |key: &str, when: SetWhen| {
        node.memory.set_value(&ada(), "p", key, json("1"), when, None).await.map_err(|error| error.code)
    };
    assert_eq!(set("k", SetWhen::Revision(1)).await, Err(ErrorCode::Conflict), "nothing is there");
    let first = set("k", SetWhen::Absent).await.expect("set").revision.expect("one");
    assert_eq!(set("k", SetWhen::Absent).await, Err(ErrorCode::Conflict));
    let second = set("k", SetWhen::Revision(first)).await.expect("set").revision.expect("one");
    assert_eq!(set("k", SetWhen::Revision(first)).await, Err(ErrorCode::Conflict));
    // Of many at once, one.
    for when in [SetWhen::Absent, SetWhen::Revision(second)] {
        let key = if when == SetWhen::Absent { "new" } else { "k" };
        let mut all = JoinSet::new();
        for n in 0..50 {
            let memory = Arc::clone(&node.memory);
            all.spawn(
                async move { memory.set_value(&ada(), "p", key, json(&n.to_string()), when, None).await },
            );
        }
        let answers = all.join_all().await;
        let won: Vec<WorkingValue> = answers.iter().flatten().cloned().collect();
        assert_eq!(won.len(), 1);
        assert!(answers.iter().flatten().all(|value| value.revision.is_some()));
        assert!(
            answers.iter().filter_map(|answer| answer.as_ref().err()).all(|e| e.code == ErrorCode::Conflict)
        );
        assert_eq!(node.value("p", key).await.as_deref(), Some(won[0].value.as_str()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_is_changed_in_one_step() {
    let (_world, node) = plain().await;
    let add = |by: &str| WorkingOp::Increment(json(by));
    assert_eq!(update(&node, "n", add("2")).await, Ok("2".into()));
    assert_eq!(update(&node, "n", add("0.5")).await, Ok("2.5".into()));
    assert_eq!(update(&node, "l", WorkingOp::Append(json("1"))).await, Ok("[1]".into()));
    assert_eq!(update(&node, "l", WorkingOp::Extend(json("[2]"))).await, Ok("[1,2]".into()));
    assert_eq!(update(&node, "l", add("1")).await, Err(ErrorCode::Conflict));
    assert_eq!(update(&node, "o", WorkingOp::Merge(json(r#"{"a":1}"#))).await, Ok(r#"{"a":1}"#.into()));
    let cas = |expected: &str| WorkingOp::CompareAndSet { expected: Some(json(expected)), value: json("9") };
    assert_eq!(update(&node, "n", cas("2")).await, Err(ErrorCode::Conflict));
    assert_eq!(update(&node, "none", cas("2")).await, Err(ErrorCode::NotFound));
    assert_eq!(update(&node, "n", cas("2.50")).await, Ok("9".into()));
    assert_eq!(update(&node, "n", WorkingOp::Extend(json("1"))).await, Err(ErrorCode::Invalid));
    assert_eq!(node.value("p", "n").await.as_deref(), Some("9"));
}

#[tokio::test(start_paused = true)]
async fn many_changes_at_once_are_few_writes_and_each_has_its_own_answer() {
    let (world, node) = plain().await;
    // The first holds the store until all others wait.
    world.store.close();
    let mut all = JoinSet::new();
    for _ in 0..200 {
        let memory = Arc::clone(&node.memory);
        all.spawn(async move {
            memory.update_value(&ada(), "p", "n", WorkingOp::Increment(json("1"))).await.expect("changed")
        });
    }
    world.store.until_in_flight(1).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    world.store.open();
    let mut answers = all.join_all().await;
    answers.sort_by_key(|value| value.value.parse::<u32>().expect("a number"));
    let values: Vec<_> = answers.iter().map(|value| value.value.parse::<u32>().expect("a number")).collect();
    assert_eq!(values, (1..=200).collect::<Vec<_>>());
    let (gets, writes) = (world.store.calls(MemoryCall::Get), world.store.calls(MemoryCall::Write));
    assert!(gets <= 3 && writes <= 3, "{gets} {writes}");
    // Who was overtaken in the same write has no revision to set anything on.
    let told: Vec<_> = answers.iter().filter_map(|value| value.revision).collect();
    assert!(told.len() == writes && answers[199].revision.is_some(), "{told:?}");
    assert_eq!(node.memory.value(&ada(), "p", "n").await.expect("read"), answers.pop());
}

#[tokio::test(start_paused = true)]
async fn changes_of_one_value_that_come_together_are_made_in_their_order() {
    let who = ada();
    let (world, node) = plain().await;
    world.store.close();
    let held = node.memory.set_value(&who, "p", "held", json("0"), SetWhen::Any, None);
    let others = async {
        world.store.until_in_flight(1).await;
        let memory = &node.memory;
        let rest = async {
            tokio::join!(
                memory.set_value(&who, "p", "k", json("1"), SetWhen::Absent, None),
                memory.update_value(&who, "p", "k", WorkingOp::Increment(json("1"))),
                memory.remove_value(&who, "p", "k"),
                memory.remove_value(&who, "p", "k"),
                memory.update_value(&who, "p", "k", WorkingOp::Append(json("3"))),
                memory.set_value(&who, "p", "gone", json("1"), SetWhen::Absent, None),
                memory.remove_value(&who, "p", "gone"),
            )
        };
        let ((set, added, removed, again, listed, came, went), ()) = tokio::join!(rest, async {
            tokio::task::yield_now().await;
            world.store.open();
        });
        assert_eq!(set.expect("set").value, json("1"));
        assert_eq!(added.expect("added").value, json("2"));
        assert!(removed.expect("removed") && !again.expect("answered"));
        let listed = listed.expect("made anew");
        assert!(listed.value == json("[3]") && listed.revision.is_some());
        assert!(came.is_ok() && went.expect("removed"));
    };
    let (held, ()) = tokio::join!(held, others);
    held.expect("set");
    assert_eq!(node.value("p", "k").await.as_deref(), Some("[3]"));
    assert!(node.value("p", "gone").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_value_is_gone_when_its_time_is_over_and_changes_keep_its_time() {
    let (world, node) = plain().await;
    let ttl = Some(Duration::from_secs(60));
    let memory = &node.memory;
    let set = memory.set_value(&ada(), "p", "k", json("1"), SetWhen::Any, ttl).await.expect("set");
    assert_eq!(set.expires_at, Some(world.clock.now().plus(Duration::from_secs(60))));
    tokio::time::advance(Duration::from_secs(30)).await;
    let changed =
        memory.update_value(&ada(), "p", "k", WorkingOp::Increment(json("1"))).await.expect("changed");
    assert_eq!(changed.expires_at, set.expires_at);
    tokio::time::advance(Duration::from_secs(29)).await;
    assert!(node.value("p", "k").await.is_some());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(node.value("p", "k").await.is_none());
    assert!(keys(&node, "", None, 10).await.is_empty());
    let anew = memory.set_value(&ada(), "p", "k", json("5"), SetWhen::Absent, None).await.expect("set");
    assert_eq!(anew.expires_at, None);
    let none = memory.set_value(&ada(), "p", "k", json("5"), SetWhen::Any, Some(Duration::ZERO)).await;
    assert_eq!(none.expect_err("no time").code, ErrorCode::Invalid);
}

#[tokio::test(start_paused = true)]
async fn keys_are_listed_in_their_order_by_their_beginning_page_by_page() {
    let (_world, node) = plain().await;
    let long = "🦀".repeat(255);
    for key in ["b", "a:1", "a:2", "a", "ü", "a:10", &long] {
        node.set("p", key, "[1]").await;
    }
    node.set("q", "a:3", "1").await;
    assert_eq!(keys(&node, "", None, 10).await, ["a", "a:1", "a:10", "a:2", "b", "ü", &long]);
    assert_eq!(keys(&node, "a:", None, 10).await, ["a:1", "a:10", "a:2"]);
    assert_eq!(keys(&node, "a:", Some("a:1"), 1).await, ["a:10"]);
    assert_eq!(keys(&node, "a:", Some("a:2"), 10).await, Vec::<String>::new());
    assert_eq!(keys(&node, "a", Some(""), 1).await, ["a"]);
    assert_eq!(keys(&node, "", Some("b"), 1).await, ["ü"]);
    assert_eq!(keys(&node, &"🦀".repeat(254), None, 10).await, std::slice::from_ref(&long));
    assert_eq!(keys(&node, "", Some(&long), 10).await, Vec::<String>::new());
    let first = &node.memory.keys(&ada(), "p", "", None, 1).await.expect("keys")[0];
    assert_eq!(first.bytes, 3);
    assert_eq!(node.value("p", &long).await.as_deref(), Some("[1]"));
    for n in 0..600 {
        node.set("p", &format!("n{n:03}"), "1").await;
    }
    assert_eq!(keys(&node, "n", None, 1_000).await.len(), 600);
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_cleared_of_what_was_set_before_and_of_no_other() {
    let who = ada();
    let (_world, node) = plain().await;
    for key in ["a", "b", "c"] {
        node.set("p", key, "1").await;
    }
    node.set("q", "a", "1").await;
    let bob = scope("one", "st", "bob");
    node.memory.set_value(&bob, "p", "a", json("1"), SetWhen::Any, None).await.expect("set");
    assert!(node.memory.remove_value(&who, "p", "c").await.expect("removed"));
    assert!(!node.memory.remove_value(&who, "p", "c").await.expect("answered"));
    let memory = &node.memory;
    let (before, cleared, after) = tokio::join!(
        memory.set_value(&who, "p", "d", json("1"), SetWhen::Any, None),
        memory.clear_plan(&who, "p"),
        memory.set_value(&who, "p", "e", json("1"), SetWhen::Any, None),
    );
    assert!(before.is_ok() && after.is_ok());
    assert_eq!(cleared.expect("cleared"), 3);
    assert_eq!(keys(&node, "", None, 10).await, ["e"]);
    assert!(node.value("q", "a").await.is_some());
    assert!(node.memory.value(&bob, "p", "a").await.expect("read").is_some());
    assert_eq!(node.memory.clear_plan(&who, "none").await.expect("cleared"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_answers_at_once_and_one_tenant_leaves_room_in_it_for_others() {
    let world = World::new();
    let config = Config { writers: 1, max_waiting_per_writer: 8, ..Config::default() };
    let node = world.node(1, config).await;
    world.store.close();
    let mut all = JoinSet::new();
    for n in 0..10 {
        let memory = Arc::clone(&node.memory);
        all.spawn(async move {
            memory.set_value(&ada(), "p", &n.to_string(), json("1"), SetWhen::Any, None).await
        });
        tokio::task::yield_now().await;
    }
    world.store.until_in_flight(1).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let memory = Arc::clone(&node.memory);
    let another = scope("two", "st", "ada");
    let mut of_another = JoinSet::new();
    of_another
        .spawn(async move { memory.set_value(&another, "p", "k", json("1"), SetWhen::Any, None).await });
    tokio::time::sleep(Duration::from_millis(1)).await;
    world.store.open();
    for set in of_another.join_all().await {
        set.expect("another tenant has its own share");
    }
    let answers = all.join_all().await;
    let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(
        (6..=8).contains(&refused.len()),
        "one in hand or two, and a quarter of eight that waits: {}",
        refused.len()
    );
    assert!(refused.iter().all(|error| error.code == ErrorCode::Overloaded && error.retry_after.is_some()));
    let stored = keys(&node, "", None, 10).await.len();
    assert_eq!(stored + refused.len(), 10, "who was answered is there, who was refused is not");
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_too_long_for_their_place_are_found_by_any_prefix_and_a_page_at_a_time() {
    let (_world, node) = plain().await;
    // Of 252 crabs a store keeps 111, and a hash of all.
    let long: Vec<_> = (0..9).map(|n| format!("{}{n}{}", "🦀".repeat(250), n % 3)).collect();
    for key in long.iter().map(String::as_str).chain(["before", &"🦀".repeat(128), "🦀🦀 else", "🧠"])
    {
        node.set("p", key, "1").await;
    }
    for crabs in [1, 110, 111, 112, 127, 128, 129, 249, 250] {
        let prefix = "🦀".repeat(crabs);
        let mut expected: Vec<_> = long.clone();
        expected.extend((crabs <= 128).then(|| "🦀".repeat(128)));
        expected.extend((crabs == 1).then(|| "🦀🦀 else".to_owned()));
        expected.sort_unstable();
        let mut all = keys(&node, &prefix, None, 100).await;
        let mut paged: Vec<String> = Vec::new();
        for _ in 0..20 {
            let page = keys(&node, &prefix, paged.last().map(String::as_str), 2).await;
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, all, "{crabs}");
        all.sort_unstable();
        assert_eq!(all, expected, "{crabs}");
    }
    assert_eq!(keys(&node, &long[4], None, 100).await, [long[4].as_str()]);
}
