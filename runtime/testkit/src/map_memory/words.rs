//! How well texts fit words: BM25 (Robertson and Zaragoza 2009) over those that may be seen, so that no score tells of the others.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// How soon the same word again counts less, and how much a long text counts less: the usual values.
const K1: f32 = 1.2;
const B: f32 = 0.75;

fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    parts.map(str::to_lowercase).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a test has few texts, of few words")]
fn number(count: usize) -> f32 {
    count as f32
}

/// Scores the texts that have one of the words at least.
pub(super) fn scores(texts: &[(Uuid, &str)], query: &str) -> Vec<(Uuid, f32)> {
    let query: BTreeSet<_> = words(query).into_iter().collect();
    let texts: Vec<_> = texts.iter().map(|(id, text)| (*id, words(text))).collect();
    let mean = number(texts.iter().map(|(_, words)| words.len()).sum()) / number(texts.len().max(1));
    let mut having: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, words) in &texts {
        for word in words.iter().collect::<BTreeSet<_>>() {
            *having.entry(word).or_default() += 1;
        }
    }
    let weight = |word: &str| {
        let having = number(having.get(word).copied().unwrap_or(0));
        (1.0 + (number(texts.len()) - having + 0.5) / (having + 0.5)).ln()
    };
    let score = |words: &[String]| -> f32 {
        let length = number(words.len()) / mean;
        let of = |word: &String| {
            let often = number(words.iter().filter(|other| *other == word).count());
            weight(word) * often * (K1 + 1.0) / (often + K1 * (1.0 - B + B * length))
        };
        query.iter().map(of).sum()
    };
    let fit = texts.iter().filter(|(_, words)| words.iter().any(|word| query.contains(word)));
    fit.map(|(id, words)| (*id, score(words))).collect()
}
