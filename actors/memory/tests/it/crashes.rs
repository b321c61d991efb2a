//! Whatever crashes, what was answered is there; and a store that is away, slow or full.

use std::sync::Arc;
use std::time::Duration;

use soorma_core::ErrorCode;
use soorma_memory::Config;
use soorma_ports::{MemoryStoreError, Semantic as _, SetWhen, Upkeep as _, Working as _, WorkingOp};
use soorma_testkit::{Fault, MemoryCall};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::world::{World, ada, json, knowledge, plain, scripted, up_again, with};

#[tokio::test(start_paused = true)]
async fn the_branch_stands_in_the_tree_with_its_queues_as_gauges() {
    let (world, embedder) = (World::new(), soorma_testkit::ScriptedEmbedder::new("scripted/8"));
    let config = Config { writers: 2, max_waiting_per_writer: 7, embed_calls: 2, ..with(&embedder) };
    let node = world.node(1, config).await;
    let tree = node.root.tree();
    let branch = &tree.children[0];
    assert_eq!((branch.id.as_str(), branch.strategy.as_deref()), ("memory", Some("one_for_one")));
    let children =
        |of: &soorma_core::TreeNode| of.children.iter().map(|child| child.id.clone()).collect::<Vec<_>>();
    assert_eq!(children(branch), ["writers", "embedder", "errands", "janitor"]);
    assert_eq!(children(&branch.children[0]), ["0", "1"]);
    assert_eq!(children(&branch.children[1]), ["0", "1", "later-0"]);
    assert_eq!((branch.children[0].children[0].depth, branch.children[0].children[0].credit), (0, 7));
}

#[tokio::test(start_paused = true)]
async fn whatever_child_is_killed_while_values_change_those_that_were_answered_are_there() {
    for victim in ["writers/0", "embedder/0", "janitor"] {
        let (world, embedder) = (World::new(), soorma_testkit::ScriptedEmbedder::new("scripted/8"));
        let node = world.node(1, Config { writers: 1, embed_calls: 1, ..with(&embedder) }).await;
        for _ in 0..1_000 {
            world.store.on(MemoryCall::Write, Fault::Delay(Duration::from_millis(2)));
        }
        let mut callers = JoinSet::new();
        for caller in 0..8 {
            let memory = Arc::clone(&node.memory);
            callers.spawn(async move {
                let mut answered = 0_u64;
                for n in 0..50 {
                    let key = format!("{caller}");
                    match memory.update_value(&ada(), "p", &key, WorkingOp::Increment(json("1"))).await {
                        Ok(_) => answered += 1,
                        Err(error) => {
                            assert_eq!(error.code, ErrorCode::Unavailable, "{error}");
                            assert!(error.message.contains("not known"), "{error}");
                        }
                    }
                    memory.store_fact(&ada(), knowledge(&format!("{caller} {n}"))).await.expect("stored");
                }
                answered
            });
        }
        let mut killed = 0;
        while killed < 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            killed += u32::from(node.root.kill(&format!("memory/{victim}")));
        }
        let answered = callers.join_all().await;
        up_again(&node).await;
        for (caller, answered) in answered.iter().enumerate() {
            let there: u64 = match node.value("p", &caller.to_string()).await {
                Some(value) => value.parse().expect("a number"),
                None => 0,
            };
            assert!(there >= *answered && there <= 50, "{victim}: {there} of {answered}");
            assert!(*answered >= 20, "{victim}: {answered}");
        }
        node.until_embedded().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_killed_with_work_in_hand_says_that_it_does_not_know_and_what_waits_is_done() {
    let who = ada();
    let world = World::new();
    let node = world.node(1, Config { writers: 1, ..Config::default() }).await;
    world.store.close();
    let set = |key: &'static str| node.memory.set_value(&who, "p", key, json("1"), SetWhen::Any, None);
    let (in_hand, (waits, ())) = tokio::join!(set("in hand"), async {
        world.store.until_in_flight(1).await;
        tokio::join!(set("waits"), async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(node.root.kill("memory/writers/0"));
            world.store.open();
        })
    });
    let error = in_hand.expect_err("it was interrupted");
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("not known") && error.retry_after.is_some());
    waits.expect("set");
    assert!(node.value("p", "waits").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_told_without_where_it_is_and_that_it_is_back_is_found_at_once() {
    let (world, node) = plain().await;
    let away = MemoryStoreError::Unavailable("ada@10.0.0.7 refuses".into());
    world.store.fail_next(3, MemoryCall::Write, &away);
    world.store.fail_next(1, MemoryCall::Get, &away);
    world.store.fail_next(1, MemoryCall::Check, &away);
    let errors = [
        node.memory.set_value(&ada(), "p", "k", json("1"), SetWhen::Any, None).await.expect_err("away"),
        node.memory.store_fact(&ada(), knowledge("c")).await.expect_err("away"),
        node.memory.clear_plan(&ada(), "p").await.expect_err("away"),
        node.memory.value(&ada(), "p", "k").await.expect_err("away"),
        node.memory.check_memory().await.expect_err("away"),
    ];
    for error in errors {
        assert_eq!(error.code, ErrorCode::Unavailable);
        assert!(!error.message.contains("10.0.0.7") && error.retry_after.is_some(), "{error}");
    }
    node.set("p", "k", "1").await;
    node.memory.check_memory().await.expect("it is back");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_counts_as_away_after_a_time() {
    let who = ada();
    let (world, node) = plain().await;
    world.store.close();
    let began = Instant::now();
    let (set, stored, read) = tokio::join!(
        node.memory.set_value(&who, "p", "k", json("1"), SetWhen::Any, None),
        node.memory.store_fact(&who, knowledge("c")),
        node.memory.value(&who, "p", "k"),
    );
    let (set, stored, read) = (set.expect_err("late"), stored.expect_err("late"), read.expect_err("late"));
    assert!(matches!(set.code, ErrorCode::Timeout | ErrorCode::Unavailable));
    assert_eq!((stored.code, read.code), (ErrorCode::Unavailable, ErrorCode::Unavailable));
    for (error, is_write) in [(set, true), (stored, true), (read, false)] {
        assert_eq!(error.message.contains("whether it was written is not known"), is_write, "{error}");
    }
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    world.store.open();
    node.set("p", "k", "1").await;
}

#[tokio::test(start_paused = true)]
async fn what_is_the_fault_of_one_write_is_not_that_of_those_that_go_with_it() {
    let who = ada();
    let world = World::new();
    let node = world.node(1, Config { writers: 1, ..Config::default() }).await;
    world.store.close();
    // The call with all fails, and then the first of them by itself.
    let full = MemoryStoreError::Full("no room".into());
    world.store.on(MemoryCall::Write, Fault::Delay(Duration::ZERO));
    world.store.fail_next(2, MemoryCall::Write, &full);
    let set = |key: &'static str| node.memory.set_value(&who, "p", key, json("1"), SetWhen::Any, None);
    let (first, (second, third, ())) = tokio::join!(set("first"), async {
        world.store.until_in_flight(1).await;
        tokio::join!(set("second"), set("third"), async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            world.store.open();
        })
    });
    first.expect("set");
    assert_eq!(second.expect_err("no room").code, ErrorCode::Unavailable);
    third.expect("set");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_is_told_as_away_and_the_write_is_there() {
    let (world, node, _embedder) = scripted().await;
    let lost = MemoryStoreError::Unavailable("the line broke".into());
    world.store.commit_then_fail(1, MemoryCall::Write, &lost);
    let error =
        node.memory.set_value(&ada(), "p", "k", json("1"), SetWhen::Any, None).await.expect_err("lost");
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("whether it was written is not known"), "{error}");
    assert_eq!(node.value("p", "k").await.as_deref(), Some("1"));
}
