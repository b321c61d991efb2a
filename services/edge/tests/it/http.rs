//! A client of few lines, which sends exactly what it is told.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Nothing here takes so long; it only keeps a broken test from hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in {:?}", self.body))
    }

    /// Returns the body of a problem, having looked that it is one.
    pub(crate) fn problem(&self) -> Value {
        let problem = self.json();
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{problem}");
        assert_eq!(problem["status"], self.status, "{problem}");
        let code = problem["code"].as_str().expect("a code");
        assert_eq!(problem["type"], format!("urn:soorma:problem:{code}"));
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()));
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        let wait = problem.get("retry_after_ms").is_some();
        assert_eq!(self.header("retry-after").is_some(), wait, "{problem}");
        problem
    }

    pub(crate) fn detail(&self) -> String {
        self.problem()["detail"].as_str().expect("a detail").to_owned()
    }
}

/// Writes a request with a body.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text.push_str("host: localhost\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

/// Reads the head of an answer; returns it and what came after it.
pub(crate) async fn read_head(socket: &mut TcpStream) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut seen = Vec::new();
    let end = loop {
        if let Some(end) = find(&seen, b"\r\n\r\n") {
            break end;
        }
        assert!(
            read_some(socket, &mut seen).await,
            "closed within the head: {:?}",
            String::from_utf8_lossy(&seen)
        );
    };
    let head = String::from_utf8(seen[..end].to_vec()).expect("text");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
    let headers = lines
        .map(|line| line.split_once(": ").expect("a header"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    (status.parse().expect("a status"), headers.collect(), seen[end + 4..].to_vec())
}

/// Reads once; says whether there was anything.
pub(crate) async fn read_some(socket: &mut TcpStream, into: &mut Vec<u8>) -> bool {
    let read = tokio::time::timeout(PATIENCE, socket.read_buf(into)).await;
    read.expect("nothing came").unwrap_or(0) > 0
}

pub(crate) fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// Sends bytes and reads one answer with a content-length.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> Reply {
    let mut socket = TcpStream::connect(address).await.expect("connected");
    // A server that refuses a large body need not read it.
    let _sent = socket.write_all(request).await;
    let (status, headers, mut body) = read_head(&mut socket).await;
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    if !request.starts_with(b"HEAD ") {
        while body.len() < length && read_some(&mut socket, &mut body).await {}
    }
    Reply { status, headers, body: String::from_utf8(body).expect("text") }
}
