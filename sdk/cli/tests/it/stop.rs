//! How a platform ends: in order, whoever listens, and with what was accepted on disk.

use soorma::{Frame, StreamRequest};

use super::place::{Dev, Place, Running, event, json};

fn everything() -> StreamRequest {
    StreamRequest { agent_id: "watcher".into(), ..StreamRequest::default() }
}

fn member() -> StreamRequest {
    StreamRequest { agent_name: Some("group".into()), ..everything() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_end_it_ends_its_streams_says_so_and_exits_with_0() {
    for signal in ["TERM", "INT"] {
        let place = Place::new();
        let dev = place.dev(&[]);
        let (mut live, mut group) = (
            dev.client().stream(&everything()).await.unwrap(),
            dev.client().stream(&member()).await.unwrap(),
        );
        for stream in [&mut live, &mut group] {
            assert_eq!(stream.next().await.unwrap(), Some(Frame::Connected));
        }
        assert_eq!(dev.publish(&event("e")).status, 200);
        for stream in [&mut live, &mut group] {
            assert!(
                matches!(stream.next().await.unwrap(), Some(Frame::Message(event, _)) if event.id.as_str() == "e")
            );
        }
        dev.running.signal(signal);
        for stream in [&mut live, &mut group] {
            assert_eq!(stream.next().await.unwrap(), Some(Frame::Disconnected));
            assert_eq!(stream.next().await.unwrap(), None);
        }
        assert_eq!(json(&dev.running.done().ok())["stopped"], true);
        assert!(!place.path().join("data/events.db-wal").exists(), "the log was closed");

        // Nobody answered it, and nobody is to blame: the group gets it again, and no attempt was used.
        let dev = place.dev(&[]);
        let mut group = dev.client().stream(&member()).await.unwrap();
        assert_eq!(group.next().await.unwrap(), Some(Frame::Connected));
        assert!(
            matches!(group.next().await.unwrap(), Some(Frame::Message(event, _)) if event.id.as_str() == "e")
        );
        drop(group);
        dev.stop().ok();
    }
}

#[test]
fn without_json_it_says_where_it_listens_and_that_it_stops() {
    let place = Place::new();
    let running = Running::start(place.command(&["dev", "--listen", "127.0.0.1:0"]));
    let mut greeting = String::new();
    while !greeting.contains("Ctrl-C stops it") {
        greeting += &running.line().unwrap();
    }
    let url = greeting.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    assert!(greeting.starts_with("soorma ") && greeting.contains("data in     ./.soorma"), "{greeting}");
    assert!(
        greeting.contains(&format!("soorma tree --url {url}")) && !greeting.contains('\x1b'),
        "{greeting}"
    );
    assert!(greeting.contains("finds by    hashing-v1/256: shared words and spellings"), "{greeting}");
    assert!(place.run(&["tree", "--url", url]).ok().contains("listener"));
    running.signal("TERM");
    let said = running.done().ok();
    assert!(said.starts_with("stopping") && said.ends_with("stopped\n"), "{said}");
}

#[test]
fn nobody_who_reads_what_it_says_is_no_reason_to_end_without_order() {
    let place = Place::new();
    for (json, last) in [(&["--json"][..], "url"), (&[], "Ctrl-C stops it")] {
        let args = [&["dev", "--data", "data", "--listen", "127.0.0.1:0"], json].concat();
        let (running, said) = Running::read_until(place.command(&args), last);
        let url = said.split(['"', ' ', '\n']).find(|word| word.starts_with("http://")).unwrap();
        place.run(&["events", "publish", "a.b", "--url", url]).ok();
        running.signal("TERM");
        let done = running.done();
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
        assert!(!place.path().join("data/events.db-wal").exists(), "the log was closed");
    }
}

#[test]
fn a_request_to_end_that_comes_early_is_heard() {
    let place = Place::new();
    // The first line is written when it is ready; the lock file is there long before.
    for _ in 0..5 {
        let running = Running::start(place.command(&["dev", "--json", "--listen", "127.0.0.1:0"]));
        let holds = format!("{}\n", running.pid());
        let lock = place.path().join(".soorma/soorma.lock");
        while std::fs::read_to_string(&lock).ok().as_ref() != Some(&holds) {
            std::thread::yield_now();
        }
        running.signal("TERM");
        let done = running.done();
        assert_eq!(done.code, Some(0), "{done:?}");
    }
}

#[test]
fn a_tail_ends_with_its_platform_and_says_so() {
    for kills in [false, true] {
        let place = Place::new();
        let dev = place.dev(&[]);
        let tail = Running::start(place.command(&[
            "events",
            "tail",
            "--json",
            "--after",
            "action-requests=0",
            "--url",
            &dev.url,
        ]));
        assert_eq!(dev.publish(&event("e")).status, 200);
        assert_eq!(tail.json()["event"]["id"], "e");
        if kills {
            Dev::kill(dev);
        } else {
            dev.stop().ok();
        }
        let said = tail.done().failed_json(7);
        assert!(said.contains("stream"), "{said}");
    }
}

#[test]
fn a_tail_that_is_asked_to_end_exits_with_0() {
    let place = Place::new();
    let dev = place.dev(&[]);
    for signal in ["INT", "TERM"] {
        let tail = Running::start(place.command(&[
            "events",
            "tail",
            "--json",
            "--after",
            "action-requests=0",
            "--url",
            &dev.url,
        ]));
        assert_eq!(dev.publish(&event(signal)).status, 200);
        assert_eq!(tail.json()["event"]["source"], "asker");
        tail.signal(signal);
        tail.done().ok();
    }
}
