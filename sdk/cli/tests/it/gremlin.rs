//! A gremlin kills the platform, its NATS server and the members of groups, and cuts streams, while events are published and worked off:
//! what was answered takes effect once in each group, in the order of its key.
//!
//! `SOORMA_EVENTS` says how many events, `SOORMA_SEED` what chance follows from.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use soorma::{
    Client, Clock as _, Cursor, Data, Error, Event, EventId, EventStream, Explicit, Frame, MachineClock,
    Position, Start, StreamRequest, TenantId, Topic,
};
use soorma_testkit::servers::NatsServer;
use soorma_testkit::{SeededEntropy, token_of};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::place::{Dev, PATIENCE, Place, Running, SECRET_OF_TESTS};

const REQUESTS: Topic = Topic::ActionRequests;
const RESULTS: Topic = Topic::ActionResults;
const GROUPS: [&str; 3] = ["billing", "shipping", "audit"];
const MEMBERS: usize = 4;
const PUBLISHERS: usize = 8;
const PLANS: usize = 10;
/// Its address, its group and its name: what a member is started with.
const MEMBER: &str = "SOORMA_GREMLIN_MEMBER";
/// How many deliveries a member deals with at once.
const AT_ONCE: usize = 64;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn request(id: &str, plan: &str) -> Event {
    let mut event =
        Event::new(EventId::new(id).unwrap(), "asker", "work.requested", MachineClock.now(), REQUESTS);
    event.data = Some(Data::from_json("{}").unwrap());
    event.plan_id = Some(plan.into());
    (event.tenant_id, event.user_id) = (Some("st".into()), Some("su".into()));
    event
}

/// What a group does with a request: its id follows from that of the request, so done again it changes nothing.
fn effect_of(group: &str, request: &Event) -> Event {
    let tenant = TenantId::default();
    let id = EventId::emission(tenant.as_str(), group, request.topic, &request.id, 0);
    let mut event = Event::new(id, group, "work.done", MachineClock.now(), RESULTS);
    event.parent_event_id = Some(request.id.to_string());
    event.plan_id.clone_from(&request.plan_id);
    (event.tenant_id, event.user_id) = (Some("st".into()), Some("su".into()));
    event
}

/// Speaks to the platform, which may ask for a token.
fn client(url: &str) -> Client {
    let token = token_of(TenantId::default().as_str(), "su");
    Client::new(url).unwrap().token(&token).unwrap()
}

/// A member's life: does nothing unless it was started as one. Ends when whoever started it does.
#[tokio::test(flavor = "current_thread")]
async fn child() {
    let Ok(given) = std::env::var(MEMBER) else { return };
    let [url, group, id] = given.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let client = client(url);
    std::thread::spawn(|| {
        let mut nothing = String::new();
        std::io::stdin().read_line(&mut nothing).ok();
        std::process::exit(0);
    });
    loop {
        if let Err(error) = work(&client, group, id).await {
            assert!(error.code.may_retry(), "{error:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn work(client: &Client, group: &str, id: &str) -> Result<(), Error> {
    let request = StreamRequest {
        topics: [REQUESTS].into(),
        agent_id: id.into(),
        agent_name: Some(group.into()),
        start: Some(Start::Earliest),
        key: Some("plan_id".parse().unwrap()),
        explicit: Some(Explicit { lease: Some(Duration::from_secs(2)) }),
        ..StreamRequest::default()
    };
    let mut stream = client.stream(&request).await?;
    while let Some(deliveries) = take(&mut stream).await? {
        let effects: Vec<Event> = deliveries.iter().map(|(_, request)| effect_of(group, request)).collect();
        client.publish_all(&effects).await?;
        let ids: Vec<String> = deliveries.into_iter().map(|(id, _)| id).collect();
        client.ack(&ids).await?;
    }
    Ok(())
}

/// Takes what there is, at least one; `None` at the end.
async fn take(stream: &mut EventStream) -> Result<Option<Vec<(String, Event)>>, Error> {
    let mut taken = Vec::new();
    while taken.len() < AT_ONCE {
        let frame = if taken.is_empty() {
            stream.next().await?
        } else {
            match timeout(Duration::from_millis(1), stream.next()).await {
                Ok(frame) => frame?,
                Err(_) => break,
            }
        };
        match frame {
            Some(Frame::Delivery(delivery)) => taken.push((delivery.delivery_id, delivery.event)),
            Some(Frame::Connected | Frame::Heartbeat) => {}
            _ if taken.is_empty() => return Ok(None),
            _ => break,
        }
    }
    Ok(Some(taken))
}

/// The platform, and what it stands on.
struct Stage {
    place: Place,
    nats: Option<NatsServer>,
    dev: Option<Dev>,
    addr: String,
}

impl Stage {
    fn new(nats: Option<NatsServer>) -> Self {
        let mut stage = Self { place: Place::new(), nats, dev: None, addr: "127.0.0.1:0".into() };
        stage.start();
        stage
    }

    /// Starts the platform; the second time where it was.
    fn start(&mut self) {
        let url = self.nats.as_ref().map(|nats| nats.url().to_owned());
        let mut args = match &url {
            Some(url) => vec!["serve", "--json", "--nats", url],
            None => vec!["dev", "--json", "--data", "data"],
        };
        args.extend([
            "--listen",
            &self.addr,
            "--set",
            "bus.max_attempts=100000",
            "--set",
            "nats.answer_within=2s",
        ]);
        args.extend(["--set", "edge.heartbeat=200ms", "--set", "telemetry.log=error"]);
        let mut command = self.place.command(&args);
        command.env(SECRET_OF_TESTS.0, SECRET_OF_TESTS.1);
        let dev = Dev::started(Running::start(command)).unwrap_or_else(|done| panic!("{done:?}"));
        self.addr = dev.addr.to_string();
        self.dev = Some(dev);
    }

    fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Starts a member of a group, as a process of its own.
    fn member(&self, group: &str, id: &str) -> Running {
        let program = std::env::current_exe().unwrap();
        let args = ["it::gremlin::child", "--exact", "--nocapture", "--test-threads=1"];
        let mut command = self.place.program(program.to_str().unwrap(), &args);
        command.env(MEMBER, format!("{} {group} {id}", self.url())).stdin(Stdio::piped());
        Running::alive(command)
    }
}

/// Publishes its events, each until it is answered, those of a plan one after the other.
async fn publish(client: Client, publisher: usize, count: usize, pace: Duration, answered: Arc<AtomicUsize>) {
    for nth in 0..count {
        let plan = format!("{publisher}-{}", nth % PLANS);
        let event = request(&format!("{plan}-{:06}", nth / PLANS), &plan);
        while let Err(error) = client.publish(&event).await {
            assert!(error.code.may_retry(), "{error:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        answered.fetch_add(1, Ordering::SeqCst);
        // In bursts, so that the load is not even.
        if nth % 50 == 0 {
            tokio::time::sleep(pace).await;
        }
    }
}

/// Reads all effects that there are until every group has done everything.
async fn effects(client: &Client, wanted: usize) -> Vec<Event> {
    let from: Cursor = [(RESULTS, Position(0))].into_iter().collect();
    let mut at = from;
    let mut effects = Vec::new();
    let deadline = Instant::now() + PATIENCE * 2;
    while effects.len() < wanted {
        assert!(Instant::now() < deadline, "{} of {wanted} effects", effects.len());
        let request = StreamRequest {
            topics: [RESULTS].into(),
            agent_id: "ledger".into(),
            after: Some(at.clone()),
            ..StreamRequest::default()
        };
        let mut stream = match client.stream(&request).await {
            Ok(stream) => stream,
            // The server that was killed last is just coming back.
            Err(error) => {
                assert!(error.code.may_retry(), "{error:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        while effects.len() < wanted {
            match timeout(Duration::from_secs(10), stream.next()).await {
                Ok(Ok(Some(Frame::Message(event, place)))) => {
                    at = place.unwrap();
                    effects.push(*event);
                }
                Ok(Ok(Some(_))) if Instant::now() < deadline => {}
                _ => break,
            }
        }
    }
    effects
}

/// Plays with the seed that was given, or with a few.
async fn play(server: impl Fn() -> Option<NatsServer>) {
    let first = u64::from(std::process::id());
    let seeds = number("SOORMA_SEED").map_or(first..first + 3, |seed| seed..seed + 1);
    for seed in seeds {
        play_one(server(), seed).await;
    }
}

async fn play_one(nats: Option<NatsServer>, seed: u64) {
    let events = usize::try_from(number("SOORMA_EVENTS").unwrap_or(4_000)).unwrap();
    println!("SOORMA_EVENTS={events} SOORMA_SEED={seed}");
    let chance = SeededEntropy::new(seed);
    let mut stage = Stage::new(nats);
    let client = client(&stage.url());
    let each = events / PUBLISHERS;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut load = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let pace = Duration::from_millis(chance.below(60));
        load.spawn(publish(client.clone(), publisher, each, pace, answered.clone()));
    }
    let name = |nth: usize| (GROUPS[nth / MEMBERS], format!("{}-{nth}", GROUPS[nth / MEMBERS]));
    let mut members: Vec<Running> = (0..GROUPS.len() * MEMBERS)
        .map(|nth| {
            let (group, id) = name(nth);
            stage.member(group, &id)
        })
        .collect();
    let mut kills = BTreeMap::from([("platform", 0), ("server", 0), ("member", 0)]);
    while answered.load(Ordering::SeqCst) < each * PUBLISHERS {
        // The moment of a kill is what is tried here.
        tokio::time::sleep(Duration::from_millis(150 + chance.below(700))).await;
        let away = Duration::from_millis(chance.below(300));
        match chance.below(6) {
            0 | 1 => {
                stage.dev.take().expect("it runs").kill();
                tokio::time::sleep(away).await;
                stage.start();
                *kills.get_mut("platform").unwrap() += 1;
            }
            2 | 3 if stage.nats.is_some() => {
                if let Some(nats) = &mut stage.nats {
                    nats.kill();
                    tokio::time::sleep(away).await;
                    nats.restart();
                    *kills.get_mut("server").unwrap() += 1;
                }
            }
            _ => {
                let nth = usize::try_from(chance.below(members.len() as u64)).unwrap();
                let (group, id) = name(nth);
                // The old one is killed, its stream cut at that byte, before the new one begins.
                members[nth].kill();
                members[nth] = stage.member(group, &id);
                *kills.get_mut("member").unwrap() += 1;
            }
        }
    }
    while let Some(published) = load.join_next().await {
        published.unwrap();
    }
    let all: BTreeSet<String> = (0..PUBLISHERS)
        .flat_map(|publisher| {
            (0..each).map(move |nth| format!("{publisher}-{}-{:06}", nth % PLANS, nth / PLANS))
        })
        .collect();
    let effects = effects(&client, all.len() * GROUPS.len()).await;
    let mut done: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for effect in effects {
        let request = effect.parent_event_id.unwrap();
        done.entry((effect.source, effect.plan_id.unwrap())).or_default().push(request);
    }
    for group in GROUPS {
        let of_group: Vec<&Vec<String>> =
            done.iter().filter(|((whose, _), _)| whose == group).map(|(_, requests)| requests).collect();
        let once: BTreeSet<String> = of_group.iter().flat_map(|requests| requests.iter().cloned()).collect();
        assert_eq!(once, all, "{group} has done what was answered, and nothing else");
        assert_eq!(
            of_group.iter().map(|requests| requests.len()).sum::<usize>(),
            all.len(),
            "{group}: each once"
        );
        let out_of_order = of_group.iter().find(|requests| !requests.is_sorted());
        assert_eq!(out_of_order, None, "{group} has done the requests of a plan in their order");
    }
    // Nothing is left over, in hand or dead.
    let left = async {
        loop {
            let mut left = 0;
            for group in GROUPS {
                // The server that was killed last may just be coming back.
                left += match client.group(group).await {
                    Ok(group) => group.behind + group.dead_letters,
                    Err(error) if error.code.may_retry() => 1,
                    Err(error) => panic!("{error:?}"),
                };
            }
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, left).await.expect("every delivery is settled in the end");
    println!(
        "{} events, {} effects, each once and in order; kills: {kills:?}",
        all.len(),
        all.len() * GROUPS.len()
    );
    assert!(kills["platform"] + kills["member"] > 0, "the gremlin had time for something");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_what_was_answered_takes_effect_once_in_each_group_in_order_of_its_key() {
    play(|| None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_on_nats_whose_server_is_killed_too() {
    play(|| Some(NatsServer::start(&[]))).await;
}
