//! Clause 11 of the store, and how words are weighed.

use std::collections::BTreeSet;

use soorma_ports::{MemoryDraft, MemoryStore};

use super::MemoryStoreHarness;
use super::steps::{by_words, done, draft, put, put_all, saying};

/// The numbers of what is found, in their order.
async fn found(store: &dyn MemoryStore, words: &str) -> Vec<u128> {
    let mut found = by_words(store, words).await;
    found.sort_unstable();
    found
}

pub(super) async fn texts_are_found_by_their_words_whatever_their_case<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    put_all(&*store, [saying(1, "The Quick brown FOX"), saying(2, "the slow one")]).await;
    for word in ["quick", "QUICK", "Quick", "fox", "Brown"] {
        assert_eq!(found(&*store, word).await, [1], "{word}");
    }
    assert_eq!(found(&*store, "THE").await, [1, 2]);
    assert_eq!(found(&*store, "wolf").await, []);
}

pub(super) async fn words_have_letters_and_digits_of_all_scripts<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let texts = [
        "Ärger mit Grüßen",
        "Привет, Мир",
        "Καλημέρα κόσμε",
        "東京 大阪",
        "مرحبا بالعالم",
        "covid19 h2o 42",
        "Éléphant ÇA",
        "서울 부산",
    ];
    put_all(&*store, (1..).zip(texts).map(|(number, text)| saying(number, text))).await;
    for (word, expected) in [
        ("ärger", 1),
        ("ÄRGER", 1),
        ("grüßen", 1),
        ("привет", 2),
        ("МИР", 2),
        ("ΚΌΣΜΕ", 3),
        ("東京", 4),
        ("大阪", 4),
        ("بالعالم", 5),
        ("COVID19", 6),
        ("h2o", 6),
        ("42", 6),
        ("éléphant", 7),
        ("ça", 7),
        ("부산", 8),
    ] {
        assert_eq!(found(&*store, word).await, [expected], "{word}");
    }
}

pub(super) async fn words_are_whole_and_as_they_are<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    put_all(&*store, [saying(1, "he was running to the houses, covid19"), saying(2, "a is it")]).await;
    // No beginning, end or stem of a word is it.
    for word in ["run", "runn", "unning", "house", "housed", "covid", "19", "hous*"] {
        assert_eq!(found(&*store, word).await, [], "{word}");
    }
    // And none is too common to be one.
    for (word, expected) in [("he", 1), ("the", 1), ("to", 1), ("was", 1), ("a", 2), ("is", 2), ("it", 2)] {
        assert_eq!(found(&*store, word).await, [expected], "{word}");
    }
}

pub(super) async fn what_is_no_letter_or_digit_parts_words<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let texts = [
        "mail ada@example.com, or see https://docs.example.org/a_page?x=one#two",
        "snake_case kebab-case dotted.name C:\\folder\\file.txt",
        "version 3.14 of 2026-11-25, 1,024 at -7 or +8",
        "it's “quoted”—and <b>bold</b> &amp; done…",
        "one\ttab\nline\u{a0}space\u{2003}wide",
    ];
    put_all(&*store, (1..).zip(texts).map(|(number, text)| saying(number, text))).await;
    for (expected, words) in (1..).zip([
        "mail ada example com see https docs org page x two",
        "snake kebab case dotted name c folder file txt",
        "version 3 14 of 2026 11 25 1 024 at 7 8",
        "it s quoted and b bold amp done",
        "tab line space wide",
    ]) {
        for word in words.split(' ') {
            assert_eq!(found(&*store, word).await, [expected], "{word}");
        }
    }
    assert_eq!(found(&*store, "or").await, [1, 3]);
    // The same in what is asked.
    assert_eq!(found(&*store, "ada@example.com").await, [1]);
    assert_eq!(found(&*store, "kebab-case").await, [2]);
    assert_eq!(found(&*store, "2026-11-25").await, [3]);
}

pub(super) async fn no_character_of_a_query_has_a_meaning<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let texts = ["apple pie", "banana split", "near and or not text body scope"];
    put_all(&*store, (1..).zip(texts).map(|(number, text)| saying(number, text))).await;
    for (query, expected) in [
        ("\"apple banana\"", vec![1, 2]),
        ("\"apple", vec![1]),
        ("apple\"\" banana\"", vec![1, 2]),
        ("'apple' & 'banana'", vec![1, 2]),
        ("apple & banana", vec![1, 2]),
        ("apple | !banana", vec![1, 2]),
        ("apple <-> banana", vec![1, 2]),
        ("apple -banana", vec![1, 2]),
        ("apple !banana", vec![1, 2]),
        ("^apple", vec![1]),
        ("banana:*", vec![2]),
        ("ban*", vec![]),
        ("text:apple", vec![1, 3]),
        ("body : banana", vec![2, 3]),
        ("{text body}: apple", vec![1, 3]),
        ("- text : apple", vec![1, 3]),
        ("(apple", vec![1]),
        ("apple)", vec![1]),
        ("((apple) banana", vec![1, 2]),
        ("apple AND wolf", vec![1, 3]),
        ("wolf OR banana", vec![2, 3]),
        ("banana NOT apple", vec![1, 2, 3]),
        ("NEAR(apple banana, 2)", vec![1, 2, 3]),
        ("AND", vec![3]),
        ("NEAR", vec![3]),
        ("apple + banana", vec![1, 2]),
        ("apple\0banana", vec![1, 2]),
        ("\0apple", vec![1]),
        ("apple; DROP TABLE memory; --", vec![1]),
        ("apple%' OR '1'='1", vec![1, 3]),
        ("$1 ?1 :apple @banana", vec![1, 2]),
        ("apple\\banana\\'", vec![1, 2]),
        ("apple:AB", vec![1]),
        ("*", vec![]),
        ("\u{fffd}apple\u{202e}banana\u{feff}", vec![1, 2]),
    ] {
        assert_eq!(found(&*store, query).await, expected, "{query:?}");
    }
}

pub(super) async fn a_query_without_words_finds_nothing<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let silent = MemoryDraft { text: None, ..draft(3) };
    put_all(&*store, [saying(1, "apple"), saying(2, ""), silent, saying(4, "?! …")]).await;
    for query in ["", " ", "\n\t", "?!", "\"\"", "*", "()", "'", "\0", "---", "…", "👩\u{200d}🚀"] {
        assert_eq!(found(&*store, query).await, [], "{query:?}");
    }
}

pub(super) async fn one_word_of_many_is_enough_and_more_are_better<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let texts = ["red green blue", "red green dark", "red light dark", "some other words"];
    put_all(&*store, (1..).zip(texts).map(|(number, text)| saying(number, text))).await;
    assert_eq!(by_words(&*store, "blue green red").await, [1, 2, 3]);
    assert_eq!(found(&*store, "red red red").await, [1, 2, 3]);
    assert_eq!(found(&*store, "wolf blue").await, [1]);
}

pub(super) async fn rare_words_count_more<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let common = (1..=40).map(|number| saying(number, "common words are here"));
    put_all(&*store, common.chain([saying(41, "a rare thing is here")])).await;
    let found = by_words(&*store, "common rare").await;
    assert_eq!((found.len(), found[0]), (41, 41));
    // However often a common one is asked for.
    assert_eq!(by_words(&*store, "rare common words are").await.len(), 41);
    done(&*store, put(saying(42, "rare common"), 50)).await;
    assert_eq!(by_words(&*store, "common rare").await[0], 42);
}

pub(super) async fn a_long_question_is_answered<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    put_all(&*store, [saying(1, "word0"), saying(2, "word1199"), saying(3, "other")]).await;
    // 8 KiB, as the port of memory takes them.
    let question: Vec<_> = (0..1_200).map(|nth| format!("w{nth}")).collect();
    let question = format!("{} word1199 word0", question.join(" "));
    assert_eq!(found(&*store, &question).await, [1, 2]);
    assert_eq!(found(&*store, &format!("{} word0", "x".repeat(8_000))).await, [1]);
    assert_eq!(found(&*store, &"(".repeat(8_192)).await, []);
    assert_eq!(found(&*store, &"word0 ".repeat(1_300)).await, [1]);
}

pub(super) async fn a_long_text_is_kept_whole_and_found_by_its_words<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    // A MiB: of words that are all different, of one word, of one word again and again.
    let many: String = (0..119_000).map(|nth| format!("w{nth:07} ")).collect();
    let one = format!("first {} last", "x".repeat(1 << 20));
    let again = format!("first {}last", "again ".repeat(170_000));
    let texts = [many, one, again];
    for (number, text) in (1..).zip(&texts) {
        done(&*store, put(saying(number, text), 1)).await;
    }
    for (number, text) in (1..).zip(texts) {
        let found = super::steps::find(&*store, super::steps::nth(number)).await.unwrap();
        assert!(found.text == Some(text), "{number} is kept whole");
    }
    assert_eq!(found(&*store, "w0000000").await, [1]);
    assert_eq!(found(&*store, "w0000700").await, [1]);
    assert_eq!(BTreeSet::from_iter(found(&*store, "first").await), BTreeSet::from([2, 3]));
    assert_eq!(found(&*store, "again").await, [3]);
}
