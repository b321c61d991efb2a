//! Clauses 5 to 7 of the log.

use std::time::Duration;

use soorma_core::Position;
use soorma_ports::{Bounds, EventLogError, Follower, Reach};
use tokio::time::timeout;

use super::EventLogHarness;
use super::steps::{FACTS, REQUESTS, append, append_of, ids, positions, read_all};
use crate::tenant;

fn acme() -> Reach {
    Reach::Tenant(tenant("acme"))
}

async fn follow_some(follower: &mut Box<dyn Follower>, count: usize) -> Vec<soorma_ports::Entry> {
    let mut entries = Vec::new();
    while entries.len() < count {
        let some = follower.next().await.unwrap();
        assert!(!some.is_empty(), "a follower never answers with nothing");
        entries.extend(some);
    }
    entries
}

/// Clause 5.
pub(super) async fn pages_go_through_a_topic_in_order<H: EventLogHarness>(h: H) {
    let log = h.log();
    let places = positions(&append(&log, REQUESTS, &["a", "b", "c"]).await);
    append(&log, FACTS, &["other"]).await;
    let page = log.read(&acme(), REQUESTS, Position(0), 2).await.unwrap();
    assert_eq!(ids(&page.entries), ["a", "b"]);
    assert_eq!(page.next, places[1]);
    let page = log.read(&acme(), REQUESTS, page.next, 2).await.unwrap();
    assert_eq!(ids(&page.entries), ["c"]);
    let page = log.read(&acme(), REQUESTS, places[0], 100).await.unwrap();
    assert_eq!(ids(&page.entries), ["b", "c"]);
    assert!(page.entries.iter().all(|entry| entry.tenant == tenant("acme")));
}

/// Clause 5.
pub(super) async fn a_page_says_up_to_where_it_looked<H: EventLogHarness>(h: H) {
    let log = h.log();
    append(&log, REQUESTS, &["a"]).await;
    let last = append_of(&log, "globex", REQUESTS, &["x", "y"]).await[1].position;
    let page = log.read(&acme(), REQUESTS, Position(0), 10).await.unwrap();
    assert_eq!(ids(&page.entries), ["a"]);
    assert_eq!(page.next, last, "the events of others were looked through");
}

/// Clause 5.
pub(super) async fn paging_past_the_events_of_others_ends<H: EventLogHarness>(h: H) {
    let log = h.log();
    for nth in 0..30 {
        append_of(&log, "globex", REQUESTS, &[&format!("x{nth}")]).await;
    }
    append(&log, REQUESTS, &["a"]).await;
    assert_eq!(ids(&read_all(&log, "acme", REQUESTS).await), ["a"]);
    assert_eq!(read_all(&log, "initech", REQUESTS).await, []);
}

/// Clause 5.
pub(super) async fn at_the_end_there_is_nothing<H: EventLogHarness>(h: H) {
    let log = h.log();
    let page = log.read(&acme(), REQUESTS, Position(0), 10).await.unwrap();
    assert_eq!((page.entries.len(), page.next), (0, Position(0)));
    let last = append(&log, REQUESTS, &["a"]).await[0].position;
    let page = log.read(&acme(), REQUESTS, last, 10).await.unwrap();
    assert_eq!((page.entries.len(), page.next), (0, last));
}

/// Clause 5.
pub(super) async fn reading_nothing_moves_nowhere<H: EventLogHarness>(h: H) {
    let log = h.log();
    append(&log, REQUESTS, &["a"]).await;
    let page = log.read(&acme(), REQUESTS, Position(0), 0).await.unwrap();
    assert_eq!((page.entries.len(), page.next), (0, Position(0)));
}

pub(super) async fn an_empty_topic_has_equal_bounds<H: EventLogHarness>(h: H) {
    let log = h.log();
    append(&log, FACTS, &["a"]).await;
    let Bounds { before_first, head } = log.bounds(REQUESTS).await.unwrap();
    assert_eq!(before_first, head);
    let first = append(&log, REQUESTS, &["b"]).await[0].position;
    let bounds = log.bounds(REQUESTS).await.unwrap();
    assert!(bounds.before_first < first);
    assert_eq!(bounds.head, first);
}

/// Clause 6.
pub(super) async fn a_position_ahead_is_beyond<H: EventLogHarness>(h: H) {
    let log = h.log();
    let head = append(&log, REQUESTS, &["a"]).await[0].position;
    let after = Position(head.0 + 1);
    let beyond = EventLogError::Beyond { topic: REQUESTS, after, head };
    assert_eq!(log.read(&acme(), REQUESTS, after, 1).await, Err(beyond.clone()));
    assert_eq!(log.read(&Reach::Platform, REQUESTS, after, 1).await, Err(beyond.clone()));
    assert_eq!(log.follow(REQUESTS, after).await.unwrap_err(), beyond);
    let far = log.read(&acme(), REQUESTS, Position(u64::MAX), 1).await;
    assert_eq!(far, Err(EventLogError::Beyond { topic: REQUESTS, after: Position(u64::MAX), head }));
}

/// Clause 6.
pub(super) async fn a_position_that_retention_has_passed_is_gone<H: EventLogHarness>(h: H) {
    let log = h.log();
    let old = positions(&append(&log, REQUESTS, &["a", "b"]).await);
    h.elapse(H::RETAIN_FOR + H::UNIT).await;
    let new = append(&log, REQUESTS, &["c"]).await[0].position;
    let bounds = Bounds { before_first: old[1], head: new };
    assert_eq!(log.bounds(REQUESTS).await, Ok(bounds));
    let gone = EventLogError::Gone { topic: REQUESTS, after: old[0], before_first: old[1] };
    assert_eq!(log.read(&acme(), REQUESTS, old[0], 1).await, Err(gone.clone()));
    assert_eq!(log.follow(REQUESTS, old[0]).await.unwrap_err(), gone);
    let page = log.read(&acme(), REQUESTS, bounds.before_first, 10).await.unwrap();
    assert_eq!(ids(&page.entries), ["c"]);

    drop(log);
    let h = h.reopen().await;
    assert_eq!(h.log().bounds(REQUESTS).await, Ok(bounds), "what is gone stays gone");
    assert!(append(&h.log(), REQUESTS, &["d"]).await[0].position > new);
}

/// Clause 7.
pub(super) async fn a_follower_gets_all_tenants_in_order<H: EventLogHarness>(h: H) {
    let log = h.log();
    append(&log, REQUESTS, &["a"]).await;
    append_of(&log, "globex", REQUESTS, &["x"]).await;
    append(&log, FACTS, &["elsewhere"]).await;
    let mut follower = log.follow(REQUESTS, Position(0)).await.unwrap();
    assert_eq!(ids(&follow_some(&mut follower, 2).await), ["a", "x"]);
    append(&log, REQUESTS, &["b"]).await;
    append_of(&log, "globex", REQUESTS, &["y"]).await;
    let entries = follow_some(&mut follower, 2).await;
    assert_eq!(ids(&entries), ["b", "y"]);
    assert_eq!([&entries[0].tenant, &entries[1].tenant], [&tenant("acme"), &tenant("globex")]);
}

/// Clause 7.
pub(super) async fn a_follower_waits_at_the_end<H: EventLogHarness>(h: H) {
    let log = h.log();
    let head = append(&log, REQUESTS, &["a"]).await[0].position;
    let mut follower = log.follow(REQUESTS, head).await.unwrap();
    assert!(timeout(Duration::ZERO, follower.next()).await.is_err(), "at the end it waits");
    let (entries, _) = tokio::join!(follower.next(), append(&log, REQUESTS, &["b"]));
    assert_eq!(ids(&entries.unwrap()), ["b"]);
}

/// Clause 7.
pub(super) async fn a_follower_begins_after_its_position<H: EventLogHarness>(h: H) {
    let log = h.log();
    let places = positions(&append(&log, REQUESTS, &["a", "b", "c"]).await);
    let mut follower = log.follow(REQUESTS, places[0]).await.unwrap();
    assert_eq!(ids(&follow_some(&mut follower, 2).await), ["b", "c"]);
}

/// Clause 7.
pub(super) async fn a_follower_that_is_called_off_loses_nothing<H: EventLogHarness>(h: H) {
    let log = h.log();
    let mut follower = log.follow(REQUESTS, Position(0)).await.unwrap();
    let mut followed = Vec::new();
    for nth in 0..20 {
        append(&log, REQUESTS, &[&format!("e{nth}")]).await;
        // Looked at once and dropped: it may be anywhere on its way.
        if let Ok(entries) = timeout(Duration::ZERO, follower.next()).await {
            followed.extend(entries.unwrap());
        }
    }
    let rest = 20 - followed.len();
    followed.extend(follow_some(&mut follower, rest).await);
    let expected: Vec<_> = (0..20).map(|nth| format!("e{nth}")).collect();
    assert_eq!(ids(&followed), expected);
}

/// Clause 7.
pub(super) async fn every_follower_gets_everything<H: EventLogHarness>(h: H) {
    let log = h.log();
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let mut follower = log.follow(REQUESTS, Position(0)).await.unwrap();
        readers.spawn(async move { follow_some(&mut follower, 50).await });
    }
    for nth in 0..50 {
        append(&log, REQUESTS, &[&format!("e{nth}")]).await;
    }
    let expected: Vec<_> = (0..50).map(|nth| format!("e{nth}")).collect();
    for entries in readers.join_all().await {
        assert_eq!(ids(&entries), expected);
    }
}
