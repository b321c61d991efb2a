//! What is wrong, what is empty, and what is all the same.

use soorma_vectors::{Near, VectorSet, WrongVector};

use super::like_real::LikeReal;

#[test]
fn what_is_no_vector_of_the_set_is_neither_taken_nor_asked_for() {
    let mut set = VectorSet::new(3);
    set.insert(1, &[0.0, 1.0, 0.0]).unwrap();
    for (vector, expected) in [
        (&[][..], WrongVector::Dimensions { expected: 3, found: 0 }),
        (&[1.0, 0.0], WrongVector::Dimensions { expected: 3, found: 2 }),
        (&[1.0, 0.0, 0.0, 0.0], WrongVector::Dimensions { expected: 3, found: 4 }),
        (&[f32::NAN, 0.0, 1.0], WrongVector::NotFinite),
        (&[1.0, f32::INFINITY, 0.0], WrongVector::NotFinite),
        (&[1.0, 0.0, f32::NEG_INFINITY], WrongVector::NotFinite),
        (&[0.0, 0.0, 0.0], WrongVector::NotUnit { length: 0.0 }),
        (&[3.0, 4.0, 0.0], WrongVector::NotUnit { length: 5.0 }),
        (&[f32::MAX, 0.0, 0.0], WrongVector::NotUnit { length: f32::INFINITY }),
    ] {
        assert_eq!(set.insert(1, vector), Err(expected), "{vector:?}");
        assert_eq!(set.nearest(vector, 1, |_| true), Err(expected), "{vector:?}");
    }
    let found = set.nearest(&[0.0, 1.0, 0.0], 9, |_| true).unwrap();
    assert_eq!(found, [Near { key: 1, cosine: 1.0 }], "what was there is as it was");
}

#[test]
fn a_set_without_dimensions_stays_empty() {
    let mut set = VectorSet::new(0);
    assert_eq!(set.insert(1, &[]), Err(WrongVector::NotUnit { length: 0.0 }));
    assert!(set.is_empty() && !set.remove(1));
}

#[test]
fn an_empty_set_has_nothing_near() {
    let mut set = VectorSet::new(2);
    assert_eq!(set.nearest(&[1.0, 0.0], 5, |_| true), Ok(Vec::new()));
    set.insert(7, &[1.0, 0.0]).unwrap();
    assert!(set.remove(7) && !set.remove(7));
    assert_eq!(set.nearest(&[1.0, 0.0], 5, |_| true), Ok(Vec::new()));
}

#[test]
fn whoever_asks_for_none_gets_none_and_whoever_asks_for_more_gets_all() {
    for count in [100, 12_000] {
        let mut set = VectorSet::new(32);
        let mut vectors = LikeReal::new(5, 32);
        for key in 0..count {
            set.insert(key, &vectors.vector()).unwrap();
        }
        let query = vectors.vector();
        assert_eq!(set.nearest(&query, 0, |_| true), Ok(Vec::new()));
        assert_eq!(set.nearest(&query, 10, |_| false), Ok(Vec::new()));
        for k in [usize::try_from(count).unwrap(), usize::MAX] {
            let all = set.nearest(&query, k, |_| true).unwrap();
            let mut keys: Vec<i64> = all.iter().map(|near| near.key).collect();
            assert!(all.is_sorted_by(|one, other| one.cosine >= other.cosine));
            keys.sort_unstable();
            assert_eq!(keys, (0..count).collect::<Vec<i64>>(), "{k} of {count}");
        }
    }
}

#[test]
fn of_equal_vectors_those_with_the_lowest_keys_come_however_many_there_are() {
    for count in [100, 12_000] {
        let mut set = VectorSet::new(4);
        for key in (0..count).rev() {
            set.insert(key, &[0.5, 0.5, -0.5, 0.5]).unwrap();
        }
        for query in [[0.5, 0.5, -0.5, 0.5], [0.0, 1.0, 0.0, 0.0]] {
            let found = set.nearest(&query, 10, |key| key % 2 == 1).unwrap();
            let keys: Vec<i64> = found.iter().map(|near| near.key).collect();
            assert_eq!(keys, (0..10).map(|nth| nth * 2 + 1).collect::<Vec<i64>>(), "{count}");
        }
    }
}

#[test]
fn memory_is_given_back_when_most_vectors_are_gone() {
    let mut set = VectorSet::new(32);
    let empty = set.bytes();
    let mut vectors = LikeReal::new(6, 32);
    for key in 0..12_000 {
        set.insert(key, &vectors.vector()).unwrap();
    }
    let full = set.bytes();
    assert!((12_000 * 32 * 4..12_000 * 32 * 4 * 3).contains(&full), "{full}");
    for key in 100..12_000 {
        assert!(set.remove(key));
    }
    assert!(set.bytes() < full / 20, "{} of {full}", set.bytes());
    for key in 0..100 {
        assert!(set.remove(key));
    }
    assert_eq!(set.bytes(), empty);
}
