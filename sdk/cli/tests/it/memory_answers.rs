//! An import whose answers get lost on the way.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use super::place::{PATIENCE, Place};

const REFUSED: &str = r#"{"type":"urn:soorma:problem:unavailable","title":"Unavailable","status":503,"code":"unavailable","detail":"whether it was written is not known","retry_after_ms":1}"#;

/// Reads one request whole.
fn request(socket: &mut TcpStream) -> Option<String> {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut text, mut part) = (Vec::new(), [0; 4_096]);
    loop {
        let read = socket.read(&mut part).ok().filter(|read| *read > 0)?;
        text.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&text);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text.into_owned());
            }
        }
    }
}

/// Stands before a platform. Of what is stored there of some kinds, the first is stored and refused, the second refused alone, the third
/// answered, and so on; `count` says how many that were.
fn lossy(platform: SocketAddr, count: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (mut socket, count) = (socket.unwrap(), Arc::clone(&count));
            thread::spawn(move || {
                let Some(request) = request(&mut socket) else { return };
                let lost = ["POST /v1/memory/episodic ", "POST /v1/memory/procedural "]
                    .iter()
                    .any(|line| request.starts_with(line));
                let turn = if lost { count.fetch_add(1, Ordering::SeqCst) % 3 } else { 2 };
                let mut answer = Vec::new();
                if turn != 1 {
                    let mut behind = TcpStream::connect(platform).unwrap();
                    let request = request.replacen("\r\n", "\r\nconnection: close\r\n", 1);
                    behind.write_all(request.as_bytes()).unwrap();
                    behind.read_to_end(&mut answer).unwrap();
                }
                if turn != 2 {
                    let length = REFUSED.len();
                    answer = format!("HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\ncontent-length: {length}\r\n\r\n{REFUSED}").into_bytes();
                }
                // Whoever asked may have gone.
                let _sent = socket.write_all(&answer);
            });
        }
    });
    at
}

#[test]
fn what_was_stored_and_refused_is_stored_once() {
    let place = Place::new();
    let dev = place.dev(&[]);
    for (path, body) in [
        ("episodic", json!({"agentId": "a", "role": "user", "content": "thanks"})),
        ("episodic", json!({"agentId": "a", "role": "user", "content": "thanks"})),
        ("episodic", json!({"agentId": "a", "role": "user", "content": "thanks"})),
        ("episodic", json!({"agentId": "a", "role": "assistant", "content": "no matter"})),
        ("procedural", json!({"agentId": "a", "procedureType": "rule", "content": "be kind"})),
        ("procedural", json!({"agentId": "a", "procedureType": "rule", "content": "be brief"})),
        ("procedural", json!({"agentId": "a", "procedureType": "skill", "name": "greet", "content": "wave"})),
    ] {
        let reply = dev.post(&format!("/v1/memory/{path}"), &body);
        assert_eq!(reply.status, 201, "{reply:?}");
    }
    let memory = |args: &[&str]| place.run(&[&["memory"], args].concat());
    memory(&["export", "all.jsonl", "--url", &dev.url]).ok();
    memory(&["erase", "--all", "--yes", "--url", &dev.url]).ok();
    let stored = Arc::new(AtomicUsize::new(0));
    let url = format!("http://{}", lossy(dev.addr, Arc::clone(&stored)));
    let said = memory(&["import", "all.jsonl", "--json", "--url", &url]).json();
    assert_eq!(said["imported"], json!({"episodic": 4, "procedural": 3}), "{said}");
    assert!(stored.load(Ordering::SeqCst) >= 7 + 2, "some was refused");
    let stats = memory(&["stats", "--json", "--url", &dev.url]).json();
    let lines = stats["kinds"].as_array().unwrap();
    let counts: Vec<_> = lines.iter().map(|line| (line["kind"].clone(), line["entries"].clone())).collect();
    assert_eq!(counts, [(json!("episodic"), json!(4)), (json!("procedural"), json!(3))]);
    let skills = dev.get("/v1/memory/procedural").json();
    let greet = skills["items"].as_array().unwrap().iter().find(|skill| skill["name"] == "greet").unwrap();
    assert_eq!(greet["version"], 1);
}
