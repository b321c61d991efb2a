use std::time::Duration;

use soorma_core::{Data, Event, EventId, PartitionKey, Timestamp, Topic, retry_after};

fn event() -> Event {
    let id = EventId::new("e").unwrap();
    let mut event = Event::new(id, "s", "a.b", Timestamp::default(), Topic::ActionRequests);
    event.plan_id = Some("p1".into());
    event.session_id = Some(String::new());
    event.data = Some(Data::from_json(r#"{"order": 7, "text": "7", "none": null}"#).unwrap());
    event
}

fn key(text: &str) -> PartitionKey {
    text.parse().unwrap()
}

#[test]
fn a_partition_key_is_the_same_for_ever() {
    // FNV-1a of "p1" and of "7", by the reference implementation.
    assert_eq!(key("plan_id").of(&event()), Some(0xa04e_d67a));
    assert_eq!(key("plan").of(&event()), key("plan_id").of(&event()));
    assert_eq!(key("data.order").of(&event()), Some(0x320c_a3f6));
    assert_eq!(key("data.text").of(&event()), key("data.order").of(&event()));
}

#[test]
fn what_an_event_does_not_have_is_no_key() {
    for absent in ["session_id", "goal_id", "subject", "data.none", "data.other"] {
        assert_eq!(key(absent).of(&event()), None, "{absent}");
    }
    let mut bare = event();
    bare.data = None;
    assert_eq!(key("data.order").of(&bare), None);
}

#[test]
fn a_partition_key_reads_back_what_it_writes_and_refuses_the_rest() {
    for text in ["plan_id", "session_id", "goal_id", "correlation_id", "subject", "user_id", "data.order id"]
    {
        assert_eq!(key(text).to_string(), text);
        let json = serde_json::to_string(&key(text)).unwrap();
        assert_eq!(serde_json::from_str::<PartitionKey>(&json).unwrap(), key(text));
    }
    for wrong in ["", "plan_ids", "data", "data.", "data.\n", "id"] {
        let refused = wrong.parse::<PartitionKey>().unwrap_err().to_string();
        assert!(refused.contains("take plan_id, session_id"), "{refused}");
    }
}

#[test]
fn waits_double_up_to_the_longest_less_at_most_a_quarter_by_chance() {
    let (first, longest) = (Duration::from_secs(1), Duration::from_secs(10));
    for (attempt, most) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (40, 10), (u32::MAX, 10)] {
        let most = Duration::from_secs(most);
        let waits: Vec<_> = (0..100).map(|seed| retry_after(attempt, first, longest, seed)).collect();
        assert!(waits.iter().all(|wait| *wait <= most && *wait >= most.mul_f64(0.75)), "{waits:?}");
        assert!(waits.iter().collect::<std::collections::BTreeSet<_>>().len() > 90, "they are set apart");
        assert_eq!(retry_after(attempt, first, longest, 7), retry_after(attempt, first, longest, 7));
    }
}
