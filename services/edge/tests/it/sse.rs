//! A client that reads a stream byte by byte.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::http::{find, read_head, read_some, request};

pub(crate) struct Stream {
    socket: TcpStream,
    pub(crate) headers: Vec<(String, String)>,
    /// As it came: chunked.
    raw: Vec<u8>,
    /// What the chunks hold.
    text: Vec<u8>,
    ended: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) event: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

impl Frame {
    pub(crate) fn event_id(&self) -> String {
        self.data["id"].as_str().expect("an event").to_owned()
    }
}

impl Stream {
    /// Opens a stream and reads its first frame.
    pub(crate) async fn open(address: SocketAddr, query: &str, headers: &[(&str, &str)]) -> Self {
        let mut stream = Self::unread(address, query, headers).await;
        let first = stream.next().await;
        assert_eq!(first.event, "connected");
        stream
    }

    pub(crate) async fn unread(address: SocketAddr, query: &str, headers: &[(&str, &str)]) -> Self {
        Self::at(address, &format!("/v1/events/stream?{query}"), headers).await
    }

    /// Opens whatever stream is there, without reading of it.
    pub(crate) async fn at(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut socket = TcpStream::connect(address).await.expect("connected");
        let request = request("GET", path, headers, b"");
        socket.write_all(&request).await.expect("sent");
        let (status, headers, raw) = read_head(&mut socket).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&raw));
        Self { socket, headers, raw, text: Vec::new(), ended: false }
    }

    /// Reads the next block of lines as it stands; `None` at the end.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.text, b"\r\n\r\n") {
                let block = self.text.drain(..end + 4).take(end).collect();
                return Some(String::from_utf8(block).expect("text"));
            }
            if self.take_chunk() {
                continue;
            }
            if self.ended || !read_some(&mut self.socket, &mut self.raw).await {
                assert!(self.text.is_empty(), "a frame was cut");
                return None;
            }
        }
    }

    fn take_chunk(&mut self) -> bool {
        let Some(line) = find(&self.raw, b"\r\n") else { return false };
        let size = std::str::from_utf8(&self.raw[..line]).expect("text");
        let size = usize::from_str_radix(size, 16).expect("a chunk size");
        if self.raw.len() < line + 2 + size + 2 {
            return false;
        }
        self.ended |= size == 0;
        self.text.extend_from_slice(&self.raw[line + 2..line + 2 + size]);
        self.raw.drain(..line + 2 + size + 2);
        size > 0
    }

    /// Reads the next frame; comments are passed over.
    pub(crate) async fn next(&mut self) -> Frame {
        self.try_next().await.expect("the stream goes on")
    }

    pub(crate) async fn try_next(&mut self) -> Option<Frame> {
        loop {
            let block = self.block().await?;
            if !block.starts_with(':') {
                return Some(parse(&block));
            }
        }
    }

    /// Reads frames until there are `n` events.
    pub(crate) async fn events(&mut self, n: usize) -> Vec<Frame> {
        let mut events = Vec::new();
        while events.len() < n {
            let frame = self.next().await;
            if frame.event == "message" {
                events.push(frame);
            }
        }
        events
    }

    /// Reads the next delivery: its id, its attempt, and the event's id.
    pub(crate) async fn delivery(&mut self) -> (String, u64, String) {
        loop {
            let frame = self.next().await;
            if frame.event == "delivery" {
                assert_eq!(frame.id, None, "its place is the group's");
                let text = |value: &Value| value.as_str().expect("a text").to_owned();
                let attempt = frame.data["attempt"].as_u64().expect("a number");
                return (text(&frame.data["delivery_id"]), attempt, text(&frame.data["event"]["id"]));
            }
        }
    }

    /// Reads so many events and returns their ids.
    pub(crate) async fn ids(&mut self, n: usize) -> Vec<String> {
        self.events(n).await.iter().map(Frame::event_id).collect()
    }
}

fn parse(block: &str) -> Frame {
    assert!(!block.contains("\n\n") && !block.replace("\r\n", "").contains(['\r', '\n']), "{block:?}");
    let mut frame = Frame { event: String::new(), id: None, data: Value::Null };
    for line in block.split("\r\n") {
        let (name, value) = line.split_once(": ").expect("a field");
        match name {
            "event" => value.clone_into(&mut frame.event),
            "id" => frame.id = Some(value.to_owned()),
            "data" => frame.data = serde_json::from_str(value).expect("JSON on one line"),
            other => panic!("unknown field {other}"),
        }
    }
    frame
}
