//! Tables of the small words: names, tenants, topics, positions, codes.

use std::collections::BTreeSet;

use proptest::prelude::*;
use soorma_core::{
    ChildState, Cursor, DEFAULT_PLATFORM_TENANT, ErrorCode, EventId, InvalidName, Name, Position, TenantId,
    Topic, TreeNode,
};

#[test]
fn names_are_1_to_255_bytes_without_control_characters() {
    let longest = "n".repeat(255);
    for good in ["a", " a ", "order.placed", "工人", "a/b:c#d", "a\u{2028}b", longest.as_str()] {
        assert_eq!(Name::new(good).unwrap().as_str(), good, "a name stays as it is");
        assert_eq!(good.parse::<Name>().unwrap().to_string(), good);
        let json = serde_json::to_string(good).unwrap();
        assert_eq!(serde_json::from_str::<Name>(&json).unwrap(), Name::new(good).unwrap());
        assert_eq!(serde_json::to_string(&Name::new(good).unwrap()).unwrap(), json);
    }
    for (bad, why) in [
        (String::new(), InvalidName::Empty),
        (" \t\u{3000}".into(), InvalidName::Empty),
        ("n".repeat(256), InvalidName::TooLong(256)),
        ("é".repeat(128), InvalidName::TooLong(256)),
        ("a\nb".into(), InvalidName::Control),
        ("a\0".into(), InvalidName::Control),
        ("\u{85}x".into(), InvalidName::Control),
    ] {
        assert_eq!(Name::new(bad.as_str()), Err(why.clone()), "{bad:?}");
        let error = serde_json::from_value::<Name>(bad.into()).unwrap_err();
        assert_eq!(error.to_string(), why.to_string());
    }
    assert!(serde_json::from_str::<Name>("7").is_err());
}

#[test]
fn tenants_are_1_to_64_bytes_without_space_around_them() {
    let longest = "t".repeat(64);
    for (text, kept) in
        [("acme", "acme"), (" acme ", "acme"), ("a b", "a b"), (&longest, &longest), ("ß", "ß")]
    {
        let tenant = TenantId::new(text).unwrap();
        assert_eq!(tenant.as_str(), kept);
        assert_eq!(tenant.to_string(), kept);
        assert_eq!(serde_json::from_value::<TenantId>(text.into()).unwrap(), tenant);
    }
    for (bad, why) in [
        (String::new(), InvalidName::Empty),
        ("  ".into(), InvalidName::Empty),
        ("t".repeat(65), InvalidName::TooLong(65)),
        ("é".repeat(33), InvalidName::TooLong(66)),
        ("a\tb".into(), InvalidName::Control),
    ] {
        assert_eq!(TenantId::new(&bad), Err(why), "{bad:?}");
    }
    assert_eq!(TenantId::default().as_str(), DEFAULT_PLATFORM_TENANT);
    assert_eq!(TenantId::new(DEFAULT_PLATFORM_TENANT).unwrap(), TenantId::default());
}

#[test]
fn the_id_of_an_emission_never_changes() {
    let cause = EventId::new("0193570b-3c33-7e5e-8f5e-1a2b3c4d5e6f").unwrap();
    let id = EventId::emission("acme", "workers", Topic::ActionRequests, &cause, 0);
    assert_eq!(id.as_str(), "6f8cad76-096a-57fc-a840-b510c7b2d34f");
    assert_eq!(id, EventId::emission("acme", "workers", Topic::ActionRequests, &cause, 0));
}

#[test]
fn ids_of_emissions_differ_when_any_part_differs() {
    let cause = |text: &str| EventId::new(text).unwrap();
    let ids = [
        EventId::emission("acme", "workers", Topic::ActionRequests, &cause("e-1"), 0),
        EventId::emission("acme2", "workers", Topic::ActionRequests, &cause("e-1"), 0),
        EventId::emission("acme", "workers2", Topic::ActionRequests, &cause("e-1"), 0),
        EventId::emission("acme", "workers", Topic::ActionRequests, &cause("e-2"), 0),
        EventId::emission("acme", "workers", Topic::ActionRequests, &cause("e-1"), 1),
        // The same characters, parted elsewhere.
        EventId::emission("acmew", "orkers", Topic::ActionRequests, &cause("e-1"), 0),
        EventId::emission("acme", "workerse", Topic::ActionRequests, &cause("-1"), 0),
        EventId::emission("acme", "workers", Topic::ActionRequests, &cause("e-"), 10),
        EventId::emission("acme", "workers", Topic::ActionRequests, &cause("e-10"), 0),
        EventId::emission("acme", "workers", Topic::ActionResults, &cause("e-1"), 0),
        EventId::emission("acme7:workers", "", Topic::ActionRequests, &cause("e-1"), 0),
    ];
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn a_uuid_v7_holds_its_time_and_randomness() {
    let id = EventId::uuid_v7(0x0193_570b_3c33, &[0xff; 10]);
    assert_eq!(id.as_str(), "0193570b-3c33-7fff-bfff-ffffffffffff");
    let later = EventId::uuid_v7(0x0193_570b_3c34, &[0; 10]);
    assert!(later > id, "ids made later sort later");
}

#[test]
fn topics_have_a_name_and_a_number_each() {
    let named = [
        "business-facts",
        "action-requests",
        "action-results",
        "billing-events",
        "notification-events",
        "system-events",
        "plan-events",
        "task-events",
    ];
    assert_eq!(Topic::ALL.map(Topic::as_str), named);
    for (number, topic) in (0_u8..).zip(Topic::ALL) {
        assert_eq!(topic.number(), number, "stores keep the numbers");
        assert_eq!(Topic::from_number(number), Some(topic));
        assert_eq!(topic.as_str().parse(), Ok(topic));
        assert_eq!(serde_json::to_value(topic).unwrap(), topic.as_str());
        assert_eq!(serde_json::from_value::<Topic>(topic.as_str().into()).unwrap(), topic);
    }
    assert_eq!(Topic::from_number(8), None);
    for bad in ["", "Business-Facts", "business_facts", " plan-events", "plan-events ", "*"] {
        let error = bad.parse::<Topic>().unwrap_err();
        assert_eq!(error.0, bad);
        assert!(named.iter().all(|name| error.to_string().contains(name)), "{error}");
    }
}

#[test]
fn cursors_are_written_by_topic_and_read_in_any_order() {
    for (text, kept) in [
        ("action-requests=7,plan-events=2", "action-requests=7,plan-events=2"),
        ("plan-events=2,action-requests=7", "action-requests=7,plan-events=2"),
        (" task-events = 0 ", "task-events=0"),
        ("task-events=18446744073709551615", "task-events=18446744073709551615"),
    ] {
        assert_eq!(text.parse::<Cursor>().unwrap().to_string(), kept);
    }
    for bad in [
        "",
        ",",
        "7",
        "plan-events",
        "plan-events=",
        "plan-events=-1",
        "plan-events=1.0",
        "plan-events=18446744073709551616",
        "plans=1",
        "plan-events=1,",
        "plan-events=1,plan-events=2",
        "plan-events=1;task-events=2",
    ] {
        let error = bad.parse::<Cursor>().unwrap_err();
        assert_eq!(error.0, bad);
    }
    let long = "x".repeat(10_000).parse::<Cursor>().unwrap_err();
    assert!(long.to_string().len() < 500);
}

#[test]
fn a_cursor_moves_forward_only() {
    let mut cursor = Cursor::default();
    assert_eq!(cursor.get(Topic::PlanEvents), None);
    cursor.advance(Topic::PlanEvents, Position(5));
    cursor.advance(Topic::PlanEvents, Position(3));
    assert_eq!(cursor.get(Topic::PlanEvents), Some(Position(5)));
    cursor.advance(Topic::PlanEvents, Position(6));
    cursor.advance(Topic::BusinessFacts, Position(0));
    let places: Vec<_> = cursor.iter().collect();
    assert_eq!(places, [(Topic::BusinessFacts, Position(0)), (Topic::PlanEvents, Position(6))]);
}

proptest! {
    #[test]
    fn any_cursor_survives_a_round_trip(places in proptest::collection::btree_map(proptest::sample::select(Topic::ALL.to_vec()), any::<u64>(), 1..8)) {
        let cursor: Cursor = places.into_iter().map(|(topic, position)| (topic, Position(position))).collect();
        prop_assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
    }
}

#[test]
fn error_codes_have_one_name_each_and_come_back() {
    let names: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), ErrorCode::ALL.len());
    for code in ErrorCode::ALL {
        assert_eq!(code.to_string(), code.as_str());
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        assert_eq!(serde_json::from_value::<ErrorCode>(code.as_str().into()).unwrap(), code);
    }
    assert!(serde_json::from_str::<ErrorCode>("\"NotFound\"").is_err());
    let retried: Vec<_> =
        ErrorCode::ALL.into_iter().filter(|code| code.may_retry()).map(ErrorCode::as_str).collect();
    assert_eq!(retried, ["rate_limited", "overloaded", "timeout", "unavailable"]);
}

#[test]
fn rows_of_the_tree_leave_out_what_is_not_known() {
    use ChildState::{Quarantined, Restarting, Running, Starting, Stopped, Stopping, Waiting};
    for state in [Waiting, Starting, Running, Restarting, Stopping, Stopped, Quarantined] {
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
    let leaf = TreeNode {
        id: "leases".into(),
        kind: "actor".into(),
        strategy: None,
        state: Restarting,
        restarts: 2,
        depth: 1,
        credit: 63,
        age_seconds: 0.5,
        restart_in_ms: Some(400),
        last_failure: Some("panicked: no".into()),
        children: Vec::new(),
        more: 0,
    };
    let root = TreeNode {
        id: "root".into(),
        kind: "supervisor".into(),
        strategy: Some("rest_for_one".into()),
        state: Running,
        restarts: 0,
        restart_in_ms: None,
        last_failure: None,
        children: vec![leaf.clone()],
        more: 12,
        ..leaf
    };
    let json = serde_json::to_string(&root).unwrap();
    assert_eq!(
        json,
        r#"{"id":"root","kind":"supervisor","strategy":"rest_for_one","state":"running","restarts":0,"depth":1,"credit":63,"age_seconds":0.5,"children":[{"id":"leases","kind":"actor","state":"restarting","restarts":2,"depth":1,"credit":63,"age_seconds":0.5,"restart_in_ms":400,"last_failure":"panicked: no"}],"more":12}"#
    );
    assert_eq!(serde_json::from_str::<TreeNode>(&json).unwrap(), root);
}
