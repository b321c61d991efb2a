use serde_json::{Value, json};
use soorma_agents::{Ctx, Emission, Fault, Tool, Worker};
use soorma_core::{ErrorCode, EventId, TenantId, Topic};
use soorma_ports::Bus;

use super::world::{N, Seen, World, n, request, settle};

fn doubler() -> Tool {
    Tool::new("doubler").unwrap().on_invoke("double", |N { n }, _| async move {
        if n == 13 { Err(Fault::failed("not that one")) } else { Ok(json!({ "twice": n * 2 })) }
    })
}

#[tokio::test(start_paused = true)]
async fn a_tool_answers_as_the_contract_writes_it() {
    let world = World::with(doubler()).await;
    world.ask("1", "double", json!({ "n": 4, "request_id": "r-1" })).await;
    world.ask("2", "double", n(13)).await;
    world.publish(request("3", "double", n(5))).await;
    settle().await;
    let answers = world.answers(Topic::ActionResults).await;
    assert_eq!(answers["c-1"], [json!({ "request_id": "r-1", "success": true, "result": { "twice": 8 } })]);
    assert_eq!(answers["c-2"], [json!({ "request_id": "c-2", "success": false, "error": "not that one" })]);
    assert_eq!(answers["c-3"], [json!({ "request_id": "c-3", "success": true, "result": { "twice": 10 } })]);
    let events = world.events(Topic::ActionResults).await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["done", "done", "double.completed"]);
    let answer = &events[0];
    assert_eq!((answer.source.as_str(), answer.parent_event_id.as_deref()), ("doubler", Some("1")));
    assert_eq!((answer.tenant_id.as_deref(), answer.user_id.as_deref()), (Some("st"), Some("su")));
    assert_eq!(answer.trace_id.as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn a_worker_answers_tasks_that_ask_for_it_where_they_say() {
    let worker = Worker::new("greeter").unwrap().on_task("greet", |data: Value, _| async move {
        Ok(json!({ "greeting": format!("hello {}", data["name"].as_str().unwrap_or("you")) }))
    });
    let world = World::with(worker).await;
    let mut event = request("1", "greet", json!({ "name": "Ada", "task_id": "t-1", "action_id": "a-1" }));
    event.response_event = Some("greeted".to_owned());
    event.response_topic = Some("task-events".to_owned());
    world.publish(event).await;
    world.publish(request("2", "greet", json!({}))).await;
    settle().await;
    let result = json!({ "task_id": "t-1", "action_id": "a-1", "status": "completed", "result": { "greeting": "hello Ada" } });
    assert_eq!(world.answers(Topic::TaskEvents).await["c-1"], [result]);
    assert!(world.events(Topic::ActionResults).await.is_empty());
    assert!(world.dead().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_publishes_leaves_when_it_returns_in_order_under_derived_ids() {
    let worker = Worker::new("chatty").unwrap().on_task("talk", |N { n }, ctx: Ctx| async move {
        for said in 0..n {
            ctx.publish(Topic::BusinessFacts, "said", &json!({ "word": said }))?;
        }
        ctx.emit(Emission::fact("asked", &json!({}))?.subject("x").correlation_id("mine"))?;
        Ok(json!({}))
    });
    let world = World::with(worker).await;
    world.ask("1", "talk", n(3)).await;
    settle().await;
    let facts = world.events(Topic::BusinessFacts).await;
    let tenant = TenantId::default();
    for (ordinal, fact) in (0..).zip(&facts) {
        let cause = EventId::new("1").unwrap();
        assert_eq!(
            fact.id,
            EventId::emission(tenant.as_str(), "chatty", Topic::ActionRequests, &cause, ordinal)
        );
    }
    let kinds: Vec<_> =
        facts.iter().map(|fact| (fact.kind.as_str(), fact.correlation_id.as_deref().unwrap())).collect();
    assert_eq!(kinds, [("said", "c-1"), ("said", "c-1"), ("said", "c-1"), ("asked", "mine")]);
}

#[tokio::test(start_paused = true)]
async fn more_events_than_allowed_are_a_failure_and_none_leaves() {
    let limits = soorma_agents::Limits { max_emissions: 2, ..Default::default() };
    let worker =
        Worker::new("chatty").unwrap().limits(limits).on_task("talk", |N { n }, ctx: Ctx| async move {
            for _ in 0..n {
                ctx.publish(Topic::BusinessFacts, "said", &json!({}))?;
            }
            Ok(json!({}))
        });
    let world = World::with(worker).await;
    world.ask("1", "talk", n(3)).await;
    settle().await;
    assert!(world.events(Topic::BusinessFacts).await.is_empty());
    let answer = &world.answers(Topic::ActionResults).await["c-1"][0];
    assert_eq!(answer["error"], "the handler has published 2 events, which is as many as it may");
}

#[tokio::test(start_paused = true)]
async fn data_that_does_not_fit_is_answered_and_where_nobody_asked_a_dead_letter() {
    let worker = Worker::new("picky")
        .unwrap()
        .on_task("task", |N { n }, _| async move { Ok(json!(n)) })
        .on_event(Topic::BusinessFacts, "fact", |N { .. }, _| async { Ok(()) });
    let world = World::with(worker).await;
    world.ask("1", "task", json!({ "n": "four" })).await;
    let mut fact = request("2", "fact", json!({}));
    fact.topic = Topic::BusinessFacts;
    world.publish(fact).await;
    settle().await;
    let answer = world.answers(Topic::ActionResults).await["c-1"][0].clone();
    assert_eq!(answer["status"], "failed");
    assert!(
        answer["error"]
            .as_str()
            .unwrap()
            .starts_with("the data of task is not what this agent takes: invalid type")
    );
    let dead = world.dead().await;
    assert_eq!((dead.len(), dead[0].event.id.as_str(), dead[0].attempts), (1, "2", 1));
    assert!(dead[0].cause.contains("missing field `n`"), "{}", dead[0].cause);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_an_unknown_topic_is_a_dead_letter() {
    let world = World::with(doubler()).await;
    let mut event = request("1", "double", n(1));
    event.response_topic = Some("nowhere".to_owned());
    world.publish(event).await;
    settle().await;
    assert!(world.dead().await[0].cause.contains("unknown topic 'nowhere'"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_nobody_would_hear_of_is_tried_again_and_then_a_dead_letter() {
    let worker = Worker::new("w").unwrap().on_event(Topic::BusinessFacts, "*", |_: Value, _| async {
        Err("x".parse::<u8>().map(|_| ()).map_err(Fault::from).unwrap_err())
    });
    let world = World::with(worker).await;
    let mut fact = request("1", "fact", json!({}));
    fact.topic = Topic::BusinessFacts;
    world.publish(fact).await;
    tokio::time::sleep(std::time::Duration::from_secs(100)).await;
    let dead = world.dead().await;
    assert_eq!((dead[0].attempts, dead[0].cause.as_str()), (5, "invalid digit found in string"));
}

#[tokio::test(start_paused = true)]
async fn events_that_nobody_handles_are_passed_over() {
    let seen = Seen::default();
    let worker = {
        let seen = seen.clone();
        Worker::new("w").unwrap().on_task("mine", move |N { n }, _| {
            seen.note(n.to_string());
            async move { Ok(json!({})) }
        })
    };
    let world = World::with(worker).await;
    for id in 0..200_u64 {
        let kind = if id % 50 == 49 { "mine" } else { "other" };
        world.publish(request(&id.to_string(), kind, n(id))).await;
    }
    settle().await;
    let mut all = seen.all();
    all.sort();
    assert_eq!(all, ["149", "199", "49", "99"]);
}

#[tokio::test(start_paused = true)]
async fn agents_of_two_tenants_with_one_name_never_meet() {
    let other = TenantId::new("other").unwrap();
    let seen = (Seen::default(), Seen::default());
    let make = |seen: &Seen, tenant: TenantId| {
        let seen = seen.clone();
        Worker::new("w").unwrap().tenant(tenant).on_task("t", move |N { n }, _| {
            seen.note(n.to_string());
            async move { Ok(json!({})) }
        })
    };
    let world = World::with(make(&seen.0, TenantId::default())).await;
    world.agents.host(make(&seen.1, other.clone())).await.unwrap();
    settle().await;
    world.publish(request("1", "t", n(1))).await;
    world.bus.publish(&other, vec![request("1", "t", n(2))]).await.unwrap();
    settle().await;
    assert_eq!((seen.0.all(), seen.1.all()), (vec!["1".to_owned()], vec!["2".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_handlers_or_with_a_name_that_is_taken_is_refused() {
    let world = World::with(doubler()).await;
    let refused = world.agents.host(Worker::new("idle").unwrap()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Invalid);
    let refused = world.agents.host(doubler()).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (ErrorCode::AlreadyExists, "an agent named doubler is hosted already")
    );
    assert!(Worker::new(" ").is_err());
}

#[tokio::test(start_paused = true)]
async fn a_refused_host_leaves_the_agent_of_that_name_as_it_is() {
    let world = World::with(doubler()).await;
    let other =
        Worker::new("doubler").unwrap().on_event(Topic::BusinessFacts, "*", |_: Value, _| async { Ok(()) });
    assert_eq!(world.agents.host(other).await.unwrap_err().code, ErrorCode::AlreadyExists);
    world.ask("1", "double", n(2)).await;
    settle().await;
    assert_eq!(world.answers(Topic::ActionResults).await["c-1"][0]["result"], json!({ "twice": 4 }));
}

#[test]
fn an_agent_is_known_by_its_id_in_the_tree_whatever_its_name_and_tenant() {
    let tenant = |text| TenantId::new(text).unwrap();
    for (id, found) in [
        ("reader", Some((TenantId::default(), "reader"))),
        ("a%2Fb", Some((TenantId::default(), "a/b"))),
        ("bot%40acme", Some((TenantId::default(), "bot@acme"))),
        ("bot@acme", Some((tenant("acme"), "bot"))),
        ("a%40x@team%40acme", Some((tenant("team@acme"), "a@x"))),
        ("50%2525", Some((TenantId::default(), "50%25"))),
        ("reader/instances", None),
    ] {
        assert_eq!(
            soorma_agents::agent_of(id),
            found.map(|(tenant, name)| (tenant, name.to_owned())),
            "{id}"
        );
    }
}
