//! No write waits long for a model, and none holds the store meanwhile; what is stored without a vector gets one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{MemoryScope, RankedBy};
use soorma_memory::Config;
use soorma_ports::{Embedder, EmbedderError, Generation, NewFact, Recall, Semantic as _, Upkeep as _};
use soorma_testkit::{EmbedderFault, FaultyMemory, MemoryCall, ScriptedEmbedder, tenant};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::world::{Node, World, ada, contents, knowledge, scripted, up_again, with};

/// Takes so long for each call, looks whether the store is asked by who waits, and counts how many calls are under way.
#[derive(Debug)]
struct Slow {
    inner: Arc<ScriptedEmbedder>,
    takes: Duration,
    store: Arc<FaultyMemory>,
    under_way: AtomicUsize,
    most: AtomicUsize,
    beside_the_store: AtomicUsize,
}

impl Slow {
    fn new(world: &World, takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            inner: ScriptedEmbedder::new("scripted/8"),
            takes,
            store: Arc::clone(&world.store),
            under_way: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            beside_the_store: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl Embedder for Slow {
    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedderError> {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(self.takes).await;
        // Nobody but who waits for a model is there, and nothing else was asked of the store at this moment.
        self.beside_the_store.fetch_max(self.store.in_flight(), Ordering::SeqCst);
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        self.inner.embed(texts).await
    }

    fn generation(&self) -> &Generation {
        self.inner.generation()
    }

    fn max_batch(&self) -> usize {
        32
    }
}

async fn slow(takes: Duration, config: Config) -> (World, Node, Arc<Slow>) {
    let world = World::new();
    let slow = Slow::new(&world, takes);
    let node = world.node(1, Config { embedder: Some(Arc::clone(&slow) as _), ..config }).await;
    (world, node, slow)
}

#[tokio::test(start_paused = true)]
async fn two_thousand_writes_beside_a_model_of_five_seconds_a_call_wait_their_time_and_hold_no_store() {
    let (world, node, slow) = slow(Duration::from_secs(5), Config::default()).await;
    let mut all = JoinSet::new();
    let began = Instant::now();
    for n in 0..2_000 {
        let memory = Arc::clone(&node.memory);
        all.spawn(async move {
            memory.store_fact(&ada(), knowledge(&format!("text {n}"))).await.expect("stored");
            began.elapsed()
        });
    }
    tokio::time::sleep(Duration::from_millis(1_900)).await;
    assert_eq!(world.store.in_flight(), 0, "all wait for the model, none with the store in hand");
    assert_eq!(world.store.calls(MemoryCall::Write), 0);
    let longest = all.join_all().await.into_iter().max().expect("some");
    assert!(longest <= Duration::from_millis(2_100), "{longest:?}");
    let tally = node.memory.tally();
    assert_eq!((tally.deferred, tally.embedded), (2_000, 0));
    // What could not be had in time is made in the background, and searched by words and time until then.
    let found = node.search("text", 50).await;
    assert_eq!((found.by, found.items.len()), (RankedBy::Words, 50));
    node.until_embedded().await;
    assert!(slow.most.load(Ordering::SeqCst) <= 6, "four for who waits, two for the rest");
    assert_eq!(slow.beside_the_store.load(Ordering::SeqCst), 0);
    assert!(node.memory.tally().embedded >= 2_000);
}

#[tokio::test(start_paused = true)]
async fn who_writes_one_after_the_other_beside_a_slow_model_does_not_wait_each_time() {
    let (_world, node, _slow) = slow(Duration::from_secs(5), Config::default()).await;
    let began = Instant::now();
    for n in 0..100 {
        node.know(knowledge(&n.to_string())).await;
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    node.until_embedded().await;
}

#[tokio::test(start_paused = true)]
async fn an_embedder_that_is_down_costs_a_write_nothing_and_is_found_when_it_is_back() {
    let (_world, node, embedder) = scripted().await;
    for _ in 0..4 {
        embedder.on_next(EmbedderFault::Fail(EmbedderError::Unavailable("unplugged".into())));
    }
    let began = Instant::now();
    node.know(knowledge("the red fox")).await;
    node.know(knowledge("a blue whale")).await;
    assert_eq!(embedder.calls().len(), 1, "nobody waits for it again so soon");
    let found = node.search("fox", 5).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!((found.by, contents(&found)), (RankedBy::Words, vec!["the red fox", "a blue whale"]));
    let tally = node.memory.tally();
    assert_eq!((tally.deferred, tally.without_meaning, tally.embedder_away), (2, 1, true));
    let stats = node.memory.stats(&tenant("one"), None).await.expect("stats").embedding.expect("an embedder");
    assert_eq!((stats.texts, stats.embedded, stats.available), (2, 0, false));
    node.until_embedded().await;
    assert_eq!(embedder.pending(), 0);
    assert!(!node.memory.tally().embedder_away);
    assert_eq!(node.search("fox", 5).await.by, RankedBy::Meaning);
}

#[tokio::test(start_paused = true)]
async fn an_embedder_that_breaks_its_contract_is_not_believed() {
    for fault in [EmbedderFault::TooFew, EmbedderFault::TooLong, EmbedderFault::NotFinite] {
        let (_world, node, embedder) = scripted().await;
        embedder.on_next(fault.clone());
        node.know(knowledge("text")).await;
        assert!(node.memory.tally().embedder_away, "{fault:?}");
        node.until_embedded().await;
        let score = node.search("text", 1).await.items[0].score.expect("it has a vector");
        assert!((0.999..=1.0).contains(&score), "{fault:?}: {score}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_is_given_up_and_everything_goes_on() {
    let (_world, node, embedder) = scripted().await;
    for _ in 0..6 {
        embedder.on_next(EmbedderFault::Hang);
    }
    let began = Instant::now();
    for n in 0..8 {
        node.know(knowledge(&n.to_string())).await;
    }
    assert!(began.elapsed() <= Duration::from_secs(20), "{:?}", began.elapsed());
    node.until_embedded().await;
    assert!(began.elapsed() <= Duration::from_secs(200), "{:?}", began.elapsed());
}

/// Refuses texts with a word in them.
#[derive(Debug)]
struct Picky(Arc<ScriptedEmbedder>);

#[async_trait]
impl Embedder for Picky {
    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedderError> {
        match texts.iter().any(|text| text.contains("poison")) {
            true => Err(EmbedderError::Invalid("a text cannot be taken".into())),
            false => self.0.embed(texts).await,
        }
    }

    fn generation(&self) -> &Generation {
        self.0.generation()
    }

    fn max_batch(&self) -> usize {
        self.0.max_batch()
    }
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_refused_is_stored_and_keeps_no_other_from_its_vector() {
    let world = World::new();
    let picky = Picky(ScriptedEmbedder::new("scripted/8"));
    let config = Config { embedder: Some(Arc::new(picky) as _), embed_calls: 1, ..Config::default() };
    let node = world.node(1, config).await;
    let mut all = JoinSet::new();
    for n in 0..64 {
        let memory = Arc::clone(&node.memory);
        let text = if n % 20 == 7 { format!("poison {n}") } else { format!("good {n}") };
        all.spawn(async move { memory.store_fact(&ada(), knowledge(&text)).await.expect("stored") });
    }
    all.join_all().await;
    let tally = node.memory.tally();
    assert_eq!((tally.deferred, tally.embedded, tally.embedder_away), (3, 61, false));
    // Passed over in the background, too; and what comes after it is not.
    node.know(knowledge("good at last")).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let stats = node.memory.stats(&tenant("one"), None).await.expect("stats").embedding.expect("an embedder");
    assert_eq!((stats.texts, stats.embedded, stats.available), (65, 62, true));
    let found = node.search("poison", 64).await;
    assert_eq!(found.by, RankedBy::Words, "the question itself is refused");
    assert!(found.items.iter().take(3).all(|fact| fact.content.starts_with("poison")));
}

#[tokio::test(start_paused = true)]
async fn what_is_written_together_is_turned_into_vectors_together_and_the_same_text_once() {
    let world = World::new();
    let embedder = ScriptedEmbedder::new("scripted/8");
    let node = world.node(1, Config { embed_calls: 1, ..with(&embedder) }).await;
    embedder.on_next(EmbedderFault::Delay(Duration::from_secs(1)));
    let mut all = JoinSet::new();
    for n in 0..41 {
        let memory = Arc::clone(&node.memory);
        let new = NewFact { external_id: Some(n.to_string()), ..knowledge(&format!("text {}", n % 20)) };
        all.spawn(async move { memory.store_fact(&ada(), new).await.expect("stored") });
    }
    all.join_all().await;
    let calls = embedder.calls();
    assert!(calls.len() <= 3, "{} calls", calls.len());
    assert!(calls.iter().all(|call| call.len() <= 32));
    let asked: Vec<_> = calls.concat();
    assert!(asked.len() <= 40, "{} texts", asked.len());
}

#[tokio::test(start_paused = true)]
async fn where_too_many_texts_wait_the_next_are_stored_without_a_vector_at_once() {
    let limits = Config { embed_calls: 1, max_embedding: 10, ..Config::default() };
    let (_world, node, _slow) = slow(Duration::from_secs(1), limits).await;
    let mut all = JoinSet::new();
    let began = Instant::now();
    for n in 0..100 {
        let memory = Arc::clone(&node.memory);
        all.spawn(async move {
            memory.store_fact(&ada(), knowledge(&n.to_string())).await.expect("stored");
            began.elapsed()
        });
    }
    let waited = all.join_all().await;
    let at_once = waited.iter().filter(|waited| waited.is_zero()).count();
    assert!((60..=90).contains(&at_once), "{at_once}");
    assert_eq!(node.memory.tally().deferred, u64::try_from(at_once).expect("few"));
    node.until_embedded().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_asked_again_does_not_wait_for_the_model() {
    let (_world, node, embedder) = scripted().await;
    node.know(knowledge("text")).await;
    for _ in 0..3 {
        assert_eq!(node.search("text", 1).await.items.len(), 1);
    }
    assert_eq!(embedder.calls().len(), 2, "the text, and the question once");
    let other = MemoryScope { tenant: tenant("two"), ..ada() };
    node.memory.search_facts(&other, &Recall::new("text", 1)).await.expect("found");
    assert_eq!(embedder.calls().len(), 3, "another tenant's question is its own");
}

#[tokio::test(start_paused = true)]
async fn a_question_waits_its_time_and_then_goes_by_words_and_time() {
    let (_world, node, embedder) = scripted().await;
    node.know(knowledge("an apple")).await;
    node.know(knowledge("a pear")).await;
    embedder.on_next(EmbedderFault::Delay(Duration::from_secs(60)));
    let began = Instant::now();
    let found = node.search("apple", 5).await;
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    assert_eq!((found.by, contents(&found)), (RankedBy::Words, vec!["an apple", "a pear"]));
    assert_eq!(node.memory.tally().without_meaning, 1);
}

#[tokio::test(start_paused = true)]
async fn a_question_whose_vector_is_late_goes_by_its_meaning_when_it_is_asked_again() {
    let (_world, node, _slow) = slow(Duration::from_millis(1_500), Config::default()).await;
    node.know(knowledge("an apple")).await;
    assert_eq!(
        node.search("apple", 5).await.by,
        RankedBy::Words,
        "the model takes longer than a search waits"
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    let found = node.search("apple", 5).await;
    assert_eq!((found.by, contents(&found)), (RankedBy::Meaning, vec!["an apple"]));
    assert_eq!(began.elapsed(), Duration::ZERO, "it was kept");
    let other = MemoryScope { tenant: tenant("two"), ..ada() };
    let of_another = node.memory.search_facts(&other, &Recall::new("apple", 5)).await.expect("found");
    assert_eq!(of_another.by, RankedBy::Words, "another tenant's question is its own");
}

#[tokio::test(start_paused = true)]
async fn vectors_that_are_dropped_or_damaged_are_made_again_and_those_of_another_model_are_not_mixed() {
    let (world, node, embedder) = scripted().await;
    for n in 0..100 {
        node.know(knowledge(&format!("text {n}"))).await;
    }
    assert_eq!(node.memory.reembed(&tenant("two")).await.expect("dropped"), 0);
    assert_eq!(node.memory.reembed(&tenant("one")).await.expect("dropped"), 100);
    node.until_embedded().await;
    let fact = node.know(knowledge("damaged")).await;
    world.map.damage_vectors(&tenant("one"), fact.id);
    // Now and then all are looked through.
    tokio::time::sleep(Duration::from_secs(601)).await;
    node.until_embedded().await;
    // Another model on the same store: by its vectors alone.
    let other = ScriptedEmbedder::new("other/4");
    let second = world.node(2, with(&other)).await;
    let before = second.search("damaged", 1).await;
    assert_eq!(before.items.len(), 1);
    second.until_embedded().await;
    assert_eq!(contents(&second.search("damaged", 1).await), ["damaged"]);
    assert_eq!(contents(&node.search("damaged", 1).await), ["damaged"]);
    assert!(embedder.pending() == 0 && other.pending() == 0);
}

#[tokio::test(start_paused = true)]
async fn giving_vectors_goes_on_after_a_crash_and_while_the_store_or_the_model_fails() {
    let (world, node, embedder) = scripted().await;
    embedder.on_next(EmbedderFault::Fail(EmbedderError::Refused("the key is wrong".into())));
    for n in 0..300 {
        node.know(knowledge(&format!("text {n}"))).await;
    }
    let away = soorma_ports::MemoryStoreError::Unavailable("unplugged".into());
    world.store.fail_next(2, MemoryCall::Unembedded, &away);
    world.store.fail_next(1, MemoryCall::PutVectors, &away);
    embedder.on_next(EmbedderFault::Fail(EmbedderError::Busy { message: "full".into(), retry_after: None }));
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(node.root.kill("memory/janitor"));
        up_again(&node).await;
    }
    node.until_embedded().await;
    assert_eq!(world.store.pending() + embedder.pending(), 0, "all that was planned has happened");
}
