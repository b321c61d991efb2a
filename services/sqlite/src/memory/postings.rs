//! How much is read of the index of words for one search: of rare words all, of common ones as far as it goes.
//!
//! What a word counts is the less the more texts have it. So words are read in rounds, each of them a few places at first and more each
//! time; those that have come to their end are the rare ones, and what is left over when enough was read would hardly have changed the order.

/// How many places of words are read for one search. A tenth of a second, and some MB.
pub(super) const MOST_PLACES: usize = 400_000;
/// How many of each word in the first round, and by how much more in each that follows.
const FIRST: usize = 16;
const MORE: usize = 4;

/// One word in one text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hit {
    pub(super) entry: i64,
    /// Which word of the query.
    pub(super) word: usize,
    pub(super) often: f32,
}

/// What was found of a word.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) hits: Vec<Hit>,
    /// How many texts have it of those that are admitted.
    pub(super) having: i64,
    /// How many places were read, of as many as it was allowed.
    pub(super) places: usize,
}

/// Reads so many words with `read`, which is told which one and how many places at most.
pub(super) fn gather<E>(
    words: usize,
    mut read: impl FnMut(usize, usize) -> Result<Found, E>,
) -> Result<Vec<Found>, E> {
    let mut all: Vec<Found> = (0..words).map(|_| Found::default()).collect();
    let mut left: Vec<usize> = (0..words).collect();
    let (mut places, mut last) = (MOST_PLACES, 0);
    while !left.is_empty() {
        let most = (last * MORE).max(FIRST).min(places / left.len());
        if most <= last {
            break;
        }
        last = most;
        let mut more = Vec::new();
        for word in left {
            let found = read(word, most)?;
            places = places.saturating_sub(found.places);
            if found.places >= most {
                more.push(word);
            }
            if let Some(place) = all.get_mut(word) {
                *place = found;
            }
        }
        left = more;
    }
    // Of those that were not read to their end only the older texts are known: they would count more than the others.
    let has_rare = (0..words)
        .any(|word| !left.contains(&word) && all.get(word).is_some_and(|found| !found.hits.is_empty()));
    if has_rare {
        for word in left {
            if let Some(common) = all.get_mut(word) {
                *common = Found::default();
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads words that have so many places, each in a text of its own; returns how many were found of each, and how many were read.
    fn read(words: &[usize]) -> (Vec<usize>, usize) {
        let mut read = 0;
        let gathered = gather(words.len(), |word, most| {
            let places = words[word].min(most);
            read += places;
            let hits =
                (0..places).map(|entry| Hit { entry: i64::try_from(entry).unwrap(), word, often: 1.0 });
            Ok::<_, ()>(Found { hits: hits.collect(), having: i64::try_from(places).unwrap(), places })
        });
        (gathered.unwrap().iter().map(|found| found.hits.len()).collect(), read)
    }

    #[test]
    fn what_is_not_much_is_read_to_its_end() {
        for words in [&[][..], &[0], &[1, 0, 3], &[FIRST, FIRST * MORE, 50_000, 7], &[1; 4_096]] {
            assert_eq!(read(words).0, words);
        }
    }

    #[test]
    fn rare_words_are_read_whatever_common_ones_have() {
        let (found, places) = read(&[5_000_000, 3, 2_000_000, 4_000, 0]);
        assert_eq!(found, [0, 3, 0, 4_000, 0]);
        assert!(places <= MOST_PLACES);
        let many: Vec<_> = (0..4_096).map(|word| if word == 4_000 { 1 } else { 1_000_000 }).collect();
        let (found, places) = read(&many);
        assert_eq!(found.iter().sum::<usize>(), 1);
        assert!(places <= MOST_PLACES);
    }

    #[test]
    fn where_all_are_common_each_is_read_as_far_as_the_others() {
        let (found, places) = read(&[5_000_000, 2_000_000, 0]);
        assert_eq!((found[0], found[2]), (found[1], 0));
        assert!(found[0] > MOST_PLACES / 4 && places <= MOST_PLACES, "{found:?}");
    }
}
