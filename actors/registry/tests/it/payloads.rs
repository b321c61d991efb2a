//! Payloads are looked at before they are published, where the tenant has said what they are to be.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use soorma_core::{Data, ErrorCode, Event, Position, Topic};
use soorma_ports::{Bus, Directory, EventLog, Looked, PayloadCheck, Reach};
use soorma_registry::{Config, Payloads};
use soorma_testkit::{event, name, tenant};

use super::world::{Node, World, definition, one, schema};

const TOPIC: Topic = Topic::BusinessFacts;

fn order(id: &str, data: Option<Value>) -> Event {
    let mut event = event(id, TOPIC);
    event.kind = "order.placed".into();
    event.data = data.map(|data| Data::from_value(&data).expect("an object"));
    event
}

async fn checked(config: Config) -> (World, Node) {
    let world = World::new();
    let node = world.node(config).await;
    world.bus.checked_by(node.registry.clone());
    (world, node)
}

fn enforced() -> Config {
    Config { payloads: Payloads::Enforce, ..Config::default() }
}

async fn published(world: &World) -> Vec<String> {
    let page = world.log.read(&Reach::Platform, TOPIC, Position(0), 100).await.expect("the log is there");
    page.entries.iter().map(|entry| entry.event.id.to_string()).collect()
}

fn needs(field: &str) -> Value {
    json!({ "type": "object", "required": [field] })
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_refused_with_the_path_and_the_rule_and_all_that_came_with_it() {
    let (world, node) = checked(enforced()).await;
    let mut order_placed = definition("order.placed", TOPIC);
    order_placed.payload_schema_name = Some(name("order"));
    node.registry.define_event(&one(), order_placed).await.expect("defined");
    let rules =
        json!({ "properties": { "lines": { "items": { "properties": { "count": { "minimum": 1 } } } } } });
    node.registry.put_schema(&one(), schema("order", "1", &rules)).await.expect("put");
    let good = || order("good", Some(json!({ "lines": [{ "count": 1 }] })));
    let bad = order("bad", Some(json!({ "lines": [{ "count": 1 }, { "count": 0 }] })));
    let refused = world.bus.publish(&one(), vec![good(), bad.clone()]).await.expect_err("it does not fit");
    assert_eq!(refused.code, ErrorCode::Invalid);
    for part in ["the payload of 'order.placed' does not fit schema order@1", "#/lines/1/count", "/minimum"] {
        assert!(refused.message.contains(part), "{refused}");
    }
    assert!(published(&world).await.is_empty());
    assert_eq!(node.registry.payload_faults(), 1);
    world.bus.publish(&one(), vec![good()]).await.expect("it fits");
    world.bus.publish(&tenant("two"), vec![bad]).await.expect("it is nothing that they have defined");
    assert_eq!(published(&world).await, ["good", "bad"]);
}

#[tokio::test(start_paused = true)]
async fn the_schema_in_the_definition_counts_then_the_newest_version_of_the_name_and_no_payload_is_an_empty_one()
 {
    let (world, node) = checked(enforced()).await;
    let mut order_placed = definition("order.placed", TOPIC);
    order_placed.payload_schema_name = Some(name("order"));
    node.registry.define_event(&one(), order_placed.clone()).await.expect("defined");
    let publish =
        async |id: &str, data: Option<Value>| world.bus.publish(&one(), vec![order(id, data)]).await;
    assert!(publish("1", None).await.is_ok(), "a schema that is not there refuses nothing");

    for version in ["b", "a"] {
        node.registry.put_schema(&one(), schema("order", version, &needs(version))).await.expect("put");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(publish("2", Some(json!({ "b": 1 }))).await.is_err());
    assert!(publish("3", Some(json!({ "a": 1 }))).await.is_ok());

    order_placed.payload_schema = Some(Data::from_value(&needs("inline")).expect("an object"));
    node.registry.define_event(&one(), order_placed).await.expect("defined");
    let refused = publish("4", Some(json!({ "a": 1 }))).await.expect_err("it does not fit");
    assert!(refused.message.contains("the schema in its definition"), "{refused}");
    assert!(publish("5", Some(json!({ "inline": 1 }))).await.is_ok());
    assert_eq!(published(&world).await, ["1", "3", "5"]);
}

#[tokio::test(start_paused = true)]
async fn who_is_only_warned_publishes_and_is_counted_and_who_is_not_looked_at_is_not() {
    let modes = [("off", Payloads::Off), ("enforce", Payloads::Enforce)];
    let payloads_of: BTreeMap<_, _> = modes.map(|(named, mode)| (tenant(named), mode)).into();
    let (world, node) = checked(Config { payloads_of, ..Config::default() }).await;
    let mut order_placed = definition("order.placed", TOPIC);
    order_placed.payload_schema = Some(Data::from_value(&needs("id")).expect("an object"));
    for named in ["warn", "off", "enforce"] {
        let tenant = tenant(named);
        node.registry.define_event(&tenant, order_placed.clone()).await.expect("defined");
        let outcome = world.bus.publish(&tenant, vec![order(named, None)]).await;
        assert_eq!(outcome.is_ok(), named != "enforce");
    }
    assert_eq!(published(&world).await, ["warn", "off"]);
    assert_eq!(node.registry.tally().payload_faults, 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_defined_before_the_start_counts_from_the_first_event_on_and_is_made_ready_once() {
    let (world, node) = checked(enforced()).await;
    let mut order_placed = definition("order.placed", TOPIC);
    order_placed.payload_schema = Some(Data::from_value(&needs("id")).expect("an object"));
    node.registry.define_event(&one(), order_placed.clone()).await.expect("defined");
    let again = world.node(enforced()).await;
    let bad = || order("bad", None);
    let at_once = || again.registry.check_payload(&one(), &bad());
    assert_eq!(at_once(), Ok(Looked::NotReady), "nothing is compiled where others would wait for it");
    assert_eq!(again.registry.check_payload(&tenant("two"), &bad()), Ok(Looked::Passed));
    let refused = again.registry.check_payloads(&one(), &[bad()]).await.expect_err("it does not fit");
    assert_eq!(at_once(), Err(refused));
    again.registry.define_event(&one(), order_placed).await.expect("defined");
    assert!(at_once().is_err(), "the same again leaves it ready");
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_cannot_be_read_does_not_fit() {
    let (world, node) = checked(enforced()).await;
    let mut order_placed = definition("order.placed", TOPIC);
    order_placed.payload_schema = Some(Data::from_value(&needs("n")).expect("an object"));
    node.registry.define_event(&one(), order_placed).await.expect("defined");
    let mut event = order("a", None);
    event.data = Data::from_json(r#"{"n":1e999}"#).ok();
    let refused = world.bus.publish(&one(), vec![event]).await.expect_err("no such number");
    assert!(refused.message.contains("cannot be checked"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn before_the_registry_is_read_what_is_enforced_waits_and_the_rest_passes() {
    for (payloads, passes) in [(Payloads::Enforce, false), (Payloads::Warn, true), (Payloads::Off, true)] {
        let world = World::new();
        world.store.away(true);
        let node = world.start(Config { payloads, ..Config::default() }, world.clock.clone()).await;
        world.bus.checked_by(node.registry.clone());
        let outcome = world.bus.publish(&one(), vec![order("a", None)]).await;
        match passes {
            true => assert!(outcome.is_ok()),
            false => assert_eq!(outcome.expect_err("nobody knows").code, ErrorCode::Unavailable),
        }
    }
}
