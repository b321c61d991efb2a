//! Memory as handlers have it.

use std::time::Duration;

use serde_json::{Value, json};
use soorma_agents::{Ctx, Fault, Worker};
use soorma_core::{MemoryScope, Owner, Role, TenantId, Topic};
use soorma_ports::{MemoryStoreError, NewSkill};
use soorma_testkit::{FaultyMemory, MapMemory, MemoryCall};

use super::world::{World, n, request, settle};

/// Does what the event says, and answers with what came of it.
async fn work(asked: Value, ctx: Ctx) -> Result<Value, Fault> {
    let memory = ctx.memory();
    Ok(match asked["do"].as_str().unwrap() {
        "learn" => {
            let text = asked["text"].as_str().unwrap();
            let public = asked["public"].as_bool().unwrap_or(false);
            let known = memory.store_knowledge(text).tags(["told"]).source("tests").metadata(&n(1));
            let fact = if public { known.public() } else { known }.await?;
            // By words and time: there is no embedder here.
            let found = memory.search_knowledge(text, 10).tagged("told").await?;
            assert!(found.items.iter().any(|found| found.id == fact.id), "what was written is read");
            if asked["panics"] == json!(ctx.attempt()) {
                panic!("told to");
            }
            json!(found.items.len())
        }
        "converse" => {
            memory.log_interaction(Role::User, "hello").await?;
            memory.log_interaction_with(Role::Assistant, "hello, too", &n(2)).await?;
            let history = memory.recent_history(5).await?;
            let found = memory.search_interactions("too", 1).await?.items;
            json!([history.len(), history[0].content, history[0].session_id, found[0].content])
        }
        "skills" => {
            let (all, scope) = memory.all()?;
            let new = NewSkill {
                agent: ctx.agent().to_owned(),
                name: None,
                trigger: Some("somebody says hello".to_owned()),
                procedure_type: "skill".to_owned(),
                content: "wave".to_owned(),
            };
            all.store_skill(&scope, new).await.map_err(|error| Fault::failed(error.message))?;
            let found = memory.relevant_skills("hello", 5).await?.items;
            json!(found.iter().map(|skill| skill.content.as_str()).collect::<Vec<_>>())
        }
        "values" => {
            memory.store("a", &json!({ "x": 1 })).await?;
            memory.merge("a", &json!({ "y": 2 })).await?;
            memory.append("list", &"one").await?;
            let sum = memory.increment("sum", 5).await?;
            let set = memory.compare_and_set("once", None, &"first").await?;
            let again = memory.compare_and_set("once", None, &"second").await?;
            let swapped = memory.compare_and_set("once", Some(&"first"), &"third").await?;
            let missing = memory.compare_and_set("missing", Some(&"x"), &"y").await?;
            memory.of_plan("elsewhere").store("a", &0).await?;
            let memory = ctx.memory();
            let keys: Vec<_> = memory.keys("", 10).await?.into_iter().map(|key| key.key).collect();
            let deleted = [memory.delete("sum").await?, memory.delete("sum").await?];
            let once: Option<String> = memory.retrieve("once").await?;
            let a: Option<Value> = memory.retrieve("a").await?;
            json!([a, sum, [set, again, swapped, missing], once, keys, deleted])
        }
        "misread" => {
            memory.store("text", &"no number").await?;
            json!(memory.retrieve::<u64>("text").await?)
        }
        "too much" => json!(memory.store("key\0", &1).await.is_ok()),
        other => panic!("{other}"),
    })
}

fn worker() -> Worker {
    Worker::new("w").unwrap().on_task("t", work)
}

async fn world() -> World {
    let world = World::remembering(MapMemory::new()).await;
    world.agents.host(worker()).await.unwrap();
    settle().await;
    world
}

/// Asks as a user, for a plan where one is named, and returns what came of it.
async fn ask(world: &World, id: &str, (user, plan): (Option<&str>, Option<&str>), asked: Value) -> Value {
    let mut event = request(id, "t", asked);
    (event.user_id, event.plan_id) = (user.map(str::to_owned), plan.map(str::to_owned));
    event.session_id = Some("s1".to_owned());
    event.response_event = Some("done".to_owned());
    world.publish(event).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let answers = world.answers(Topic::ActionResults).await;
    let [answer] = answers[&format!("c-{id}")].as_slice() else { panic!("{answers:?}") };
    if answer["status"] == "completed" { answer["result"].clone() } else { answer["error"].clone() }
}

const ADA: (Option<&str>, Option<&str>) = (Some("ada"), Some("p1"));
const BOB: (Option<&str>, Option<&str>) = (Some("bob"), Some("p1"));

#[tokio::test(start_paused = true)]
async fn what_is_known_is_of_whoever_the_event_is_of_and_what_is_public_of_the_tenant() {
    let world = world().await;
    let learn = |text: &str, public: bool| json!({ "do": "learn", "text": text, "public": public });
    assert_eq!(ask(&world, "1", ADA, learn("tea is hot", false)).await, 1);
    assert_eq!(ask(&world, "2", BOB, learn("ice is cold", false)).await, 1);
    assert_eq!(ask(&world, "3", BOB, learn("snow is cold", true)).await, 2);
    assert_eq!(
        ask(&world, "4", ADA, learn("tea is hot", false)).await,
        2,
        "the same once, and what is public"
    );
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_crashes_and_is_tried_again_has_stored_its_knowledge_once() {
    let world = world().await;
    let asked = json!({ "do": "learn", "text": "tea is hot", "panics": 1 });
    assert_eq!(ask(&world, "1", ADA, asked).await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_happened_is_told_of_the_agent_with_the_session_of_the_event() {
    let world = world().await;
    let told = ask(&world, "1", ADA, json!({ "do": "converse" })).await;
    assert_eq!(told, json!([2, "hello, too", "s1", "hello, too"]));
    assert_eq!(ask(&world, "2", BOB, json!({ "do": "converse" })).await[0], 2, "another's are another's");
}

#[tokio::test(start_paused = true)]
async fn skills_are_found_by_when_they_are_used() {
    assert_eq!(ask(&world().await, "1", ADA, json!({ "do": "skills" })).await, json!(["wave"]));
}

#[tokio::test(start_paused = true)]
async fn values_are_of_the_plan_of_the_event_and_changed_in_one_step() {
    let world = world().await;
    let expected = json!([
        { "x": 1, "y": 2 }, 5, [true, false, true, false], "third", ["a", "list", "once", "sum"], [true, false]
    ]);
    assert_eq!(ask(&world, "1", ADA, json!({ "do": "values" })).await, expected);
    assert_eq!(ask(&world, "2", (Some("ada"), Some("p2")), json!({ "do": "values" })).await, expected);
    assert_eq!(ask(&world, "3", (Some("ada"), None), json!({ "do": "values" })).await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_event_of_nobody_is_of_the_default_user_and_plan() {
    let store = MapMemory::new();
    let world = World::remembering(store.second()).await;
    world.agents.host(worker()).await.unwrap();
    settle().await;
    let mut event = request("1", "t", json!({ "do": "values" }));
    (event.tenant_id, event.user_id) = (None, Some(" ".to_owned()));
    world.publish(event).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (_, memory) = soorma_memory::Memories::new(
        store,
        std::sync::Arc::new(soorma_testkit::TestClock::new()),
        std::sync::Arc::new(soorma_testkit::SeededEntropy::new(2)),
        soorma_memory::Config::default(),
    );
    let scope = MemoryScope {
        tenant: TenantId::default(),
        owner: Owner::new("st_default-tenant", "su_default-user").unwrap(),
    };
    use soorma_ports::Working as _;
    let found = memory.value(&scope, "00000000-0000-0000-0000-000000000000", "once").await.unwrap();
    assert_eq!(found.unwrap().value.as_str(), r#""third""#);
}

#[tokio::test(start_paused = true)]
async fn while_memory_is_away_the_event_is_tried_again_and_what_is_wrong_is_told_to_who_asked() {
    let store = FaultyMemory::new(MapMemory::new());
    let world = World::remembering(store.clone()).await;
    world.agents.host(worker()).await.unwrap();
    settle().await;
    store.fail_next(2, MemoryCall::Write, &MemoryStoreError::Unavailable("away".to_owned()));
    let asked = json!({ "do": "learn", "text": "tea is hot" });
    assert_eq!(ask(&world, "1", ADA, asked).await, 1);
    assert_eq!(store.pending(), 0, "it was away");
    let told = ask(&world, "2", ADA, json!({ "do": "misread" })).await;
    assert!(told.as_str().unwrap().starts_with("the value of text is not what was asked for: "), "{told}");
    assert_eq!(ask(&world, "3", ADA, json!({ "do": "too much" })).await, false);
    assert!(world.dead().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_memory_that_is_said() {
    let world = World::with(worker()).await;
    let told = ask(&world, "1", ADA, json!({ "do": "values" })).await;
    assert_eq!(told, "this node has no memory");
}
