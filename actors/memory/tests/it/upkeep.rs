//! What expires, what is kept for so long, how much there may be, how much there is, and what is erased.

use std::time::Duration;

use soorma_core::{ErrorCode, MemoryKind, PlanStatus, Role};
use soorma_memory::Config;
use soorma_ports::{
    EpisodeQuery, Episodic as _, Erased, ListQuery, MemoryAct, MemoryDraft, MemoryStore as _, MemoryWrite,
    NewFact, NewPlan, Semantic as _, SetWhen, Upkeep as _, When, Work as _, Working as _, WorkingOp,
};
use soorma_testkit::{MemoryCall, tenant};

use super::world::{Node, World, ada, data, json, knowledge, plain, said, scope, scripted};

/// How many entries the store has of all kinds, also those that have expired.
async fn stored(world: &World) -> u64 {
    let counts = world.map.count(&tenant("one"), None, None).await.expect("counted");
    counts.iter().map(|count| count.entries).sum()
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_is_removed_in_its_time() {
    let (world, node) = plain().await;
    for n in 0..2_500 {
        let ttl = Some(Duration::from_secs(60));
        node.memory.set_value(&ada(), "p", &n.to_string(), json("1"), SetWhen::Any, ttl).await.expect("set");
    }
    node.set("p", "kept", "1").await;
    tokio::time::sleep(Duration::from_secs(91)).await;
    assert_eq!((stored(&world).await, node.memory.tally().expired), (1, 2_500));
}

#[tokio::test(start_paused = true)]
async fn episodes_are_kept_as_long_as_was_said_and_nothing_else_is_removed() {
    let world = World::new();
    let config = Config { keep_episodes_for: Some(Duration::from_secs(3_600)), ..Config::default() };
    let node = world.node(1, config).await;
    node.know(knowledge("known")).await;
    node.memory.log_episode(&ada(), said("a", Role::User, "old")).await.expect("logged");
    tokio::time::sleep(Duration::from_secs(1_800)).await;
    node.memory.log_episode(&ada(), said("a", Role::User, "new")).await.expect("logged");
    tokio::time::sleep(Duration::from_secs(1_860)).await;
    let query = EpisodeQuery { limit: 10, ..EpisodeQuery::default() };
    let left = node.memory.episodes(&ada(), &query).await.expect("listed").items;
    assert_eq!(left.iter().map(|one| one.content.as_str()).collect::<Vec<_>>(), ["new"]);
    assert_eq!(stored(&world).await, 2);
}

async fn is_full(node: &Node, text: &str) -> bool {
    match node.memory.store_fact(&ada(), knowledge(text)).await {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.code, ErrorCode::RateLimited, "{error}");
            true
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_has_so_many_entries_and_bytes_and_who_removes_has_room_again() {
    let world = World::new();
    // What was there before this node was started counts, too.
    let before = world.node(1, Config::default()).await;
    for n in 0..5 {
        before.know(knowledge(&n.to_string())).await;
    }
    let limits = Config { max_entries_per_tenant: 10, max_bytes_per_tenant: 5_000, ..Config::default() };
    let node = world.node(2, limits).await;
    assert!(!is_full(&node, "first").await);
    tokio::time::sleep(Duration::from_millis(1)).await;
    for n in 0..4 {
        assert!(!is_full(&node, &format!("more {n}")).await);
    }
    assert!(is_full(&node, "one too many").await);
    let set = node.memory.set_value(&ada(), "p", "k", json("1"), SetWhen::Any, None).await;
    assert_eq!(set.expect_err("full").code, ErrorCode::RateLimited);
    // It can be read and removed from, and another tenant has its own room.
    assert_eq!(node.search("more", 100).await.items.len(), 10);
    let two = scope("two", "st", "ada");
    node.memory.store_fact(&two, knowledge("other")).await.expect("stored");
    let some = node.search("more", 3).await;
    for fact in some.items {
        assert!(node.memory.remove_fact(&ada(), fact.id).await.expect("removed"));
    }
    assert!(!is_full(&node, "again").await);
    assert!(is_full(&node, &"x".repeat(5_000)).await, "too many bytes");
    // What another node removes is found out.
    before.memory.erase(&tenant("one"), &Erased::Tenant).await.expect("erased");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(is_full(&node, &"x".repeat(4_900)).await, "not known yet; it is looked for now");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(!is_full(&node, &"x".repeat(4_900)).await);
}

#[tokio::test(start_paused = true)]
async fn who_is_full_can_still_change_what_there_is() {
    let world = World::new();
    let limits = Config { max_entries_per_tenant: 4, max_bytes_per_tenant: 8_000, ..Config::default() };
    let node = world.node(1, limits).await;
    let (memory, who) = (&node.memory, ada());
    let plan = NewPlan {
        plan_id: "p".into(),
        session_id: None,
        goal_event: "g".into(),
        goal_data: data("{}"),
        parent_plan_id: None,
    };
    memory.make_plan(&who, plan).await.expect("made");
    node.set("p", "n", "1").await;
    node.set("p", "l", "[1]").await;
    let known = |content: &str| NewFact { external_id: Some("e".into()), ..knowledge(content) };
    node.know(known("what was known")).await;
    assert!(is_full(&node, "another").await);
    let update =
        async |key: &str, op| memory.update_value(&who, "p", key, op).await.map_err(|error| error.code);
    let one = || WorkingOp::Increment(json("1"));
    assert_eq!(update("new", one()).await.expect_err("made"), ErrorCode::RateLimited);
    assert_eq!(update("n", one()).await.expect("changed").value.as_str(), "2");
    node.set("p", "n", "7").await;
    assert!(update("l", WorkingOp::Append(json("2"))).await.is_ok(), "there is room for bytes");
    let status = memory.set_plan_status(&who, "p", PlanStatus::Completed).await.expect("changed");
    assert_eq!(status.expect("there").status, PlanStatus::Completed);
    assert_eq!(node.know(known("what is known")).await.content, "what is known");
    // There is no room for bytes, either.
    assert!(memory.remove_value(&who, "p", "n").await.expect("removed"));
    node.set("p", "n", &format!("\"{}\"", "x".repeat(7_500))).await;
    let much = WorkingOp::Append(json(&format!("\"{}\"", "x".repeat(1_000))));
    assert_eq!(update("l", much).await.expect_err("longer"), ErrorCode::RateLimited);
    node.set("p", "n", "8").await;
    assert_eq!(update("n", one()).await.expect("changed").value.as_str(), "9");
}

#[tokio::test(start_paused = true)]
async fn stats_say_how_much_there_is_of_each_kind_and_whose() {
    let (_world, node, _embedder) = scripted().await;
    node.know(knowledge("text")).await;
    node.set("p", "k", "[1]").await;
    let bob = scope("one", "st", "bob");
    let public = soorma_ports::NewFact { public: true, ..knowledge("public") };
    node.memory.store_fact(&bob, public).await.expect("stored");
    let all = node.memory.stats(&tenant("one"), None).await.expect("stats");
    let lines: Vec<_> = all
        .kinds
        .iter()
        .map(|line| (line.kind.as_str(), line.entries, line.public, line.texts, line.embedded))
        .collect();
    assert_eq!(lines, [("semantic", 2, 1, 2, 2), ("working", 1, 0, 0, 0)]);
    let embedding = all.embedding.expect("an embedder");
    assert_eq!((embedding.generation.as_str(), embedding.texts, embedding.embedded), ("scripted/8", 2, 2));
    let mine = node.memory.stats(&tenant("one"), Some(&ada().owner)).await.expect("stats");
    assert_eq!(mine.kinds.iter().map(|line| line.entries).sum::<u64>(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_erased_is_gone_with_its_vectors_and_the_receipt_counts_it() {
    let (world, node, embedder) = scripted().await;
    for (service_tenant, user) in [("s", "ada"), ("s", "bob"), ("t", "ada")] {
        let who = scope("one", service_tenant, user);
        node.memory.store_fact(&who, knowledge("text")).await.expect("stored");
        node.memory.set_value(&who, "p", "k", json("1"), SetWhen::Any, None).await.expect("set");
    }
    let who = scope("one", "s", "ada");
    node.memory.search_facts(&who, &soorma_ports::Recall::new("text", 1)).await.expect("found");
    let calls = embedder.calls().len();
    let receipt = node.memory.erase(&tenant("one"), &Erased::Owner(who.owner.clone())).await.expect("erased");
    assert_eq!((receipt.entries, receipt.vectors), (2, 1));
    assert_eq!((receipt.service_tenant_id.as_deref(), receipt.user_id.as_deref()), (Some("s"), Some("ada")));
    let kinds: Vec<_> =
        receipt.kinds.iter().map(|line| (line.kind.clone(), line.entries, line.vectors)).collect();
    assert_eq!(kinds, [(MemoryKind::SEMANTIC, 1, 1), (MemoryKind::WORKING, 1, 0)]);
    assert_eq!(stored(&world).await, 4);
    let found = node.memory.search_facts(&who, &soorma_ports::Recall::new("text", 1)).await.expect("found");
    assert!(found.items.is_empty());
    assert_eq!(embedder.calls().len(), calls + 1, "what was asked is forgotten, too");
    let erased = Erased::ServiceTenant("s".into());
    let receipt = node.memory.erase(&tenant("one"), &erased).await.expect("erased");
    assert_eq!((receipt.entries, receipt.user_id), (2, None));
    let receipt = node.memory.erase(&tenant("one"), &Erased::Tenant).await.expect("erased");
    assert_eq!((receipt.entries, receipt.service_tenant_id), (2, None));
    assert_eq!(stored(&world).await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_fails_in_the_background_is_done_later() {
    let (world, node) = plain().await;
    let away = soorma_ports::MemoryStoreError::Unavailable("unplugged".into());
    world.store.fail_next(2, MemoryCall::Expire, &away);
    let ttl = Some(Duration::from_secs(1));
    node.memory.set_value(&ada(), "p", "k", json("1"), SetWhen::Any, ttl).await.expect("set");
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!((stored(&world).await, world.store.pending()), (0, 0));
    let nothing = node.memory.reembed(&tenant("one")).await.expect_err("there is no embedder");
    assert_eq!(nothing.code, ErrorCode::Invalid);
}

#[tokio::test(start_paused = true)]
async fn what_is_erased_in_many_parts_is_answered_with_its_receipt_however_long_it_takes() {
    let (world, node) = plain().await;
    node.know(knowledge("text")).await;
    world.store.delay(1, MemoryCall::Erase, Duration::from_secs(300));
    let receipt = node.memory.erase(&tenant("one"), &Erased::Tenant).await.expect("erased");
    assert_eq!(receipt.entries, 1);
}

#[tokio::test(start_paused = true)]
async fn vectors_that_are_dropped_come_again_also_where_it_is_not_known_that_they_were() {
    let (world, node, _embedder) = scripted().await;
    node.know(knowledge("text")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let embedded = async || {
        let stats = node.memory.stats(&tenant("one"), None).await.expect("stats");
        stats.embedding.expect("an embedder").embedded
    };
    let away = soorma_ports::MemoryStoreError::Unavailable("unplugged".into());
    world.store.commit_then_fail(1, MemoryCall::DropVectors, &away);
    assert!(node.memory.reembed(&tenant("one")).await.is_err());
    assert_eq!(embedded().await, 0);
    node.until_embedded().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_begun_is_done_also_when_who_asked_has_gone_away_and_a_crash_is_told() {
    let (world, node, _embedder) = scripted().await;
    let (one, minute) = (tenant("one"), Duration::from_secs(60));
    node.know(knowledge("text")).await;
    world.store.delay(1, MemoryCall::Erase, minute);
    let asked = node.memory.erase(&one, &Erased::Tenant);
    assert!(tokio::time::timeout(Duration::from_secs(1), asked).await.is_err());
    assert_eq!(stored(&world).await, 1);
    tokio::time::sleep(minute).await;
    assert_eq!(stored(&world).await, 0);
    node.know(knowledge("text")).await;
    world.store.delay(1, MemoryCall::Erase, minute);
    let killing = async {
        world.store.until_in_flight(1).await;
        assert!(node.root.kill("memory/errands"));
    };
    let (told, ()) = tokio::join!(node.memory.erase(&one, &Erased::Tenant), killing);
    assert_eq!(told.expect_err("it was interrupted").code, ErrorCode::Unavailable);
    assert_eq!(node.memory.erase(&one, &Erased::Tenant).await.expect("erased").entries, 1);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_cannot_be_counted_keeps_none_of_the_others_from_it() {
    let world = World::new();
    let node = world.node(1, Config { max_entries_per_tenant: 1, ..Config::default() }).await;
    let (ada, two) = (ada(), scope("two", "st", "ada"));
    for who in [&ada, &two] {
        node.memory.store_fact(who, knowledge("text")).await.expect("stored");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.map.erase(&tenant("two"), &Erased::Tenant).await.expect("erased");
    let away = soorma_ports::MemoryStoreError::Unavailable("unplugged".into());
    world.store.fail_next(1, MemoryCall::Count, &away);
    let again = async |who| node.memory.store_fact(who, knowledge("more")).await;
    let (first, second) = tokio::join!(again(&ada), again(&two));
    assert!(first.is_err() && second.is_err(), "that there is room again is not known yet");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(world.store.pending(), 0);
    again(&two).await.expect("there is room");
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_cannot_be_read_keeps_nobody_from_the_others() {
    let (world, node) = plain().await;
    node.know(knowledge("a text")).await;
    node.set("p", "k", "1").await;
    let broken = |id, kind, group: &str, text: Option<&str>| {
        let draft = MemoryDraft {
            id: uuid::Uuid::from_u128(id),
            kind,
            group: group.into(),
            key: Some("broken".into()),
            text: text.map(str::to_owned),
            body: "broken".into(),
            ..MemoryDraft::default()
        };
        let act = MemoryAct::Put { draft: Box::new(draft), when: When::Any };
        MemoryWrite { scope: ada(), at: soorma_core::Timestamp::default(), act }
    };
    let writes = vec![
        broken(1, MemoryKind::SEMANTIC, "", Some("a broken text")),
        broken(2, MemoryKind::WORKING, "p", None),
    ];
    assert!(world.map.write(writes).await.expect("written").iter().all(Result::is_ok));
    let query = ListQuery { limit: 10, ..ListQuery::default() };
    assert_eq!(node.memory.facts(&ada(), &query).await.expect("listed").items.len(), 1);
    assert_eq!(node.search("text", 10).await.items.len(), 1);
    let mut watch = node.memory.watch_plan(&ada(), "p").await.expect("watched");
    assert_eq!(watch.next().await.expect("all").len(), 1);
    let asked = node.memory.value(&ada(), "p", "broken").await;
    assert_eq!(asked.expect_err("who asks for it is told").code, ErrorCode::Internal);
}
