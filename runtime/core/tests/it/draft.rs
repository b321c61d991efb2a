//! Drafts: what is filled in, and that all that is wrong is said at once.

use soorma_core::{Event, EventDraft, EventId, FieldError, Timestamp, Topic};

fn now() -> Timestamp {
    "2026-11-23T05:57:30Z".parse().unwrap()
}

fn complete(json: &str) -> Result<Event, Vec<FieldError>> {
    let mut made = 0;
    serde_json::from_str::<EventDraft>(json).unwrap().complete(now(), || {
        made += 1;
        EventId::new(format!("made-{made}")).unwrap()
    })
}

#[test]
fn id_time_and_correlation_id_are_filled_in() {
    for absent in [
        "",
        r#","id":null,"time":null,"correlation_id":null,"specversion":null,"data":null,"plan_id":null"#,
        r#","id":"","time":"","correlationId":" ""#,
    ] {
        let event = complete(&format!(
            r#"{{"source":"shop","type":"order.placed","topic":"business-facts"{absent}}}"#
        ))
        .unwrap();
        let mut expected =
            Event::new(EventId::new("made-1").unwrap(), "shop", "order.placed", now(), Topic::BusinessFacts);
        expected.correlation_id = Some("made-2".into());
        assert_eq!(event, expected, "{absent}");
    }
}

#[test]
fn what_is_given_stays() {
    let event = complete(
        r#"{"id":"e-1","source":"shop","specversion":"1.0","type":"t","time":"2026-01-02T03:04:05+01:00","topic":"plan-events",
            "correlation_id":"c","planId":"p","userid":"u","data":{"a": 1},"unknown":{"dropped":true}}"#,
    )
    .unwrap();
    assert_eq!(event.id.as_str(), "e-1");
    assert_eq!(event.time.to_string(), "2026-01-02T02:04:05.000000Z");
    assert_eq!(event.correlation_id.as_deref(), Some("c"));
    assert_eq!(event.plan_id.as_deref(), Some("p"));
    assert_eq!(event.user_id.as_deref(), Some("u"));
    assert_eq!(event.data.unwrap().as_str(), r#"{"a":1}"#);
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let errors = complete(
        r#"{"id":"a\nb","source":" ","specversion":"0.3","type":null,"time":"noon","topic":"gossip","data":[1]}"#,
    )
    .unwrap_err();
    let found: Vec<_> = errors.iter().map(|e| (e.field, e.rule, e.message.as_str())).collect();
    assert_eq!(
        found,
        [
            ("source", "missing", "source is required: the name of the agent that sends the event"),
            ("type", "missing", "type is required: the name of the event, such as order.placed"),
            (
                "topic",
                "enum",
                "unknown topic 'gossip'; the topics are business-facts, action-requests, action-results, billing-events, \
                 notification-events, system-events, plan-events, task-events"
            ),
            ("specversion", "value_error", "specversion must be 1.0, not '0.3'"),
            ("id", "value_error", "id contains a control character"),
            (
                "time",
                "value_error",
                "time 'noon' is not a time; write it as RFC 3339, such as 2026-11-23T05:57:30.579120Z"
            ),
            ("data", "dict_type", "data must be a JSON object"),
        ]
    );
}

#[test]
fn an_empty_draft_lacks_three_attributes() {
    let errors = complete("{}").unwrap_err();
    let found: Vec<_> = errors.iter().map(|e| (e.field, e.rule)).collect();
    assert_eq!(found, [("source", "missing"), ("type", "missing"), ("topic", "missing")]);
}

#[test]
fn a_refused_text_is_not_repeated_whole() {
    let huge = "x".repeat(100_000);
    let errors = complete(&format!(
        r#"{{"source":"s","type":"t","topic":"{huge}","time":"{huge}","specversion":"{huge}","id":"{huge}"}}"#
    ))
    .unwrap_err();
    assert_eq!(errors.len(), 4);
    for error in errors {
        assert!(error.message.len() < 500, "{} has {} bytes", error.field, error.message.len());
    }
}

#[test]
fn an_attribute_in_two_spellings_is_refused_by_name() {
    let json = r#"{"source":"s","type":"t","topic":"plan-events","plan_id":"a","planId":"b"}"#;
    let error = serde_json::from_str::<EventDraft>(json).unwrap_err().to_string();
    assert!(error.contains("duplicate field `plan_id`"), "{error}");
}
