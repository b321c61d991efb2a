//! What keeps a log or a server busy, and what it measures.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use soorma_core::{Data, Event, EventId, Json, Name, TenantId, Topic};
use soorma_node::MachineClock;
use soorma_ports::{Clock as _, ConsumerSpec, EventLog, Settle, Start};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How much in a second, and how long each took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) count: usize,
}

impl Rate {
    pub(crate) fn of(mut times: Vec<Duration>, within: Duration) -> Self {
        times.sort_unstable();
        let at = |hundredth: usize| times.get(times.len() * hundredth / 100).copied().unwrap_or_default();
        let count = times.len();
        let per_second = f64::from(u32::try_from(count).unwrap()) / within.as_secs_f64();
        Self { per_second, p50: at(50), p99: at(99), count }
    }

    pub(crate) fn max(self, other: Self) -> Self {
        if other.per_second > self.per_second { other } else { self }
    }
}

/// A row of a table: ours beside its peer.
pub(crate) fn row(name: &str, ours: Rate, peer: Rate, goal: &str) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{:.0}/s", ours.per_second),
        format!("{:.2?}", ours.p50),
        format!("{:.2?}", ours.p99),
        format!("{:.0}/s", peer.per_second),
        format!("{:.2}", ours.per_second / peer.per_second),
        goal.to_owned(),
    ]
}

pub(crate) fn id(n: u64) -> EventId {
    let random = [n.to_be_bytes().as_slice(), &[0, 0]].concat().try_into().unwrap();
    EventId::uuid_v7(MachineClock.now().unix_ms(), &random)
}

pub(crate) fn event(n: u64) -> Event {
    let mut event = Event::new(id(n), "bench", "bench.event", MachineClock.now(), Topic::BusinessFacts);
    event.data = Some(Data::from_json(&format!("{{\"text\":\"{}\"}}", "x".repeat(200))).unwrap());
    (event.tenant_id, event.user_id) = (Some("st".to_owned()), Some("su".to_owned()));
    event
}

pub(crate) fn json(n: u64) -> String {
    event(n).to_json(Json::Snake)
}

/// Has so many work for so long, each on one number after the other.
pub(crate) async fn at_once<F: Future<Output = ()> + Send>(
    many: usize,
    take: Duration,
    work: impl Fn(u64) -> F + Clone + Send + 'static,
) -> Rate {
    let until = Instant::now() + take;
    let mut tasks = tokio::task::JoinSet::new();
    for one in 0..many {
        let work = work.clone();
        tasks.spawn(async move {
            let mut times = Vec::new();
            let mut n = u64::try_from(one).unwrap() << 40;
            while Instant::now() < until {
                let begun = Instant::now();
                work(n).await;
                times.push(begun.elapsed());
                n += 1;
            }
            times
        });
    }
    Rate::of(tasks.join_all().await.concat(), take)
}

/// Fills a log, and has one group with a credit of 256 work through it.
pub(crate) async fn deliver(log: &dyn EventLog, events: u64) -> Rate {
    let tenant = TenantId::default();
    for from in (0..events).step_by(500) {
        log.append(&tenant, (from..from + 500).map(|n| Arc::new(event(n))).collect()).await.unwrap();
    }
    let spec = ConsumerSpec {
        start: Start::Earliest,
        max_unsettled: 256,
        ..ConsumerSpec::new(tenant, Name::new("bench").unwrap(), [Topic::BusinessFacts])
    };
    let consumer = log.consumer(spec).await.unwrap();
    let begun = Instant::now();
    let (mut done, mut times) = (0, Vec::new());
    while done < events {
        let asked = Instant::now();
        let deliveries = consumer.next(256, Duration::from_secs(5)).await.unwrap();
        done += u64::try_from(deliveries.len()).unwrap();
        let settlements = deliveries.iter().map(|delivery| (delivery.id, Settle::Ack)).collect();
        consumer.settle(settlements).await.unwrap();
        times.extend(std::iter::repeat_n(asked.elapsed(), deliveries.len()));
    }
    Rate::of(times, begun.elapsed())
}

fn post(body: &str) -> Vec<u8> {
    let body = format!("{{\"event\":{body}}}");
    let length = body.len();
    format!("POST /v1/events/publish HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Reads one answer; it must be a 200 or 201 with a content-length.
pub(crate) async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) {
    buffer.clear();
    loop {
        let mut piece = [0; 4_096];
        let n = stream.read(&mut piece).await.unwrap();
        assert!(n > 0, "the server closed the connection");
        buffer.extend_from_slice(&piece[..n]);
        let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head]).unwrap();
        assert!(text.starts_with("HTTP/1.1 20"), "{}", String::from_utf8_lossy(buffer));
        let length = text.to_ascii_lowercase();
        let length = length
            .split("content-length: ")
            .nth(1)
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .parse::<usize>()
            .unwrap();
        if buffer.len() >= head + 4 + length {
            return;
        }
    }
}

/// Publishes over so many connections, one event at a time each.
pub(crate) async fn http(
    addr: SocketAddr,
    connections: usize,
    take: Duration,
    body: fn(u64) -> String,
) -> Rate {
    let until = Instant::now() + take;
    let mut tasks = tokio::task::JoinSet::new();
    for connection in 0..connections {
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (mut times, mut buffer) = (Vec::new(), Vec::new());
            let mut n = u64::try_from(connection).unwrap() << 40;
            while Instant::now() < until {
                let request = post(&body(n));
                n += 1;
                let begun = Instant::now();
                stream.write_all(&request).await.unwrap();
                answer(&mut stream, &mut buffer).await;
                times.push(begun.elapsed());
            }
            times
        });
    }
    Rate::of(tasks.join_all().await.concat(), take)
}

/// Publishes at a rate and reads a live stream; the times are from the request to the frame.
pub(crate) async fn sse(addr: SocketAddr, per_second: u32, take: Duration, body: fn(u64) -> String) -> Rate {
    let sent: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let events = per_second * u32::try_from(take.as_secs()).unwrap();
    let mut reader = TcpStream::connect(addr).await.unwrap();
    reader
        .write_all(
            b"GET /v1/events/stream?topics=business-facts&agent_id=bench HTTP/1.1\r\nhost: localhost\r\n\r\n",
        )
        .await
        .unwrap();
    let mut lines = BufReader::new(reader).lines();
    while !lines.next_line().await.unwrap().unwrap().starts_with("event: connected") {}
    let times = {
        let sent = Arc::clone(&sent);
        tokio::spawn(async move {
            let mut times = Vec::new();
            while times.len() < usize::try_from(events).unwrap() {
                let line = lines.next_line().await.unwrap().unwrap();
                let Some(data) = line.strip_prefix("data: {\"id\":\"") else { continue };
                let id = data.split('"').next().unwrap();
                let begun = sent.lock().unwrap().remove(id);
                times.extend(begun.map(|begun| begun.elapsed()));
            }
            times
        })
    };
    let mut writer = TcpStream::connect(addr).await.unwrap();
    writer.set_nodelay(true).unwrap();
    let mut tick = tokio::time::interval(Duration::from_secs(1) / per_second);
    let mut buffer = Vec::new();
    for n in 0..events {
        tick.tick().await;
        let event = body(u64::from(n));
        let id = event.strip_prefix("{\"id\":\"").unwrap().split('"').next().unwrap().to_owned();
        sent.lock().unwrap().insert(id, Instant::now());
        writer.write_all(&post(&event)).await.unwrap();
        answer(&mut writer, &mut buffer).await;
    }
    Rate::of(times.await.unwrap(), take)
}
