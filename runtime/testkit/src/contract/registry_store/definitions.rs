//! Clauses 6 and 7 of the store.

use soorma_core::{Data, Topic};
use soorma_ports::Refused;
use tokio::task::JoinSet;

use super::RegistryStoreHarness;
use super::steps::{
    all, all_done, at, define, define_as, definition, definitions, done, handles, one, put, schema,
    schema_as, schema_of, schemas,
};
use crate::name;

pub(super) async fn a_definition_is_replaced_all_but_its_topic<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let mut first = definition("order.placed", Topic::BusinessFacts, "an order");
    first.payload_schema_name = Some(name("order"));
    first.response_schema = Some(Data::from_json("{}").unwrap());
    assert!(done(&*store, define_as(first.clone(), 1)).await.made);
    assert_eq!(definitions(&all(&*store).await), [&first]);
    let mut second = definition("order.placed", Topic::TaskEvents, "another order");
    second.response_schema_name = Some(name("answer"));
    second.payload_schema = Some(Data::from_json(r#"{"type":"object"}"#).unwrap());
    assert!(!done(&*store, define_as(second.clone(), 2)).await.made);
    second.topic = Topic::BusinessFacts;
    assert_eq!(definitions(&all(&*store).await), [&second]);
    // Also where both come in one call.
    let both = vec![
        define("order.paid", Topic::BillingEvents, "paid", 3),
        define("order.paid", Topic::PlanEvents, "paid again", 3),
    ];
    all_done(&*store, both).await;
    let paid = definition("order.paid", Topic::BillingEvents, "paid again");
    assert_eq!(definitions(&all(&*store).await), [&paid, &second]);
}

pub(super) async fn a_schema_is_put_once_and_its_first_content_stays<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    assert!(done(&*store, schema("order", "1", r#"{"first":1}"#, 1)).await.made);
    for (seconds, again) in [(2, r#"{"second":2}"#), (3, r#"{"first":1}"#)] {
        let refused = one(&*store, schema("order", "1", again, seconds)).await;
        assert_eq!(refused, Err(Refused::AlreadyExists));
    }
    let h = h.reopen().await;
    let again = one(&*h.store(), schema("order", "1", "{}", 4)).await;
    assert_eq!(again, Err(Refused::AlreadyExists));
    let all = all(&*h.store()).await;
    let [kept] = &schemas(&all)[..] else { panic!("one schema is expected: {all:?}") };
    assert_eq!((kept.schema.as_str(), kept.created_at), (r#"{"first":1}"#, at(1)));
}

pub(super) async fn a_schema_has_the_time_of_its_write<H: RegistryStoreHarness>(h: H) {
    let mut brought = schema_of("order", "1", "{}");
    brought.description = Some("an order".into());
    brought.owner = Some(name("researcher-1"));
    done(&*h.store(), schema_as(brought.clone(), 77)).await;
    brought.created_at = at(77);
    assert_eq!(schemas(&all(&*h.store()).await), [&brought]);
}

pub(super) async fn versions_of_a_schema_stand_side_by_side<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let writes = vec![
        schema("order", "1", r#"{"v":1}"#, 1),
        schema("order", "10", r#"{"v":10}"#, 2),
        schema("order", "1.0", r#"{"v":1.0}"#, 3),
        schema("order ", "1", r#"{"v":"space"}"#, 4),
        schema("Order", "1", r#"{"v":"case"}"#, 5),
        schema("order1", "0", r#"{"v":"joined"}"#, 6),
    ];
    assert!(all_done(&*store, writes).await.iter().all(|written| written.made));
    let all = all(&*store).await;
    let mut found: Vec<_> = schemas(&all)
        .iter()
        .map(|one| (one.created_at, format!("{}@{} {}", one.name, one.version, one.schema.as_str())))
        .collect();
    found.sort_unstable();
    let expected = [
        r#"order@1 {"v":1}"#,
        r#"order@10 {"v":10}"#,
        r#"order@1.0 {"v":1.0}"#,
        r#"order @1 {"v":"space"}"#,
        r#"Order@1 {"v":"case"}"#,
        r#"order1@0 {"v":"joined"}"#,
    ];
    assert_eq!(found.into_iter().map(|(_, words)| words).collect::<Vec<_>>(), expected);
}

pub(super) async fn an_agent_a_definition_and_a_schema_of_one_name_are_three<H: RegistryStoreHarness>(h: H) {
    let writes =
        vec![put("x", 1), define("x", Topic::BusinessFacts, "an event", 1), schema("x", "1", "{}", 1)];
    assert!(all_done(&*h.store(), writes).await.iter().all(|written| written.made));
    assert_eq!(all(&*h.store()).await.rows.len(), 3);
}

pub(super) async fn a_schema_put_by_many_at_once_is_made_once<H: RegistryStoreHarness>(h: H) {
    let handles = handles(&h).await;
    for round in 0..10 {
        let mut tasks = JoinSet::new();
        for nth in 0..8 {
            let store = handles[nth % 2].clone();
            tasks.spawn(async move {
                let json = format!(r#"{{"brought_by":{nth}}}"#);
                (json.clone(), one(&*store, schema(&format!("s{round}"), "1", &json, 1)).await)
            });
        }
        let answers = tasks.join_all().await;
        let won: Vec<_> = answers.iter().filter(|(_, answer)| answer.is_ok()).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        let all = all(&*h.store()).await;
        let kept = schemas(&all).into_iter().find(|schema| schema.name.as_str() == format!("s{round}"));
        assert_eq!(kept.unwrap().schema.as_str(), won[0].0, "what was answered is what stays");
    }
}
