//! Events that a group gave up: they are shown, given back, dropped, and never lost.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use soorma::{Client, Event, EventId, Frame, StreamRequest, Topic};

use super::place::{Dev, PATIENCE, Place, Running, event};

/// Takes the next event as a member of the group, and dies of it.
async fn die_of_the_next(client: &Client) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let member = StreamRequest {
        topics: [Topic::ActionRequests].into(),
        // As of a process that was started anew: one of the same name would be given less and less to die of.
        agent_id: format!("worker-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        agent_name: Some("worker".into()),
        after: None,
        ..StreamRequest::default()
    };
    let mut stream = client.stream(&member).await.unwrap();
    let next = async {
        loop {
            match stream.next().await.unwrap() {
                Some(Frame::Message(event, _)) => return event.id.to_string(),
                Some(_) => {}
                None => panic!("the stream ended"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, next).await.expect("an event")
}

/// Publishes an event and kills members with it until the group gives it up.
async fn make_dead(dev: &Dev, id: &str) {
    assert_eq!(dev.publish(&event(id)).status, 200);
    for _ in 0..5 {
        assert_eq!(die_of_the_next(&dev.client()).await, id);
    }
}

/// Waits until there are so many dead letters: the platform hears of the end of a stream when it does.
async fn until_dead(client: &Client, n: usize) {
    let waiting = async {
        while client.dead_letters(&soorma::api::DeadLetterQuery::default()).await.unwrap().dead_letters.len()
            != n
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("they become dead letters");
}

fn letters(place: &Place, dev: &Dev, more: &[&str]) -> Vec<Value> {
    let page = place.run(&[&["dlq", "list", "--json", "--url", &dev.url], more].concat()).json();
    page["dead_letters"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_kills_its_members_is_shown_given_back_and_dropped() {
    let place = Place::new();
    // No stream stays open for so long.
    let dev = place.dev(&["--set", "edge.settle_after=1h"]);
    let client = dev.client();
    let dlq = |args: &[&str]| place.run(&[&["dlq"], args, &["--url", &dev.url]].concat());
    assert_eq!(dlq(&["list"]).ok(), "no dead letters\n");
    // The group is there before the first event.
    let joined = StreamRequest {
        topics: [Topic::ActionRequests].into(),
        agent_id: "worker-0".into(),
        agent_name: Some("worker".into()),
        after: None,
        ..StreamRequest::default()
    };
    assert_eq!(client.stream(&joined).await.unwrap().next().await.unwrap(), Some(Frame::Connected));
    for (n, id) in [(1, "poison"), (2, "venom"), (3, "arsenic")] {
        make_dead(&dev, id).await;
        until_dead(&client, n).await;
    }

    let all = letters(&place, &dev, &[]);
    let ids: Vec<_> = all.iter().map(|letter| letter["event_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["poison", "venom", "arsenic"]);
    assert_eq!((&all[0]["group"], &all[0]["attempts"]), (&json!("worker"), &json!(5)));
    assert_eq!(all[0]["cause"], "the stream ended before it was settled");
    let of = |nth: usize| all[nth]["id"].to_string();
    let table = dlq(&["list", "--limit", "2"]).ok();
    assert!(table.starts_with("ID  GROUP   TYPE") && table.contains("work.requested"), "{table}");
    assert!(table.ends_with(&format!("more with --after {}\n", of(1))), "{table}");
    assert_eq!(letters(&place, &dev, &["--after", &of(1)]), all[2..]);
    assert_eq!(letters(&place, &dev, &["--group", "nobody"]), [] as [Value; 0]);
    assert_eq!(letters(&place, &dev, &["--topic", "action-requests"]).len(), 3);
    let shown = dlq(&["show", &of(0), "--json"]).json();
    assert_eq!(
        (&shown["event"]["id"], &shown["event"]["data"]),
        (&json!("poison"), &json!({ "n": "poison" }))
    );
    let text = dlq(&["show", &of(0)]).ok();
    assert!(text.contains("group        worker\n") && text.contains(r#""id": "poison""#), "{text}");

    assert_eq!(
        dlq(&["redrive", &of(0), "--json"]).json(),
        json!({ "count": 1, "ids": [all[0]["id"]], "missing": [], "next": null })
    );
    assert_eq!(dlq(&["discard", &of(1)]).ok(), "dropped 1 dead letter\n");
    assert_eq!(letters(&place, &dev, &[]), all[2..]);
    assert_eq!(die_of_the_next(&client).await, "poison", "it is tried again");
    // This time somebody deals with it.
    let mut reply = Event::new(
        EventId::new("reply").unwrap(),
        "worker",
        "work.done",
        all[0]["last_at"].as_str().unwrap().parse().unwrap(),
        Topic::ActionResults,
    );
    reply.parent_event_id = Some("poison".into());
    (reply.tenant_id, reply.user_id) = (Some("st".into()), Some("su".into()));
    let mut stream = client.stream(&joined).await.unwrap();
    loop {
        if let Some(Frame::Message(event, _)) = stream.next().await.unwrap() {
            assert_eq!(event.id.as_str(), "poison");
            break;
        }
    }
    client.publish(&reply).await.unwrap();
    drop(stream);
    assert_eq!(dev.publish(&event("after")).status, 200);
    assert_eq!(die_of_the_next(&client).await, "after", "what was dealt with does not come again");

    // All that is left, also after a restart.
    dev.stop().ok();
    let dev = place.dev(&[]);
    let dlq = |args: &[&str]| place.run(&[&["dlq"], args, &["--url", &dev.url]].concat());
    assert_eq!(letters(&place, &dev, &[]), all[2..]);
    assert_eq!(dlq(&["discard", "--all", "--topic", "plan-events"]).ok(), "dropped 0 dead letters\n");
    assert_eq!(dlq(&["discard", "--all", "--type", "no.such"]).ok(), "dropped 0 dead letters\n");
    assert_eq!(dlq(&["redrive", "--all", "--rate", "0"]).code, Some(2), "no rate at all would have no end");
    assert_eq!(dlq(&["discard", "--all", "--group", "worker"]).ok(), "dropped 1 dead letter\n");
    assert_eq!(dlq(&["list"]).ok(), "no dead letters\n");
}

#[test]
fn one_that_is_not_there_is_said_to_be_missing() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let dlq = |args: &[&str]| place.run(&[&["dlq"], args, &["--url", &dev.url]].concat());
    let said = dlq(&["show", "7"]).failed(3);
    assert!(said.contains("no dead letter 7") && said.contains("soorma dlq list"), "{said}");
    for (verb, printed) in
        [("redrive", "gave back 0 dead letters\n"), ("discard", "dropped 0 dead letters\n")]
    {
        let done = dlq(&[verb, "7", "8"]);
        assert_eq!((done.code, done.out.as_str()), (Some(3), printed));
        assert!(done.err.contains("no dead letter 7, 8; list them"), "{done:?}");
        let done = dlq(&[verb, "7", "--json"]);
        assert_eq!(
            super::place::json(&done.out),
            json!({ "count": 0, "ids": [], "missing": [7], "next": null })
        );
        assert_eq!(super::place::json(&done.err)["code"], "not_found");
    }
    assert!(dlq(&["list", "--topic", "orders"]).failed(2).contains("'orders'"));
    let running = Running::start(place.command(&["dlq", "show", "x"]));
    assert_eq!(running.done().code, Some(2));
}
