//! Which texts go into one request. Pure.

/// Parts texts, in order, into batches of at most so many texts and bytes; a text that is larger has a batch of its own.
pub(super) fn batches<'a, 'b>(
    texts: &'a [&'b str],
    most_texts: usize,
    most_bytes: usize,
) -> Vec<&'a [&'b str]> {
    let mut batches = Vec::new();
    let (mut rest, mut taken, mut bytes) = (texts, 0, 0);
    for text in texts {
        if taken == most_texts || (taken > 0 && bytes + text.len() > most_bytes) {
            let (batch, after) = rest.split_at(taken);
            batches.push(batch);
            (rest, taken, bytes) = (after, 0, 0);
        }
        taken += 1;
        bytes += text.len();
    }
    if !rest.is_empty() {
        batches.push(rest);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_have_so_many_texts_and_bytes_at_most() {
        let texts = ["aa", "bb", "c", "dddddd", "e", "f"];
        for (most_texts, most_bytes, sizes) in [
            (9, 99, vec![6]),
            (1, 99, vec![1, 1, 1, 1, 1, 1]),
            (2, 99, vec![2, 2, 2]),
            (4, 99, vec![4, 2]),
            (9, 5, vec![3, 1, 2]),
            (9, 4, vec![2, 1, 1, 2]),
            (9, 1, vec![1, 1, 1, 1, 1, 1]),
        ] {
            let parted = batches(&texts, most_texts, most_bytes);
            assert_eq!(
                parted.iter().map(|batch| batch.len()).collect::<Vec<_>>(),
                sizes,
                "{most_texts}, {most_bytes}"
            );
            assert_eq!(parted.concat(), texts);
        }
        assert!(batches(&[], 1, 1).is_empty());
    }
}
