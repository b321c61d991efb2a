//! The payload: kept as it was sent, one line of ASCII, bounded in depth.

use proptest::prelude::*;
use serde::de::IgnoredAny;
use soorma_core::{Data, DataError, MAX_DEPTH};

use super::sample;

proptest! {
    #[test]
    fn data_is_one_line_of_ascii_and_stays_as_it_is(json in sample::any_object()) {
        let data = Data::from_json(&json).unwrap();
        prop_assert!(data.as_str().bytes().all(|byte| (b' '..=0x7f).contains(&byte)), "{data:?}");
        prop_assert!(serde_json::from_str::<IgnoredAny>(data.as_str()).is_ok());
        prop_assert_eq!(&Data::from_json(data.as_str()).unwrap(), &data);
        prop_assert_eq!(&serde_json::from_str::<Data>(&json).unwrap(), &data);
        prop_assert_eq!(serde_json::to_string(&data).unwrap(), data.as_str());
    }

    #[test]
    fn data_means_what_was_sent(object in proptest::collection::btree_map(any::<String>(), any::<(String, i64, bool)>(), 0..5)) {
        let data = Data::from_value(&object).unwrap();
        prop_assert_eq!(&data.parse::<std::collections::BTreeMap<String, (String, i64, bool)>>().unwrap(), &object);
        let spaced = serde_json::to_string_pretty(&object).unwrap();
        prop_assert_eq!(Data::from_json(&spaced).unwrap(), data);
    }
}

#[test]
fn numbers_keep_all_their_digits_and_strings_their_spaces() {
    for (sent, kept) in [
        (r#" { "n" : 18446744073709551616 } "#, r#"{"n":18446744073709551616}"#),
        ("{\"f\":\n0.10000000000000000555}", r#"{"f":0.10000000000000000555}"#),
        (r#"{"e":1e400,"z":-0.0}"#, r#"{"e":1e400,"z":-0.0}"#),
        (r#"{"s":"a b\\ \" c"}"#, r#"{"s":"a b\\ \" c"}"#),
        ("{\"s\" : \"\u{e9}\u{1f980}\"}", r#"{"s":"\u00e9\ud83e\udd80"}"#),
        (r#"{"s":"\u00E9"}"#, r#"{"s":"\u00E9"}"#),
        (r#"{"again":1,"again":2}"#, r#"{"again":1,"again":2}"#),
    ] {
        assert_eq!(Data::from_json(sent).unwrap().as_str(), kept);
    }
}

#[test]
fn what_is_no_object_is_refused() {
    for json in ["[]", "[{}]", "1", "\"{}\"", "true", "null"] {
        assert!(matches!(Data::from_json(json), Err(DataError::NotAnObject)), "{json}");
    }
    for json in
        ["", "{", "{}{}", "{'a':1}", "{\"a\":01}", "{\"a\":\"\n\"}", "{\"a\":NaN}", "{,}", "\u{feff}{}"]
    {
        assert!(matches!(Data::from_json(json), Err(DataError::Json(_))), "{json}");
    }
    assert!(matches!(Data::from_value(&[1, 2]), Err(DataError::NotAnObject)));
    assert!(matches!(Data::from_value("text"), Err(DataError::NotAnObject)));
}

#[test]
fn depth_64_is_taken_and_65_refused() {
    let objects = |depth: usize| "{\"a\":".repeat(depth - 1) + "{}" + &"}".repeat(depth - 1);
    let arrays = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert_eq!(MAX_DEPTH, 64);
    for nested in [&objects as &dyn Fn(usize) -> String, &arrays] {
        let deepest = Data::from_json(&nested(64)).unwrap();
        assert!(deepest.parse::<serde_json::Value>().is_ok(), "any reader can read what was taken");
        assert!(matches!(Data::from_json(&nested(65)), Err(DataError::TooDeep)));
        // No recursion: a hostile depth costs a loop, not the stack.
        assert!(matches!(Data::from_json(&nested(100_000)), Err(DataError::TooDeep)));
    }
    let wide = format!("{{\"a\":[{}]}}", vec!["[]"; 1_000].join(","));
    assert!(Data::from_json(&wide).is_ok(), "brackets side by side are not deep");
    let quoted = format!("{{\"a\":\"{}\\\"{}\"}}", "{".repeat(100), "[".repeat(100));
    assert!(Data::from_json(&quoted).is_ok(), "brackets in strings do not count");
}

#[test]
fn a_payload_of_another_type_says_where_it_differs() {
    #[derive(Debug, serde::Deserialize)]
    struct Order {
        #[expect(dead_code, reason = "only its type matters")]
        count: u32,
    }
    let error = Data::from_json(r#"{"count":"two"}"#).unwrap().parse::<Order>().unwrap_err().to_string();
    assert!(error.contains("expected u32") && error.contains("column"), "{error}");
}
