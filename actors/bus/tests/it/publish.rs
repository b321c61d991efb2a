//! Clauses 1 and 2 of the bus.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use soorma_bus::Config;
use soorma_core::{Data, Error, ErrorCode, Event, Position, TenantId, Topic};
use soorma_ports::{Bus, EventLog, EventLogError, Looked, PayloadCheck, Reach};
use soorma_testkit::{Call, Fault, event, tenant};
use tokio::sync::Notify;

use super::world::{World, settle};

const TOPIC: Topic = Topic::ActionRequests;

#[tokio::test(start_paused = true)]
async fn the_tenant_of_an_event_is_the_one_that_publishes_it() {
    let world = World::new(Config::default()).await;
    let mut sent = event("a", TOPIC);
    sent.platform_tenant_id = Some("somebody else".into());
    world.bus.publish(&tenant("one"), vec![sent]).await.expect("published");
    let page = world.log.read(&Reach::Platform, TOPIC, Position(0), 9).await.expect("read");
    let event = &page.entries[0].event;
    assert_eq!(event.platform_tenant_id.as_deref(), Some("one"));
    assert_eq!(page.entries[0].tenant, tenant("one"));
}

#[tokio::test(start_paused = true)]
async fn an_id_that_was_published_before_is_answered_as_before() {
    let world = World::new(Config::default()).await;
    let one = tenant("one");
    let first = world.bus.publish(&one, vec![event("a", TOPIC)]).await.expect("published");
    let again = world.bus.publish(&one, vec![event("a", TOPIC), event("b", TOPIC)]).await.expect("published");
    assert_eq!(again[0].position, first[0].position);
    assert_eq!((again[0].duplicate, again[1].duplicate), (true, false));
    assert_eq!(world.bus.publish(&one, vec![]).await, Ok(vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_full_bus_refuses_at_once_says_when_to_come_back_and_takes_nothing() {
    let world = World::new(Config { max_in_flight: 3, ..Config::default() }).await;
    let one = tenant("one");
    world.log.delay(1, Call::Append, Duration::from_secs(60));
    let slow = world.bus.publish(&one, vec![event("a", TOPIC), event("b", TOPIC)]);
    let others = async {
        settle().await;
        let refused =
            world.bus.publish(&one, vec![event("c", TOPIC), event("d", TOPIC)]).await.expect_err("full");
        assert_eq!(refused.code, ErrorCode::Overloaded);
        assert!(refused.retry_after.is_some());
        world.bus.publish(&one, vec![event("e", TOPIC)]).await.expect("there is one place left");
    };
    let (slow, ()) = tokio::join!(slow, others);
    assert_eq!(slow.expect("published").len(), 2);
    world.bus.publish(&one, vec![event("f", TOPIC)]).await.expect("the places are free again");
    let page = world.log.read(&Reach::Platform, TOPIC, Position(0), 9).await.expect("read");
    let ids: Vec<_> = page.entries.iter().map(|entry| entry.event.id.to_string()).collect();
    assert_eq!(ids, ["e", "a", "b", "f"]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_gives_its_places_back() {
    let world = World::new(Config { max_in_flight: 1, ..Config::default() }).await;
    let one = tenant("one");
    world.log.delay(1, Call::Append, Duration::from_secs(60));
    let gone =
        tokio::time::timeout(Duration::from_millis(1), world.bus.publish(&one, vec![event("a", TOPIC)]))
            .await;
    assert!(gone.is_err());
    world.bus.publish(&one, vec![event("b", TOPIC)]).await.expect("published");
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_published_is_invalid_and_leaves_nothing_behind() {
    let world = World::new(Config { max_in_flight: 2, max_event_bytes: 1_000, ..Config::default() }).await;
    let one = tenant("one");
    let many = (0..3).map(|n| event(&n.to_string(), TOPIC)).collect();
    assert_eq!(world.bus.publish(&one, many).await.expect_err("too many").code, ErrorCode::Invalid);
    let mut large = event("large", TOPIC);
    large.data = Some(Data::from_value(&serde_json::json!({ "x": "y".repeat(1_000) })).expect("data"));
    let error = world.bus.publish(&one, vec![event("small", TOPIC), large]).await.expect_err("too large");
    assert_eq!(error.code, ErrorCode::Invalid);
    assert!(error.message.contains("large") && error.message.contains("1000"), "{error}");
    assert_eq!(world.log.bounds(TOPIC).await.expect("bounds").head, Position(0));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_fails_is_passed_on_with_a_hint_when_to_come_back() {
    let world = World::new(Config::default()).await;
    for failure in [EventLogError::Full("disk".into()), EventLogError::Unavailable("net".into())] {
        world.log.on(Call::Append, Fault::Fail(failure.clone()));
        let error = world.bus.publish(&tenant("one"), vec![event("a", TOPIC)]).await.expect_err("fails");
        assert_eq!(error.code, ErrorCode::Unavailable);
        assert!(error.retry_after.is_some());
        world.log.on(Call::Check, Fault::Fail(failure));
        assert!(world.bus.check().await.is_err());
    }
    assert_eq!(world.bus.check().await, Ok(()));
}

/// Refuses events by their ids.
#[derive(Debug)]
struct Refuses(&'static str);

#[async_trait]
impl PayloadCheck for Refuses {
    fn check_payload(&self, tenant: &TenantId, event: &Event) -> Result<Looked, Error> {
        assert_eq!(*tenant, soorma_testkit::tenant("one"), "who is asked is told whose it is");
        match event.id.as_str() == self.0 {
            true => Err(Error::invalid(format!("{} does not fit", self.0))),
            false => Ok(Looked::Passed),
        }
    }

    async fn check_payloads(&self, _: &TenantId, _: &[Event]) -> Result<(), Error> {
        Err(Error::internal("it was ready"))
    }
}

/// Is ready for all but one tenant, and for that one when it is told.
#[derive(Debug, Default)]
struct Slow {
    ready: Notify,
    seen: Mutex<Vec<String>>,
}

#[async_trait]
impl PayloadCheck for Slow {
    fn check_payload(&self, tenant: &TenantId, event: &Event) -> Result<Looked, Error> {
        let is_slow = tenant.as_str() == "slow" && event.id.as_str() != "quick";
        Ok(if is_slow { Looked::NotReady } else { Looked::Passed })
    }

    async fn check_payloads(&self, _: &TenantId, events: &[Event]) -> Result<(), Error> {
        self.ready.notified().await;
        let ids: Vec<_> = events.iter().map(|event| event.id.to_string()).collect();
        self.seen.lock().expect("whole").extend(ids.clone());
        match ids.iter().any(|id| id == "bad") {
            true => Err(Error::invalid("bad does not fit")),
            false => Ok(()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_schema_holds_no_place_and_what_comes_with_it_waits_too() {
    let world = World::new(Config { max_in_flight: 3, ..Config::default() }).await;
    let (slow, one) = (tenant("slow"), tenant("one"));
    let check = Arc::new(Slow::default());
    world.bus.checked_by(check.clone());
    let three = |ids: [&str; 3]| ids.map(|id| event(id, TOPIC)).to_vec();
    for (ids, fits) in [(["quick", "a", "b"], true), (["c", "bad", "d"], false)] {
        let publish = world.bus.publish(&slow, three(ids));
        let others = async {
            settle().await;
            let others = ids.map(|id| format!("others-{id}"));
            let outcome = world.bus.publish(&one, three(others.each_ref().map(String::as_str))).await;
            assert!(outcome.is_ok(), "all places are free: {outcome:?}");
            check.ready.notify_one();
        };
        let (outcome, ()) = tokio::join!(publish, others);
        assert_eq!(outcome.is_ok(), fits);
    }
    assert_eq!(*check.seen.lock().expect("whole"), ["a", "b", "c", "bad", "d"]);
    let page = world.log.read(&Reach::Tenant(slow), TOPIC, Position(0), 9).await.expect("read");
    let ids: Vec<_> = page.entries.iter().map(|entry| entry.event.id.to_string()).collect();
    assert_eq!(ids, ["quick", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn what_who_looks_at_payloads_refuses_is_not_published_nor_what_comes_with_it() {
    let world = World::new(Config { max_in_flight: 3, ..Config::default() }).await;
    let one = tenant("one");
    world.bus.publish(&one, vec![event("bad", TOPIC)]).await.expect("nobody looks yet");
    world.bus.checked_by(Arc::new(Refuses("bad")));
    world.bus.checked_by(Arc::new(Refuses("good")));
    let batch = ["good", "bad", "other"].map(|id| event(id, TOPIC)).to_vec();
    let refused = world.bus.publish(&one, batch).await.expect_err("one does not fit");
    assert_eq!(refused, Error::invalid("bad does not fit"));
    assert_eq!(world.log.bounds(TOPIC).await.expect("bounds").head, Position(1));
    let batch = ["good", "other", "third"].map(|id| event(id, TOPIC)).to_vec();
    world.bus.publish(&one, batch).await.expect("its places are free again, and the first check stays");
}

/// Takes a while for each event, and counts those that it is not asked for one by one.
#[derive(Debug, Default)]
struct Thorough(Mutex<Vec<usize>>);

#[async_trait]
impl PayloadCheck for Thorough {
    fn check_payload(&self, _: &TenantId, _: &Event) -> Result<Looked, Error> {
        let began = tokio::time::Instant::now();
        while began.elapsed() < Duration::from_millis(1) {
            std::hint::spin_loop();
        }
        Ok(Looked::Passed)
    }

    async fn check_payloads(&self, _: &TenantId, events: &[Event]) -> Result<(), Error> {
        self.0.lock().expect("whole").push(events.len());
        Ok(())
    }
}

#[tokio::test]
async fn a_batch_is_not_looked_at_to_its_end_where_others_wait() {
    let world = World::new(Config::default()).await;
    let check = Arc::new(Thorough::default());
    world.bus.checked_by(check.clone());
    let batch: Vec<_> = (0..1_000).map(|n| event(&format!("e{n}"), TOPIC)).collect();
    world.bus.publish(&tenant("one"), batch).await.expect("it is all looked at");
    let rest = check.0.lock().expect("whole").clone();
    assert!(matches!(rest[..], [left] if left > 900 && left < 1_000), "{rest:?}");
}
