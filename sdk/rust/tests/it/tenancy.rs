//! Two tenants on one node, and every route of it: what one has, the other can neither see, count nor change, nor tell from what nobody
//! has.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::{Value, json};
use soorma::api::routes;
use soorma::{Client, Explicit, Frame, StreamRequest, Topic};
use soorma_testkit::{SECRET, token_of};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::world::{PATIENCE, World, event, member, on_all, open};

mod memory;

on_all!(on_no_route_can_a_tenant_tell_what_another_has);

const REQUESTS: Topic = Topic::ActionRequests;
const RESULTS: Topic = Topic::ActionResults;
/// Stands in everything that the one tenant says.
const MARK: &str = "only-for-our-eyes";
/// Stands in everything that a user of the one tenant keeps for herself.
const PRIVATE: &str = "only-for-our-eyes-and-mine";
/// The key of who looks after memory, which is the node's.
const KEY: &str = "the keeper's key";
/// Names are drawn from these seeds.
const SEEDS: [u64; 3] = [1, 20_261_124, 0x5eed];

async fn on_no_route_can_a_tenant_tell_what_another_has(world: World) {
    let world = world
        .with(|config| {
            config.auth.tokens = soorma::config::Tokens::Required;
            config.auth.jwt_secret = SECRET.to_owned();
            config.models.embedder = Some(soorma::config::EmbedderKind::Hashing);
            config.memory.admin_key = KEY.to_owned();
        })
        .start()
        .await;
    for seed in SEEDS {
        println!("seed {seed}");
        let one = Caller::new(&world, &format!("pt_one{seed}"));
        let other = Caller::new(&world, &format!("pt_other{seed}"));
        // Asks the same with names that nobody has: the two must be told the same.
        let third = Caller::new(&world, &format!("pt_third{seed}"));
        let mut draw = Draw(seed);
        let (mut theirs, mut nobodys) = (Names::draw(&mut draw), Names::draw(&mut draw));
        one.remember(&mut theirs).await;
        let (held, ticket) = one.fill(&theirs).await;
        nobodys.ticket = ticket.replace(&theirs.group, &nobodys.group);
        theirs.ticket = ticket;
        let before = one.all_it_reads(&theirs).await;
        assert!(before.iter().filter(|answer| answer.contains(MARK)).count() >= 40, "{before:#?}");

        let of_memory = memory::asks(&theirs);
        let mut asks = [asks(&theirs), of_memory.clone()].concat();
        let mut same = [self::asks(&nobodys), memory::asks(&nobodys)].concat();
        for last in (1..asks.len()).rev() {
            let with = draw.below(last + 1);
            asks.swap(last, with);
            same.swap(last, with);
        }
        let mut asked = BTreeSet::new();
        for (ask, same) in asks.iter().zip(&same) {
            let (status, body) = other.ask(ask).await;
            let (of_nobody, nobody) = third.ask(same).await;
            assert!(!body.contains(MARK), "{ask:?} shows what is another's: {body}");
            // Both are told the same of the streams that the one holds open: nothing.
            if ask.route == routes::HEALTH {
                assert!(body.contains(r#""active_streams":0"#), "{body}");
            }
            assert_eq!(status, of_nobody, "{ask:?}: {body} {nobody}");
            assert_eq!(theirs.taken_out(&masked(&body)), nobodys.taken_out(&masked(&nobody)), "{ask:?}");
            asked.insert((ask.method, ask.route));
        }
        // Another user of the one tenant sees what is public in it, and no more.
        let bob = Caller::of(&world, &format!("pt_one{seed}"), "bob");
        for ask in &of_memory {
            let (_, body) = bob.ask(ask).await;
            assert!(!body.contains(PRIVATE), "{ask:?} shows what is another user's: {body}");
        }
        for (caller, sees) in [(&one, true), (&other, false), (&bob, false)] {
            assert_eq!(caller.is_shown_by_watching(&theirs.plan).await.contains(PRIVATE), sees);
        }
        other.erases_all_it_may(&format!("pt_one{seed}"), &format!("pt_other{seed}")).await;
        for route in routes::ALL.iter().filter(|route| **route != ("GET", routes::STREAM)) {
            assert!(asked.contains(route), "{route:?} was not asked");
        }
        for (was, is) in before.iter().zip(one.all_it_reads(&theirs).await) {
            assert_eq!(*was, is, "what the one has is as it was");
        }
        other.hears_only_itself(&one).await;
        // Its delivery is still its own.
        let settled = one.client.ack(std::slice::from_ref(&theirs.ticket)).await.unwrap();
        assert_eq!(settled.settled, [theirs.ticket]);
        drop(held);
    }
    world.stop().await;
}

/// What a tenant calls its things; names of the same kind have the same length.
#[derive(Debug, Clone)]
struct Names {
    agent: String,
    event: String,
    schema: String,
    group: String,
    letters: String,
    id: String,
    memory: memory::Ids,
    plan: String,
    task: String,
    session: String,
    key: String,
    /// The delivery that the one has in hand; of nobody's names, one that there is not.
    ticket: String,
}

impl Names {
    fn draw(draw: &mut Draw) -> Self {
        Self {
            agent: draw.name(20),
            event: draw.name(12),
            schema: draw.name(16),
            group: draw.name(10),
            letters: draw.name(14),
            id: draw.name(18),
            memory: memory::Ids::draw(draw),
            plan: draw.name(13),
            task: draw.name(15),
            session: draw.name(17),
            key: draw.name(19),
            ticket: String::new(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        let own = [&self.agent, &self.event, &self.schema, &self.group, &self.letters, &self.id];
        own.into_iter().chain([&self.plan, &self.task, &self.session, &self.key]).chain(self.memory.all())
    }

    /// A text without these names.
    fn taken_out(&self, text: &str) -> String {
        self.all().fold(text.to_owned(), |text, name| text.replace(name.as_str(), "_"))
    }
}

/// What follows from a seed (SplitMix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(most).unwrap()).unwrap()
    }

    fn name(&mut self, letters: usize) -> String {
        (0..letters).map(|_| char::from(b'a' + u8::try_from(self.below(26)).unwrap())).collect()
    }
}

/// One request.
#[derive(Debug, Clone)]
struct Ask {
    method: &'static str,
    route: &'static str,
    path: String,
    body: Option<Value>,
}

/// A request for each route, and more where a route takes names in several places.
fn asks(names: &Names) -> Vec<Ask> {
    let Names { agent, event, schema, group, letters, id, ticket, .. } = names;
    let get = |route, path: String| Ask { method: "GET", route, path, body: None };
    let send = |method, route, path: String, body: Value| Ask { method, route, path, body: Some(body) };
    let bare = |method, route, path: String| Ask { method, route, path, body: None };
    let envelope = |id: &str| json!({ "id": id, "source": agent, "type": event, "topic": "action-requests", "data": {}, "tenant_id": "st", "user_id": "su" });
    let definition = json!({ "eventName": event, "topic": "action-requests", "description": "mine", "payloadSchemaName": schema });
    vec![
        send("POST", routes::PUBLISH, routes::PUBLISH.into(), json!({ "event": envelope(id) })),
        send(
            "POST",
            routes::BATCH,
            routes::BATCH.into(),
            json!({ "events": [envelope(&format!("{id}-2"))] }),
        ),
        send("POST", routes::ACK, routes::ACK.into(), json!({ "ids": [ticket] })),
        send("POST", routes::NACK, routes::NACK.into(), json!({ "ids": [ticket], "reject": true })),
        send("POST", routes::EXTEND, routes::EXTEND.into(), json!({ "ids": [ticket] })),
        bare("POST", routes::DELIVERY, format!("/v1/deliveries/{ticket}:ack")),
        get(routes::GROUPS, routes::GROUPS.into()),
        get(routes::GROUP, format!("/v1/groups/{group}")),
        bare("DELETE", routes::GROUP, format!("/v1/groups/{group}")),
        bare("POST", routes::GROUP, format!("/v1/groups/{group}:pause")),
        send("POST", routes::GROUP, format!("/v1/groups/{letters}:seek"), json!({ "to": "earliest" })),
        get(routes::CONNECTIONS, routes::CONNECTIONS.into()),
        get(routes::DEAD_LETTERS, routes::DEAD_LETTERS.into()),
        get(routes::DEAD_LETTERS, format!("/v1/dead-letters?group={letters}")),
        get(routes::DEAD_LETTERS, format!("/v1/dead-letters?type={event}")),
        get(routes::DEAD_LETTER, "/v1/dead-letters/1".into()),
        send("POST", routes::REDRIVE, routes::REDRIVE.into(), json!({ "ids": [1] })),
        send("POST", routes::DISCARD, routes::DISCARD.into(), json!({ "ids": [1] })),
        get(routes::AGENTS, routes::AGENTS.into()),
        get(routes::AGENTS, format!("/v1/agents?agent_id={agent}&include_expired=true")),
        get(routes::AGENTS, format!("/v1/agents?name={agent}")),
        get(routes::AGENTS, format!("/v1/agents?consumed_event={event}")),
        get(routes::AGENTS, format!("/v1/agents?produced_event={event}&view=full")),
        get(routes::DISCOVER, routes::DISCOVER.into()),
        get(routes::DISCOVER, format!("/v1/agents/discover?consumed_event={event}")),
        get(routes::DISCOVER, format!("/v1/agents/discover?capability={event}&format=llm")),
        get(routes::DISCOVER, format!("/v1/agents/discover?text={agent}&limit=1")),
        get(routes::DISCOVER, format!("/v1/agents/discover?query={agent}")),
        get(routes::DISCOVER, format!("/v1/agents/discover?query={MARK}&format=llm")),
        get(routes::AGENT, format!("/v1/agents/{agent}")),
        bare("PUT", routes::HEARTBEAT, format!("/v1/agents/{agent}/heartbeat")),
        bare("POST", routes::HEARTBEAT, format!("/v1/agents/{agent}/heartbeat")),
        bare("DELETE", routes::AGENT, format!("/v1/agents/{agent}")),
        send(
            "POST",
            routes::AGENTS,
            routes::AGENTS.into(),
            json!({ "agent": { "agentId": agent, "name": agent, "description": "mine", "capabilities": [] } }),
        ),
        get(routes::EVENTS, routes::EVENTS.into()),
        get(routes::EVENTS, format!("/v1/events?event_name={event}")),
        get(routes::EVENTS, "/v1/events?topic=action-requests".into()),
        get(routes::EVENT, format!("/v1/events/{event}")),
        send("POST", routes::EVENTS, routes::EVENTS.into(), json!({ "event": definition })),
        get(routes::SCHEMAS, routes::SCHEMAS.into()),
        get(routes::SCHEMAS, format!("/v1/schemas?owner_agent_id={agent}")),
        get(routes::SCHEMA, format!("/v1/schemas/{schema}")),
        get(routes::SCHEMA_VERSIONS, format!("/v1/schemas/{schema}/versions")),
        get(routes::SCHEMA_VERSION, format!("/v1/schemas/{schema}/versions/1.0.0")),
        send(
            "POST",
            routes::SCHEMAS,
            routes::SCHEMAS.into(),
            json!({ "schema": { "schemaName": schema, "version": "1.0.0", "jsonSchema": { "type": "object" } } }),
        ),
        get(routes::TREE, routes::TREE.into()),
        get(routes::HEALTH, routes::HEALTH.into()),
        get(routes::LIVEZ, routes::LIVEZ.into()),
        get(routes::READYZ, routes::READYZ.into()),
        get(routes::VERSION, routes::VERSION.into()),
        get(routes::METRICS, routes::METRICS.into()),
        get(routes::ROOT, routes::ROOT.into()),
    ]
}

/// A tenant's way to the node.
struct Caller {
    addr: SocketAddr,
    token: String,
    client: Client,
}

impl Caller {
    fn new(world: &World, tenant: &str) -> Self {
        Self::of(world, tenant, "ann")
    }

    fn of(world: &World, tenant: &str, user: &str) -> Self {
        let token = token_of(tenant, user);
        Self { addr: world.addr(), client: world.client().token(&token).unwrap(), token }
    }

    async fn ask(&self, ask: &Ask) -> (u16, String) {
        self.ask_with(ask, "").await
    }

    /// Asks with more header lines.
    async fn ask_with(&self, ask: &Ask, more: &str) -> (u16, String) {
        let mut socket = tokio::net::TcpStream::connect(self.addr).await.unwrap();
        let body = ask.body.as_ref().map(Value::to_string).unwrap_or_default();
        let kind = if ask.body.is_some() { "content-type: application/json\r\n" } else { "" };
        let request = format!(
            "{} {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {}\r\n{kind}{more}content-length: {}\r\n\r\n{body}",
            ask.method,
            ask.path,
            self.token,
            body.len(),
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, socket.read_to_string(&mut answer)).await.unwrap().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    async fn done(&self, method: &'static str, path: &str, body: Value) {
        let ask = Ask { method, route: "", path: path.to_owned(), body: Some(body) };
        let (status, answer) = self.ask(&ask).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }

    /// Makes one of everything that there can be. The streams that are returned stay open, and have the delivery in hand.
    async fn fill(&self, names: &Names) -> (Vec<soorma::EventStream>, String) {
        let Names { agent, event: kind, schema, group, letters, id, .. } = names;
        let schema_body = json!({ "type": "object", "description": MARK });
        self.done("POST", routes::SCHEMAS, json!({ "schema": { "schemaName": schema, "version": "1.0.0", "jsonSchema": schema_body, "ownerAgentId": agent } })).await;
        let definition = json!({ "eventName": kind, "topic": "action-requests", "description": MARK, "payloadSchemaName": schema });
        self.done("POST", routes::EVENTS, json!({ "event": definition })).await;
        let capability = json!({ "taskName": kind, "description": MARK, "consumedEvent": definition, "producedEvents": [definition] });
        self.done(
            "POST",
            routes::AGENTS,
            json!({ "agent": { "agentId": agent, "name": agent, "description": MARK, "capabilities": [capability] } }),
        )
        .await;
        let works = StreamRequest { explicit: Some(Explicit::default()), ..member(group, agent, REQUESTS) };
        let fails = StreamRequest { explicit: Some(Explicit::default()), ..member(letters, agent, RESULTS) };
        let (mut works, mut fails) = (open(&self.client, &works).await, open(&self.client, &fails).await);
        for topic in [REQUESTS, RESULTS] {
            let mut event = event(id, topic);
            event.kind.clone_from(kind);
            event.data = Some(soorma::Data::from_value(&json!({ "said": MARK })).unwrap());
            self.client.publish(&event).await.unwrap();
        }
        let ticket = delivery(&mut works).await;
        let failed = delivery(&mut fails).await;
        let reject = soorma::api::Nack {
            ids: vec![failed],
            reject: true,
            reason: Some(MARK.into()),
            ..Default::default()
        };
        self.client.nack(&reject).await.unwrap();
        (vec![works, fails], ticket)
    }

    /// All that it can read, with what differs from one time to another masked.
    async fn all_it_reads(&self, names: &Names) -> Vec<String> {
        let mut answers = Vec::new();
        let asks = [asks(names), memory::asks(names)].concat();
        for ask in asks.into_iter().filter(|ask| ask.method == "GET") {
            if ![routes::METRICS, routes::TREE, routes::HEALTH].contains(&ask.route) {
                answers.push(format!("{}: {}", ask.path, masked(&self.ask(&ask).await.1)));
            }
        }
        answers
    }

    /// Listens to everything while both publish.
    async fn hears_only_itself(&self, one: &Self) {
        let all = StreamRequest {
            topics: Topic::ALL.into(),
            agent_id: "all-ears".into(),
            ..StreamRequest::default()
        };
        let mut stream = open(&self.client, &all).await;
        for topic in Topic::ALL {
            one.client.publish(&event(&format!("theirs-{topic}"), topic)).await.unwrap();
        }
        for topic in Topic::ALL {
            self.client.publish(&event(&format!("own-{topic}"), topic)).await.unwrap();
        }
        for _ in Topic::ALL {
            let heard = super::world::next(&mut stream).await;
            assert!(heard.id.as_str().starts_with("own-"), "{heard:?}");
        }
    }
}

async fn delivery(stream: &mut soorma::EventStream) -> String {
    loop {
        let frame = tokio::time::timeout(PATIENCE, stream.next()).await.expect("a delivery comes").unwrap();
        if let Frame::Delivery(delivery) = frame.expect("the stream goes on") {
            return delivery.delivery_id;
        }
    }
}

/// What differs from one time to another, or from one event to another: times, ages, ids that we make, positions.
fn masked(body: &str) -> String {
    fn mask(value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (key, value) in members.iter_mut() {
                    let key = key.to_ascii_lowercase();
                    let differs = [
                        "time",
                        "at",
                        "heartbeat",
                        "age_seconds",
                        "oldest_seconds",
                        "age_ms",
                        "connection_id",
                        "position",
                        "head",
                        "lag",
                        "uptime_seconds",
                    ];
                    // Whose it is that asks, and what is given out anew each time.
                    let own =
                        ["id", "tenantid", "servicetenantid", "revision", "nextcursor", "lastinteraction"];
                    if (differs.iter().any(|end| key.ends_with(end)) || own.contains(&key.as_str()))
                        && !value.is_object()
                        && !value.is_array()
                    {
                        *value = Value::Null;
                    } else {
                        mask(value);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(mask),
            _ => {}
        }
    }
    match serde_json::from_str::<Value>(body) {
        Ok(mut value) => {
            mask(&mut value);
            value.to_string()
        }
        Err(_) => body.to_owned(),
    }
}
