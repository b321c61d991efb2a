//! Clauses 1 and 2 of the store.

use soorma_core::{AgentStatus, Topic};
use soorma_ports::Refused;
use tokio::task::JoinSet;

use super::RegistryStoreHarness;
use super::follower::Follower;
use super::steps::{
    ALL, agent, all, all_done, at, define, done, find, handles, hear, hear_as, made, of, put, put_as, remove,
    remove_unless, schema, schemas, standing, write,
};

pub(super) async fn what_was_answered_is_there_after_reopening<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let degraded = standing(AgentStatus::Degraded, "the model is slow");
    let writes = vec![
        put("a", 1),
        put("b", 2),
        put("gone", 3),
        hear_as("a", degraded, 4),
        remove("gone", 5),
        define("order.placed", Topic::BusinessFacts, "an order", 6),
        schema("order", "1", r#"{"type":"object"}"#, 7),
        of("globex", put("a", 8)),
    ];
    all_done(&*store, writes).await;
    let before = all(&*store).await;
    assert_eq!(before.rows.len(), 5);
    drop(store);
    let h = h.reopen().await;
    let after = all(&*h.store()).await;
    assert_eq!(after.rows, before.rows);
    assert!(after.upto >= before.upto, "it goes on where it was");
    // Who saw all before has seen all; and what was removed is known.
    let mut follower = before.clone();
    follower.follow(&*h.store(), ALL).await.unwrap();
    assert_eq!(follower.rows, before.rows);
    assert!(done(&*h.store(), put("gone", 9)).await.made);
}

pub(super) async fn a_working_store_says_so<H: RegistryStoreHarness>(h: H) {
    assert_eq!(h.store().check().await, Ok(()));
    done(&*h.store(), put("a", 1)).await;
    assert_eq!(h.store().check().await, Ok(()));
    assert_eq!(all(&*h.store()).await.rows.len(), 1, "to ask leaves nothing behind");
}

pub(super) async fn a_batch_of_nothing_answers_nothing<H: RegistryStoreHarness>(h: H) {
    assert_eq!(h.store().write(vec![]).await, Ok(vec![]));
    assert!(all(&*h.store()).await.rows.is_empty());
}

pub(super) async fn each_write_has_its_answer_in_the_order_of_the_call<H: RegistryStoreHarness>(h: H) {
    let writes = vec![
        define("e", Topic::BusinessFacts, "1", 1),
        put("a", 1),
        hear("nobody", 1),
        schema("s", "1", "{}", 1),
        put("a", 2),
        schema("s", "1", "{}", 2),
        define("e", Topic::BusinessFacts, "2", 2),
        remove("nobody", 2),
        hear("a", 3),
        remove_unless("a", 2, 3),
        remove("a", 3),
    ];
    let expected = [
        Ok(true),
        Ok(true),
        Err(Refused::NotFound),
        Ok(true),
        Ok(false),
        Err(Refused::AlreadyExists),
        Ok(false),
        Err(Refused::NotFound),
        Ok(false),
        Err(Refused::Conflict),
        Ok(false),
    ];
    assert_eq!(made(&write(&*h.store(), writes).await), expected);
}

pub(super) async fn what_is_refused_undoes_none_of_its_neighbours<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    all_done(&*store, vec![put("old", 1), schema("s", "1", r#"{"first":1}"#, 1)]).await;
    let writes = vec![
        put("a", 2),
        hear("nobody", 2),
        put("b", 2),
        schema("s", "1", r#"{"second":2}"#, 2),
        schema("s", "2", r#"{"second":2}"#, 2),
        remove_unless("old", 0, 2),
        hear("old", 3),
        remove("nobody", 2),
        put("c", 2),
    ];
    let answers = write(&*store, writes).await;
    let refused: Vec<usize> = (0..answers.len()).filter(|nth| answers[*nth].is_err()).collect();
    assert_eq!(refused, [1, 3, 5, 7]);
    let all = all(&*store).await;
    assert_eq!(all.agents().keys().copied().collect::<Vec<_>>(), ["a", "b", "c", "old"]);
    assert_eq!(all.agents()["old"].heard_at, at(3));
    let schemas: Vec<_> = schemas(&all).iter().map(|schema| schema.schema.as_str()).collect();
    assert_eq!(schemas, [r#"{"first":1}"#, r#"{"second":2}"#]);
}

pub(super) async fn a_write_sees_those_before_it<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let starting = standing(AgentStatus::Starting, "warming up");
    let mut anew = agent("a");
    anew.description = "is another".into();
    let writes = vec![
        hear("a", 9),
        put("a", 10),
        hear_as("a", standing(AgentStatus::Draining, "going down"), 20),
        remove_unless("a", 19, 21),
        remove_unless("a", 20, 22),
        hear("a", 23),
        put_as(anew.clone(), starting.clone(), 5),
        hear("a", 4),
        schema("s", "1", r#"{"first":1}"#, 1),
        schema("s", "1", r#"{"second":1}"#, 1),
    ];
    let expected = [
        Err(Refused::NotFound),
        Ok(true),
        Ok(false),
        Err(Refused::Conflict),
        Ok(false),
        Err(Refused::NotFound),
        Ok(true),
        Ok(false),
        Ok(true),
        Err(Refused::AlreadyExists),
    ];
    assert_eq!(made(&write(&*store, writes).await), expected);
    let found = find(&*store, "a").await.unwrap();
    assert_eq!((found.record, found.standing), (anew, starting));
    assert_eq!((found.registered_at, found.heard_at), (at(5), at(5)), "nothing of the former is left");
}

pub(super) async fn what_is_sent_again_does_no_harm<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let batch = || {
        vec![
            put("a", 1),
            hear("a", 2),
            put("b", 3),
            remove("b", 4),
            define("e", Topic::BusinessFacts, "an event", 5),
        ]
    };
    write(&*store, batch()).await;
    let first = all(&*store).await;
    write(&*store, batch()).await;
    assert_eq!(all(&*store).await.rows, first.rows);
}

pub(super) async fn a_large_batch_is_carried_out<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let id = |nth: i64| format!("agent-{nth:04}");
    let puts = (0..1_000).map(|nth| put(&id(nth), nth)).collect();
    let made = all_done(&*store, puts).await;
    assert!(made.iter().all(|written| written.made));
    // Heartbeats with refusals among them, one agent heard twice, one removed in the middle.
    let mut heard: Vec<_> = (0..1_000).map(|nth| hear(&id(nth), 5_000 + nth)).collect();
    heard.extend((0..1_000).step_by(100).map(|nth| hear(&format!("nobody-{nth}"), 1)));
    heard.insert(500, remove(&id(700), 5_000));
    heard.push(hear(&id(3), 9_000));
    let answers = write(&*store, heard).await;
    let refused: Vec<usize> = (0..answers.len()).filter(|nth| answers[*nth].is_err()).collect();
    let expected: Vec<usize> = std::iter::once(701).chain(1_001..1_011).collect();
    assert_eq!(refused, expected);
    let all = all(&*store).await;
    let agents = all.agents();
    assert_eq!(agents.len(), 999);
    for nth in (0..1_000).filter(|nth| *nth != 700) {
        let heard_at = if nth == 3 { at(9_000) } else { at(5_000 + nth) };
        let found = agents[id(nth).as_str()];
        assert_eq!((found.registered_at, found.heard_at), (at(nth), heard_at), "{nth}");
    }
}

/// Two that write the same rows in opposite order wait for one another at worst, and never for ever.
pub(super) async fn batches_that_cross_are_both_carried_out<H: RegistryStoreHarness>(h: H) {
    let ids: Vec<String> = (0..40).map(|nth| format!("a{nth}")).collect();
    let mut tasks = JoinSet::new();
    for (nth, store) in handles(&h).await.into_iter().enumerate() {
        let mut ids = ids.clone();
        if nth == 1 {
            ids.reverse();
        }
        tasks.spawn(async move {
            for round in 0..20 {
                let writes = ids.iter().flat_map(|id| [put(id, round), hear(id, round + 1)]).collect();
                all_done(&*store, writes).await;
            }
        });
    }
    tasks.join_all().await;
    let all = Follower::from_zero(&*h.store(), 7).await;
    assert_eq!(all.agents().len(), ids.len());
    assert!(all.agents().values().all(|agent| agent.heard_at == at(20)));
}
