//! Clauses 3 to 5 of the store.

use soorma_core::{AgentKind, AgentStatus, Capability, EventRef, Topic};
use soorma_ports::{Refused, Standing};
use tokio::task::JoinSet;

use super::RegistryStoreHarness;
use super::steps::{
    agent, at, done, find, handles, hear, hear_as, one, put, put_as, remove, remove_unless, standing,
};
use crate::name;

pub(super) async fn put_it_is_made_as_it_was_said<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let mut record = agent("a");
    record.kind = Some(AgentKind::Planner);
    record.version = Some("1.0.0".into());
    record.capabilities = vec![Capability {
        name: name("web_research"),
        description: "looks things up".into(),
        consumes: EventRef { name: name("research.requested"), topic: Some(Topic::ActionRequests) },
        produces: vec![EventRef { name: name("research.done"), topic: None }],
    }];
    record.produces = vec![name("research.done"), name("alpha")];
    for (nth, status) in AgentStatus::ALL.iter().filter(|one| **one != AgentStatus::Expired).enumerate() {
        record.id = name(&format!("agent-{nth}"));
        let how = standing(*status, if nth % 2 == 0 { "so it is" } else { "" });
        assert!(done(&*store, put_as(record.clone(), how.clone(), 7)).await.made);
        let found = find(&*store, record.id.as_str()).await.unwrap();
        assert_eq!((found.record, found.standing), (record.clone(), how));
        assert_eq!((found.registered_at, found.heard_at), (at(7), at(7)));
    }
}

pub(super) async fn put_again_it_is_replaced_and_keeps_its_first_time<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let mut first = agent("a");
    first.version = Some("1".into());
    done(&*store, put_as(first, standing(AgentStatus::Degraded, "slow"), 10)).await;
    let mut second = agent("a");
    second.description = "is changed".into();
    second.consumes = vec![];
    assert!(!done(&*store, put_as(second.clone(), Standing::READY, 20)).await.made);
    let found = find(&*store, "a").await.unwrap();
    assert_eq!((found.record, found.standing), (second, Standing::READY));
    assert_eq!((found.registered_at, found.heard_at), (at(10), at(20)));
}

pub(super) async fn put_with_an_earlier_time_it_was_heard_then<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    done(&*store, put("a", 100)).await;
    done(&*store, put("a", 40)).await;
    let found = find(&*store, "a").await.unwrap();
    assert_eq!((found.registered_at, found.heard_at), (at(100), at(40)));
}

pub(super) async fn a_sign_of_life_moves_the_time_forward<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    done(&*store, put("a", 10)).await;
    done(&*store, put("b", 10)).await;
    assert!(!done(&*store, hear("a", 30)).await.made);
    let found = find(&*store, "a").await.unwrap();
    assert_eq!((found.registered_at, found.heard_at, found.record), (at(10), at(30), agent("a")));
    assert_eq!(find(&*store, "b").await.unwrap().heard_at, at(10), "of the other nothing was heard");
}

pub(super) async fn an_old_sign_of_life_moves_nothing_back_but_what_it_says_counts<
    H: RegistryStoreHarness,
>(
    h: H,
) {
    let store = h.store();
    done(&*store, put("a", 50)).await;
    assert!(!done(&*store, hear("a", 20)).await.made);
    assert_eq!(find(&*store, "a").await.unwrap().heard_at, at(50));
    let draining = standing(AgentStatus::Draining, "going down");
    assert!(!done(&*store, hear_as("a", draining.clone(), 20)).await.made);
    let found = find(&*store, "a").await.unwrap();
    assert_eq!((found.heard_at, found.standing), (at(50), draining));
}

pub(super) async fn a_sign_of_life_that_says_nothing_leaves_the_standing<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let degraded = standing(AgentStatus::Degraded, "the model is slow");
    done(&*store, put_as(agent("a"), degraded.clone(), 1)).await;
    done(&*store, hear("a", 2)).await;
    let found = find(&*store, "a").await.unwrap();
    assert_eq!((found.heard_at, found.standing), (at(2), degraded));
}

pub(super) async fn a_standing_takes_the_place_of_the_former_with_its_reason<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    done(&*store, put_as(agent("a"), standing(AgentStatus::Degraded, "the model is slow"), 1)).await;
    let quarantined = standing(AgentStatus::Quarantined, "failed too often");
    done(&*store, hear_as("a", quarantined.clone(), 2)).await;
    assert_eq!(find(&*store, "a").await.unwrap().standing, quarantined);
    done(&*store, hear_as("a", Standing::READY, 3)).await;
    assert_eq!(find(&*store, "a").await.unwrap().standing, Standing::READY, "its reason is gone, too");
}

pub(super) async fn a_sign_of_life_of_nobody_is_refused<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    done(&*store, put("a", 1)).await;
    done(&*store, remove("a", 2)).await;
    assert_eq!(one(&*store, hear("nobody", 3)).await, Err(Refused::NotFound));
    assert_eq!(one(&*store, hear_as("a", Standing::READY, 3)).await, Err(Refused::NotFound));
    assert_eq!(find(&*store, "a").await, None, "it is not brought back");
    assert_eq!(find(&*store, "nobody").await, None);
}

pub(super) async fn removed_it_is_gone_and_put_again_made_anew<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    done(&*store, put_as(agent("a"), standing(AgentStatus::Degraded, "slow"), 10)).await;
    done(&*store, put("b", 10)).await;
    assert!(!done(&*store, remove("a", 20)).await.made);
    assert_eq!(find(&*store, "a").await, None);
    assert!(find(&*store, "b").await.is_some());
    assert!(done(&*store, put("a", 15)).await.made);
    let found = find(&*store, "a").await.unwrap();
    assert_eq!((found.registered_at, found.heard_at), (at(15), at(15)));
    assert_eq!(found.standing, Standing::READY);
}

pub(super) async fn a_removal_is_refused_when_it_was_heard_after_the_time<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    done(&*store, put("a", 10)).await;
    done(&*store, hear("a", 30)).await;
    assert_eq!(one(&*store, remove_unless("a", 10, 40)).await, Err(Refused::Conflict));
    assert_eq!(one(&*store, remove_unless("a", 29, 40)).await, Err(Refused::Conflict));
    assert_eq!(find(&*store, "a").await.unwrap().heard_at, at(30), "it stays as it was");
    assert!(one(&*store, remove_unless("a", 30, 40)).await.is_ok(), "at the time is not after it");
    assert_eq!(find(&*store, "a").await, None);
}

pub(super) async fn a_removal_of_nobody_is_refused<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    done(&*store, put("a", 1)).await;
    done(&*store, remove("a", 2)).await;
    assert_eq!(one(&*store, remove("a", 3)).await, Err(Refused::NotFound));
    assert_eq!(one(&*store, remove("nobody", 3)).await, Err(Refused::NotFound));
    assert_eq!(one(&*store, remove_unless("nobody", 0, 3)).await, Err(Refused::NotFound));
}

pub(super) async fn put_by_many_at_once_it_is_made_once<H: RegistryStoreHarness>(h: H) {
    let handles = handles(&h).await;
    for round in 0..10 {
        let mut tasks = JoinSet::new();
        for nth in 0..8 {
            let store = handles[nth % 2].clone();
            tasks.spawn(async move { done(&*store, put(&format!("a{round}"), 1)).await.made });
        }
        let made = tasks.join_all().await;
        assert_eq!(made.iter().filter(|made| **made).count(), 1, "{made:?}");
    }
}
