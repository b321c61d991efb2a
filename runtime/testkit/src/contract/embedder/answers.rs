//! Clauses 1 to 5.

use soorma_ports::Embedder;

use super::EmbedderHarness;

/// Texts that say different things.
pub(super) const TEXTS: [&str; 5] = [
    "order placed by a customer",
    "weather forecast for tomorrow",
    "invoice of March",
    "猫は窓のそばで眠る",
    "translate english into german",
];

pub(super) fn owned<T: AsRef<str>>(texts: &[T]) -> Vec<String> {
    texts.iter().map(|text| text.as_ref().to_owned()).collect()
}

async fn vectors<T: AsRef<str>>(embedder: &dyn Embedder, texts: &[T]) -> Vec<Vec<f32>> {
    let mut vectors = Vec::new();
    for batch in owned(texts).chunks(embedder.max_batch()) {
        vectors.extend(embedder.embed(batch).await.unwrap());
    }
    vectors
}

fn same<H: EmbedderHarness>(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= H::TOLERANCE)
}

/// Clause 1.
pub(super) async fn there_is_a_vector_for_each_text_in_their_order<H: EmbedderHarness>(h: H) {
    let embedder = h.embedder();
    let together = vectors(&*embedder, &TEXTS).await;
    assert_eq!(together.len(), TEXTS.len());
    let mut turned = TEXTS;
    turned.reverse();
    let mut back = vectors(&*embedder, &turned).await;
    back.reverse();
    for (i, (there, back)) in together.iter().zip(&back).enumerate() {
        assert!(same::<H>(there, back), "{} has its own vector wherever it stands", TEXTS[i]);
        for other in &together[..i] {
            assert!(!same::<H>(there, other), "{} has a vector of its own", TEXTS[i]);
        }
    }
}

/// Clause 1.
pub(super) async fn nothing_asked_for_is_nothing_answered_whoever_is_away<H: EmbedderHarness>(h: H) {
    h.fall_silent();
    assert_eq!(h.embedder().embed(&[]).await, Ok(Vec::new()));
}

/// Clause 2.
pub(super) async fn every_vector_is_finite_of_length_1_and_of_its_dimensions<H: EmbedderHarness>(h: H) {
    let embedder = h.embedder();
    let long = "word ".repeat(2_000);
    for text in TEXTS.into_iter().chain(["", "a", "!", "\u{301}", &long]) {
        let vector = vectors(&*embedder, &[text]).await.remove(0);
        assert_eq!(vector.len(), embedder.generation().dimensions(), "{text:.20}");
        assert!(vector.iter().all(|number| number.is_finite()), "not all is_finite: {text:.20}");
        let length: f32 = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        assert!((length - 1.0).abs() < 1e-4, "{text:.20} has a vector of length {length}");
    }
}

/// Clause 3.
pub(super) async fn the_generation_stays_and_is_that_of_another_of_the_kind<H: EmbedderHarness>(h: H) {
    let embedder = h.embedder();
    let before = embedder.generation().clone();
    vectors(&*embedder, &TEXTS).await;
    assert_eq!(*embedder.generation(), before);
    assert_eq!(*h.another().generation(), before);
    assert_eq!(before.to_string().parse(), Ok(before), "it can be kept beside a vector");
}

/// Clause 4.
pub(super) async fn the_same_text_has_the_same_vector_whatever_stands_beside_it<H: EmbedderHarness>(h: H) {
    let embedder = h.embedder();
    let alone = vectors(&*embedder, &TEXTS[..1]).await.remove(0);
    let crowd: Vec<String> = (0..embedder.max_batch())
        .map(|i| if i % 3 == 0 { TEXTS[0].to_owned() } else { format!("neighbour number {i}") })
        .collect();
    let together = embedder.embed(&crowd).await.unwrap();
    for (i, vector) in together.iter().enumerate() {
        assert_eq!(same::<H>(vector, &alone), i % 3 == 0, "{}", crowd[i]);
    }
}

/// Clause 4.
pub(super) async fn another_embedder_of_the_generation_gives_the_same_vectors<H: EmbedderHarness>(h: H) {
    let (one, other) = (h.embedder(), h.another());
    for (a, b) in vectors(&*one, &TEXTS).await.iter().zip(&vectors(&*other, &TEXTS).await) {
        assert!(same::<H>(a, b));
    }
}

/// Clause 5.
pub(super) async fn texts_of_all_kinds_are_taken_as_they_are<H: EmbedderHarness>(h: H) {
    let embedder = h.embedder();
    let odd = [
        "\0",
        "a\0b\u{7f}\u{1b}[31m",
        "\u{feff}\u{200b}\u{202e}",
        "👩‍👩‍👧‍👦 🇩🇪 e\u{301} ﷽",
        "\"quotes\" \\backslashes\\ {\"json\": [1]}",
        "line\r\nline\u{2028}line\u{85}",
        "\u{10ffff}\u{fffd}",
        "ﬁ İ ẞ Σς",
    ];
    assert_eq!(vectors(&*embedder, &odd).await.len(), odd.len());
}

/// Clause 5.
pub(super) async fn a_text_that_says_nothing_has_the_vector_of_nothing<H: EmbedderHarness>(h: H) {
    let embedder = h.embedder();
    let nothing = embedder.generation().nothing();
    let texts = [TEXTS[0], "", TEXTS[1], " \t\r\n\u{3000}"];
    let vectors = vectors(&*embedder, &texts).await;
    for (text, vector) in texts.iter().zip(&vectors) {
        assert_eq!(*vector == nothing, text.trim().is_empty(), "{text:?}");
    }
}

/// Clause 5: how much of it counts is the embedder's own.
pub(super) async fn a_text_that_is_very_long_has_a_vector<H: EmbedderHarness>(h: H) {
    let embedder = h.embedder();
    // Wherever a text is cut, one of these is cut within a character.
    for before in ["", "a", "ab", "abc"] {
        let long = before.to_owned() + &"🦀".repeat(300_000);
        assert_eq!(vectors(&*embedder, &[long]).await.len(), 1);
    }
}
