//! The envelope: spellings, what is dropped, what is refused.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use soorma_core::{Event, Json};

use super::sample;

proptest! {
    #[test]
    fn any_event_survives_both_spellings(event in sample::any_event()) {
        for spelling in [Json::Snake, Json::Cloud] {
            let json = event.to_json(spelling);
            prop_assert_eq!(&serde_json::from_str::<Event>(&json).unwrap(), &event);
            prop_assert_eq!(&serde_json::from_slice::<Event>(json.as_bytes()).unwrap(), &event);
            prop_assert_eq!(&serde_json::from_reader::<_, Event>(json.as_bytes()).unwrap(), &event);
        }
    }

    #[test]
    fn any_event_is_read_in_camel_case(event in sample::any_event()) {
        let snake = event.to_json(Json::Snake);
        let attributes: BTreeMap<String, &RawValue> = serde_json::from_str(&snake).unwrap();
        let camel: BTreeMap<String, &RawValue> = attributes.into_iter().map(|(key, value)| (camel_case(&key), value)).collect();
        prop_assert_eq!(serde_json::from_str::<Event>(&serde_json::to_string(&camel).unwrap()).unwrap(), event);
    }

    #[test]
    fn output_is_one_line_of_ascii_json(event in sample::any_event()) {
        for spelling in [Json::Snake, Json::Cloud] {
            let json = event.to_json(spelling);
            prop_assert!(json.bytes().all(|byte| (b' '..=0x7f).contains(&byte)), "{}", json);
            prop_assert!(serde_json::from_str::<IgnoredAny>(&json).is_ok());
        }
    }

    #[test]
    fn serde_writes_the_same_event_as_to_json(event in sample::any_event()) {
        prop_assert_eq!(serde_json::from_str::<Event>(&serde_json::to_string(&event).unwrap()).unwrap(), event);
    }
}

fn camel_case(snake: &str) -> String {
    let mut after_underscore = false;
    let mut camel = String::new();
    for c in snake.chars() {
        match c {
            '_' => after_underscore = true,
            c => camel.push(if std::mem::take(&mut after_underscore) { c.to_ascii_uppercase() } else { c }),
        }
    }
    camel
}

#[test]
fn camel_case_is_what_the_published_client_sends() {
    assert_eq!(camel_case("parent_event_id"), "parentEventId");
    assert_eq!(camel_case("topic"), "topic");
}

#[test]
fn attribute_names_of_cloudevents_are_lower_case_letters_and_digits() {
    let (_, full) = sample::golden().remove(1);
    let attributes: BTreeMap<String, IgnoredAny> = serde_json::from_str(&full.to_json(Json::Cloud)).unwrap();
    assert_eq!(attributes.len(), 21);
    for name in attributes.keys() {
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{name}");
    }
}

#[test]
fn absent_attributes_are_left_out() {
    let (_, minimal) = sample::golden().remove(0);
    assert_eq!(
        minimal.to_json(Json::Snake),
        r#"{"id":"0193570b-3c33-7e5e-8f5e-1a2b3c4d5e6f","source":"shop","specversion":"1.0","type":"order.placed","time":"2026-11-23T05:57:30.579120Z","topic":"business-facts"}"#
    );
}

#[test]
fn null_is_absent_and_unknown_attributes_are_dropped() {
    let (_, minimal) = sample::golden().remove(0);
    let mut json = minimal.to_json(Json::Snake);
    json.insert_str(
        1,
        r#""data":null,"planId":null,"specversion_":2,"datacontenttype":"application/json","x":{"y":[1]},"#,
    );
    assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), minimal);
}

#[test]
fn an_attribute_in_two_spellings_is_refused_by_name() {
    for (one, other, name) in [
        ("plan_id", "planId", "plan_id"),
        ("planid", "plan_id", "plan_id"),
        ("parentEventId", "parenteventid", "parent_event_id"),
        ("subject", "subject", "subject"),
    ] {
        let (_, minimal) = sample::golden().remove(0);
        let mut json = minimal.to_json(Json::Snake);
        json.insert_str(1, &format!(r#""{one}":"a","{other}":"a","#));
        let error = serde_json::from_str::<Event>(&json).unwrap_err().to_string();
        assert!(error.contains(&format!("duplicate field `{name}`")), "{error}");
    }
}

#[test]
fn an_envelope_that_lacks_something_or_is_no_1_0_is_refused() {
    let whole = r#"{"id":"e","source":"s","type":"t","time":"2026-11-23T05:57:30Z","topic":"plan-events"}"#;
    assert!(serde_json::from_str::<Event>(whole).is_ok());
    for (from, to, says) in [
        (r#""id":"e","#, "", "missing field `id`"),
        (r#""type":"t","#, "", "missing field `type`"),
        (r#""id":"e""#, r#""id":" ""#, "is empty"),
        (r#""plan-events""#, r#""plans""#, "unknown topic 'plans'"),
        (r#""2026-11-23T05:57:30Z""#, r#""yesterday""#, "'yesterday' is not a time"),
        (r#""id":"e""#, r#""id":"e","specversion":"0.3""#, "specversion must be 1.0"),
        (r#""id":"e""#, r#""id":"e","data":[]"#, "data must be a JSON object"),
    ] {
        let json = whole.replace(from, to);
        let error = serde_json::from_str::<Event>(&json).unwrap_err().to_string();
        assert!(error.contains(says), "{json}: {error}");
    }
}
