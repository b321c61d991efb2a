//! What a search or a list is asked for.

use soorma_ports::{Recall, RecallFilter, Weights};

use crate::parameters::Parameters;

/// The most values of metadata that are asked for at once.
const MAX_VALUES: usize = 20;
/// The most tags that are asked for at once.
const MAX_TAGS: usize = 100;

/// Reads a search: what it is by, under a name, and how many are wanted, so many where nothing is said and so many at most.
pub(super) fn recall(
    parameters: &mut Parameters,
    name: &'static str,
    (usual, most): (usize, usize),
) -> Recall {
    let query = parameters.required(name);
    if query.len() > Recall::MAX_QUERY_BYTES {
        let says = format!("has {} bytes; at most {} are allowed", query.len(), Recall::MAX_QUERY_BYTES);
        parameters.fault(name, "string_too_long", &format!("Value {says}"), &says);
    }
    Recall {
        query,
        limit: parameters.number("limit", usual, most),
        weights: weighed(parameters),
        explain: parameters.flag("explain"),
        filter: filter(parameters),
    }
}

/// What only knowledge has.
pub(super) const OF_FACTS: &[&str] = &["tags", "source"];
/// What only episodes have.
pub(super) const OF_EPISODES: &[&str] = &["session_id", "role"];
/// What skills have not.
pub(super) const NOT_OF_SKILLS: &[&str] = &["tags", "source", "metadata", "session_id", "role"];

/// Refuses conditions that a kind of memory does not know: who asks would take all that comes for what fits them.
pub(super) fn without(parameters: &mut Parameters, conditions: &'static [&'static str]) {
    for name in conditions {
        if parameters.text(name).is_some() {
            let says = "is no condition of this kind of memory; leave it out";
            parameters.fault(name, "value_error", &format!("Value {says}"), says);
        }
    }
}

/// Reads among which is searched or listed.
pub(super) fn filter(parameters: &mut Parameters) -> RecallFilter {
    let tags: Vec<String> = parameters
        .all("tags")
        .flat_map(|tags| tags.split(','))
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect();
    if tags.len() > MAX_TAGS {
        let says = format!("names {} tags; at most {MAX_TAGS} are allowed", tags.len());
        parameters.fault("tags", "too_long", &format!("Value {says}"), &says);
    }
    let values: Vec<Option<(String, String)>> = parameters
        .all("metadata")
        .map(|pair| pair.split_once(':').map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect();
    if values.len() > MAX_VALUES {
        let says = format!("asks for {} values; at most {MAX_VALUES} are allowed", values.len());
        parameters.fault("metadata", "too_long", &format!("Value {says}"), &says);
    }
    let metadata: Option<Vec<_>> = values.into_iter().collect();
    if metadata.is_none() {
        let says = "must be a name, a colon and a value, such as lang:rust";
        parameters.fault("metadata", "value_error", &format!("Value {says}"), says);
    }
    RecallFilter {
        tags,
        metadata: metadata.unwrap_or_default(),
        source: parameters.text("source").map(str::to_owned),
        since: parameters.moment("since"),
        before: parameters.moment("before"),
        valid_at: parameters.moment("valid_at"),
        also_invalid: parameters.flag("also_invalid"),
        public: parameters.flag_or("include_public", true),
        session: parameters.text("session_id").map(str::to_owned),
        role: parameters.choice("role"),
    }
}

fn weighed(parameters: &mut Parameters) -> Weights {
    let Some(text) = parameters.text("weights") else { return Weights::MEANING };
    weights(text).unwrap_or_else(|| {
        let says = "must say how much meaning, words and recency count, each from 0 to 1,000 and one of them more than 0, such as \
                    meaning:1,words:0.5,recency:0.2";
        parameters.fault("weights", "value_error", &format!("Value {says}"), says);
        Weights::MEANING
    })
}

/// Reads weights; what is not named does not count.
fn weights(text: &str) -> Option<Weights> {
    let mut read: [Option<f32>; 3] = [None; 3];
    for part in text.split(',') {
        let (name, weight) = part.split_once(':')?;
        let [meaning, words, recency] = &mut read;
        let place = match name.trim() {
            "meaning" => meaning,
            "words" => words,
            "recency" => recency,
            _ => return None,
        };
        let weight = weight.trim().parse().ok().filter(|weight| (0.0..=1_000.0).contains(weight))?;
        if place.replace(weight).is_some() {
            return None;
        }
    }
    let [meaning, words, recency] = read.map(Option::unwrap_or_default);
    (meaning + words + recency > 0.0).then_some(Weights { meaning, words, recency })
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;

    use super::*;

    #[test]
    fn weights_are_named_once_and_one_of_them_counts() {
        let read =
            |text: &str| weights(text).map(|weights| (weights.meaning, weights.words, weights.recency));
        assert_eq!(read("meaning:1,words:0.5,recency:0.2"), Some((1.0, 0.5, 0.2)));
        assert_eq!(read(" words : 2 "), Some((0.0, 2.0, 0.0)));
        assert_eq!(read("recency:1,meaning:0"), Some((0.0, 0.0, 1.0)));
        for wrong in [
            "",
            "1",
            "meaning",
            "meaning:",
            "meaning:x",
            "meaning:-1",
            "meaning:NaN",
            "meaning:inf",
            "meaning:0",
            "meaning:1001",
            "size:1",
            "meaning:1,meaning:1",
            "meaning:1,",
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn tags_are_given_with_commas_or_each_by_itself_and_metadata_by_name_and_value() {
        let uri: Uri = "/?q=x&tags=a,%20b&tags=c&metadata=lang:rust&metadata=at:12:30&include_public=false&role=tool&since=2026-11-23T05:57:30Z"
            .parse()
            .expect("a URI");
        let mut parameters = Parameters::read(&uri).expect("a query");
        let recall = recall(&mut parameters, "q", (5, 50));
        parameters.end().expect("all is well");
        let filter = &recall.filter;
        assert_eq!(filter.tags, ["a", "b", "c"]);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(filter.metadata, [pair("lang", "rust"), pair("at", "12:30")]);
        assert_eq!((filter.public, filter.role), (false, Some(soorma_core::Role::Tool)));
        assert_eq!((recall.limit, recall.weights, recall.explain), (5, Weights::MEANING, false));
    }

    #[test]
    fn all_that_is_wrong_with_a_search_is_said_at_once_by_its_place() {
        let uri: Uri =
            "/?limit=51&weights=x&metadata=x&since=x&role=robot&explain=perhaps".parse().expect("a URI");
        let mut parameters = Parameters::read(&uri).expect("a query");
        let _recall = recall(&mut parameters, "q", (5, 50));
        let problem = parameters.end().expect_err("wrong").into_problem();
        let places: Vec<_> =
            problem.errors.iter().map(|fault| (fault.loc.clone(), fault.rule.as_str())).collect();
        let place = |name: &str, rule: &'static str| (vec!["query".into(), name.into()], rule);
        assert_eq!(
            places,
            [
                place("q", "missing"),
                place("limit", "less_than_equal"),
                place("weights", "value_error"),
                place("explain", "bool_parsing"),
                place("metadata", "value_error"),
                place("since", "datetime_parsing"),
                place("role", "enum"),
            ]
        );
        for (limit, rule) in
            [("0", "greater_than_equal"), ("10000", "less_than_equal"), ("many", "int_parsing")]
        {
            let uri: Uri = format!("/?q=x&limit={limit}").parse().expect("a URI");
            let mut parameters = Parameters::read(&uri).expect("a query");
            let _recall = recall(&mut parameters, "q", (5, 50));
            let problem = parameters.end().expect_err("wrong").into_problem();
            assert_eq!((problem.status, problem.errors[0].rule.as_str()), (422, rule), "{limit}");
        }
    }
}
