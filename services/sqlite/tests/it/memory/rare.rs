//! Words that many texts have hide neither the rare ones nor what is in a group.

use soorma_ports::{MemoryDraft, MemoryFilter, MemoryStore as _, RankQuery};
use soorma_sqlite::SqliteLogConfig;

use super::steps::{draft, nth, put, rank};
use crate::it::world::World;

/// More places of words than one search reads.
#[tokio::test]
async fn a_rare_word_is_found_whatever_else_is_asked_with_it_in_long_texts() {
    let world = World::new(SqliteLogConfig::default());
    let store = world.log.memory();
    let common: Vec<_> = (0..1_000).map(|word| format!("w{word}")).collect();
    let (common, long) = (common.join(" "), [common.join(" "), common.join(" ")].join(" "));
    for from in (0..240).step_by(40) {
        let writes = (from + 1..=from + 40).map(|number| {
            let text = if number % 100 == 0 { format!("{long} zebra") } else { long.clone() };
            put("ada", draft(number, &text))
        });
        assert!(store.write(writes.collect()).await.unwrap().iter().all(Result::is_ok));
    }
    let words = |words: String| RankQuery { words: Some(words), depth: 5, ..RankQuery::default() };
    let ids = async |query| rank(&store, "ada", query).await.words.into_iter().map(|(id, _)| id);
    let mut found: Vec<_> = ids(words(format!("{common} zebra"))).await.collect();
    found.sort_unstable();
    assert_eq!(found, [nth(100), nth(200)]);
    assert_eq!(ids(words(common)).await.count(), 5, "where all are common they are what is found");
}

#[tokio::test]
async fn a_large_group_and_a_small_one_have_their_own_words() {
    let world = World::new(SqliteLogConfig::default());
    let store = world.log.memory();
    for from in (0..10_400).step_by(1_300) {
        let writes = (from + 1..=from + 1_300).map(|number| {
            // What is best of all is in the small group.
            let (group, text) =
                if number % 1_000 == 0 { ("small", "word word") } else { ("large", "a word") };
            put("ada", MemoryDraft { group: group.into(), ..draft(number, text) })
        });
        assert!(store.write(writes.collect()).await.unwrap().iter().all(Result::is_ok));
    }
    for (group, expected) in [("small", 10), ("large", 15), ("none", 0)] {
        let filter = MemoryFilter { group: Some(group.into()), ..MemoryFilter::default() };
        let query = RankQuery { filter, words: Some("word".into()), depth: 15, ..RankQuery::default() };
        let found = rank(&store, "ada", query).await.words;
        assert_eq!(found.len(), expected, "{group}");
        let small: Vec<_> = (1..=10).map(|number| nth(number * 1_000)).collect();
        assert!(found.iter().all(|(id, _)| small.contains(id) == (group == "small")), "{group}");
    }
}
