//! Hosted agents in the registry, and what events mean, in a node.

use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use soorma_agents::{CapabilitySpec, Ctx, Fault, Limits, Tool, Worker};
use soorma_core::{
    AgentKind, AgentRecord, AgentStatus, Data, Error, ErrorCode, Event, EventDefinition, Name, TenantId,
    Topic,
};
use soorma_node::config::{ByteSize, Config, Payloads};
use soorma_node::{Node, NodeError, Options};
use soorma_ports::{AgentQuery, Registered, Standing, new_event_id};
use soorma_supervise::Intensity;

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Ask {
    /// What to look for.
    topic: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Found {
    pages: Vec<String>,
}

fn config(data: &Path) -> Config {
    let mut config = Config::default();
    config.node.data = data.to_owned();
    config
}

async fn start(config: Config) -> Node {
    Node::start(config, Options { edge: false, ..Options::default() }).await.unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn find(node: &Node, agent: &str) -> Option<Registered> {
    node.directory().agent(&TenantId::default(), &name(agent)).unwrap()
}

/// Waits until an agent is as it should be, and returns how it is.
async fn until(node: &Node, agent: &str, is: impl Fn(Option<&Registered>) -> bool) -> Option<Registered> {
    let wait = async {
        loop {
            let found = find(node, agent);
            if is(found.as_ref()) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    waited.unwrap_or_else(|_| panic!("{agent} stays as it is: {:?}", find(node, agent)))
}

async fn until_status(node: &Node, agent: &str, status: AgentStatus) -> Registered {
    let is = |found: Option<&Registered>| found.is_some_and(|agent| agent.standing.status == status);
    until(node, agent, is).await.unwrap()
}

async fn ask(node: &Node, kind: &str, data: Value) {
    let id = new_event_id(&**node.clock(), &**node.entropy());
    let mut event = Event::new(id, "test", kind, node.clock().now(), Topic::ActionRequests);
    event.data = Some(Data::from_value(&data).unwrap());
    node.bus().publish(&TenantId::default(), vec![event]).await.unwrap();
}

fn researcher() -> Worker {
    Worker::new("researcher")
        .unwrap()
        .description("Finds sources in the web")
        .version("1.4.0")
        .on_task("research.requested", |ask: Ask, _| async move { Ok(Found { pages: vec![ask.topic] }) })
        .on_event(Topic::BusinessFacts, "page.vanished", |_: Value, _| async { Ok(()) })
        .can(
            CapabilitySpec::new("web_research", "Searches the web and returns pages")
                .asked_by::<Ask>("research.requested")
                .answered_by::<Found>("research.completed"),
        )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosted_agent_registers_itself_with_what_it_can_do_and_the_schemas_of_its_types() {
    let data = tempfile::tempdir().unwrap();
    let node = start(config(data.path())).await;
    node.agents().host(researcher()).await.unwrap();
    let agent = until_status(&node, "researcher", AgentStatus::Ready).await;
    let record = &agent.said.record;
    assert_eq!((record.kind, record.version()), (Some(AgentKind::Worker), Some("1.4.0")));
    assert_eq!(record.description, "Finds sources in the web");
    assert_eq!(record.consumes, [name("page.vanished"), name("research.requested")]);
    assert_eq!(record.produces, [name("research.completed")]);
    let [capability] = record.capabilities.as_slice() else { panic!("{record:?}") };
    assert_eq!(capability.name.as_str(), "web_research");

    let directory = node.directory();
    let tenant = TenantId::default();
    let found = AgentQuery { capability: Some("web_research".into()), limit: 10, ..AgentQuery::default() };
    assert_eq!(directory.agents(&tenant, &found).await.unwrap().agents.len(), 1);
    let event = directory.event(&tenant, &name("research.requested")).unwrap().unwrap();
    assert_eq!(event.topic, Topic::ActionRequests);
    let schema = directory.schema(&tenant, &name("research.requested"), None).unwrap().unwrap();
    let schema: Value = schema.schema.parse().unwrap();
    assert_eq!(schema["properties"]["topic"]["description"], "What to look for.");
    // A planner reads how to ask for it.
    let agents = directory.agents(&tenant, &found).await.unwrap().agents;
    let text = directory.describe(&tenant, &agents, 10_000).await.unwrap().to_string();
    assert!(text.contains("web_research") && text.contains("topic: string"), "{text}");
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_handles_is_known_though_it_says_nothing_of_itself() {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(data.path());
    config.node.name = "eu-1".to_owned();
    let node = start(config).await;
    let tool = Tool::new("adder").unwrap().on_invoke("sum", |_: Value, _| async { Ok(1) });
    node.agents().host(tool).await.unwrap();
    let agent = until_status(&node, "adder@eu-1", AgentStatus::Ready).await;
    assert_eq!(agent.said.record.kind, Some(AgentKind::Tool));
    let [capability] = agent.said.record.capabilities.as_slice() else { panic!("{agent:?}") };
    assert_eq!((capability.name.as_str(), capability.consumes.name.as_str()), ("sum", "sum"));
    assert_eq!(capability.produces[0].name.as_str(), "sum.completed");
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_stopped_is_taken_out_and_one_whose_node_is_killed_stays_until_it_expires() {
    let data = tempfile::tempdir().unwrap();
    let mut short = config(data.path());
    short.registry.lease = Duration::from_secs(2);
    short.registry.sweep_every = Duration::from_millis(200);
    let node = start(short.clone()).await;
    node.agents().host(researcher()).await.unwrap();
    until_status(&node, "researcher", AgentStatus::Ready).await;
    assert!(node.agents().stop(&researcher().into()).await);
    until(&node, "researcher", |found| found.is_none()).await;
    // Hosted again it is there again, and it goes with its node.
    node.agents().host(researcher()).await.unwrap();
    let first = until_status(&node, "researcher", AgentStatus::Ready).await.heard_at;
    // Longer than its lease the registrar says that it lives.
    until(&node, "researcher", |found| {
        let agent = found.expect("it is there all the while");
        assert_ne!(agent.standing.status, AgentStatus::Expired);
        agent.heard_at.since(first) > Duration::from_secs(2)
    })
    .await;
    node.stop().await.unwrap();
    let node = start(short).await;
    assert!(find(&node, "researcher").is_none(), "a node that stops takes its agents with it");
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_fails_is_seen_as_degraded_and_as_quarantined_with_the_reason() {
    let data = tempfile::tempdir().unwrap();
    let node = start(config(data.path())).await;
    let limits = Limits {
        crashes: Intensity::new(0, Duration::from_secs(60)),
        restarts: Intensity::new(0, Duration::from_secs(60)),
        ..Limits::default()
    };
    let bad = Worker::new("bad")
        .unwrap()
        .limits(limits)
        .on_task("t", |_: Value, _: Ctx| async { if true { panic!("told to") } else { Ok(()) } });
    node.agents().host(bad.clone()).await.unwrap();
    until_status(&node, "bad", AgentStatus::Ready).await;
    ask(&node, "t", json!({})).await;
    let agent = until_status(&node, "bad", AgentStatus::Quarantined).await;
    assert!(agent.standing.reason.as_ref().unwrap().contains("told to"), "{agent:?}");
    assert!(node.agents().release(&bad.into()).await);
    until_status(&node, "bad", AgentStatus::Ready).await;

    let flaky = Worker::new("flaky").unwrap().on_task("u", |_: Value, _: Ctx| async {
        if true { Err(Fault::retry("the provider is away")) } else { Ok(()) }
    });
    node.agents().host(flaky).await.unwrap();
    until_status(&node, "flaky", AgentStatus::Ready).await;
    for _ in 0..20 {
        ask(&node, "u", json!({})).await;
    }
    let agent = until_status(&node, "flaky", AgentStatus::Degraded).await;
    assert!(agent.standing.reason.as_ref().unwrap().contains("in a row"), "{agent:?}");
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_does_not_fit_its_schema_is_refused_where_the_tenant_wants_it() {
    let data = tempfile::tempdir().unwrap();
    let mut strict = config(data.path());
    let careless = TenantId::new("pt_careless").unwrap();
    strict.registry.payloads = Payloads::Enforce;
    strict.registry.payloads_of.0.insert(careless.clone(), Payloads::Warn);
    let node = start(strict).await;
    let schema =
        Data::from_json(r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#);
    let definition = EventDefinition {
        name: name("count.requested"),
        topic: Topic::ActionRequests,
        description: "Counts".to_owned(),
        payload_schema_name: None,
        response_schema_name: None,
        payload_schema: Some(schema.unwrap()),
        response_schema: None,
    };
    let event = |data: Value| {
        let id = new_event_id(&**node.clock(), &**node.entropy());
        let now = node.clock().now();
        let mut event = Event::new(id, "test", "count.requested", now, Topic::ActionRequests);
        event.data = Some(Data::from_value(&data).unwrap());
        event
    };
    for tenant in [TenantId::default(), careless.clone()] {
        node.directory().define_event(&tenant, definition.clone()).await.unwrap();
    }
    let bus = node.bus();
    bus.publish(&TenantId::default(), vec![event(json!({ "n": 1 }))]).await.unwrap();
    // None of a batch is published where one does not fit.
    let batch = vec![event(json!({ "n": 2 })), event(json!({ "n": "two" }))];
    let refused = bus.publish(&TenantId::default(), batch).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Invalid);
    assert!(refused.message.contains("/n") && refused.message.contains("integer"), "{refused}");
    let missing = bus.publish(&TenantId::default(), vec![event(json!({}))]).await.unwrap_err();
    assert!(missing.message.contains("required"), "{missing}");
    bus.publish(&careless, vec![event(json!({ "n": "two" }))]).await.unwrap();
    assert_eq!(node.directory().tally().payload_faults, 3);
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_start_where_one_tenant_may_have_more_than_all_and_says_so() {
    let data = tempfile::tempdir().unwrap();
    let start = async |set: fn(&mut Config)| {
        let mut config = Config::default();
        config.node.data = data.path().to_owned();
        set(&mut config);
        Node::start(config, Options { edge: false, ..Options::default() }).await
    };
    let refused = start(|config| config.registry.max_agents_per_tenant = 1_000_001).await.unwrap_err();
    let says = "registry.max_agents_per_tenant is 1000001, more than all tenants may have: lower it, or raise registry.max_agents, which is 1000000";
    assert_eq!(refused, NodeError::Bounds(says.into()));
    let refused = start(|config| config.registry.max_bytes = ByteSize(1_024 * 1_024)).await.unwrap_err();
    assert!(
        refused.to_string().starts_with("registry.max_bytes_per_tenant is 268435456, more than"),
        "{refused}"
    );
    assert_eq!(Error::from(refused).code, ErrorCode::Invalid);
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "nothing was done before");
    // What is configured is what holds.
    let node = start(|config| {
        (config.registry.max_agents, config.registry.max_agents_per_tenant) = (1, 1);
    });
    let node = node.await.unwrap();
    let put = async |tenant: &str| {
        let record = AgentRecord {
            id: name("a"),
            name: name("a"),
            description: String::new(),
            kind: None,
            version: None,
            capabilities: Vec::new(),
            consumes: Vec::new(),
            produces: Vec::new(),
        };
        node.directory().register(&TenantId::new(tenant).unwrap(), record, Standing::READY).await
    };
    assert_eq!(put("one").await, Ok(true));
    assert_eq!(put("two").await.unwrap_err().code, ErrorCode::Overloaded);
    node.stop().await.unwrap();
}
