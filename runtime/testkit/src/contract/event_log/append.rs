//! Clauses 1 to 4 of the log.

use std::sync::Arc;

use soorma_core::{Data, Timestamp};
use soorma_ports::{Appended, Reach};
use tokio::task::JoinSet;

use super::EventLogHarness;
use super::steps::{FACTS, REQUESTS, append, append_of, ids, positions, read_all};
use crate::{event, tenant};

/// Clause 1.
pub(super) async fn an_answered_append_survives_reopening<H: EventLogHarness>(h: H) {
    let before = append(&h.log(), REQUESTS, &["a", "b", "c"]).await;
    let h = h.reopen().await;
    let entries = read_all(&h.log(), "acme", REQUESTS).await;
    assert_eq!(ids(&entries), ["a", "b", "c"]);
    let after: Vec<_> = entries.iter().map(|entry| entry.position).collect();
    assert_eq!(after, positions(&before));
}

/// Clause 1: nothing of the content is changed on the way.
pub(super) async fn an_event_comes_back_as_it_was<H: EventLogHarness>(h: H) {
    let mut sent = event("Ereignis-Ä 🦀", REQUESTS);
    sent.source = "名前 \u{2028}\u{85}".into();
    sent.time = Timestamp::from_micros(1_767_225_600_123_456);
    sent.subject = Some("tab\tquote\"slash\\".into());
    sent.correlation_id = Some(String::new());
    let json = r#"{"i":18446744073709551616,"f":0.10000000000000000555,"deep":{"list":[null,{"schlüssel":"🦀\n"}]}}"#;
    sent.data = Some(Data::from_json(json).unwrap());
    let mut bare = event("bare", REQUESTS);
    bare.data = None;
    let sent = vec![Arc::new(sent), Arc::new(bare)];
    h.log().append(&tenant("acme"), sent.clone()).await.unwrap();
    let h = h.reopen().await;
    let read: Vec<_> =
        read_all(&h.log(), "acme", REQUESTS).await.into_iter().map(|entry| entry.event).collect();
    assert_eq!(read, sent);
}

/// Clause 2.
pub(super) async fn the_same_id_is_appended_once_and_its_first_content_stays<H: EventLogHarness>(h: H) {
    let log = h.log();
    let first = append(&log, REQUESTS, &["a"]).await;
    append(&log, REQUESTS, &["b"]).await;
    let mut other = event("a", REQUESTS);
    other.kind = "test.changed".into();
    let again = log.append(&tenant("acme"), vec![Arc::new(other)]).await.unwrap();
    assert!(!first[0].duplicate);
    assert_eq!(again, [Appended { position: first[0].position, duplicate: true }]);
    let entries = read_all(&log, "acme", REQUESTS).await;
    assert_eq!(ids(&entries), ["a", "b"]);
    assert_eq!(entries[0].event.kind, "test.happened");
}

/// Clause 2.
pub(super) async fn an_id_is_known_after_reopening<H: EventLogHarness>(h: H) {
    let first = append(&h.log(), REQUESTS, &["a"]).await;
    let h = h.reopen().await;
    let again = append(&h.log(), REQUESTS, &["a"]).await;
    assert_eq!(again, [Appended { position: first[0].position, duplicate: true }]);
}

/// Clause 2.
pub(super) async fn the_same_id_in_another_tenant_or_topic_is_another_event<H: EventLogHarness>(h: H) {
    let log = h.log();
    append(&log, REQUESTS, &["a"]).await;
    assert!(!append(&log, FACTS, &["a"]).await[0].duplicate);
    assert!(!append_of(&log, "globex", REQUESTS, &["a"]).await[0].duplicate);
    assert_eq!(ids(&read_all(&log, "acme", FACTS).await), ["a"]);
    assert_eq!(ids(&read_all(&log, "globex", REQUESTS).await), ["a"]);
}

/// Clause 2.
pub(super) async fn an_id_twice_in_one_append_is_appended_once<H: EventLogHarness>(h: H) {
    let log = h.log();
    let batch = ["a", "b", "a"].map(|id| Arc::new(event(id, REQUESTS)));
    let appended = log.append(&tenant("acme"), batch.to_vec()).await.unwrap();
    assert_eq!(appended[2], Appended { position: appended[0].position, duplicate: true });
    assert_eq!(appended.iter().filter(|one| one.duplicate).count(), 1);
    assert_eq!(ids(&read_all(&log, "acme", REQUESTS).await), ["a", "b"]);
}

/// Clause 3.
pub(super) async fn an_append_of_nothing_answers_nothing<H: EventLogHarness>(h: H) {
    assert_eq!(h.log().append(&tenant("acme"), Vec::new()).await.unwrap(), []);
}

/// Clause 3.
pub(super) async fn a_batch_over_topics_stands_in_the_order_of_the_call<H: EventLogHarness>(h: H) {
    let log = h.log();
    let batch = [("r1", REQUESTS), ("f1", FACTS), ("r2", REQUESTS), ("f2", FACTS)]
        .map(|(id, topic)| event(id, topic));
    let appended = log.append(&tenant("acme"), batch.map(Arc::new).to_vec()).await.unwrap();
    assert_eq!(appended.len(), 4, "one answer for each event");
    assert!(appended[0].position < appended[2].position);
    assert!(appended[1].position < appended[3].position);
    assert_eq!(ids(&read_all(&log, "acme", REQUESTS).await), ["r1", "r2"]);
    assert_eq!(ids(&read_all(&log, "acme", FACTS).await), ["f1", "f2"]);
}

/// Clauses 2 and 3.
pub(super) async fn a_batch_with_a_duplicate_appends_the_rest<H: EventLogHarness>(h: H) {
    let log = h.log();
    append(&log, REQUESTS, &["b"]).await;
    let batch = ["a", "b", "c"].map(|id| Arc::new(event(id, REQUESTS)));
    let appended = log.append(&tenant("acme"), batch.to_vec()).await.unwrap();
    let duplicates: Vec<_> = appended.iter().map(|one| one.duplicate).collect();
    assert_eq!(duplicates, [false, true, false]);
    assert_eq!(ids(&read_all(&log, "acme", REQUESTS).await), ["b", "a", "c"]);
}

/// Clause 3.
pub(super) async fn nobody_sees_half_a_batch<H: EventLogHarness>(h: H) {
    let log = h.log();
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let log = log.clone();
        writers.spawn(async move {
            for nth in 0..10 {
                let batch = (0..3).map(|part| Arc::new(event(&format!("{writer}-{nth}-{part}"), REQUESTS)));
                log.append(&tenant("acme"), batch.collect()).await.unwrap();
            }
        });
    }
    loop {
        let done = writers.try_join_next().is_none() && writers.is_empty();
        let after = log.bounds(REQUESTS).await.unwrap().before_first;
        let page = log.read(&Reach::Platform, REQUESTS, after, 1_000).await.unwrap();
        for batch in page.entries.chunks(3) {
            let of: Vec<_> =
                batch.iter().map(|entry| entry.event.id.as_str().rsplit_once('-').unwrap().0).collect();
            assert!(of.len() == 3 && of[0] == of[1] && of[1] == of[2], "a batch stands together: {of:?}");
        }
        if done {
            assert_eq!(page.entries.len(), 120);
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Clause 4.
pub(super) async fn positions_grow_for_one_who_waits<H: EventLogHarness>(h: H) {
    let log = h.log();
    let mut last = log.bounds(REQUESTS).await.unwrap().head;
    for nth in 0..20 {
        let whose = if nth % 3 == 0 { "globex" } else { "acme" };
        let position = append_of(&log, whose, REQUESTS, &[&format!("e{nth}")]).await[0].position;
        assert!(position > last);
        assert_eq!(log.bounds(REQUESTS).await.unwrap().head, position);
        last = position;
    }
}

/// Clause 4.
pub(super) async fn positions_grow_after_reopening<H: EventLogHarness>(h: H) {
    let first = append(&h.log(), REQUESTS, &["a"]).await;
    let h = h.reopen().await;
    assert_eq!(h.log().bounds(REQUESTS).await.unwrap().head, first[0].position);
    assert!(append(&h.log(), REQUESTS, &["b"]).await[0].position > first[0].position);
}

/// Clause 4.
pub(super) async fn appends_at_once_each_get_their_own_place<H: EventLogHarness>(h: H) {
    let mut appends = JoinSet::new();
    for nth in 0..64 {
        let log = h.log();
        appends.spawn(async move { append(&log, REQUESTS, &[&format!("e{nth}")]).await[0].position });
    }
    let mut places = appends.join_all().await;
    places.sort_unstable();
    let read: Vec<_> =
        read_all(&h.log(), "acme", REQUESTS).await.iter().map(|entry| entry.position).collect();
    assert_eq!(places, read);
    places.dedup();
    assert_eq!(places.len(), 64);
}

/// Clause 2.
pub(super) async fn the_same_id_appended_at_once_has_one_place<H: EventLogHarness>(h: H) {
    let mut appends = JoinSet::new();
    for _ in 0..16 {
        let log = h.log();
        appends.spawn(async move { append(&log, REQUESTS, &["a"]).await[0] });
    }
    let appended = appends.join_all().await;
    assert!(appended.iter().all(|one| one.position == appended[0].position));
    assert_eq!(appended.iter().filter(|one| !one.duplicate).count(), 1);
}

pub(super) async fn a_working_log_says_so<H: EventLogHarness>(h: H) {
    assert_eq!(h.log().check().await, Ok(()));
    append(&h.log(), REQUESTS, &["a"]).await;
    assert_eq!(h.log().check().await, Ok(()));
}
