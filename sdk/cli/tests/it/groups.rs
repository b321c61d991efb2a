//! Groups and the past, as an operator sees them.

use std::time::Duration;

use serde_json::{Value, json};
use soorma::api::Nack;
use soorma::{Client, EventStream, Explicit, Frame, StreamRequest, Topic};
use tokio::time::Instant;

use super::place::{PATIENCE, Place, event};

fn member() -> StreamRequest {
    StreamRequest {
        topics: [Topic::ActionRequests].into(),
        agent_id: "worker-1".into(),
        agent_name: Some("worker".into()),
        explicit: Some(Explicit::default()),
        ..StreamRequest::default()
    }
}

async fn delivery(stream: &mut EventStream) -> (String, String) {
    loop {
        let frame = tokio::time::timeout(PATIENCE, stream.next()).await.expect("a delivery comes").unwrap();
        if let Some(Frame::Delivery(delivery)) = frame {
            return (delivery.delivery_id, delivery.event.id.to_string());
        }
    }
}

/// Opens the member's stream and waits until it is there.
async fn join(client: &Client) -> EventStream {
    let mut stream = client.stream(&member()).await.unwrap();
    assert_eq!(stream.next().await.unwrap(), Some(Frame::Connected));
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_shown_paused_moved_and_removed() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let groups = |args: &[&str]| place.run(&[&["events", "groups", "--url", &dev.url], args].concat());
    assert_eq!(groups(&[]).ok(), "no groups: one is made when an agent connects or is hosted\n");
    let client = dev.client();
    let mut stream = join(&client).await;
    for n in 0..3 {
        assert_eq!(dev.publish(&event(&format!("e{n}"))).status, 200);
    }
    let (first, _) = delivery(&mut stream).await;
    client.ack(&[first]).await.unwrap();
    let table = groups(&[]).ok();
    let row = table.lines().find(|line| line.starts_with("worker ")).unwrap_or_else(|| panic!("{table}"));
    assert!(row.contains("1 stream") && row.contains("action-requests"), "{table}");
    assert!(table.starts_with("GROUP  ") && !table.contains('\x1b'), "{table}");
    let tree = place.run(&["tree", "--url", &dev.url]).ok();
    assert!(tree.contains("external") && tree.contains("worker#worker-1"), "{tree}");

    let shown = groups(&["show", "worker", "--json"]).json();
    assert_eq!(
        (&shown["behind"], &shown["in_hand"], &shown["paused"]),
        (&json!(2), &json!(2), &json!(false))
    );
    assert!(groups(&["show", "worker"]).ok().contains("forgotten     7d after its last use"));
    assert_eq!(groups(&["pause", "worker"]).ok(), "worker is paused: 2 events behind\n");
    assert_eq!(groups(&["--json"]).json()[0]["paused"], true);
    assert_eq!(groups(&["resume", "worker"]).ok(), "worker goes on: 2 events behind\n");
    let said = groups(&["seek", "worker", "--to", "soon"]).failed(2);
    assert!(said.contains("soon") && said.contains("earliest"), "{said}");
    drop(stream);
    assert_eq!(groups(&["remove", "worker"]).ok(), "worker is removed\n");
    for command in [&["show", "worker"][..], &["pause", "worker"], &["remove", "worker"]] {
        let said = groups(command).failed(3);
        assert!(said.contains("there is no group worker; list them with soorma events groups"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_is_shown_up_to_now_and_given_to_a_group_again() {
    let place = Place::new();
    let dev = place.dev(&[]);
    for n in 0..5 {
        let mut event = event(&format!("e{n}"));
        if n % 2 == 1 {
            event["type"] = json!("order.placed");
        }
        assert_eq!(dev.publish(&event).status, 200);
    }
    let replay = |args: &[&str]| place.run(&[&["events", "replay", "--url", &dev.url], args].concat());
    let ids = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| {
                let line: Value = serde_json::from_str(line).unwrap();
                line["event"]["id"].as_str().unwrap().to_owned()
            })
            .collect()
    };
    // It ends by itself.
    assert_eq!(ids(&replay(&["--json"]).ok()), ["e0", "e1", "e2", "e3", "e4"]);
    assert_eq!(ids(&replay(&["--json", "--type", "order.*"]).ok()), ["e1", "e3"]);
    assert_eq!(replay(&["plan-events"]).ok(), "");
    assert_eq!(ids(&replay(&["--json", "--since", "1h"]).ok()).len(), 5);
    let second: Value = serde_json::from_str(replay(&["--json"]).ok().lines().nth(1).unwrap()).unwrap();
    assert_eq!(ids(&replay(&["--json", "--after", second["at"].as_str().unwrap()]).ok()), ["e2", "e3", "e4"]);

    let client = dev.client();
    let mut stream = join(&client).await;
    assert_eq!(replay(&["--group", "worker"]).ok(), "worker goes on from there: 5 events to come\n");
    for n in 0..5 {
        assert_eq!(delivery(&mut stream).await.1, format!("e{n}"));
    }
    assert_eq!(replay(&["--group", "nobody"]).code, Some(3));
    assert_eq!(replay(&["--since", "yesterday"]).code, Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_dead_letters_are_given_back_in_order_and_not_faster_than_asked() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let client = dev.client();
    let mut stream = join(&client).await;
    let sent: Vec<String> = (0..25).map(|n| format!("e{n:02}")).collect();
    for id in &sent {
        assert_eq!(dev.publish(&event(id)).status, 200);
    }
    for _ in &sent {
        let (id, _) = delivery(&mut stream).await;
        client.nack(&Nack { ids: vec![id], reject: true, ..Nack::default() }).await.unwrap();
    }
    let begun = Instant::now();
    let gave = place.run(&["dlq", "redrive", "--all", "--rate", "50", "--url", &dev.url]).ok();
    assert_eq!(gave, "gave back 25 dead letters\n");
    // Five at once at the beginning, five more each tenth of a second.
    assert!(begun.elapsed() >= Duration::from_millis(390), "{:?}", begun.elapsed());
    for id in &sent {
        let (delivery, event) = delivery(&mut stream).await;
        assert_eq!(event, *id);
        client.ack(&[delivery]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn giving_all_back_ends_though_all_of_them_fail_again() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let client = dev.client();
    let mut stream = join(&client).await;
    for id in ["a", "b", "c"] {
        assert_eq!(dev.publish(&event(id)).status, 200);
    }
    let rejecting = client.clone();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (id, _) = delivery(&mut stream).await;
            rejecting.nack(&Nack { ids: vec![id], reject: true, ..Nack::default() }).await.unwrap();
        }
    });
    let dead = async {
        while client.group("worker").await.unwrap().dead_letters < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, dead).await.unwrap();
    let gave = place.run(&["dlq", "redrive", "--all", "--rate", "5", "--url", &dev.url]).ok();
    assert_eq!(gave, "gave back 3 dead letters\n");
}
