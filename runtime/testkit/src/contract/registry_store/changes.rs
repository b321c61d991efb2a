//! Clauses 10, 11 and 15 of the store.

use soorma_core::{AgentStatus, Topic};
use soorma_ports::{ReadFrom, RegistryRow, Standing};

use super::RegistryStoreHarness;
use super::follower::Follower;
use super::steps::{
    ALL, agent, all, all_done, at, changes, define, done, hear, hear_as, of, only_change, put, put_as,
    remove, schema, standing, words,
};
use crate::name;

pub(super) async fn of_nothing_there_are_none<H: RegistryStoreHarness>(h: H) {
    let page = h.store().changes(0.into(), 10).await.unwrap();
    assert_eq!((page.changes, page.more), (vec![], false));
}

pub(super) async fn pages_go_through_all_in_order<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let writes = vec![
        put("c", 1),
        define("e", Topic::BusinessFacts, "", 1),
        of("globex", put("a", 1)),
        schema("s", "2", "{}", 1),
        put("b", 1),
        schema("s", "1", "{}", 1),
        of("globex", define("d", Topic::BusinessFacts, "", 1)),
    ];
    all_done(&*store, writes).await;
    let expected = [
        "acme agent c",
        "acme event e",
        "globex agent a",
        "acme schema s 2",
        "acme agent b",
        "acme schema s 1",
        "globex event d",
    ];
    for limit in [1, 2, 3, 7, 100] {
        let (mut from, mut told) = (ReadFrom::default(), Vec::new());
        loop {
            let page = store.changes(from, limit).await.unwrap();
            assert!(page.changes.len() <= limit, "{} of at most {limit}", page.changes.len());
            told.extend(words(&page.changes));
            if !page.more {
                break;
            }
            assert!(page.upto > from.after, "a page moves on");
            from = page.next();
        }
        assert_eq!(told, expected, "by {limit}");
    }
}

pub(super) async fn a_row_is_told_once_as_it_is_now<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let first = done(&*store, put("a", 1)).await.revision;
    for round in 2..6 {
        let mut again = agent("a");
        again.description = format!("is {round}");
        let degraded = standing(AgentStatus::Degraded, &round.to_string());
        let writes = vec![
            put_as(again, degraded, round),
            hear("a", round * 10),
            define("e", Topic::BusinessFacts, &round.to_string(), round),
        ];
        all_done(&*store, writes).await;
    }
    for after in [0, first] {
        let changes = changes(&*store, after).await;
        assert_eq!(words(&changes), ["acme agent a", "acme event e"]);
        let RegistryRow::Agent { agent, standing, registered_at, heard_at } = &changes[0].row else {
            panic!()
        };
        assert_eq!((agent.description.as_str(), standing.reason.as_deref()), ("is 5", Some("5")));
        assert_eq!((*registered_at, *heard_at), (at(1), at(50)));
        let RegistryRow::Event(event) = &changes[1].row else { panic!() };
        assert_eq!(event.description, "5");
    }
}

pub(super) async fn after_zero_nothing_that_was_removed_is_told<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    all_done(&*store, vec![put("a", 1), put("b", 2), put("c", 3), remove("b", 4), hear("a", 5)]).await;
    let mut told = words(&changes(&*store, 0).await);
    told.sort_unstable();
    assert_eq!(told, ["acme agent a", "acme agent c"]);
}

pub(super) async fn that_an_agent_was_removed_is_told_to_who_saw_it<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    all_done(&*store, vec![put("a", 1), put("b", 1), of("globex", put("a", 1))]).await;
    let mut seen = all(&*store).await;
    let before = seen.upto;
    done(&*store, remove("a", 2)).await;
    assert_eq!(words(&changes(&*store, before).await), ["acme removed a"]);
    seen.follow(&*store, 1).await.unwrap();
    assert_eq!(seen.rows.len(), 2);
    assert_eq!(words(&changes(&*store, seen.upto).await), Vec::<String>::new(), "and not again");
}

pub(super) async fn an_agent_that_was_put_again_is_told_whole<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    done(&*store, put("a", 1)).await;
    let before = all(&*store).await.upto;
    all_done(&*store, vec![remove("a", 2), put("a", 3), hear("a", 4)]).await;
    let RegistryRow::Agent { agent: told, registered_at, heard_at, .. } = only_change(&*store, before).await
    else {
        panic!("it was made anew")
    };
    assert_eq!((*told, registered_at, heard_at), (agent("a"), at(3), at(4)));
}

pub(super) async fn only_a_sign_of_life_is_told_without_the_record<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    all_done(&*store, vec![put("a", 1), put("b", 1)]).await;
    let put_up_to = all(&*store).await.upto;
    all_done(&*store, vec![hear("a", 2), hear("a", 3)]).await;
    let heard = |standing: Standing, seconds| RegistryRow::Heard {
        agent: name("a"),
        standing,
        heard_at: at(seconds),
    };
    assert_eq!(only_change(&*store, put_up_to).await, heard(Standing::READY, 3));
    let heard_up_to = all(&*store).await.upto;
    let degraded = standing(AgentStatus::Degraded, "slow");
    done(&*store, hear_as("a", degraded.clone(), 4)).await;
    assert_eq!(only_change(&*store, put_up_to).await, heard(degraded.clone(), 4));
    assert_eq!(only_change(&*store, heard_up_to).await, heard(degraded, 4));
    // Who begins has no record yet, and a new record is news.
    assert_eq!(words(&changes(&*store, 0).await).len(), 2);
    assert!(!words(&changes(&*store, 0).await).contains(&"acme heard a".to_owned()));
    all_done(&*store, vec![put("a", 5), hear("a", 6)]).await;
    assert_eq!(words(&changes(&*store, put_up_to).await), ["acme agent a"]);
}

/// Between two pages nobody has seen all up to the place where he stands: an agent that was heard of after rows that are still to come
/// is not passed over, and it is no mere sign of life to one who has no record of it.
pub(super) async fn who_pages_gets_the_record_of_an_agent_that_was_heard_since<H: RegistryStoreHarness>(
    h: H,
) {
    let store = h.store();
    all_done(&*store, vec![put("a", 1), put("b", 1), put("c", 1), put("d", 1)]).await;
    let half = {
        let mut follower = Follower::default();
        follower.page(&*store, 2).await.unwrap();
        follower
    };
    // Heard of again: in front of the place of the one, behind that of the other.
    all_done(&*store, vec![hear("a", 2), hear("d", 3), put("e", 4), hear("e", 5)]).await;
    for limit in [1, 2, 3, ALL] {
        let expected = all(&*store).await.rows;
        // `follow` fails where a sign of life comes without a record.
        assert_eq!(Follower::from_zero(&*store, limit).await.rows, expected, "by {limit}");
        let mut half = half.clone();
        half.follow(&*store, limit).await.unwrap();
        assert_eq!(half.rows, expected, "from the middle by {limit}");
    }
    // And again after each page.
    let (mut follower, mut second) = (Follower::default(), 10);
    while follower.page(&*store, 1).await.unwrap() {
        second += 1;
        if second < 30 {
            all_done(&*store, ["a", "b", "c", "d", "e"].map(|id| hear(id, second)).to_vec()).await;
        }
    }
    assert_eq!(follower.rows, all(&*store).await.rows);
}

pub(super) async fn at_the_end_there_is_nothing<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    all_done(&*store, vec![put("a", 1), put("b", 1), remove("a", 2)]).await;
    let upto = all(&*store).await.upto;
    let page = store.changes(upto.into(), 10).await.unwrap();
    assert_eq!((page.changes, page.upto, page.more), (vec![], upto, false));
}

pub(super) async fn asked_for_none_a_page_goes_nowhere<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let first = done(&*store, put("a", 1)).await.revision;
    done(&*store, put("b", 1)).await;
    for after in [0, first] {
        let page = store.changes(after.into(), 0).await.unwrap();
        assert_eq!((page.changes, page.upto, page.more), (vec![], after, true));
    }
}

pub(super) async fn what_cannot_be_read_is_left_out_and_holds_up_nothing<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    all_done(&*store, vec![put("a", 1), put("b", 1), define("e", Topic::BusinessFacts, "", 1)]).await;
    let mut seen = all(&*store).await;
    all_done(&*store, vec![put("b", 2), put("c", 2)]).await;
    h.damage("b").await;
    // Who follows goes past it, with what he was told before.
    seen.follow(&*store, 1).await.unwrap();
    assert_eq!(seen.agents().keys().copied().collect::<Vec<_>>(), ["a", "b", "c"]);
    for limit in [1, 2, ALL] {
        let anew = Follower::from_zero(&*store, limit).await;
        assert_eq!(anew.agents().keys().copied().collect::<Vec<_>>(), ["a", "c"], "by {limit}");
        assert_eq!(anew.upto, seen.upto);
    }
    // It is there all the while: put again it is whole, and not made anew.
    assert!(!done(&*store, put("b", 3)).await.made);
    seen.follow(&*store, 1).await.unwrap();
    assert_eq!(seen.rows, all(&*store).await.rows);
    assert_eq!(seen.agents()["b"].registered_at, at(1));
}
