//! `kill -9` of the platform under load, again and again: what was answered is there, was handled, and took effect once.
//!
//! `SOORMA_KILLS` says how often, `SOORMA_SEED` what chance follows from.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use soorma::api::Selection;
use soorma::{
    Client, Clock as _, Cursor, Data, Error, Event, EventId, Frame, MachineClock, Position, StreamRequest,
    TenantId, Topic,
};
use soorma_testkit::SeededEntropy;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::place::{Dev, PATIENCE, Place, Running};

const REQUESTS: Topic = Topic::ActionRequests;
const RESULTS: Topic = Topic::ActionResults;
const GROUP: &str = "worker";
const PUBLISHERS: usize = 4;
const MEMBERS: usize = 2;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// What the publishers know.
#[derive(Default)]
struct Known {
    made: usize,
    answered: BTreeSet<String>,
    /// Sent without an answer: to be sent again, under the same id.
    open: Vec<Event>,
}

fn request(id: &str) -> Event {
    let mut event =
        Event::new(EventId::new(id).unwrap(), "asker", "work.requested", MachineClock.now(), REQUESTS);
    event.data = Some(Data::from_value(&serde_json::json!({ "n": id })).unwrap());
    (event.tenant_id, event.user_id) = (Some("st".into()), Some("su".into()));
    event
}

/// What a member does with a request: its id follows from that of the request.
fn effect_of(request: &Event) -> Event {
    let id = EventId::emission(TenantId::default().as_str(), GROUP, request.topic, &request.id, 0);
    let mut event = Event::new(id, GROUP, "work.done", MachineClock.now(), RESULTS);
    event.parent_event_id = Some(request.id.to_string());
    event.correlation_id.clone_from(&request.correlation_id);
    (event.tenant_id, event.user_id) = (Some("st".into()), Some("su".into()));
    event
}

/// Publishes until the platform is gone.
async fn publish(client: Client, known: Arc<Mutex<Known>>) {
    loop {
        let next = {
            let mut known = known.lock().unwrap();
            known.made += 1;
            let made = known.made;
            known.open.pop().unwrap_or_else(|| request(&format!("e{made}")))
        };
        match client.publish(&next).await {
            Ok(published) => {
                assert_eq!(published.event_id, next.id.as_str());
                known.lock().unwrap().answered.insert(next.id.to_string());
            }
            Err(error) => {
                assert!(error.code.may_retry(), "{error:?}");
                known.lock().unwrap().open.push(next);
                return;
            }
        }
    }
}

fn group() -> StreamRequest {
    StreamRequest {
        topics: [REQUESTS].into(),
        agent_id: "worker-1".into(),
        agent_name: Some(GROUP.into()),
        after: None,
        ..StreamRequest::default()
    }
}

/// Works as a member of the group until the platform is gone.
async fn work(client: Client) {
    let worked: Result<(), Error> = async {
        let mut stream = client.stream(&group()).await?;
        while let Some(frame) = stream.next().await? {
            if let Frame::Message(event, _) = frame {
                client.publish(&effect_of(&event)).await?;
            }
        }
        Ok(())
    }
    .await;
    if let Err(error) = worked {
        assert!(error.code.may_retry(), "{error:?}");
    }
}

/// Reads topics from their beginning.
fn from_the_beginning(topics: &[Topic]) -> StreamRequest {
    let after: Cursor = topics.iter().map(|topic| (*topic, Position(0))).collect();
    StreamRequest {
        topics: topics.iter().copied().collect(),
        agent_id: "reader".into(),
        agent_name: None,
        after: Some(after),
        ..StreamRequest::default()
    }
}

/// Reads on, and calls for what to do: with each event, and with nothing when none has come for a while.
async fn read(
    client: &Client,
    topics: &[Topic],
    mut each: impl AsyncFnMut(Option<Event>) -> ControlFlow<()>,
) {
    let mut stream = client.stream(&from_the_beginning(topics)).await.unwrap();
    let mut deadline = Instant::now() + PATIENCE;
    loop {
        let frame = timeout_at(deadline, stream.next()).await.expect("events go on to come");
        let event = match frame.unwrap() {
            Some(Frame::Message(event, _)) => {
                deadline = Instant::now() + PATIENCE;
                Some(*event)
            }
            Some(Frame::Heartbeat) => None,
            Some(_) => continue,
            None => panic!("the stream ended"),
        };
        if each(event).await.is_break() {
            return;
        }
    }
}

/// Starts the platform on the data that the last one left, on its port or another.
fn restart(place: &Place, last: Option<&str>) -> Dev {
    if let Some(url) = last {
        let listen = url.trim_start_matches("http://");
        let args = ["dev", "--json", "--data", "data", "--listen", listen];
        match Dev::started(Running::start(place.command(&args))) {
            Ok(dev) => return dev,
            // Another program may have got it meanwhile.
            Err(done) => assert!(done.err.contains("in use by another program"), "{done:?}"),
        }
    }
    place.dev(&[])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_kills_is_handled_and_takes_effect_once() {
    let kills = number("SOORMA_KILLS").unwrap_or(5);
    let seed = number("SOORMA_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("SOORMA_KILLS={kills} SOORMA_SEED={seed}");
    let chance = SeededEntropy::new(seed);
    let place = Place::new();
    let known: Arc<Mutex<Known>> = Arc::default();

    // From when a group was joined, it gets everything.
    let dev = restart(&place, None);
    let mut stream = dev.client().stream(&group()).await.unwrap();
    assert_eq!(stream.next().await.unwrap(), Some(Frame::Connected));
    let mut url = dev.url.clone();
    dev.kill();

    for _ in 0..kills {
        let dev = restart(&place, Some(&url).filter(|_| chance.below(2) == 0).map(String::as_str));
        url.clone_from(&dev.url);
        // Some of those without an answer are never sent again.
        known.lock().unwrap().open.retain(|_| chance.below(4) > 0);
        let mut load = JoinSet::new();
        for _ in 0..PUBLISHERS {
            load.spawn(publish(dev.client(), known.clone()));
        }
        for _ in 0..MEMBERS {
            load.spawn(work(dev.client()));
        }
        // The moment of the kill is what is tried here.
        tokio::time::sleep(Duration::from_millis(chance.below(400))).await;
        dev.kill();
        while let Some(ended) = load.join_next().await {
            ended.unwrap();
        }
    }

    let dev = place.dev(&["--set", "edge.heartbeat=100ms"]);
    let client = dev.client();
    let mut members = JoinSet::new();
    for _ in 0..MEMBERS {
        members.spawn(work(dev.client()));
    }
    let answered = known.lock().unwrap().answered.clone();
    assert!(!answered.is_empty(), "something was answered");
    let mut to_come = answered.clone();
    let mut given_back = 0;
    read(&client, &[RESULTS], async |effect| {
        match effect {
            Some(effect) => drop(to_come.remove(effect.parent_event_id.as_deref().unwrap())),
            // A group gives up what it had in hand in five kills one after the other; an operator gives it back.
            None => {
                let all = Selection { all: true, ..Selection::default() };
                given_back += client.redrive(&all).await.unwrap().count;
            }
        }
        if to_come.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .await;

    // Both topics to their ends, which two last events mark.
    members.shutdown().await;
    let marks = [("end-of-requests", REQUESTS), ("end-of-results", RESULTS)];
    for (id, topic) in marks {
        let mut event = request(id);
        event.topic = topic;
        client.publish(&event).await.unwrap();
    }
    let mut ends: BTreeSet<&str> = marks.iter().map(|(id, _)| *id).collect();
    let mut all = Vec::new();
    read(&client, &[REQUESTS, RESULTS], async |event| {
        let Some(event) = event else { return ControlFlow::Continue(()) };
        if !ends.remove(event.id.as_str()) {
            all.push(event);
        }
        if ends.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .await;
    let (mut requests, mut effects) = (BTreeMap::new(), BTreeMap::new());
    for event in all {
        if event.topic == REQUESTS {
            *requests.entry(event.id.to_string()).or_insert(0) += 1;
        } else {
            *effects.entry(event.parent_event_id.unwrap()).or_insert(0) += 1;
        }
    }
    let lost: Vec<_> = answered.iter().filter(|id| !requests.contains_key(*id)).collect();
    assert!(lost.is_empty(), "answered and lost: {lost:?}");
    let idle: Vec<_> = answered.iter().filter(|id| !effects.contains_key(*id)).collect();
    assert!(idle.is_empty(), "answered and not handled: {idle:?}");
    let twice: Vec<_> = requests.iter().chain(&effects).filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "there more than once: {twice:?}");
    let made_up: Vec<_> = effects.keys().filter(|id| !requests.contains_key(*id)).collect();
    assert!(made_up.is_empty(), "effects without a request: {made_up:?}");
    println!(
        "{kills} kills: {} answered, {} in the log, {} effects, each once; \
         {given_back} given up on the way and given back, {} never answered",
        answered.len(),
        requests.len(),
        effects.len(),
        known.lock().unwrap().open.len(),
    );
}
