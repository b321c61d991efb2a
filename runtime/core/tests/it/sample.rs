//! Events for the tests: a few by hand, any by chance.

use proptest::option;
use proptest::prelude::*;
use soorma_core::{Data, Event, EventId, Timestamp, Topic};

/// The events of the golden files, by name.
pub(super) fn golden() -> Vec<(&'static str, Event)> {
    let time: Timestamp = "2026-11-23T05:57:30.579120Z".parse().unwrap();
    let event = |topic| {
        let id = EventId::new("0193570b-3c33-7e5e-8f5e-1a2b3c4d5e6f").unwrap();
        Event::new(id, "shop", "order.placed", time, topic)
    };
    let minimal = event(Topic::BusinessFacts);

    let mut full = event(Topic::ActionRequests);
    full.data =
        Some(Data::from_json(r#"{"order":"o-1","items":[{"sku":"tea","count":2}],"note":null}"#).unwrap());
    for (nth, (_, field)) in attributes(&mut full).into_iter().enumerate() {
        *field = Some(format!("value-{nth}"));
    }

    let mut unicode = event(Topic::NotificationEvents);
    unicode.id = EventId::new("Ereignis-Ä").unwrap();
    unicode.source = "名前 \u{2028}\u{85}\u{7f}".into();
    unicode.kind = "tab\tquote\"slash\\/bell\u{7}".into();
    unicode.subject = Some("🦀 und 𝄞".into());
    unicode.data = Some(Data::from_json("{\"schl\u{fc}ssel\": \"\u{1f980}\\n\u{2029}\\u00e9\"}").unwrap());

    let mut numbers = event(Topic::BillingEvents);
    numbers.time = Timestamp::MIN;
    numbers.data = Some(
        Data::from_json(
            r#"{"i":18446744073709551616,"f":0.10000000000000000555,"e":1.0E+400,"z":-0.0,"p":3.141592653589793238462643}"#,
        )
        .unwrap(),
    );

    vec![("minimal", minimal), ("full", full), ("unicode", unicode), ("numbers", numbers)]
}

/// The optional attributes with their snake_case names, in the order in which they are written.
pub(super) fn attributes(event: &mut Event) -> [(&'static str, &mut Option<String>); 14] {
    [
        ("correlation_id", &mut event.correlation_id),
        ("subject", &mut event.subject),
        ("tenant_id", &mut event.tenant_id),
        ("user_id", &mut event.user_id),
        ("platform_tenant_id", &mut event.platform_tenant_id),
        ("session_id", &mut event.session_id),
        ("goal_id", &mut event.goal_id),
        ("plan_id", &mut event.plan_id),
        ("response_event", &mut event.response_event),
        ("response_topic", &mut event.response_topic),
        ("response_schema_name", &mut event.response_schema_name),
        ("trace_id", &mut event.trace_id),
        ("parent_event_id", &mut event.parent_event_id),
        ("payload_schema_name", &mut event.payload_schema_name),
    ]
}

/// Any event.
pub(super) fn any_event() -> impl Strategy<Value = Event> {
    let name = any::<String>().prop_filter_map("no name", |text| EventId::new(text).ok());
    let time = (Timestamp::MIN.micros()..=Timestamp::MAX.micros()).prop_map(Timestamp::from_micros);
    let topic = proptest::sample::select(Topic::ALL.to_vec());
    let data = option::of(any_object().prop_map(|json| Data::from_json(&json).unwrap()));
    let optional = proptest::collection::vec(option::of(any::<String>()), 14);
    (name, any::<String>(), any::<String>(), time, topic, data, optional).prop_map(
        |(id, source, kind, time, topic, data, optional)| {
            let mut event = Event::new(id, source, kind, time, topic);
            event.data = data;
            for ((_, field), value) in attributes(&mut event).into_iter().zip(optional) {
                *field = value;
            }
            event
        },
    )
}

/// The text of any JSON object, with white space, escapes and numbers of any length.
pub(super) fn any_object() -> impl Strategy<Value = String> {
    let space = "[ \t\n\r]{0,2}";
    let text = any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap());
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?",
        Just(r#""\ud83e\udd80\/\b""#.to_owned()),
        text.clone(),
    ];
    let member = move |value: BoxedStrategy<String>| {
        (space, text.clone(), space, value, space)
            .prop_map(|(a, key, b, value, c)| format!("{a}{key}{b}:{value}{c}"))
    };
    let object = move |value: BoxedStrategy<String>| {
        proptest::collection::vec(member(value), 0..4)
            .prop_map(|members| format!("{{{}}}", members.join(",")))
    };
    let nested = object.clone();
    let value = leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            nested(inner.clone().boxed()),
            proptest::collection::vec(inner, 0..4).prop_map(|items| format!("[ {} ]", items.join(" ,\n"))),
        ]
    });
    (space, object(value.boxed()), space).prop_map(|(a, object, b)| format!("{a}{object}{b}"))
}
