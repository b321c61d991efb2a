//! Who fits best what is asked for in a sentence: the order, what is turned into vectors and when, and what is answered without them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use soorma_core::{AgentKind, AgentRecord, ErrorCode, RankedBy, TenantId};
use soorma_ports::{AgentQuery, Directory, Embedder, EmbedderError, Generation, Ranking, Standing};
use soorma_registry::Config;
use soorma_testkit::{EmbedderFault, ScriptedEmbedder, name, tenant};
use tokio::time::Instant;

use super::queries::{TOPICS, any_agent, any_query, naive};
use super::world::{Node, World, agent, all, by_id, definition, one};

/// More than the registry waits for vectors.
const LONG: Duration = Duration::from_secs(60);

/// An agent that says nothing but its name and what it is for.
fn plain(id: &str, description: &str) -> AgentRecord {
    let mut record = agent(id, id, "x");
    record.description = description.to_owned();
    record.capabilities.clear();
    record
}

/// What an agent of [`plain`] says.
fn text(id: &str, description: &str) -> String {
    format!("{id}\n{description}")
}

async fn node_with(world: &World, embedder: &Arc<ScriptedEmbedder>) -> Node {
    let embedder = Some(Arc::clone(embedder) as _);
    world.node(Config { embedder, announce: false, ..Config::default() }).await
}

async fn started() -> (World, Node, Arc<ScriptedEmbedder>) {
    let (world, embedder) = (World::new(), ScriptedEmbedder::new("scripted/8"));
    let node = node_with(&world, &embedder).await;
    (world, node, embedder)
}

/// Has it that three agents are at some angles from the question `q`, the nearest first: `b`, `c`, `a`.
async fn three(node: &Node, embedder: &ScriptedEmbedder) {
    embedder.say("q", &[1.0]);
    for (id, vector) in [("a", [0.0, 1.0]), ("b", [0.8, 0.6]), ("c", [0.6, 0.8])] {
        embedder.say(&text(id, "does"), &vector);
        node.register(plain(id, "does")).await;
    }
}

async fn rank(node: &Node, query: &AgentQuery, meaning: &str) -> Ranking {
    node.registry.rank(&one(), query, meaning).await.expect("an answer")
}

fn ids(ranking: &Ranking) -> Vec<&str> {
    ranking.agents.iter().map(|one| one.agent.said.record.id.as_str()).collect()
}

fn scores(ranking: &Ranking) -> Vec<f32> {
    // Not all digits: vectors are brought to length 1.
    ranking.agents.iter().map(|one| (one.score * 1_000.0).round() / 1_000.0).collect()
}

#[tokio::test(start_paused = true)]
async fn the_nearest_is_first_and_alike_ones_come_by_name_and_id() {
    let (_world, node, embedder) = started().await;
    three(&node, &embedder).await;
    embedder.say(&text("d", "does"), &[0.8, 0.6]);
    embedder.say(&text("e", "does"), &[-1.0]);
    for id in ["e", "d"] {
        node.register(plain(id, "does")).await;
    }
    let ranking = rank(&node, &all(), "q").await;
    assert_eq!((ranking.by, ids(&ranking)), (RankedBy::Meaning, vec!["b", "d", "c", "a", "e"]));
    assert_eq!(scores(&ranking), [0.8, 0.8, 0.6, 0.0, -1.0]);
    let two = rank(&node, &AgentQuery { limit: 2, ..all() }, "q").await;
    assert_eq!(ids(&two), ["b", "d"]);
    assert!(rank(&node, &AgentQuery { limit: 0, ..all() }, "q").await.agents.is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_who_fits_the_filters_is_compared_and_has_a_vector_made() {
    let (_world, node, embedder) = started().await;
    three(&node, &embedder).await;
    let mut planner = plain("p", "does");
    planner.kind = Some(AgentKind::Planner);
    node.register(planner).await;
    let planners = AgentQuery { kind: Some(AgentKind::Planner), ..all() };
    assert_eq!(ids(&rank(&node, &planners, "q").await), ["p"]);
    assert_eq!(embedder.calls(), [vec!["q".to_owned()], vec![text("p", "does")]]);
    assert_eq!(ids(&rank(&node, &AgentQuery { text: Some("C".into()), ..all() }, "q").await), ["c"]);
    // Nobody fits: nobody is asked for anything.
    let calls = embedder.calls().len();
    let nobody = AgentQuery { capability: Some("unheard of".into()), ..all() };
    assert!(rank(&node, &nobody, "q").await.agents.is_empty());
    assert_eq!(embedder.calls().len(), calls);
}

#[tokio::test(start_paused = true)]
async fn of_each_name_one_is_ranked_where_that_is_asked_for_and_an_expired_one_is_not() {
    let (world, node, embedder) = started().await;
    three(&node, &embedder).await;
    for id in ["b1", "b2"] {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut record = plain("b", "does");
        record.id = name(id);
        node.register(record).await;
    }
    let calls = |embedder: &ScriptedEmbedder| embedder.calls().concat().len();
    let ranking = rank(&node, &AgentQuery { one_of_each_name: true, ..all() }, "q").await;
    assert_eq!(ids(&ranking), ["b2", "c", "a"]);
    assert_eq!(calls(&embedder), 4);
    assert_eq!(ids(&rank(&node, &all(), "q").await), ["b", "b1", "b2", "c", "a"]);
    assert_eq!(calls(&embedder), 6, "instances say the same: one text, and the question");
    tokio::time::sleep(super::world::LEASE).await;
    node.hear("c").await.expect("heard");
    assert_eq!(ids(&rank(&node, &all(), "q").await), ["c"]);
    drop(world);
}

#[tokio::test(start_paused = true)]
async fn of_another_tenant_nothing_is_compared_and_no_vector_made() {
    let (_world, node, embedder) = started().await;
    three(&node, &embedder).await;
    let two = tenant("two");
    let register = |id| node.registry.register(&two, plain(id, "does"), Standing::READY);
    register("b").await.expect("registered");
    register("z").await.expect("registered");
    let ranking = node.registry.rank(&two, &all(), "q").await.expect("an answer");
    assert_eq!(ids(&ranking), ["b", "z"]);
    let asked = embedder.calls().concat();
    assert_eq!(asked, ["q".to_owned(), text("b", "does"), text("z", "does")]);
    // The same text in another tenant is made anew: no tenant can tell by the time it takes what others say of themselves.
    assert_eq!(ids(&rank(&node, &all(), "q").await), ["b", "c", "a"]);
    assert_eq!(embedder.calls().concat().iter().filter(|asked| **asked == text("b", "does")).count(), 2);
    assert!(node.registry.rank(&tenant("three"), &all(), "q").await.expect("an answer").agents.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_vector_is_made_once_and_anew_when_the_agent_says_something_else() {
    let (world, node, embedder) = started().await;
    three(&node, &embedder).await;
    rank(&node, &all(), "q").await;
    node.hear("a").await.expect("heard");
    node.register(plain("a", "does")).await;
    rank(&node, &all(), "q").await;
    assert_eq!(embedder.calls().len(), 3, "two questions, and the agents once");
    // What it says now is nearest.
    embedder.say(&text("a", "asks"), &[1.0]);
    node.register(plain("a", "asks")).await;
    let ranking = rank(&node, &all(), "q").await;
    assert_eq!((ids(&ranking), scores(&ranking)), (vec!["a", "b", "c"], vec![1.0, 0.8, 0.6]));
    assert_eq!(embedder.calls()[3..], [vec!["q".to_owned()], vec![text("a", "asks")]]);
    // Removed and back: nothing was kept of it.
    node.registry.deregister(&one(), &name("b")).await.expect("removed");
    assert_eq!(ids(&rank(&node, &all(), "q").await), ["a", "c"]);
    node.register(plain("b", "does")).await;
    rank(&node, &all(), "q").await;
    assert_eq!(embedder.calls().last(), Some(&vec![text("b", "does")]));
    // A view that is made anew keeps what is still so.
    let calls = embedder.calls().len();
    world.store.forget_once();
    node.register(plain("d", "does")).await;
    rank(&node, &all(), "q").await;
    assert_eq!(embedder.calls()[calls..], [vec!["q".to_owned()], vec![text("d", "does")]]);
}

#[tokio::test(start_paused = true)]
async fn two_who_ask_at_once_have_each_vector_made_once() {
    let (_world, node, embedder) = started().await;
    three(&node, &embedder).await;
    for _ in 0..4 {
        embedder.on_next(EmbedderFault::Delay(Duration::from_secs(1)));
    }
    let query = all();
    let (first, second) = tokio::join!(rank(&node, &query, "q"), rank(&node, &query, "q"));
    for ranking in [first, second] {
        assert_eq!((ranking.by, ids(&ranking)), (RankedBy::Meaning, vec!["b", "c", "a"]));
    }
    let asked = embedder.calls().concat();
    assert_eq!(asked.iter().filter(|asked| *asked != "q").count(), 3, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn many_are_made_in_batches_and_who_stops_waiting_keeps_what_was_made() {
    let (_world, node, embedder) = started().await;
    for n in 0..80 {
        node.register(plain(&format!("a{n:02}"), "does")).await;
    }
    embedder.on_next(EmbedderFault::Delay(Duration::ZERO));
    embedder.on_next(EmbedderFault::Delay(Duration::ZERO));
    embedder.on_next(EmbedderFault::Hang);
    let query = all();
    let asking = tokio::time::timeout(Duration::from_secs(1), rank(&node, &query, "q"));
    assert!(asking.await.is_err(), "it hangs");
    let ranking = rank(&node, &query, "q").await;
    assert_eq!((ranking.by, ranking.agents.len()), (RankedBy::Meaning, 80));
    let sizes: Vec<_> = embedder.calls().iter().map(Vec::len).collect();
    assert_eq!(
        sizes,
        [1, 32, 32, 1, 32, 16],
        "the question, a batch, one that was given up; again without the first batch"
    );
}

#[tokio::test(start_paused = true)]
async fn where_the_embedder_fails_the_words_in_common_decide_and_the_answer_says_so() {
    let failures = [
        EmbedderFault::Fail(EmbedderError::Unavailable("unplugged".into())),
        EmbedderFault::Fail(EmbedderError::Refused("the key is wrong".into())),
        EmbedderFault::Fail(EmbedderError::Busy { message: "full".into(), retry_after: None }),
        EmbedderFault::Hang,
        EmbedderFault::Delay(LONG),
        EmbedderFault::TooFew,
        EmbedderFault::TooLong,
        EmbedderFault::NotFinite,
    ];
    for fault in failures {
        // The question fails, or the agents do.
        for before in 0..2 {
            let (_world, node, embedder) = started().await;
            for (id, description) in [("w", "writes"), ("r", "finds pages in the Web"), ("s", "the web")] {
                node.register(plain(id, description)).await;
            }
            for _ in 0..before {
                embedder.on_next(EmbedderFault::Delay(Duration::ZERO));
            }
            embedder.on_next(fault.clone());
            let began = Instant::now();
            let ranking = rank(&node, &all(), "Who finds the WEB, finds?").await;
            assert_eq!((ranking.by, ids(&ranking)), (RankedBy::Words, vec!["r", "s", "w"]), "{fault:?}");
            assert_eq!(scores(&ranking), [0.75, 0.5, 0.0], "three, two and none of four words");
            assert!(began.elapsed() <= Duration::from_secs(10), "{fault:?}");
            // Nobody waits for it again so soon.
            let calls = embedder.calls().len();
            assert_eq!(rank(&node, &all(), "q").await.by, RankedBy::Words);
            assert_eq!(embedder.calls().len(), calls);
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert_eq!(rank(&node, &all(), "q").await.by, RankedBy::Meaning, "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_one_tenant_is_none_in_another() {
    let (_world, node, embedder) = started().await;
    three(&node, &embedder).await;
    node.registry.register(&tenant("two"), plain("b", "does"), Standing::READY).await.expect("registered");
    embedder.on_next(EmbedderFault::TooFew);
    assert_eq!(rank(&node, &all(), "q").await.by, RankedBy::Words);
    let other = node.registry.rank(&tenant("two"), &all(), "q").await.expect("an answer");
    assert_eq!(other.by, RankedBy::Meaning);
}

#[tokio::test(start_paused = true)]
async fn a_slow_embedder_is_waited_for_so_long_and_the_next_question_makes_the_rest() {
    let (_world, node, embedder) = started().await;
    for n in 0..96 {
        node.register(plain(&format!("a{n:02}"), "does")).await;
    }
    embedder.on_next(EmbedderFault::Delay(Duration::ZERO));
    for _ in 0..3 {
        embedder.on_next(EmbedderFault::Delay(Duration::from_secs(4)));
    }
    let began = Instant::now();
    assert_eq!(rank(&node, &all(), "q").await.by, RankedBy::Words);
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    // It goes on at once: it was not the embedder that failed.
    let ranking = rank(&node, &all(), "q").await;
    assert_eq!((ranking.by, ranking.agents.len()), (RankedBy::Meaning, 96));
    let sizes: Vec<_> = embedder.calls().iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, 32, 32, 32, 1, 32]);
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_room_for_more_vectors_words_decide_and_none_are_asked_for() {
    let (world, embedder) = (World::new(), ScriptedEmbedder::new("scripted/8"));
    let config = Config { embedder: Some(embedder.clone() as _), max_vector_kib: 2, ..Config::default() };
    let node = world.node(config).await;
    for id in ["a", "b"] {
        node.register(plain(id, "does")).await;
    }
    assert_eq!(rank(&node, &all(), "q").await.by, RankedBy::Meaning);
    node.register(plain("c", "does")).await;
    let calls = embedder.calls().len();
    assert_eq!(rank(&node, &all(), "q").await.by, RankedBy::Words);
    assert_eq!(embedder.calls().len(), calls + 1, "the question alone");
    // Those that have one need no room, and who leaves makes some.
    let known = AgentQuery { name: Some("a".into()), ..all() };
    assert_eq!(rank(&node, &known, "q").await.by, RankedBy::Meaning);
    node.registry.deregister(&one(), &name("b")).await.expect("removed");
    assert_eq!(rank(&node, &all(), "q").await.by, RankedBy::Meaning);
}

/// Takes so many texts a call, and notes how many came.
#[derive(Debug)]
struct Sizes {
    inner: Arc<ScriptedEmbedder>,
    most: usize,
    came: std::sync::Mutex<Vec<usize>>,
}

#[async_trait]
impl Embedder for Sizes {
    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedderError> {
        self.came.lock().expect("whole").push(texts.len());
        Ok(vec![self.generation().nothing(); texts.len()])
    }

    fn generation(&self) -> &Generation {
        self.inner.generation()
    }

    fn max_batch(&self) -> usize {
        self.most
    }
}

#[tokio::test(start_paused = true)]
async fn batches_grow_as_far_as_a_call_takes_them() {
    for (most, sizes) in [
        (256, &[1, 32, 64, 128, 6][..]),
        (100, &[1, 32, 64, 100, 34]),
        (32, &[1, 32, 32, 32, 32, 32, 32, 32, 6]),
        (115, &[1, 32, 64, 115, 19]),
    ] {
        let embedder =
            Arc::new(Sizes { inner: ScriptedEmbedder::new("scripted/8"), most, came: Default::default() });
        let config = Config { embedder: Some(embedder.clone() as _), announce: false, ..Config::default() };
        let world = World::new();
        let node = world.node(config).await;
        join_all((0..230).map(|n| node.register(plain(&format!("a{n}"), "does")))).await;
        assert_eq!(rank(&node, &all(), "q").await.agents.len(), 230);
        assert_eq!(*embedder.came.lock().expect("whole"), sizes);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_answered_is_refused_with_what_to_do() {
    let (_world, node, embedder) = started().await;
    three(&node, &embedder).await;
    let bare = World::new();
    let bare = bare.node(Config::default()).await;
    let longest = "q".repeat(Ranking::MAX_MEANING_BYTES);
    let many_words: String = (0..100).map(|n| format!("w{n} ")).collect();
    let wordy = AgentQuery { text: Some(many_words), ..all() };
    for (node, query, meaning, says) in [
        (&bare, all(), "q", &["set models.embedder", "text="][..]),
        (&node, all(), "", &["say in a sentence"]),
        (&node, all(), " \n\t", &["say in a sentence"]),
        (&node, all(), &format!("{longest}q"), &["at most 8192 bytes", "8193"]),
        (&node, wordy, "q", &["different words"]),
    ] {
        let refused = node.registry.rank(&one(), &query, meaning).await.expect_err("refused");
        assert_eq!(refused.code, ErrorCode::Invalid, "{refused}");
        assert!(says.iter().all(|says| refused.message.contains(says)), "{refused}");
    }
    assert!(embedder.calls().is_empty());
    assert_eq!(rank(&node, &all(), &longest).await.agents.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn before_all_was_read_nothing_is_ranked() {
    let (world, embedder) = (World::new(), ScriptedEmbedder::new("scripted/8"));
    world.store.away(true);
    let config = Config { embedder: Some(embedder as _), ..Config::default() };
    let node = world.start(config, Arc::clone(&world.clock)).await;
    let refused = node.registry.rank(&TenantId::default(), &all(), "q").await.expect_err("not yet");
    assert_eq!(refused.code, ErrorCode::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn more_than_ten_thousand_are_refused_until_they_are_narrowed_down() {
    let (_world, node, embedder) = started().await;
    let most = Ranking::MAX_CANDIDATES;
    for first in (0..=most).step_by(1_000) {
        let some = first..=most.min(first + 999);
        join_all(some.map(|n| node.register(agent(&format!("a{n:05}"), "many", ["x", "y"][n % 2])))).await;
    }
    let refused = node.registry.rank(&one(), &all(), "q").await.expect_err("too many");
    assert_eq!(refused.code, ErrorCode::Invalid);
    assert!(refused.message.contains("more than 10000 agents") && refused.message.contains("narrow it down"));
    assert!(embedder.calls().is_empty());
    let half = AgentQuery { capability: Some("y".into()), limit: 3, ..all() };
    let ranking = rank(&node, &half, "q").await;
    assert_eq!((ranking.by, ids(&ranking)), (RankedBy::Meaning, vec!["a00001", "a00003", "a00005"]));
    node.registry.deregister(&one(), &name("a00000")).await.expect("removed");
    assert_eq!(rank(&node, &AgentQuery { limit: 1, ..all() }, "q").await.agents.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_ranking_is_what_sorting_all_that_fit_by_their_cosines_gives(
        agents in prop::collection::vec((any_agent(), any::<bool>()), 0..20),
        asked in prop::collection::vec((any_query(), "[a-c ]{0,5}[a-c]", 0_usize..5), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            // Of few numbers, so that some are alike.
            let (world, embedder) = (World::new(), ScriptedEmbedder::new("scripted/2"));
            let node = node_with(&world, &embedder).await;
            for (event, topic) in TOPICS {
                node.registry.define_event(&one(), definition(event, topic)).await.expect("defined");
            }
            for (nth, (mut record, anew)) in agents.into_iter().enumerate() {
                record.id = name(&format!("a{nth}"));
                tokio::time::sleep(Duration::from_millis(1)).await;
                if anew {
                    let mut before = record.clone();
                    before.description.push('b');
                    node.register(before).await;
                    rank(&node, &all(), "a").await;
                }
                node.register(record).await;
            }
            let everybody = by_id(&node.registry, &one());
            let rows: Vec<_> = everybody.values().cloned().collect();
            for (query, meaning, limit) in asked {
                let mut expected = Vec::new();
                for id in naive(&rows, &query, &TOPICS) {
                    let record = &everybody[&id].said.record;
                    let mut says = vec![record.bare_name(), record.description.as_str()];
                    for one in &record.capabilities {
                        says.extend([one.name.as_str(), one.description.as_str()]);
                    }
                    says.retain(|part| !part.trim().is_empty());
                    let vectors = embedder.embed(&[meaning.clone(), says.join("\n")]).await.expect("vectors");
                    let cosine: f32 = vectors[0].iter().zip(&vectors[1]).map(|(a, b)| a * b).sum();
                    expected.push((id, cosine.clamp(-1.0, 1.0)));
                }
                // They come by name and id, and a stable sort leaves those that are alike so.
                expected.sort_by(|(_, a), (_, b)| b.partial_cmp(a).expect("finite"));
                expected.truncate(limit);
                let ranking = rank(&node, &AgentQuery { limit, ..query }, &meaning).await;
                let found = ranking.agents.iter().map(|one| (one.agent.said.record.id.to_string(), one.score));
                assert_eq!((ranking.by, found.collect::<Vec<_>>()), (RankedBy::Meaning, expected), "{meaning}");
            }
        });
    }
}
