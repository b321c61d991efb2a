//! What happened: in order, by agent and session, and as much of its end as fits.

use std::time::Duration;

use soorma_core::Role;
use soorma_ports::{EpisodeQuery, Episodic as _, NewEpisode, NewSession, Recall, RecallFilter, Work as _};

use super::world::{ada, data, plain, said, scripted};

fn of(agent: &str) -> EpisodeQuery {
    EpisodeQuery { agent: Some(agent.into()), limit: 100, ..EpisodeQuery::default() }
}

#[tokio::test(start_paused = true)]
async fn what_happened_is_listed_newest_first_by_agent_session_and_role() {
    let (_world, node) = plain().await;
    for (agent, role, content, session) in [
        ("a", Role::User, "1", Some("s")),
        ("b", Role::User, "2", Some("s")),
        ("a", Role::Assistant, "3", Some("s")),
        ("a", Role::User, "3", None),
    ] {
        let new = NewEpisode { session: session.map(str::to_owned), ..said(agent, role, content) };
        node.memory.log_episode(&ada(), new).await.expect("logged");
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let in_session = RecallFilter { session: Some("s".into()), ..RecallFilter::default() };
    let by_user = RecallFilter { role: Some(Role::User), ..RecallFilter::default() };
    for (query, expected) in [
        (of("a"), vec!["3", "3", "1"]),
        (EpisodeQuery { agent: None, ..of("") }, vec!["3", "3", "2", "1"]),
        (EpisodeQuery { filter: in_session.clone(), ..of("a") }, vec!["3", "1"]),
        (EpisodeQuery { filter: by_user, ..of("a") }, vec!["3", "1"]),
        (EpisodeQuery { limit: 1, ..of("a") }, vec!["3"]),
        (of("none"), vec![]),
    ] {
        let list = node.memory.episodes(&ada(), &query).await.expect("listed");
        let contents: Vec<_> = list.items.iter().map(|one| one.content.as_str()).collect();
        assert_eq!(contents, expected, "{query:?}");
    }
    let list =
        node.memory.episodes(&ada(), &EpisodeQuery { filter: in_session, ..of("a") }).await.expect("listed");
    let one = &list.items[0];
    assert_eq!(
        (one.agent_id.as_str(), one.role, one.session_id.as_deref()),
        ("a", Role::Assistant, Some("s"))
    );
}

#[tokio::test(start_paused = true)]
async fn who_says_something_in_a_session_has_used_it() {
    let (world, node) = plain().await;
    let session =
        |id: &str| NewSession { session_id: id.into(), name: Some("n".into()), metadata: data("{}") };
    for id in ["first", "second"] {
        node.memory.make_session(&ada(), session(id)).await.expect("made");
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let new = NewEpisode { session: Some("first".into()), ..said("a", Role::User, "hi") };
    let episode = node.memory.log_episode(&ada(), new.clone()).await.expect("logged");
    let sessions = node.memory.sessions(&ada(), None, 10).await.expect("listed").items;
    let ids: Vec<_> = sessions.iter().map(|session| session.session_id.as_str()).collect();
    assert_eq!(ids, ["first", "second"], "used last first");
    assert_eq!(sessions[0].last_interaction, episode.created_at);
    assert_eq!(sessions[0].name.as_deref(), Some("n"));
    assert!(sessions[0].created_at < sessions[0].last_interaction);
    // One that is not there is no fault, and none is made.
    let nowhere = NewEpisode { session: Some("none".into()), ..new };
    node.memory.log_episode(&ada(), nowhere).await.expect("logged");
    assert!(node.memory.session(&ada(), "none").await.expect("read").is_none());
    assert_eq!(world.store.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_window_has_the_end_of_a_conversation_that_fits_oldest_first() {
    let (_world, node) = plain().await;
    // 40, 4 and 0 bytes: 10, 1 and 1 tokens, and 4 around each.
    for content in ["x".repeat(40), "abcd".into(), String::new(), "abcd".into()] {
        node.memory.log_episode(&ada(), said("a", Role::User, &content)).await.expect("logged");
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    for (tokens, limit, expected) in [
        (29, 100, (4, 29, false)),
        (28, 100, (3, 15, true)),
        (15, 100, (3, 15, true)),
        (14, 100, (2, 10, true)),
        (4, 100, (0, 0, true)),
        (1_000, 2, (2, 10, true)),
        (1_000, 4, (4, 29, false)),
    ] {
        let query = EpisodeQuery { limit, ..of("a") };
        let window = node.memory.window(&ada(), &query, tokens).await.expect("a window");
        assert_eq!((window.episodes.len(), window.tokens, window.cut), expected, "{tokens} {limit}");
        assert!(window.episodes.is_sorted_by_key(|one| one.created_at));
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_goes_over_pages() {
    let (_world, node) = plain().await;
    for n in 0..250 {
        node.memory.log_episode(&ada(), said("a", Role::User, &n.to_string())).await.expect("logged");
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let query = EpisodeQuery { limit: 1_000, ..of("a") };
    let window = node.memory.window(&ada(), &query, 10_000).await.expect("a window");
    let contents: Vec<_> = window.episodes.iter().map(|one| one.content.clone()).collect();
    assert_eq!(contents, (0..250).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(!window.cut);
}

#[tokio::test(start_paused = true)]
async fn what_happened_is_searched_with_one_agent_or_with_all() {
    let (_world, node, embedder) = scripted().await;
    for (text, vector) in [("q", [1.0, 0.0]), ("near", [0.8, 0.6]), ("far", [0.0, 1.0])] {
        embedder.say(text, &vector);
    }
    for (agent, content) in [("a", "far"), ("b", "near")] {
        node.memory.log_episode(&ada(), said(agent, Role::Tool, content)).await.expect("logged");
    }
    let recall = Recall::new("q", 5);
    let all = node.memory.search_episodes(&ada(), None, &recall).await.expect("found");
    let contents: Vec<_> = all.items.iter().map(|one| (one.content.as_str(), one.score)).collect();
    assert_eq!(contents, [("near", Some(0.8)), ("far", Some(0.0))]);
    let one = node.memory.search_episodes(&ada(), Some("a"), &recall).await.expect("found");
    assert_eq!(one.items.len(), 1);
    assert_eq!(one.items[0].content, "far");
}
