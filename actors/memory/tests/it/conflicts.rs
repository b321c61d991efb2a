//! Two nodes on one store: what another has changed between reading and writing is read and made again.

use std::sync::Arc;
use std::time::Duration;

use soorma_core::{ErrorCode, PlanStatus};
use soorma_memory::Config;
use soorma_ports::{
    NewPlan, NewTaskContext, Procedural as _, SetWhen, TaskContextChange, Work as _, Working as _, WorkingOp,
};
use soorma_testkit::{Fault, MemoryCall};
use tokio::task::JoinSet;

use super::world::{Node, World, ada, data, json, rule};

async fn two(world: &World) -> [Node; 2] {
    [world.node(1, Config::default()).await, world.node(2, Config::default()).await]
}

#[tokio::test(start_paused = true)]
async fn increments_of_a_hundred_tasks_on_two_nodes_add_up() {
    let world = World::new();
    let nodes = two(&world).await;
    let mut all = JoinSet::new();
    for task in 0..100 {
        let memory = Arc::clone(&nodes[task % 2].memory);
        all.spawn(async move {
            for _ in 0..10 {
                memory
                    .update_value(&ada(), "p", "n", WorkingOp::Increment(json("1")))
                    .await
                    .expect("changed");
                memory
                    .update_value(&ada(), "p", "l", WorkingOp::Append(json(&task.to_string())))
                    .await
                    .expect("changed");
            }
        });
    }
    // Now and then the store takes its time, so that both read the same.
    for n in 0..40 {
        world.store.on(MemoryCall::Write, Fault::Delay(Duration::from_millis(n % 3)));
        world.store.on(MemoryCall::Get, Fault::Delay(Duration::from_millis(n % 2)));
    }
    all.join_all().await;
    assert_eq!(nodes[0].value("p", "n").await.as_deref(), Some("1000"));
    let list: Vec<usize> =
        serde_json::from_str(&nodes[1].value("p", "l").await.expect("there")).expect("a list");
    let mut counts = [0; 100];
    list.iter().for_each(|task| counts[*task] += 1);
    assert_eq!(counts, [10; 100]);
}

#[tokio::test(start_paused = true)]
async fn what_another_node_wrote_between_reading_and_writing_is_not_lost() {
    let who = ada();
    let world = World::new();
    let [one, other] = two(&world).await;
    one.set("p", "n", "1").await;
    world.store.delay(1, MemoryCall::Write, Duration::from_millis(10));
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        other.set("p", "n", "10").await;
    };
    let changing = one.memory.update_value(&who, "p", "n", WorkingOp::Increment(json("1")));
    let (changed, ()) = tokio::join!(changing, meanwhile);
    assert_eq!(changed.expect("changed").value, json("11"));
    // A condition that does not hold any more is told, not tried again.
    let revision = one.set("p", "n", "1").await;
    other.set("p", "n", "2").await;
    let set = one.memory.set_value(&who, "p", "n", json("3"), SetWhen::Revision(revision), None).await;
    assert_eq!(set.expect_err("it has changed").code, ErrorCode::Conflict);
    assert_eq!(one.value("p", "n").await.as_deref(), Some("2"));
}

#[tokio::test(start_paused = true)]
async fn changes_of_contexts_plans_and_skills_are_made_on_what_is_there() {
    let world = World::new();
    let nodes = two(&world).await;
    let plan = NewPlan {
        plan_id: "p".into(),
        session_id: None,
        goal_event: "g".into(),
        goal_data: data("{}"),
        parent_plan_id: None,
    };
    nodes[0].memory.make_plan(&ada(), plan.clone()).await.expect("made");
    let task = NewTaskContext {
        task_id: "t".into(),
        plan_id: None,
        event_type: "e".into(),
        response_event: None,
        response_topic: "action-results".into(),
        data: data("{}"),
        sub_tasks: Vec::new(),
        state: data("{}"),
    };
    nodes[0].memory.store_task_context(&ada(), task.clone()).await.expect("stored");
    let mut all = JoinSet::new();
    for n in 0..20 {
        let memory = Arc::clone(&nodes[n % 2].memory);
        let (task, plan) = (task.clone(), plan.clone());
        all.spawn(async move {
            let state = TaskContextChange { state: Some(data(r#"{"s":1}"#)), ..TaskContextChange::default() };
            let ids = TaskContextChange { sub_tasks: Some(vec!["x".into()]), ..TaskContextChange::default() };
            for change in [state, ids] {
                memory.change_task_context(&ada(), "t", change).await.expect("changed").expect("there");
            }
            memory.set_plan_status(&ada(), "p", PlanStatus::ALL[n % 4]).await.expect("set").expect("there");
            memory.store_skill(&ada(), rule("a", Some("n"), "t", &n.to_string())).await.expect("stored");
            let again = memory.make_plan(&ada(), plan).await.expect_err("there is one");
            assert_eq!(again.code, ErrorCode::AlreadyExists);
            drop(task);
        });
    }
    all.join_all().await;
    let task = nodes[0].memory.task_context(&ada(), "t").await.expect("read").expect("there");
    assert_eq!((task.state.as_str(), task.sub_tasks.concat()), (r#"{"s":1}"#, "x".to_owned()));
    let (skill, made) =
        nodes[1].memory.store_skill(&ada(), rule("a", Some("n"), "t", "last")).await.expect("stored");
    assert!(!made && skill.version == Some(21), "none is lost: {skill:?}");
}
