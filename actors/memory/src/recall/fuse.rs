//! How lists are fused into one: by reciprocal ranks (Cormack, Clarke and Büttcher, SIGIR 2009). Pure.

use std::collections::HashMap;

use soorma_core::{Explanation, Place};
use soorma_ports::{Ranks, Weights};
use uuid::Uuid;

/// Evens out the first ranks; the number of the paper.
const K: f32 = 60.0;

/// An entry, and why it stands where it does.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ranked {
    pub(super) id: Uuid,
    pub(super) explanation: Explanation,
}

/// Fuses lists by their weights, best first. What is in none that counts comes last, newest first; what fits alike is in the order of meaning, then words, then
/// time.
pub(super) fn fuse(ranks: &Ranks, weights: Weights) -> Vec<Ranked> {
    let mut all: Vec<Ranked> = Vec::new();
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    let scored = |list: &[(Uuid, f32)]| list.iter().map(|(id, score)| (*id, Some(*score))).collect();
    let lists: [(f32, Scored, Slot); 3] = [
        (weights.meaning, scored(&ranks.meaning), |explanation| &mut explanation.meaning),
        (weights.words, scored(&ranks.words), |explanation| &mut explanation.words),
        (weights.recency, ranks.time.iter().map(|id| (*id, None)).collect(), |explanation| {
            &mut explanation.recency
        }),
    ];
    let sum = weights.meaning + weights.words + weights.recency;
    for (weight, list, slot) in lists {
        for (rank, (id, score)) in (1_u16..).zip(list) {
            let new = all.len();
            let at = *places.entry(id).or_insert(new);
            if at == new {
                all.push(Ranked { id, explanation: Explanation::default() });
            }
            if let Some(Ranked { explanation, .. }) = all.get_mut(at) {
                *slot(explanation) = Some(Place { rank: rank.into(), score });
                explanation.fused += weight / sum * ((K + 1.0) / (K + f32::from(rank)));
            }
        }
    }
    for ranked in &mut all {
        // Rounding may lead beyond it.
        ranked.explanation.fused = ranked.explanation.fused.min(1.0);
    }
    // A stable sort leaves those alike as they came: by meaning, by words, by time.
    all.sort_by(|a, b| b.explanation.fused.total_cmp(&a.explanation.fused));
    all
}

/// A list, with scores where it has some.
type Scored = Vec<(Uuid, Option<f32>)>;

/// Where the place in a list is noted.
type Slot = fn(&mut Explanation) -> &mut Option<Place>;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn order(ranked: &[Ranked]) -> Vec<u128> {
        ranked.iter().map(|one| one.id.as_u128()).collect()
    }

    #[test]
    fn what_is_first_in_all_lists_has_all_that_there_is() {
        let ranks = Ranks {
            meaning: vec![(id(1), 0.9), (id(2), 0.8)],
            words: vec![(id(1), 7.0)],
            time: vec![id(1), id(3)],
        };
        let ranked = fuse(&ranks, Weights { meaning: 1.0, words: 2.0, recency: 0.5 });
        assert_eq!(order(&ranked), [1, 2, 3]);
        let first = ranked[0].explanation;
        assert!((first.fused - 1.0).abs() < 1e-6);
        assert_eq!(first.meaning, Some(Place { rank: 1, score: Some(0.9) }));
        assert_eq!(first.words, Some(Place { rank: 1, score: Some(7.0) }));
        assert_eq!(first.recency, Some(Place { rank: 1, score: None }));
        let second = ranked[1].explanation;
        assert!((second.fused - (1.0 / 62.0) / (3.5 / 61.0)).abs() < 1e-6);
        assert_eq!((second.words, second.recency), (None, None));
    }

    #[test]
    fn with_the_meaning_alone_what_has_none_comes_behind_newest_first() {
        let ranks = Ranks {
            meaning: vec![(id(1), -0.5), (id(2), -0.9)],
            words: Vec::new(),
            time: vec![id(9), id(2), id(8)],
        };
        let ranked = fuse(&ranks, Weights::MEANING);
        assert_eq!(order(&ranked), [1, 2, 9, 8]);
        assert_eq!(ranked[2].explanation.fused, 0.0);
        assert_eq!(ranked[3].explanation.meaning, None);
    }

    #[test]
    fn lists_that_count_more_decide() {
        let ranks = Ranks {
            meaning: vec![(id(1), 0.9), (id(2), 0.1)],
            words: vec![(id(2), 1.0), (id(1), 0.5)],
            time: vec![],
        };
        assert_eq!(order(&fuse(&ranks, Weights { meaning: 1.0, words: 2.0, recency: 0.0 })), [2, 1]);
        assert_eq!(order(&fuse(&ranks, Weights { meaning: 2.0, words: 1.0, recency: 0.0 })), [1, 2]);
        assert_eq!(order(&fuse(&ranks, Weights::HYBRID)), [1, 2], "alike: by meaning");
        assert!(fuse(&Ranks::default(), Weights::HYBRID).is_empty());
        let tiny = f32::from_bits(1);
        let least = fuse(&ranks, Weights { meaning: tiny, words: 0.0, recency: 0.0 });
        assert_eq!((order(&least), least[0].explanation.fused), (vec![1, 2], 1.0), "however small");
    }
}
