//! Plans, sessions and contexts.

use std::time::Duration;

use soorma_core::{ErrorCode, PlanStatus};
use soorma_ports::{
    NewPlan, NewPlanContext, NewSession, NewTaskContext, PlanContextChange, PlanQuery, TaskContextChange,
    Work as _, Working as _,
};

use super::world::{Node, ada, data, plain, scope};

fn new_plan(id: &str, session: Option<&str>) -> NewPlan {
    NewPlan {
        plan_id: id.into(),
        session_id: session.map(str::to_owned),
        goal_event: "goal".into(),
        goal_data: data(r#"{"a":1.0}"#),
        parent_plan_id: Some("parent".into()),
    }
}

fn new_task(id: &str, sub_tasks: &[&str], state: &str) -> NewTaskContext {
    NewTaskContext {
        task_id: id.into(),
        plan_id: Some("p".into()),
        event_type: "asked".into(),
        response_event: Some("done".into()),
        response_topic: "action-results".into(),
        data: data(r#"{"d":1}"#),
        sub_tasks: sub_tasks.iter().map(|&id| id.to_owned()).collect(),
        state: data(state),
    }
}

fn new_plan_context(id: &str, correlation_ids: &[&str], state: &str) -> NewPlanContext {
    NewPlanContext {
        plan_id: id.into(),
        session_id: Some("s".into()),
        goal_event: "goal".into(),
        goal_data: data(r#"{"g":1}"#),
        response_event: Some("done".into()),
        state: data(state),
        current_state: Some("start".into()),
        correlation_ids: correlation_ids.iter().map(|&id| id.to_owned()).collect(),
    }
}

async fn plans(node: &Node, status: Option<PlanStatus>, session: Option<&str>, limit: usize) -> Vec<String> {
    let query = PlanQuery { status, session_id: session.map(str::to_owned), after: None, limit };
    let list = node.memory.plans(&ada(), &query).await.expect("listed");
    list.items.into_iter().map(|plan| plan.plan_id).collect()
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_made_once_changed_and_removed_without_what_hangs_on_it() {
    let (_world, node) = plain().await;
    let memory = &node.memory;
    for (id, session) in [("a", Some("s")), ("b", None), ("c", Some("s"))] {
        let made = memory.make_plan(&ada(), new_plan(id, session)).await.expect("made");
        assert_eq!((made.status, made.goal_data.as_str()), (PlanStatus::Running, r#"{"a":1.0}"#));
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let again = memory.make_plan(&ada(), new_plan("a", None)).await.expect_err("there is one");
    assert_eq!(again.code, ErrorCode::AlreadyExists);
    let changed = memory.set_plan_status(&ada(), "a", PlanStatus::Paused).await.expect("set").expect("there");
    assert_eq!((changed.status, changed.parent_plan_id.as_deref()), (PlanStatus::Paused, Some("parent")));
    assert!(changed.updated_at > changed.created_at);
    assert!(memory.set_plan_status(&ada(), "z", PlanStatus::Failed).await.expect("answered").is_none());
    assert_eq!(plans(&node, None, None, 10).await, ["a", "c", "b"], "changed last first");
    assert_eq!(plans(&node, None, None, 1).await, ["a"]);
    assert_eq!(plans(&node, Some(PlanStatus::Running), None, 10).await, ["c", "b"]);
    assert_eq!(plans(&node, Some(PlanStatus::Paused), Some("s"), 10).await, ["a"]);
    node.set("a", "k", "1").await;
    assert!(memory.remove_plan(&ada(), "a").await.expect("removed"));
    assert!(!memory.remove_plan(&ada(), "a").await.expect("answered"));
    assert!(memory.plan(&ada(), "a").await.expect("read").is_none());
    assert!(memory.value(&ada(), "a", "k").await.expect("read").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_session_is_made_once_and_removed() {
    let (_world, node) = plain().await;
    let new = || NewSession { session_id: "s".into(), name: None, metadata: data(r#"{"m":1}"#) };
    let made = node.memory.make_session(&ada(), new()).await.expect("made");
    assert_eq!((made.created_at, made.metadata.as_str()), (made.last_interaction, r#"{"m":1}"#));
    let again = node.memory.make_session(&ada(), new()).await.expect_err("there is one");
    assert_eq!(again.code, ErrorCode::AlreadyExists);
    assert!(node.memory.session(&ada(), "s").await.expect("read").is_some());
    assert!(node.memory.remove_session(&ada(), "s").await.expect("removed"));
    assert!(!node.memory.remove_session(&ada(), "s").await.expect("answered"));
}

#[tokio::test(start_paused = true)]
async fn a_task_context_that_is_stored_again_keeps_what_it_came_with() {
    let (_world, node) = plain().await;
    let memory = &node.memory;
    let first = memory.store_task_context(&ada(), new_task("t", &["x"], "{}")).await.expect("stored");
    tokio::time::advance(Duration::from_secs(1)).await;
    let again = NewTaskContext {
        plan_id: None,
        event_type: "other".into(),
        response_event: None,
        response_topic: "other".into(),
        data: data("{}"),
        ..new_task("t", &["y", "y"], r#"{"s":2}"#)
    };
    let second = memory.store_task_context(&ada(), again).await.expect("stored");
    assert_eq!((second.event_type.as_str(), second.response_topic.as_str()), ("asked", "action-results"));
    assert_eq!((second.response_event.as_deref(), second.plan_id), (Some("done"), None));
    assert_eq!((second.data.as_str(), second.state.as_str()), ("{}", r#"{"s":2}"#));
    assert_eq!(second.sub_tasks, ["y", "y"]);
    assert!(second.created_at == first.created_at && second.updated_at > first.updated_at);
    assert_eq!(second.user_id.as_deref(), Some("ada"));
    let change = TaskContextChange { sub_tasks: Some(vec!["z".into()]), state: None };
    let changed = memory.change_task_context(&ada(), "t", change).await.expect("changed").expect("there");
    assert_eq!((changed.sub_tasks.concat(), changed.state.as_str()), ("z".to_owned(), r#"{"s":2}"#));
    for (sub_task, found) in [("x", false), ("y", false), ("z", true)] {
        let by = memory.task_context_by_sub_task(&ada(), sub_task).await.expect("read");
        assert_eq!(by.is_some(), found, "{sub_task}");
    }
    assert!(
        memory.change_task_context(&ada(), "u", TaskContextChange::default()).await.expect("read").is_none()
    );
    let bob = scope("one", "st", "bob");
    assert!(memory.task_context(&bob, "t").await.expect("read").is_none());
    assert!(memory.task_context_by_sub_task(&bob, "z").await.expect("read").is_none());
    assert!(memory.remove_task_context(&ada(), "t").await.expect("removed"));
    assert!(memory.task_context(&ada(), "t").await.expect("read").is_none());
}

#[tokio::test(start_paused = true)]
async fn of_several_that_wait_for_the_same_the_one_that_was_stored_last_is_meant() {
    let (_world, node) = plain().await;
    let memory = &node.memory;
    for id in ["a", "b", "a"] {
        memory.store_task_context(&ada(), new_task(id, &["x"], "{}")).await.expect("stored");
        memory.store_plan_context(&ada(), new_plan_context(id, &["c"], "{}")).await.expect("stored");
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let task = memory.task_context_by_sub_task(&ada(), "x").await.expect("read").expect("there");
    let plan = memory.plan_context_by_correlation(&ada(), "c").await.expect("read").expect("there");
    assert_eq!((task.task_id.as_str(), plan.plan_id.as_str()), ("a", "a"));
}

#[tokio::test(start_paused = true)]
async fn a_plan_context_that_is_stored_again_keeps_what_it_came_with() {
    let (_world, node) = plain().await;
    let memory = &node.memory;
    memory.store_plan_context(&ada(), new_plan_context("p", &["c"], "{}")).await.expect("stored");
    let again = NewPlanContext {
        session_id: None,
        goal_event: "other".into(),
        goal_data: data("{}"),
        response_event: None,
        current_state: None,
        ..new_plan_context("p", &["d"], r#"{"s":2}"#)
    };
    let second = memory.store_plan_context(&ada(), again).await.expect("stored");
    assert_eq!((second.goal_event.as_str(), second.goal_data.as_str()), ("goal", r#"{"g":1}"#));
    assert_eq!((second.session_id.as_deref(), second.response_event.as_deref()), (Some("s"), Some("done")));
    assert_eq!((second.state.as_str(), second.current_state), (r#"{"s":2}"#, None));
    let change = PlanContextChange { current_state: Some("end".into()), ..PlanContextChange::default() };
    let changed = memory.change_plan_context(&ada(), "p", change).await.expect("changed").expect("there");
    assert_eq!((changed.current_state.as_deref(), changed.state.as_str()), (Some("end"), r#"{"s":2}"#));
    assert!(memory.plan_context_by_correlation(&ada(), "c").await.expect("read").is_none());
    assert!(memory.plan_context_by_correlation(&ada(), "d").await.expect("read").is_some());
    assert!(memory.remove_plan_context(&ada(), "p").await.expect("removed"));
    assert!(memory.plan_context(&ada(), "p").await.expect("read").is_none());
}
