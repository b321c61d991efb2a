//! What does an event cost on NATS JetStream, each figure beside raw async-nats in the same run, with the same acknowledgement and as many at
//! once? Client, node and server share the machine.
//!
//! `cargo bench -p soorma-benches --bench nats`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot go on is to end")]
#![expect(clippy::disallowed_methods, reason = "load comes from outside of any tree")]

mod load;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use futures_util::StreamExt as _;
use load::{Rate, at_once, deliver, event, http, json, row, sse};
use soorma_benches::table;
use soorma_bus::EventBus;
use soorma_core::TenantId;
use soorma_nats::{Durability, NatsLog, NatsLogConfig};
use soorma_node::config::{Config, Durability as Setting, Servers};
use soorma_node::{MachineClock, Node, Options};
use soorma_ports::Bus as _;
use soorma_testkit::servers::NatsServer;
use tokio::time::Instant;

/// How long each figure is taken.
const TAKE: Duration = Duration::from_secs(4);
const AT_ONCE: usize = 64;

#[expect(clippy::print_stdout, reason = "the bench's result")]
fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut rows = Vec::new();
    runtime.block_on(async {
        let server = NatsServer::start(&[]);
        let url = server.url();
        // In turns, and the better of two each: what else the machine does falls on both.
        let (mut raw, mut bus, mut edge) = (Rate::default(), Rate::default(), Rate::default());
        for turn in 0..2 {
            raw = raw.max(raw_publish(url, &format!("raw{turn}")).await);
            bus = bus.max(publish(url, &format!("bus{turn}"), Durability::Acknowledged).await);
            edge = edge.max(publish_over_http(url, &format!("edge{turn}"), Setting::Acknowledged).await);
        }
        rows.push(row("publish, acknowledged, 64 at once", bus, raw, "≥ 0.5 of it"));
        rows.push(row("the same over HTTP, 64 connections", edge, raw, "–"));
        let (mut raw, mut ours) = (Rate::default(), Rate::default());
        for turn in 0..2 {
            raw = raw.max(raw_deliver(url, &format!("rawd{turn}")).await);
            ours = ours.max(
                deliver(&*log(url, &format!("oursd{turn}"), Durability::Acknowledged).await, DELIVERED).await,
            );
        }
        rows.push(row("deliver and acknowledge, 256 at most", ours, raw, "–"));
        drop(server);

        let server = NatsServer::configured("jetstream { sync_interval: always }");
        let url = server.url();
        let (mut raw, mut bus, mut edge) = (Rate::default(), Rate::default(), Rate::default());
        for turn in 0..2 {
            raw = raw.max(raw_publish(url, &format!("raw{turn}")).await);
            bus = bus.max(publish(url, &format!("bus{turn}"), Durability::Synced).await);
            edge = edge.max(publish_over_http(url, &format!("edge{turn}"), Setting::Synced).await);
        }
        rows.push(row("publish, synced, 64 at once", bus, raw, "≥ 5,000/s"));
        rows.push(row("the same over HTTP, 64 connections", edge, raw, "–"));
    });
    print!("{}", table(&["figure", "ours", "p50", "p99", "raw async-nats", "ratio", "goal"], &rows));

    println!();
    let rows = runtime.block_on(async {
        let server = NatsServer::start(&[]);
        let raw = raw_publish_to_subscriber(server.url(), 1_000).await;
        let ours = publish_to_stream(server.url(), 1_000).await;
        [("raw NATS, publish → subscribe", raw, "–"), ("publish → SSE, durable", ours, "p99 < 5 ms")]
            .map(|(name, rate, goal)| {
                let times = [rate.p50, rate.p99].map(|time| format!("{time:.2?}"));
                vec![
                    name.to_owned(),
                    times[0].clone(),
                    times[1].clone(),
                    rate.count.to_string(),
                    goal.to_owned(),
                ]
            })
            .to_vec()
    });
    print!("{}", table(&["1,000 events/s", "p50", "p99", "events", "goal"], &rows));
}

async fn raw_stream(url: &str, name: &str) -> jetstream::Context {
    let jetstream = jetstream::new(async_nats::connect(url).await.unwrap());
    let config = jetstream::stream::Config {
        name: name.to_owned(),
        subjects: vec![format!("{name}.>")],
        ..jetstream::stream::Config::default()
    };
    jetstream.create_stream(config).await.unwrap();
    jetstream
}

async fn raw_publish(url: &str, name: &str) -> Rate {
    let jetstream = raw_stream(url, name).await;
    let subject: Arc<str> = format!("{name}.acme").into();
    at_once(AT_ONCE, TAKE, move |n| {
        let (jetstream, subject) = (jetstream.clone(), Arc::clone(&subject));
        async move {
            jetstream.publish(subject.to_string(), json(n).into()).await.unwrap().await.unwrap();
        }
    })
    .await
}

async fn log(url: &str, prefix: &str, durability: Durability) -> Arc<NatsLog> {
    let config = NatsLogConfig {
        servers: vec![url.to_owned()],
        prefix: prefix.to_owned(),
        durability,
        ..NatsLogConfig::default()
    };
    NatsLog::open(&config, Arc::new(MachineClock)).await.unwrap()
}

async fn publish(url: &str, prefix: &str, durability: Durability) -> Rate {
    let bus = EventBus::new(log(url, prefix, durability).await, soorma_bus::Config::default());
    at_once(AT_ONCE, TAKE, move |n| {
        let bus = Arc::clone(&bus);
        async move {
            bus.publish(&TenantId::default(), vec![event(n)]).await.unwrap();
        }
    })
    .await
}

async fn node(url: &str, prefix: &str, durability: Setting) -> Node {
    let mut config = Config::default();
    config.edge.listen = "127.0.0.1:0".parse().unwrap();
    config.nats.servers = Some(Servers(vec![url.to_owned()]));
    prefix.clone_into(&mut config.nats.prefix);
    config.nats.durability = durability;
    Node::start(config, Options::default()).await.unwrap()
}

async fn publish_over_http(url: &str, prefix: &str, durability: Setting) -> Rate {
    let node = node(url, prefix, durability).await;
    let rate = http(node.addr().unwrap(), AT_ONCE, TAKE, json).await;
    node.stop().await.unwrap();
    rate
}

async fn publish_to_stream(url: &str, per_second: u32) -> Rate {
    let node = node(url, "live", Setting::Acknowledged).await;
    let rate = sse(node.addr().unwrap(), per_second, TAKE, json).await;
    node.stop().await.unwrap();
    rate
}

/// What NATS alone needs, without anything being kept.
async fn raw_publish_to_subscriber(url: &str, per_second: u32) -> Rate {
    let (publisher, reader) =
        (async_nats::connect(url).await.unwrap(), async_nats::connect(url).await.unwrap());
    let mut subscriber = reader.subscribe("raw.live").await.unwrap();
    reader.flush().await.unwrap();
    let events = u64::from(per_second) * TAKE.as_secs();
    let begun = Instant::now();
    let times = tokio::spawn(async move {
        let mut times = Vec::new();
        while u64::try_from(times.len()).unwrap() < events {
            let message = subscriber.next().await.unwrap();
            let sent = std::str::from_utf8(&message.payload[..20]).unwrap().trim().parse().unwrap();
            times.push(begun.elapsed() - Duration::from_nanos(sent));
        }
        times
    });
    let mut tick = tokio::time::interval(Duration::from_secs(1) / per_second);
    let filler = json(0);
    for _ in 0..events {
        tick.tick().await;
        let payload = format!("{:20}{filler}", begun.elapsed().as_nanos());
        publisher.publish("raw.live", payload.into()).await.unwrap();
        publisher.flush().await.unwrap();
    }
    Rate::of(times.await.unwrap(), TAKE)
}

const DELIVERED: u64 = 40_000;

async fn raw_deliver(url: &str, name: &str) -> Rate {
    let jetstream = raw_stream(url, name).await;
    for from in (0..DELIVERED).step_by(500) {
        let acks = (from..from + 500).map(|n| jetstream.publish(format!("{name}.acme"), json(n).into()));
        for ack in futures_util::future::join_all(acks).await {
            ack.unwrap().await.unwrap();
        }
    }
    let stream = jetstream.get_stream(name).await.unwrap();
    let consumer = stream
        .create_consumer(jetstream::consumer::pull::Config {
            durable_name: Some("bench".to_owned()),
            max_ack_pending: 256,
            ..Default::default()
        })
        .await
        .unwrap();
    let begun = Instant::now();
    let (mut done, mut times) = (0, Vec::new());
    while done < DELIVERED {
        let asked = Instant::now();
        let mut batch = consumer.fetch().max_messages(256).messages().await.unwrap();
        let mut count = 0;
        while let Some(message) = batch.next().await {
            message.unwrap().ack().await.unwrap();
            count += 1;
        }
        done += u64::try_from(count).unwrap();
        times.extend(std::iter::repeat_n(asked.elapsed(), count));
    }
    Rate::of(times, begun.elapsed())
}
