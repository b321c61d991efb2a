//! What entries are found by in full text: what stands in the index of one, and what is asked of it.
//!
//! The server's own way to take a text apart knows addresses, numbers and hyphens, and differs by the locale of the database. Here words are
//! sequences of letters and digits, and the index is told them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::fingerprint::fingerprint;

/// What all entries have.
pub(super) const ALL: &str = "':'";
/// How long a word is that is told apart to its end; the server takes no longer ones than 2,046 bytes.
const LONGEST: usize = 255;
/// How many bytes the words of one text take at most: the server takes a megabyte. What comes after it is not found.
const MOST_BYTES: usize = 900_000;
/// How often a word is counted in one text, and how far in; the server counts no more.
const MOST_TIMES: usize = 255;
const FARTHEST: usize = 16_383;
/// How many words of a query count.
const MOST_ASKED: usize = 4_096;

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    parts.map(|part| {
        let mut word = part.to_lowercase();
        word.truncate(word.floor_char_boundary(LONGEST));
        word
    })
}

/// Who sees an entry, as a word.
pub(super) fn seen_by(tenant: &str, whose: &str) -> String {
    format!("':{:x}'", fingerprint(&[tenant, whose]))
}

fn labelled(label: &str) -> String {
    format!("'#{:x}'", fingerprint(&[label]))
}

/// What stands in the index for an entry: nothing where it has neither text nor labels.
pub(super) fn indexed(tenant: &str, whose: &str, text: Option<&str>, labels: &[String]) -> Option<String> {
    let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut bytes = 0;
    for (nth, word) in words(text.unwrap_or_default()).enumerate() {
        if bytes > MOST_BYTES {
            break;
        }
        if let Some(times) = places.get_mut(&word) {
            if times.len() < MOST_TIMES {
                times.push(nth);
                bytes += 2;
            }
        } else {
            bytes += word.len() + 8;
            places.insert(word, vec![nth]);
        }
    }
    if places.is_empty() && labels.is_empty() {
        return None;
    }
    let mut index = format!("{ALL} {}", seen_by(tenant, whose));
    for label in labels {
        index.push(' ');
        index.push_str(&labelled(label));
    }
    for (word, times) in places {
        // There is neither a quote nor a backslash in a word.
        let mut before = ':';
        let _infallible = write!(index, " '{word}'");
        for time in times {
            let _infallible = write!(index, "{before}{}", (time + 1).min(FARTHEST));
            before = ',';
        }
    }
    Some(index)
}

/// The words of a query, each once.
pub(super) fn asked(query: &str) -> Vec<String> {
    let each: BTreeSet<_> = words(query).collect();
    each.into_iter().take(MOST_ASKED).collect()
}

/// What is said to the wall: seen by one of these, with all of these labels, and with one of these words where there are some.
pub(super) fn wanted(tenant: &str, whose: &[&str], labels: &[String], words: &[String]) -> String {
    let any = |words: &[String]| format!("({})", words.join(" | "));
    let seen: Vec<_> = whose.iter().map(|whose| seen_by(tenant, whose)).collect();
    let mut all = vec![any(&seen)];
    all.extend(labels.iter().map(|label| labelled(label)));
    if !words.is_empty() {
        let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
        all.push(any(&words));
    }
    all.join(" & ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits_whatever_their_case() {
        let taken: Vec<_> = words("It's O'Reilly\\s 3.5-GHz, ÄRGER: ΣΑΣ -- (a&b|!c)").collect();
        assert_eq!(taken, ["it", "s", "o", "reilly", "s", "3", "5", "ghz", "ärger", "σας", "a", "b", "c"]);
        assert_eq!(words("-- ' : * \u{1}").count(), 0);
    }

    #[test]
    fn an_entry_stands_in_the_index_with_its_words_and_labels() {
        let whose = seen_by("acme", "");
        assert_eq!(
            indexed("acme", "", Some("to be, or not To Be"), &[]),
            Some(format!("':' {whose} 'be':2,6 'not':4 'or':3 'to':1,5"))
        );
        let label = labelled("a b");
        assert_eq!(indexed("acme", "", None, &["a b".into()]), Some(format!("':' {whose} {label}")));
        assert_eq!(indexed("acme", "", Some(" -- "), &[]), None);
        assert_eq!(indexed("acme", "", None, &[]), None);
    }

    #[test]
    fn however_long_a_text_is_the_server_takes_what_is_made_of_it() {
        let long = "ü".repeat(5_000);
        let index = indexed("acme", "", Some(&long), &[]).unwrap();
        assert!(index.len() < 400, "{}", index.len());
        assert_eq!(asked(&long), asked(&"ü".repeat(127)));
        let mut text = String::new();
        for nth in 0..300_000 {
            let _infallible = write!(text, "w{nth} same ");
        }
        let index = indexed("acme", "", Some(&text), &[]).unwrap();
        assert!(index.len() < 2 * MOST_BYTES, "{}", index.len());
        assert!(index.contains("'same':2,"));
    }

    #[test]
    fn a_query_is_its_words_and_nothing_else() {
        assert_eq!(asked("b NEAR a* & !b"), ["a", "b", "near"]);
        assert_eq!(asked("' OR 1=1 --"), ["1", "or"]);
        let (mine, public) = (seen_by("t", "me"), seen_by("t", ""));
        let label = labelled("l");
        assert_eq!(
            wanted("t", &["me", ""], &["l".into()], &asked("x y")),
            format!("({mine} | {public}) & {label} & ('x' | 'y')")
        );
        assert_eq!(wanted("t", &["me"], &[], &[]), format!("({mine})"));
    }
}
