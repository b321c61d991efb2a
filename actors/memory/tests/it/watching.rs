//! Who watches a plan sees all that there is, and then each last state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use soorma_core::{ErrorCode, WorkingChange};
use soorma_memory::Config;
use soorma_ports::{Erased, SetWhen, Upkeep as _, Working as _, WorkingOp, WorkingWatch};
use soorma_testkit::{MemoryCall, SeededEntropy, tenant};
use tokio::time::Instant;

use super::world::{World, ada, json, plain, scope};

fn told(changes: &[WorkingChange]) -> Vec<(&str, Option<&str>)> {
    let one = |change: &WorkingChange| assert_eq!(change.deleted, change.value.is_none());
    changes.iter().for_each(one);
    changes
        .iter()
        .map(|change| (change.key.as_str(), change.value.as_ref().map(|value| value.as_str())))
        .collect()
}

/// Waits until all that there is was told; returns how many that is.
async fn all(watch: &mut dyn WorkingWatch) -> usize {
    let mut count = 0;
    while !watch.has_begun() {
        count += watch.next().await.expect("a piece").len();
    }
    count
}

#[tokio::test(start_paused = true)]
async fn the_first_answers_have_all_that_there_is_and_a_write_of_this_node_is_told_at_once() {
    let who = ada();
    let (_world, node) = plain().await;
    node.set("p", "b", "null").await;
    node.set("p", "a", "1").await;
    let mut watch = node.memory.watch_plan(&who, "p").await.expect("watched");
    let first = watch.next().await.expect("all");
    assert_eq!((told(&first), watch.has_begun()), (vec![("a", Some("1")), ("b", Some("null"))], true));
    let began = Instant::now();
    let (changes, revision) = tokio::join!(watch.next(), node.set("p", "a", "2"));
    let changes = changes.expect("a change");
    assert_eq!((told(&changes), changes[0].revision), (vec![("a", Some("2"))], revision));
    let (changes, removed) = tokio::join!(watch.next(), node.memory.remove_value(&who, "p", "b"));
    assert!(removed.expect("removed"));
    assert_eq!(told(&changes.expect("a change")), [("b", None)]);
    let (changes, _) = tokio::join!(watch.next(), node.memory.clear_plan(&who, "p"));
    assert_eq!(told(&changes.expect("a change")), [("a", None)]);
    assert!(began.elapsed() <= Duration::from_millis(100));
    let mut empty = node.memory.watch_plan(&who, "none").await.expect("watched");
    assert!(empty.next().await.expect("all").is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_another_node_writes_and_what_expires_is_told_soon() {
    let world = World::new();
    let (node, other) = (world.node(1, Config::default()).await, world.node(2, Config::default()).await);
    let mut watch = node.memory.watch_plan(&ada(), "p").await.expect("watched");
    assert!(watch.next().await.expect("all").is_empty());
    let ttl = Some(Duration::from_secs(10));
    other.memory.set_value(&ada(), "p", "k", json("1"), SetWhen::Any, ttl).await.expect("set");
    let began = Instant::now();
    assert_eq!(told(&watch.next().await.expect("a change")), [("k", Some("1"))]);
    assert!(began.elapsed() <= Duration::from_secs(1));
    assert_eq!(told(&watch.next().await.expect("a change")), [("k", None)]);
    assert!((10..=11).contains(&began.elapsed().as_secs()));
}

#[tokio::test(start_paused = true)]
async fn whatever_is_written_by_two_nodes_who_watches_ends_with_what_is_there() {
    for seed in 0..20 {
        let world = World::new();
        let nodes = [world.node(1, Config::default()).await, world.node(2, Config::default()).await];
        let mut watch = nodes[0].memory.watch_plan(&ada(), "p").await.expect("watched");
        let writing = async {
            let random = SeededEntropy::new(seed);
            for _ in 0..60 {
                let node = &nodes[usize::try_from(random.below(2)).expect("small")];
                let key = format!("k{}", random.below(4));
                match random.below(5) {
                    0 => drop(node.memory.remove_value(&ada(), "p", &key).await.expect("answered")),
                    1 => drop(node.memory.clear_plan(&ada(), "p").await.expect("answered")),
                    2 => drop(
                        node.memory
                            .update_value(&ada(), "p", &key, WorkingOp::Increment(json("1")))
                            .await
                            .expect("changed"),
                    ),
                    _ => drop(node.set("p", &key, &random.below(9).to_string()).await),
                }
                tokio::time::sleep(Duration::from_millis(random.below(900))).await;
            }
            node_set_end(&nodes[1].memory).await;
        };
        let watching = async {
            let mut seen = BTreeMap::new();
            let mut revisions: BTreeMap<String, u64> = BTreeMap::new();
            while !seen.contains_key("end") {
                for change in watch.next().await.expect("changes") {
                    let last = revisions.insert(change.key.clone(), change.revision).unwrap_or_default();
                    assert!(
                        change.revision > last || (change.deleted && change.revision == last),
                        "seed {seed}"
                    );
                    match change.value {
                        Some(value) => seen.insert(change.key, value.as_str().to_owned()),
                        None => seen.remove(&change.key),
                    };
                }
            }
            seen
        };
        let ((), mut seen) = tokio::join!(writing, watching);
        seen.remove("end");
        for n in 0..4 {
            let key = format!("k{n}");
            assert_eq!(seen.get(&key).cloned(), nodes[0].value("p", &key).await, "seed {seed}: {key}");
        }
    }
}

async fn node_set_end(memory: &Arc<soorma_memory::Memories>) {
    memory.set_value(&ada(), "p", "end", json("0"), SetWhen::Any, None).await.expect("set");
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_another_owner_is_another_plan_and_what_is_erased_is_told() {
    let (_world, node) = plain().await;
    node.set("p", "k", "1").await;
    let mut mine = node.memory.watch_plan(&ada(), "p").await.expect("watched");
    let mut his = node.memory.watch_plan(&scope("one", "st", "bob"), "p").await.expect("watched");
    assert_eq!(mine.next().await.expect("all").len(), 1);
    assert!(his.next().await.expect("all").is_empty());
    let began = Instant::now();
    let whose = Erased::Owner(ada().owner);
    let one = tenant("one");
    let (changes, receipt) = tokio::join!(mine.next(), node.memory.erase(&one, &whose));
    assert_eq!(receipt.expect("erased").entries, 1);
    assert_eq!(told(&changes.expect("a change")), [("k", None)]);
    assert!(began.elapsed() <= Duration::from_millis(20));
    assert!(tokio::time::timeout(Duration::from_secs(60), his.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_tenant_watches_so_many_plans_and_who_ends_makes_room() {
    let world = World::new();
    let node = world.node(1, Config { max_watchers_per_tenant: 2, ..Config::default() }).await;
    let watch = async || node.memory.watch_plan(&ada(), "p").await;
    let first = watch().await.expect("watched");
    let _second = watch().await.expect("watched");
    assert_eq!(watch().await.expect_err("too many").code, ErrorCode::RateLimited);
    assert!(node.memory.watch_plan(&scope("two", "st", "ada"), "p").await.is_ok());
    drop(first);
    assert!(watch().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_asks_again_after_the_store_was_away_misses_nothing() {
    let (world, node) = plain().await;
    let mut watch = node.memory.watch_plan(&ada(), "p").await.expect("watched");
    assert!(watch.next().await.expect("all").is_empty());
    node.set("p", "k", "1").await;
    let away = soorma_ports::MemoryStoreError::Unavailable("unplugged".into());
    world.store.fail_next(1, MemoryCall::States, &away);
    assert_eq!(watch.next().await.expect_err("away").code, ErrorCode::Unavailable);
    assert_eq!(told(&watch.next().await.expect("a change")), [("k", Some("1"))]);
}

#[tokio::test(start_paused = true)]
async fn however_many_watch_a_plan_the_store_is_asked_by_one_and_for_no_values_that_were_told() {
    let (world, node) = plain().await;
    for n in 0..100 {
        node.set("p", &format!("{n:02}"), "1").await;
    }
    let mut watches = Vec::new();
    for _ in 0..50 {
        let mut watch = node.memory.watch_plan(&ada(), "p").await.expect("watched");
        assert_eq!(all(&mut *watch).await, 100);
        watches.push(watch);
    }
    let calls = || (world.store.calls(MemoryCall::States), world.store.calls(MemoryCall::Get));
    let before = calls();
    let (list, minute) = (world.store.calls(MemoryCall::List), Duration::from_secs(60));
    let idle = watches.iter_mut().map(|watch| tokio::time::timeout(minute, watch.next()));
    assert!(futures_util::future::join_all(idle).await.iter().all(Result::is_err));
    let (states, gets) = calls();
    assert!((55..=61).contains(&(states - before.0)), "{} looks a minute", states - before.0);
    assert_eq!((gets, world.store.calls(MemoryCall::List)), (before.1, list));
    // One change is read once for all of them.
    let began = Instant::now();
    let told = futures_util::future::join_all(watches.iter_mut().map(|watch| watch.next()));
    let (told, revision) = tokio::join!(told, node.set("p", "42", "2"));
    for changes in told {
        let changes = changes.expect("a change");
        assert_eq!(changes.len(), 1);
        assert_eq!((changes[0].key.as_str(), changes[0].revision), ("42", revision));
    }
    assert!(began.elapsed() <= Duration::from_millis(20));
    assert!(calls().0 - states <= 2 && calls().1 - gets <= 2, "{:?}", calls());
}

#[tokio::test(start_paused = true)]
async fn what_is_written_without_end_is_looked_at_now_and_then() {
    let (world, node) = plain().await;
    let mut watch = node.memory.watch_plan(&ada(), "p").await.expect("watched");
    assert!(watch.next().await.expect("all").is_empty());
    let before = world.store.calls(MemoryCall::States);
    let writing = async {
        for n in 0..1_000 {
            node.set("p", "k", &n.to_string()).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let watching = async { while told(&watch.next().await.expect("changes")) != [("k", Some("999"))] {} };
    tokio::join!(writing, watching);
    let looks = world.store.calls(MemoryCall::States) - before;
    assert!((25..=60).contains(&looks), "{looks} looks");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_too_long_for_its_place_is_told_as_it_was_said_also_when_it_is_gone() {
    let (who, (_world, node)) = (ada(), plain().await);
    let key = "🦀".repeat(255);
    node.set("p", &key, "1").await;
    let mut watch = node.memory.watch_plan(&who, "p").await.expect("watched");
    assert_eq!(told(&watch.next().await.expect("all")), [(key.as_str(), Some("1"))]);
    let (changes, _) = tokio::join!(watch.next(), node.set("p", &key, "2"));
    assert_eq!(told(&changes.expect("a change")), [(key.as_str(), Some("2"))]);
    let (changes, _) = tokio::join!(watch.next(), node.memory.clear_plan(&who, "p"));
    assert_eq!(told(&changes.expect("a change")), [(key.as_str(), None)]);
}

#[tokio::test(start_paused = true)]
async fn who_watches_a_plan_whose_store_does_not_answer_waits_no_longer_than_one() {
    let (world, node) = plain().await;
    let mut watches = Vec::new();
    for _ in 0..20 {
        let mut watch = node.memory.watch_plan(&ada(), "p").await.expect("watched");
        assert!(watch.next().await.expect("all").is_empty());
        watches.push(watch);
    }
    let began = Instant::now();
    world.store.close();
    let told = futures_util::future::join_all(watches.iter_mut().map(|watch| watch.next())).await;
    assert!(told.iter().all(Result::is_err));
    assert!(began.elapsed() <= Duration::from_secs(12), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_long_plan_is_told_in_pieces_and_what_changes_meanwhile_comes_behind() {
    let (world, node) = plain().await;
    let long = format!("\"{}\"", "x".repeat(1_000_000));
    for n in 0..80 {
        node.set("p", &format!("{n:02}"), if n < 20 { &long } else { "1" }).await;
    }
    let mut watch = node.memory.watch_plan(&ada(), "p").await.expect("watched");
    let first = watch.next().await.expect("a piece");
    assert_eq!((first.len(), first[0].key.as_str(), watch.has_begun()), (1, "00", false));
    // What was told, what is not told yet, and what is new.
    node.set("p", "00", "2").await;
    node.memory.remove_value(&ada(), "p", "79").await.expect("removed");
    node.set("p", "99", "3").await;
    let (mut keys, before) = (vec!["00".to_owned()], world.store.calls(MemoryCall::Get));
    while !watch.has_begun() {
        let piece = watch.next().await.expect("a piece");
        let bytes: usize =
            piece.iter().filter_map(|change| Some(change.value.as_ref()?.as_str().len())).sum();
        assert!(bytes < 2_100_000, "{bytes}");
        keys.extend(piece.into_iter().map(|change| change.key));
    }
    assert_eq!(keys, (0..79).map(|n| format!("{n:02}")).collect::<Vec<_>>());
    assert!(world.store.calls(MemoryCall::Get) - before < 32);
    let mut behind = watch.next().await.expect("changes");
    while behind.len() < 2 {
        behind.extend(watch.next().await.expect("changes"));
    }
    assert_eq!(told(&behind), [("00", Some("2")), ("99", Some("3"))]);
}
