//! How memory is searched: the order, the scores, the reasons, and that k are found where there are k.

use std::time::Duration;

use soorma_core::{ErrorCode, Place, RankedBy};
use soorma_memory::Config;
use soorma_ports::{Recall, Semantic as _, Weights};
use soorma_testkit::{EmbedderFault, MemoryCall, SeededEntropy};

use super::world::{Node, World, ada, contents, knowledge, plain, scripted};

async fn three(node: &Node, embedder: &soorma_testkit::ScriptedEmbedder) {
    for (text, vector) in
        [("red apple", [1.0, 0.0]), ("near", [0.8, 0.6]), ("apple pie", [0.0, 1.0]), ("apple", [-1.0, 0.0])]
    {
        embedder.say(text, &vector);
        if text != "red apple" {
            node.know(knowledge(text)).await;
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn by_meaning_alone_the_score_is_the_cosine_and_what_has_no_vector_comes_behind() {
    let (_world, node, embedder) = scripted().await;
    three(&node, &embedder).await;
    embedder.on_next(EmbedderFault::Fail(soorma_ports::EmbedderError::Unavailable("unplugged".into())));
    node.know(knowledge("apple without a vector")).await;
    tokio::time::advance(Duration::from_millis(1)).await;
    // The question is known already, so the embedder is not needed for it.
    let (_, scores) = {
        tokio::time::advance(Duration::from_secs(1)).await;
        let found = node.search("red apple", 10).await;
        assert_eq!(found.by, RankedBy::Meaning);
        assert_eq!(contents(&found), ["near", "apple pie", "apple", "apple without a vector"]);
        (found.by, found.items.iter().map(|fact| fact.score).collect::<Vec<_>>())
    };
    assert_eq!(scores, [Some(0.8), Some(0.0), Some(-1.0), None]);
    assert_eq!(contents(&node.search("red apple", 2).await), ["near", "apple pie"]);
}

#[tokio::test(start_paused = true)]
async fn while_vectors_are_missing_words_stand_in_for_them_and_the_answer_says_so() {
    let (world, node, embedder) = scripted().await;
    for (text, vector) in [("what is a fox", [1.0, 0.0]), ("a vixen", [0.8, 0.6]), ("a whale", [0.0, 1.0])] {
        embedder.say(text, &vector);
    }
    node.search("what is a fox", 1).await;
    let away = || EmbedderFault::Fail(soorma_ports::EmbedderError::Unavailable("unplugged".into()));
    // Nothing makes vectors for what is stored: who asks for them fails.
    let unplugged = soorma_ports::MemoryStoreError::Unavailable("unplugged".into());
    world.store.fail_next(1_000, MemoryCall::Unembedded, &unplugged);
    embedder.on_next(away());
    for text in ["an old fox", "a fox fox", "newer", "newest"] {
        node.know(knowledge(text)).await;
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    let found = node.search("what is a fox", 10).await;
    assert_eq!(found.by, RankedBy::Words, "nothing has a vector");
    assert_eq!(contents(&found), ["a fox fox", "an old fox", "newest", "newer"]);
    assert!(found.items[0].score > found.items[1].score && found.items[1].score > found.items[2].score);
    assert_eq!(soorma_ports::Upkeep::tally(&*node.memory).without_meaning, 1);
    // With half of the vectors: those by their meaning, the others behind them by their words.
    tokio::time::advance(Duration::from_secs(30)).await;
    for text in ["a whale", "a vixen"] {
        node.know(knowledge(text)).await;
    }
    let found = node.search("what is a fox", 10).await;
    assert_eq!(found.by, RankedBy::Meaning);
    assert_eq!(contents(&found), ["a vixen", "a whale", "a fox fox", "an old fox", "newest", "newer"]);
    let scores: Vec<_> = found.items.iter().map(|fact| fact.score).collect();
    assert_eq!(scores, [Some(0.8), Some(0.0), None, None, None, None]);
}

#[tokio::test(start_paused = true)]
async fn lists_are_fused_by_their_weights_and_each_answer_can_say_why() {
    let (_world, node, embedder) = scripted().await;
    three(&node, &embedder).await;
    let weights = Weights { meaning: 1.0, words: 1.0, recency: 0.5 };
    let recall = Recall { weights, explain: true, ..Recall::new("red apple", 3) };
    let found = node.memory.search_facts(&ada(), &recall).await.expect("found");
    assert_eq!(found.items.len(), 3);
    for fact in &found.items {
        let why = fact.explanation.expect("it was asked");
        let part = |place: Option<Place>, weight: f32| {
            place.map_or(0.0, |place| weight / (60.0 + f32::from(u16::try_from(place.rank).expect("small"))))
        };
        let sum = part(why.meaning, 1.0) + part(why.words, 1.0) + part(why.recency, 0.5);
        assert!((why.fused - sum / (2.5 / 61.0)).abs() < 1e-5, "{why:?}");
        assert_eq!(fact.score, Some(why.fused));
    }
    assert!(found.items.is_sorted_by(|a, b| a.score >= b.score));
    let near = found.items.iter().find(|fact| fact.content == "near").expect("there");
    let why = near.explanation.expect("it was asked");
    assert_eq!((why.meaning.map(|place| place.rank), why.words), (Some(1), None));
    assert_eq!(why.recency, Some(Place { rank: 3, score: None }));
    let newest =
        Recall { weights: Weights { meaning: 0.0, words: 0.0, recency: 1.0 }, ..Recall::new("x", 3) };
    let found = node.memory.search_facts(&ada(), &newest).await.expect("found");
    assert_eq!(contents(&found), ["apple", "apple pie", "near"]);
    assert!(found.items.iter().all(|fact| fact.explanation.is_none()));
}

#[tokio::test(start_paused = true)]
async fn without_an_embedder_words_and_time_decide_and_the_answer_says_so() {
    let (_world, node) = plain().await;
    for text in ["the fox", "a dog", "two foxes and a fox"] {
        node.know(knowledge(text)).await;
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let found = node.search("dog", 3).await;
    assert_eq!(
        (found.by, contents(&found)),
        (RankedBy::Words, vec!["a dog", "two foxes and a fox", "the fox"])
    );
    assert_eq!(found.items[0].score, Some(1.0));
    let tally = soorma_ports::Upkeep::tally(&*node.memory);
    assert_eq!((tally.without_meaning, tally.deferred, tally.embedder_away), (0, 0, false));
}

#[tokio::test(start_paused = true)]
async fn as_many_are_found_as_were_asked_for_wherever_as_many_fit() {
    for seed in 0..12 {
        let (world, node, embedder) = scripted().await;
        let random = SeededEntropy::new(seed);
        let count = usize::try_from(random.below(60)).expect("small");
        for n in 0..count {
            if random.below(3) == 0 {
                embedder.on_next(EmbedderFault::Fail(soorma_ports::EmbedderError::Timeout("late".into())));
            }
            node.know(knowledge(&format!("text {n}"))).await;
        }
        for limit in [1, 7, 59, 1_000] {
            for weights in
                [Weights::MEANING, Weights::HYBRID, Weights { meaning: 0.0, words: 1.0, recency: 0.0 }]
            {
                let recall = Recall { weights, ..Recall::new("nothing in common", limit) };
                let found = node.memory.search_facts(&ada(), &recall).await.expect("found");
                let mut ids: Vec<_> = found.items.iter().map(|fact| fact.id).collect();
                ids.sort_unstable();
                ids.dedup();
                assert_eq!(ids.len(), count.min(limit), "seed {seed}, {limit} of {count}, {weights:?}");
            }
        }
        assert!(world.store.calls(MemoryCall::Rank) >= 12);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_before_it_is_read_is_made_up_for() {
    let world = World::new();
    let node = world.node(1, Config::default()).await;
    let mut ids = Vec::new();
    for n in 0..45 {
        ids.push(node.know(knowledge(&n.to_string())).await.id);
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    world.store.delay(1, MemoryCall::Get, Duration::from_millis(10));
    let searching = node.search("words", 5);
    let removing = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        for id in &ids[15..] {
            // More than there are in reserve, by who writes straight to the store, as another node does.
            assert!(
                soorma_ports::MemoryStore::write(
                    &*world.map,
                    vec![soorma_ports::MemoryWrite {
                        scope: ada(),
                        at: soorma_ports::Clock::now(&*world.clock),
                        act: soorma_ports::MemoryAct::Remove {
                            place: soorma_ports::MemoryPlace::Id(*id),
                            revision: None
                        },
                    }],
                )
                .await
                .expect("written")[0]
                    .is_ok()
            );
        }
    };
    let (found, ()) = tokio::join!(searching, removing);
    assert_eq!(contents(&found), ["14", "13", "12", "11", "10"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_is_refused_with_its_name() {
    let (_world, node, embedder) = scripted().await;
    let weights = |meaning, words, recency| Recall {
        weights: Weights { meaning, words, recency },
        ..Recall::new("q", 1)
    };
    let long = "q".repeat(Recall::MAX_QUERY_BYTES + 1);
    for (recall, field) in [
        (Recall::new("", 1), "query"),
        (Recall::new(" \n", 1), "query"),
        (Recall::new(long, 1), "query"),
        (Recall::new("a\0b", 1), "query"),
        (Recall::new("q", 0), "limit"),
        (Recall::new("q", 10_000), "limit"),
        (weights(0.0, 0.0, 0.0), "weights"),
        (weights(-1.0, 1.0, 0.0), "weights"),
        (weights(f32::NAN, 1.0, 0.0), "weights"),
        (weights(f32::INFINITY, 0.0, 0.0), "weights"),
    ] {
        let refused = node.memory.search_facts(&ada(), &recall).await.expect_err("refused");
        assert_eq!(refused.code, ErrorCode::Invalid);
        assert!(refused.message.starts_with(&format!("{field}: ")), "{refused}");
    }
    assert!(embedder.calls().is_empty());
}
