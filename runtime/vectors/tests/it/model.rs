//! A set against a map that is searched from end to end.

use std::collections::BTreeMap;

use proptest::prelude::*;
use soorma_vectors::{Near, VectorSet};

/// A register of four, one of one, and three numbers more.
const DIMENSIONS: usize = 83;

#[derive(Debug, Clone)]
enum Step {
    Insert(i64, Vec<f32>),
    Remove(i64),
    /// Of the keys whose bit is set.
    Nearest(Vec<f32>, usize, u16),
}

/// Vectors of length 1 whose products are exact, so that many are equally near.
fn vector() -> impl Strategy<Value = Vec<f32>> {
    let places = [0, 40, 70, 82];
    let halves = any::<[bool; 4]>().prop_map(move |signs| {
        let mut vector = vec![0.0; DIMENSIONS];
        for (place, sign) in places.iter().zip(signs) {
            vector[*place] = if sign { 0.5 } else { -0.5 };
        }
        vector
    });
    let axis = (0..4_usize, any::<bool>()).prop_map(move |(nth, sign)| {
        let mut vector = vec![0.0; DIMENSIONS];
        vector[places[nth]] = if sign { 1.0 } else { -1.0 };
        vector
    });
    prop_oneof![halves, axis]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..16_i64, vector()).prop_map(|(key, vector)| Step::Insert(key, vector)),
        1 => (0..16_i64).prop_map(Step::Remove),
        2 => (vector(), 0..20_usize, any::<u16>()).prop_map(|(query, k, keys)| Step::Nearest(query, k, keys)),
    ]
}

fn nearest(model: &BTreeMap<i64, Vec<f32>>, query: &[f32], k: usize, keys: u16) -> Vec<Near> {
    let mut all: Vec<Near> = model
        .iter()
        .filter(|(key, _)| keys >> **key & 1 == 1)
        .map(|(key, vector)| Near {
            key: *key,
            cosine: vector.iter().zip(query).map(|(a, b)| a * b).sum::<f32>() + 0.0,
        })
        .collect();
    all.sort_by(|one, other| other.cosine.total_cmp(&one.cosine).then(one.key.cmp(&other.key)));
    all.truncate(k);
    all
}

proptest! {
    #[test]
    fn a_set_answers_like_a_map_that_is_searched_from_end_to_end(
        steps in prop::collection::vec(step(), 1..100)
    ) {
        let mut set = VectorSet::new(DIMENSIONS);
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Insert(key, vector) => {
                    set.insert(key, &vector).unwrap();
                    model.insert(key, vector);
                }
                Step::Remove(key) => prop_assert_eq!(set.remove(key), model.remove(&key).is_some()),
                Step::Nearest(query, k, keys) => {
                    let found = set.nearest(&query, k, |key| keys >> key & 1 == 1).unwrap();
                    prop_assert_eq!(found, nearest(&model, &query, k, keys));
                }
            }
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.is_empty(), model.is_empty());
            for key in 0..16 {
                prop_assert_eq!(set.contains(key), model.contains_key(&key));
            }
        }
    }
}
