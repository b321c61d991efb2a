//! Streams that are cut at any byte and resumed, across restarts of the node.

use std::net::SocketAddr;

use soorma::Topic;
use soorma_testkit::SeededEntropy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::world::{PATIENCE, World, event, names, on_both, publish, watcher};

on_both!(a_stream_cut_anywhere_and_resumed_is_the_uninterrupted_one);

const TOPICS: [Topic; 2] = [Topic::ActionRequests, Topic::BusinessFacts];
const CUTS: usize = 1_000;

/// What of a stream was read before it was cut: whole frames alone count.
#[derive(Default)]
struct Read {
    events: Vec<String>,
    /// The id of the last whole frame.
    at: Option<String>,
}

/// Opens a stream behind a place, reads so many bytes of it, and cuts it.
async fn read(addr: SocketAddr, after: Option<&str>, bytes: usize, until: usize) -> Read {
    let topics = TOPICS.map(|topic| topic.to_string()).join(",");
    let resume = after.map(|after| format!("Last-Event-ID: {after}\r\n")).unwrap_or_default();
    let request = format!(
        "GET /v1/events/stream?topics={topics}&agent_id=cut HTTP/1.1\r\nhost: localhost\r\n{resume}\r\n"
    );
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut raw = Vec::new();
    while raw.len() < bytes {
        let missing = bytes - raw.len();
        let mut some = (&mut socket).take(missing as u64);
        let took = tokio::time::timeout(PATIENCE, some.read_buf(&mut raw)).await.expect("it goes on");
        assert!(took.unwrap() > 0, "{}", String::from_utf8_lossy(&raw));
        // At the end of the log there is nothing more to cut.
        if whole_frames(&raw).events.len() >= until {
            break;
        }
    }
    whole_frames(&raw)
}

/// Takes an answer out of its chunks, as far as it came, and reads its whole frames.
fn whole_frames(raw: &[u8]) -> Read {
    let text = String::from_utf8_lossy(raw);
    let Some((_, mut rest)) = text.split_once("\r\n\r\n") else { return Read::default() };
    let mut body = String::new();
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(more.get(..size).unwrap_or(more));
        rest = more.get(size + 2..).unwrap_or_default();
    }
    let mut read = Read::default();
    let whole = body.rsplit_once("\r\n\r\n").map_or("", |(whole, _)| whole);
    for frame in whole.split("\r\n\r\n") {
        let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        if field("event: ").as_deref() == Some("message") {
            let data: serde_json::Value = serde_json::from_str(&field("data: ").unwrap()).unwrap();
            read.events.push(data["id"].as_str().unwrap().to_owned());
        }
        read.at = field("id: ").or(read.at);
    }
    read
}

async fn a_stream_cut_anywhere_and_resumed_is_the_uninterrupted_one(world: World) {
    let seed = std::env::var("SOORMA_SEED").map_or(7, |seed| seed.parse().unwrap());
    println!("SOORMA_SEED={seed}");
    let chance = SeededEntropy::new(seed);
    let mut world = world.start().await;
    let client = world.client();
    // Others' events stand between ours.
    let other = world.client_of("globex");
    let mut stream = client.stream(&watcher(TOPICS[0])).await.unwrap();
    stream.next().await.unwrap();
    drop(stream);
    let all = names("e", CUTS);
    for (nth, some) in all.chunks(100).enumerate() {
        publish(&client, TOPICS[nth % 2], &some[..50]).await;
        publish(&other, TOPICS[nth % 2], &names(&format!("x{nth}-"), 10)).await;
        publish(&client, TOPICS[(nth + 1) % 2], &some[50..]).await;
    }
    let earliest = TOPICS.map(|topic| format!("{topic}=0")).join(",");
    let uninterrupted = read(world.addr(), Some(&earliest), usize::MAX, CUTS).await.events;
    assert_eq!(uninterrupted.len(), CUTS);

    let (mut seen, mut at) = (Vec::new(), earliest);
    let mut restarts = 0;
    for cut in 0.. {
        if seen.len() == CUTS {
            assert!(cut >= CUTS / 2, "only {cut} cuts");
            break;
        }
        if cut > 0 && cut % 250 == 0 {
            world.restart().await;
            restarts += 1;
        }
        // From within the head of the answer to some events on.
        let bytes = 1 + usize::try_from(chance.below(1_400)).unwrap();
        let some = read(world.addr(), Some(&at), bytes, CUTS - seen.len()).await;
        seen.extend(some.events);
        at = some.at.unwrap_or(at);
    }
    assert!(restarts > 0, "the node was restarted meanwhile");
    // Each topic in its own order; how topics stand to each other may differ from reader to reader.
    let of = |ids: &[String], topic: usize| -> Vec<String> {
        let number = |id: &String| id.trim_start_matches('e').parse::<usize>().unwrap();
        let is_of = |id: &&String| (number(id) / 100 + usize::from(number(id) % 100 >= 50)) % 2 == topic;
        ids.iter().filter(is_of).cloned().collect()
    };
    for topic in 0..2 {
        assert_eq!(of(&seen, topic), of(&all, topic));
        assert_eq!(of(&uninterrupted, topic), of(&all, topic));
    }
    // And it goes on live.
    world.client().publish(&event("live", TOPICS[0])).await.unwrap();
    assert_eq!(read(world.addr(), Some(&at), usize::MAX, 1).await.events, ["live"]);
    world.stop().await;
}
