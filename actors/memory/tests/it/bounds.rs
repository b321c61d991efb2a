//! Whatever is too much is refused with the name of the field, and nothing is stored.

use soorma_core::{Error, ErrorCode, Role, WorkingValue};
use soorma_memory::Config;
use soorma_ports::{
    EpisodeQuery, Episodic as _, ListQuery, NewEpisode, NewFact, NewPlan, NewPlanContext, NewSession,
    NewSkill, NewTaskContext, PlanQuery, Procedural as _, Semantic as _, SetWhen, Work as _, Working as _,
    WorkingOp,
};
use soorma_testkit::MemoryCall;

use super::world::{Node, World, ada, data, json, knowledge, plain, rule, said};

fn refused<T: std::fmt::Debug>(answer: Result<T, Error>, field: &str) {
    let error = answer.expect_err(field);
    assert_eq!(error.code, ErrorCode::Invalid, "{error}");
    assert!(error.message.starts_with(&format!("{field}: ")), "{field}: {error}");
}

async fn set(node: &Node, plan: &str, key: &str, value: &str) -> Result<WorkingValue, Error> {
    node.memory.set_value(&ada(), plan, key, json(value), SetWhen::Any, None).await
}

#[tokio::test(start_paused = true)]
async fn what_is_beyond_a_bound_is_refused_with_its_name_and_nothing_is_stored() {
    let (world, node) = plain().await;
    let memory = &node.memory;
    let text = |length: usize| "x".repeat(length);
    let mebibyte = 1_024 * 1_024;
    let big = data(&format!(r#"{{"a":"{}"}}"#, text(mebibyte)));
    let many = || vec![text(1); 1_001];

    refused(memory.store_fact(&ada(), knowledge(&text(10 * mebibyte))).await, "content");
    let tagged = NewFact { tags: Some(vec!["t".into(); 1_000]), ..knowledge("c") };
    refused(memory.store_fact(&ada(), tagged).await, "tags");
    let episode = |agent: &str| NewEpisode { agent: agent.into(), ..said("", Role::User, "c") };
    refused(memory.log_episode(&ada(), episode("")).await, "agentId");
    refused(memory.log_episode(&ada(), episode(&text(256))).await, "agentId");
    refused(
        memory.log_episode(&ada(), NewEpisode { content: text(mebibyte + 1), ..episode("a") }).await,
        "content",
    );
    refused(
        memory.log_episode(&ada(), NewEpisode { metadata: big.clone(), ..episode("a") }).await,
        "metadata",
    );
    refused(
        memory.log_episode(&ada(), NewEpisode { session: Some(text(101)), ..episode("a") }).await,
        "sessionId",
    );
    let skill = rule("a", None, "t", "c");
    refused(memory.store_skill(&ada(), NewSkill { agent: " ".into(), ..skill.clone() }).await, "agentId");
    refused(memory.store_skill(&ada(), NewSkill { name: Some(text(256)), ..skill.clone() }).await, "name");
    refused(memory.store_skill(&ada(), NewSkill { name: Some(" ".into()), ..skill.clone() }).await, "name");
    let trigger = Some(text(8_193));
    refused(memory.store_skill(&ada(), NewSkill { trigger, ..skill.clone() }).await, "triggerCondition");
    refused(
        memory.store_skill(&ada(), NewSkill { procedure_type: text(65), ..skill.clone() }).await,
        "procedureType",
    );
    refused(
        memory.store_skill(&ada(), NewSkill { procedure_type: " ".into(), ..skill }).await,
        "procedureType",
    );

    for (plan, key, field) in [
        ("", "k", "planId"),
        ("a/b", "k", "planId"),
        ("a\nb", "k", "planId"),
        (&*text(101), "k", "planId"),
        ("p", "", "key"),
        ("p", "a/b", "key"),
        ("p", "a\0b", "key"),
        ("p", &*text(256), "key"),
    ] {
        refused(set(&node, plan, key, "1").await, field);
        refused(memory.update_value(&ada(), plan, key, WorkingOp::Increment(json("1"))).await, field);
        assert!(memory.value(&ada(), plan, key).await.expect("read").is_none(), "nothing is there");
        assert!(!memory.remove_value(&ada(), plan, key).await.expect("answered"));
    }
    refused(set(&node, "p", "k", &format!("\"{}\"", text(mebibyte))).await, "value");
    refused(memory.watch_plan(&ada(), "a/b").await, "planId");
    refused(memory.keys(&ada(), "p", "", None, 0).await, "limit");

    let plan = NewPlan {
        plan_id: "p".into(),
        session_id: None,
        goal_event: "g".into(),
        goal_data: data("{}"),
        parent_plan_id: None,
    };
    refused(memory.make_plan(&ada(), NewPlan { plan_id: text(101), ..plan.clone() }).await, "planId");
    refused(
        memory.make_plan(&ada(), NewPlan { session_id: Some(String::new()), ..plan.clone() }).await,
        "sessionId",
    );
    refused(memory.make_plan(&ada(), NewPlan { goal_event: text(256), ..plan.clone() }).await, "goalEvent");
    refused(memory.make_plan(&ada(), NewPlan { goal_data: big.clone(), ..plan.clone() }).await, "goalData");
    refused(
        memory.make_plan(&ada(), NewPlan { parent_plan_id: Some("\n".into()), ..plan }).await,
        "parentPlanId",
    );
    let session = NewSession { session_id: "s".into(), name: None, metadata: data("{}") };
    refused(
        memory.make_session(&ada(), NewSession { session_id: String::new(), ..session.clone() }).await,
        "sessionId",
    );
    refused(
        memory.make_session(&ada(), NewSession { name: Some(text(256)), ..session.clone() }).await,
        "name",
    );
    refused(memory.make_session(&ada(), NewSession { metadata: big.clone(), ..session }).await, "metadata");
    let task = NewTaskContext {
        task_id: "t".into(),
        plan_id: None,
        event_type: "e".into(),
        response_event: None,
        response_topic: "r".into(),
        data: data("{}"),
        sub_tasks: Vec::new(),
        state: data("{}"),
    };
    let store = async |task: NewTaskContext| memory.store_task_context(&ada(), task).await;
    refused(store(NewTaskContext { task_id: String::new(), ..task.clone() }).await, "taskId");
    refused(store(NewTaskContext { plan_id: Some(text(101)), ..task.clone() }).await, "planId");
    refused(store(NewTaskContext { event_type: text(256), ..task.clone() }).await, "eventType");
    refused(store(NewTaskContext { response_event: Some(text(256)), ..task.clone() }).await, "responseEvent");
    refused(store(NewTaskContext { response_topic: text(101), ..task.clone() }).await, "responseTopic");
    refused(store(NewTaskContext { data: big.clone(), ..task.clone() }).await, "data");
    refused(store(NewTaskContext { sub_tasks: many(), ..task.clone() }).await, "subTasks");
    refused(store(NewTaskContext { state: big.clone(), ..task }).await, "state");
    let context = NewPlanContext {
        plan_id: "p".into(),
        session_id: None,
        goal_event: "g".into(),
        goal_data: data("{}"),
        response_event: None,
        state: data("{}"),
        current_state: None,
        correlation_ids: Vec::new(),
    };
    let store = async |context: NewPlanContext| memory.store_plan_context(&ada(), context).await;
    refused(store(NewPlanContext { plan_id: "\u{7f}".into(), ..context.clone() }).await, "planId");
    refused(
        store(NewPlanContext { current_state: Some(text(101)), ..context.clone() }).await,
        "currentState",
    );
    refused(store(NewPlanContext { correlation_ids: many(), ..context.clone() }).await, "correlationIds");
    refused(store(NewPlanContext { state: big, ..context }).await, "state");

    refused(memory.facts(&ada(), &ListQuery::default()).await, "limit");
    let all = EpisodeQuery { limit: 1_001, ..EpisodeQuery::default() };
    refused(memory.episodes(&ada(), &all).await, "limit");
    refused(memory.plans(&ada(), &PlanQuery::default()).await, "limit");
    refused(memory.sessions(&ada(), None, 0).await, "limit");
    let writes = world.store.calls(MemoryCall::Write);
    let removals = 8;
    assert!(writes <= removals, "nothing but the removals was asked of the store");
}

#[tokio::test(start_paused = true)]
async fn what_is_just_within_its_bounds_is_taken() {
    let (_world, node) = plain().await;
    let memory = &node.memory;
    memory.store_fact(&ada(), knowledge(&"x".repeat(NewFact::MAX_CONTENT_BYTES))).await.expect("stored");
    let tags = Some((0..NewFact::MAX_TAGS).map(|n| format!("{n:0>128}")).collect());
    memory.store_fact(&ada(), NewFact { tags, ..knowledge("c") }).await.expect("stored");
    let value = format!("\"{}\"", "x".repeat(WorkingValue::MAX_BYTES - 2));
    set(&node, &"🦀".repeat(100), &"🦀".repeat(255), &value).await.expect("set");
    let sub_tasks: Vec<_> = (0..1_000).map(|n| format!("{n:0>100}")).collect();
    let task = NewTaskContext {
        task_id: "🦀".repeat(100),
        plan_id: None,
        event_type: "e".repeat(255),
        response_event: None,
        response_topic: "r".into(),
        data: data("{}"),
        sub_tasks: sub_tasks.clone(),
        state: data("{}"),
    };
    memory.store_task_context(&ada(), task).await.expect("stored");
    let found = memory.task_context_by_sub_task(&ada(), &sub_tasks[999]).await.expect("read").expect("there");
    assert_eq!((found.task_id, found.sub_tasks), ("🦀".repeat(100), sub_tasks));
}

#[tokio::test(start_paused = true)]
async fn too_much_under_way_is_answered_at_once_and_one_tenant_leaves_room_for_others() {
    let world = World::new();
    let node = world.node(1, Config { max_waiting: 3, max_waiting_per_tenant: 2, ..Config::default() }).await;
    world.store.close();
    let two = super::world::scope("two", "st", "ada");
    let memory = &node.memory;
    let ada = ada();
    let answers = async {
        world.store.until_in_flight(2).await;
        let third = memory.value(&ada, "p", "c").await;
        assert_eq!(third.expect_err("two of a tenant").code, ErrorCode::Overloaded);
        let (of_two, ()) = tokio::join!(memory.value(&two, "p", "a"), async {
            world.store.until_in_flight(3).await;
            let fourth = memory.store_fact(&two, knowledge("c")).await.expect_err("three of all");
            assert!(fourth.code == ErrorCode::Overloaded && fourth.retry_after.is_some());
            world.store.open();
        });
        of_two.expect("read");
    };
    let (a, b, ()) = tokio::join!(memory.value(&ada, "p", "a"), memory.value(&ada, "p", "b"), answers);
    assert!(a.is_ok() && b.is_ok());
}
