//! Which texts go through the model together: those of like length, as many as have so many tokens.

/// A text as the model reads it, and its place in the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sentence {
    pub(super) place: usize,
    pub(super) tokens: Vec<u32>,
}

/// Parts sentences into batches, shortest first. A sentence is never parted: one that is longer than a batch is a batch of its own.
pub(super) fn batches(mut sentences: Vec<Sentence>, most: usize) -> Vec<Vec<Sentence>> {
    sentences.sort_by_key(|sentence| sentence.tokens.len());
    let mut batches: Vec<Vec<Sentence>> = Vec::new();
    let mut room = 0;
    for sentence in sentences {
        let tokens = sentence.tokens.len();
        match batches.last_mut() {
            Some(batch) if tokens <= room => {
                room -= tokens;
                batch.push(sentence);
            }
            _ => {
                room = most.saturating_sub(tokens);
                batches.push(vec![sentence]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(given: &[usize], most: usize) -> Vec<Vec<usize>> {
        let sentence = |(place, length): (usize, &usize)| Sentence { place, tokens: vec![7; *length] };
        let batches = batches(given.iter().enumerate().map(sentence).collect(), most);
        for sentence in batches.iter().flatten() {
            assert_eq!(given[sentence.place], sentence.tokens.len(), "each knows its place");
        }
        let lengths = |batch: Vec<Sentence>| batch.iter().map(|sentence| sentence.tokens.len()).collect();
        batches.into_iter().map(lengths).collect()
    }

    #[test]
    fn short_ones_go_together_and_long_ones_alone() {
        for (given, most, batches) in [
            (&[][..], 10, vec![]),
            (&[3], 10, vec![vec![3]]),
            (&[9, 2, 5, 3], 10, vec![vec![2, 3, 5], vec![9]]),
            (&[2, 2, 2, 2, 2, 2], 4, vec![vec![2, 2], vec![2, 2], vec![2, 2]]),
            (&[30, 1, 20], 10, vec![vec![1], vec![20], vec![30]]),
            (&[5, 6], 10, vec![vec![5], vec![6]]),
        ] {
            assert_eq!(lengths(given, most), batches, "{given:?} in {most}");
        }
    }
}
