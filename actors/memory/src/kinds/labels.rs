//! By what entries are looked up.

use serde_json::value::RawValue;
use soorma_core::{Data, Error};

use crate::bounds::{KEY_BYTES, at_most, stored};
use crate::members::Members;

/// The most texts, numbers and truth values of metadata by which is searched: a store looks up an entry by so many labels, with room for the others.
const MOST: usize = 800;

/// Returns a label.
pub(super) fn label(sort: &str, of: &str) -> String {
    stored(&format!("{sort}:{of}"), KEY_BYTES).into_owned()
}

/// Returns the label of a member of metadata. The length of the name stands before it: none is taken for another with a `=` elsewhere.
pub(super) fn of_member(name: &str, value: &str) -> String {
    stored(&format!("meta:{}:{name}={value}", name.len()), KEY_BYTES).into_owned()
}

/// Puts labels in order, each once.
pub(super) fn each_once(mut labels: Vec<String>) -> Vec<String> {
    labels.sort_unstable();
    labels.dedup();
    labels
}

/// Reads metadata a member at a time.
pub(super) fn members(metadata: &Data) -> Result<Members, Error> {
    metadata.parse().map_err(|error| Error::invalid(format!("metadata: {error}")))
}

/// Returns the labels of the texts, numbers and truth values of metadata.
pub(super) fn of_metadata(members: &Members) -> Result<Vec<String>, Error> {
    let labels: Vec<_> =
        members.iter().filter_map(|(name, value)| Some(of_member(name, &scalar(value)?))).collect();
    at_most("metadata", labels.len(), MOST, "texts, numbers and truth values beside each other")?;
    Ok(labels)
}

/// Returns a text as it is, and a number or truth value as JSON.
pub(super) fn scalar(value: &RawValue) -> Option<String> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str(text).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_numbers_and_truth_values_of_metadata_are_labels() {
        let metadata = Data::from_json(
            r#"{"a":"x=y","b":1.50,"c":true,"d":null,"e":[1],"f":{},"a=x":"y","g":"caf\u00e9"}"#,
        )
        .expect("an object");
        let labels = of_metadata(&members(&metadata).expect("members")).expect("few");
        let expected = ["meta:1:a=x=y", "meta:1:b=1.50", "meta:1:c=true", "meta:3:a=x=y", "meta:1:g=café"];
        assert_eq!(labels, expected);
        let many: String = (0..=MOST).map(|n| format!("\"{n}\":{n},")).collect();
        let many = Data::from_json(&format!("{{{}}}", many.trim_end_matches(','))).expect("an object");
        let refused = of_metadata(&members(&many).expect("members")).expect_err("too many");
        assert!(refused.message.starts_with("metadata: at most 800"), "{refused}");
    }
}
