//! What is known: what is one and what is two, what is read back, and among what is searched.

use std::time::Duration;

use soorma_core::{RankedBy, Timestamp};
use soorma_ports::{Clock as _, ListQuery, NewFact, Recall, RecallFilter, Semantic as _};

use super::world::{ada, contents, data, knowledge, plain, scope, scripted};

fn named(id: &str, content: &str) -> NewFact {
    NewFact { external_id: Some(id.into()), ..knowledge(content) }
}

#[tokio::test(start_paused = true)]
async fn what_has_an_external_id_is_upserted_by_it_and_what_has_none_by_what_it_says() {
    let (_world, node) = plain().await;
    let memory = &node.memory;
    let first = node.know(named("doc", "old")).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    let new = NewFact { metadata: data(r#"{"v":2}"#), ..named("doc", "new") };
    let (second, made) = memory.store_fact(&ada(), new).await.expect("stored");
    assert!(!made && second.id == first.id && second.created_at == first.created_at);
    assert!(second.updated_at > first.updated_at);
    assert_eq!((second.content.as_str(), second.metadata.as_str()), ("new", r#"{"v":2}"#));
    let (same, made) = memory.store_fact(&ada(), knowledge("text")).await.expect("stored");
    assert!(made);
    let (again, made) = memory.store_fact(&ada(), knowledge("text")).await.expect("stored");
    assert!(!made && again.id == same.id);
    // The same text under another id of its own is another one, and so is a public one.
    let (other, made) = memory.store_fact(&ada(), named("a", "text")).await.expect("stored");
    assert!(made && other.id != same.id);
    let (_, made) = memory.store_fact(&ada(), named("b", "text")).await.expect("stored");
    assert!(made);
    let public = NewFact { public: true, ..named("a", "text") };
    let (public, made) = memory.store_fact(&ada(), public).await.expect("stored");
    assert!(made && public.id != other.id && public.is_public);
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_is_read_back_whole() {
    let (_world, node, _embedder) = scripted().await;
    let new = NewFact {
        external_id: Some("🦀".repeat(255)),
        metadata: data(r#"{"z":1.50,"a":"caf\u00e9"}"#),
        tags: Some(vec!["t".into()]),
        source: Some("s".into()),
        valid_from: Some(Timestamp::from_micros(1)),
        episode: Some(uuid::Uuid::from_u128(7)),
        ..knowledge("content")
    };
    let stored = node.know(new).await;
    let read = node.memory.fact(&ada(), stored.id).await.expect("read").expect("there");
    assert_eq!(
        serde_json::to_value(&read).expect("JSON"),
        serde_json::to_value(&stored).expect("JSON"),
        "the answer to a write is what is read"
    );
    assert_eq!(read.metadata.as_str(), r#"{"z":1.50,"a":"caf\u00e9","tags":["t"],"source":"s"}"#);
    assert_eq!(read.external_id, Some("🦀".repeat(255)));
    assert_eq!((read.valid_from, read.episode_id), (stored.valid_from, stored.episode_id));
    assert_eq!((read.user_id.as_str(), read.tenant_id.as_str(), read.score), ("ada", "one", None));
    assert!(node.memory.remove_fact(&ada(), read.id).await.expect("removed"));
    assert!(!node.memory.remove_fact(&ada(), read.id).await.expect("answered"));
    assert!(node.memory.fact(&ada(), read.id).await.expect("read").is_none());
}

#[tokio::test(start_paused = true)]
async fn what_says_nothing_is_kept_and_found_behind_what_does() {
    let (_world, node, embedder) = scripted().await;
    embedder.say("q", &[1.0]);
    embedder.say("far", &[-1.0]);
    node.know(knowledge("far")).await;
    let blank = node.know(knowledge("")).await;
    tokio::time::advance(Duration::from_millis(1)).await;
    let spaces = node.know(knowledge(" \n")).await;
    assert_eq!((blank.content.as_str(), spaces.content.as_str()), ("", " \n"));
    let found = node.search("q", 5).await;
    assert_eq!(contents(&found), ["far", " \n", ""]);
    let scores: Vec<_> = found.items.iter().map(|fact| fact.score).collect();
    assert_eq!(scores, [Some(-1.0), None, None]);
}

#[tokio::test(start_paused = true)]
async fn a_filter_narrows_a_search_and_a_list_alike() {
    let (world, node, _embedder) = scripted().await;
    let now = world.clock.now();
    let metadata = |text: &str| NewFact { metadata: data(text), ..knowledge(text) };
    for new in [
        NewFact { tags: Some(vec!["x".into(), "y".into()]), ..knowledge("tagged") },
        NewFact { source: Some("wiki".into()), ..knowledge("from") },
        metadata(r#"{"lang":"de","n":1}"#),
        metadata(r#"{"lang":"fr","n":1,"ok":true}"#),
        NewFact { valid_to: Some(now.plus(Duration::from_secs(10))), ..knowledge("soon over") },
        NewFact { valid_from: Some(now.plus(Duration::from_secs(10))), ..knowledge("from soon on") },
    ] {
        node.know(new).await;
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let other = scope("one", "other", "bob");
    let public = NewFact { public: true, ..knowledge("public") };
    node.memory.store_fact(&other, public).await.expect("stored");
    node.memory.store_fact(&other, knowledge("his own")).await.expect("stored");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let all = RecallFilter::default;
    let in_a_while = now.plus(Duration::from_secs(10));
    for (filter, expected) in [
        (RecallFilter { tags: vec!["x".into()], ..all() }, &["tagged"][..]),
        (RecallFilter { tags: vec!["x".into(), "z".into()], ..all() }, &[]),
        (RecallFilter { source: Some("wiki".into()), ..all() }, &["from"]),
        (
            RecallFilter { metadata: vec![pair("n", "1"), pair("lang", "fr")], ..all() },
            &[r#"{"lang":"fr","n":1,"ok":true}"#],
        ),
        (RecallFilter { metadata: vec![pair("ok", "true")], ..all() }, &[r#"{"lang":"fr","n":1,"ok":true}"#]),
        (RecallFilter { before: Some(now.plus(Duration::from_millis(1))), ..all() }, &["tagged"]),
        (RecallFilter { since: Some(now.plus(Duration::from_millis(6))), ..all() }, &["public"]),
        (
            RecallFilter {
                valid_at: Some(in_a_while),
                since: Some(now.plus(Duration::from_millis(4))),
                ..all()
            },
            &["public", "from soon on"],
        ),
        (
            RecallFilter { also_invalid: true, since: Some(now.plus(Duration::from_millis(4))), ..all() },
            &["public", "from soon on", "soon over"],
        ),
        (
            RecallFilter { public: false, since: Some(now.plus(Duration::from_millis(4))), ..all() },
            &["soon over"],
        ),
    ] {
        let list = ListQuery { filter: filter.clone(), after: None, limit: 10 };
        let list = node.memory.facts(&ada(), &list).await.expect("listed");
        let listed: Vec<_> = list.items.iter().map(|fact| fact.content.as_str()).collect();
        assert_eq!(listed, expected, "{filter:?}");
        let recall = Recall { filter: filter.clone(), ..Recall::new("anything", 10) };
        let found = node.memory.search_facts(&ada(), &recall).await.expect("found");
        assert_eq!(found.by, RankedBy::Meaning);
        let mut found = contents(&found);
        found.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{filter:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_is_gone_through_page_by_page() {
    let (_world, node) = plain().await;
    for n in 0..7 {
        node.know(knowledge(&n.to_string())).await;
    }
    let mut query = ListQuery { limit: 3, ..ListQuery::default() };
    let mut all = Vec::new();
    loop {
        let page = node.memory.facts(&ada(), &query).await.expect("a page");
        all.extend(page.items.into_iter().map(|fact| fact.content));
        let Some(next) = page.next else { break };
        query.after = Some(next);
    }
    all.sort_unstable();
    assert_eq!(all, ["0", "1", "2", "3", "4", "5", "6"]);
}
