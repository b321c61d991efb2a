//! Random work on several tenants and topics while tail readers crash at random moments.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use soorma_bus::Config;
use soorma_core::{Cursor, Position, TenantId, Topic};
use soorma_ports::Subscriber;
use soorma_testkit::tenant;

use super::world::{World, drain};

const TENANTS: [&str; 3] = ["one", "two", "three"];
const TOPICS: [Topic; 3] = [Topic::ActionRequests, Topic::ActionResults, Topic::PlanEvents];

#[derive(Debug, Clone)]
enum Op {
    Publish { tenant: usize, topic: usize, count: usize },
    Subscribe { tenant: usize, topics: u8, from_start: bool },
    Take { stream: usize, count: usize },
    Resume { stream: usize },
    Crash { topic: usize },
    Start { topic: usize },
    Wait { ms: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..3_usize, 0..3_usize, 1..12_usize).prop_map(|(tenant, topic, count)| Op::Publish { tenant, topic, count }),
        2 => (0..3_usize, 1..8_u8, any::<bool>())
            .prop_map(|(tenant, topics, from_start)| Op::Subscribe { tenant, topics, from_start }),
        6 => (0..8_usize, 1..10_usize).prop_map(|(stream, count)| Op::Take { stream, count }),
        1 => (0..8_usize).prop_map(|stream| Op::Resume { stream }),
        1 => (0..3_usize).prop_map(|topic| Op::Crash { topic }),
        1 => (0..3_usize).prop_map(|topic| Op::Start { topic }),
        3 => (0..3_u64).prop_map(|ms| Op::Wait { ms }),
    ]
}

/// A stream, what it must show, and what it has shown, by topic.
struct Stream {
    tenant: TenantId,
    topics: Vec<Topic>,
    stream: Box<dyn Subscriber>,
    expect: BTreeMap<Topic, Vec<String>>,
    shown: BTreeMap<Topic, Vec<String>>,
}

impl Stream {
    fn show(&mut self, live: &soorma_ports::Live) {
        let event = &live.entry.event;
        assert_eq!(live.entry.tenant, self.tenant, "a wall was crossed");
        assert_eq!(event.platform_tenant_id.as_deref(), Some(self.tenant.as_str()));
        self.shown.entry(event.topic).or_default().push(event.id.to_string());
    }
}

async fn run(ops: Vec<Op>, buffer: u32) {
    let mut world = World::without_tails(Config { tail_buffer: buffer, ..Config::default() });
    let mut published: BTreeMap<(TenantId, Topic), Vec<String>> = BTreeMap::new();
    let mut streams: Vec<Stream> = Vec::new();
    let mut next_id = 0;
    for op in ops {
        match op {
            Op::Publish { tenant: whose, topic, count } => {
                let (whose, topic) = (tenant(TENANTS[whose]), TOPICS[topic]);
                let new: Vec<_> = (next_id..next_id + count).map(|n| format!("e{n}")).collect();
                next_id += count;
                world.publish(&whose, topic, new.clone()).await;
                for stream in streams
                    .iter_mut()
                    .filter(|stream| stream.tenant == whose && stream.topics.contains(&topic))
                {
                    stream.expect.entry(topic).or_default().extend(new.clone());
                }
                published.entry((whose, topic)).or_default().extend(new);
            }
            Op::Subscribe { tenant: whose, topics, from_start } => {
                if streams.len() == 8 {
                    continue;
                }
                let whose = tenant(TENANTS[whose]);
                let topics: Vec<_> =
                    (0..3).filter(|bit| topics & (1 << bit) != 0).map(|bit| TOPICS[bit]).collect();
                let start = Cursor::from_iter(topics.iter().map(|topic| (*topic, Position(0))));
                let stream = world.subscribe(&whose, &topics, from_start.then_some(start)).await;
                let mut expect = BTreeMap::new();
                for topic in topics.iter().filter(|_| from_start) {
                    if let Some(ids) = published.get(&(whose.clone(), *topic)) {
                        expect.insert(*topic, ids.clone());
                    }
                }
                streams.push(Stream { tenant: whose, topics, stream, expect, shown: BTreeMap::new() });
            }
            Op::Take { stream, count } => {
                let Some(stream) = streams.get_mut(stream) else { continue };
                for _ in 0..count {
                    let next = tokio::time::timeout(Duration::from_micros(10), stream.stream.next()).await;
                    let Ok(next) = next else { break };
                    stream.show(&next.expect("the log is well"));
                }
            }
            Op::Resume { stream } => {
                let Some(stream) = streams.get_mut(stream) else { continue };
                let cursor = stream.stream.cursor().clone();
                stream.stream = world.subscribe(&stream.tenant, &stream.topics, Some(cursor)).await;
            }
            Op::Crash { topic } => world.crash_tail(TOPICS[topic]),
            Op::Start { topic } => world.start_tail(TOPICS[topic]),
            Op::Wait { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
        }
    }
    world.start_tails();
    for mut stream in streams {
        let rest = drain(&mut *stream.stream).await;
        for live in &rest {
            stream.show(live);
        }
        assert_eq!(stream.shown, stream.expect);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_stream_shows_its_tenants_events_once_and_in_order_whatever_crashes(
        ops in prop::collection::vec(op(), 1..120),
        buffer in 1_u32..40,
    ) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime")
            .block_on(run(ops, buffer));
    }
}
