//! What a planner is told of agents.

use serde_json::json;
use soorma_core::{Data, Topic};
use soorma_ports::Directory;
use soorma_registry::Config;
use soorma_testkit::{name, tenant};

use super::world::{World, agent, all, definition, one, schema};

#[tokio::test(start_paused = true)]
async fn a_planner_reads_what_agents_can_do_and_how_they_are_asked_for_it() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    let mut researcher = agent("r", "researcher:1.2.0", "web");
    researcher.capabilities[0].consumes.topic = None;
    node.register(researcher).await;
    node.register(agent("w", "writer", "text")).await;
    node.register(agent("x", "xenon", "light")).await;
    let mut asks = definition("web.requested", Topic::BusinessFacts);
    asks.payload_schema_name = Some(name("question"));
    node.registry.define_event(&one(), asks).await.expect("defined");
    let question = json!({
        "type": "object",
        "required": ["query"],
        "properties": {
            "query": { "type": "string", "description": "What is looked for.", "examples": ["rust actors"] },
            "limit": { "type": "integer", "default": 3 },
        },
    });
    node.registry.put_schema(&one(), schema("question", "1", &question)).await.expect("put");
    let mut writes = definition("text.requested", Topic::BusinessFacts);
    // No object can be both; there is no example of it.
    let impossible = json!({ "required": ["a"], "properties": { "a": false } });
    writes.payload_schema = Some(Data::from_value(&impossible).expect("an object"));
    node.registry.define_event(&one(), writes).await.expect("defined");

    let agents = node.registry.agents(&one(), &all()).await.expect("answers").agents;
    let described = node.registry.describe(&one(), &agents, 10_000).await.expect("answers");
    assert_eq!(
        described.to_string(),
        "researcher (worker): Does web.\n\
         - web\n  send web.requested on business-facts; required query: string (What is looked for.); \
         such as {\"limit\":3,\"query\":\"rust actors\"}; answered by web.done\n\
         \nwriter (worker): Does text.\n\
         - text\n  send text.requested on action-requests; required a: any; answered by text.done\n\
         \nxenon (worker): Does light.\n\
         - light\n  send light.requested on action-requests; answered by light.done\n"
    );
    for max_chars in 0..described.to_string().chars().count() + 50 {
        let cut = node.registry.describe(&one(), &agents, max_chars).await.expect("answers");
        assert_eq!(cut.agents.len() + cut.left_out, agents.len());
        assert_eq!(cut.agents, described.agents[..cut.agents.len()], "the first, whole");
        let chars = cut.to_string().chars().count();
        assert!(chars <= max_chars || cut.agents.is_empty(), "{chars} of at most {max_chars}");
    }
    let elsewhere = node.registry.describe(&tenant("two"), &agents[..1], 10_000).await.expect("answers");
    assert!(!elsewhere.to_string().contains("query"), "another tenant's schemas are its own");
}
