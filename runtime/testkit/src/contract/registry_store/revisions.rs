//! Clause 9 of the store.

use std::collections::BTreeSet;

use soorma_core::{AgentStatus, Topic};
use soorma_ports::Standing;
use tokio::task::JoinSet;

use super::RegistryStoreHarness;
use super::follower::Follower;
use super::steps::{
    ALL, all, all_done, at, define, done, handles, hear, hear_as, of, put, remove, schema, standing, write,
};
use crate::SeededEntropy;

pub(super) async fn every_write_has_a_revision_past_those_before<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let mut last = 0;
    for round in 1..4 {
        let writes = vec![
            put("a", round * 10),
            of("globex", put("a", round * 10)),
            hear("a", round * 10 + 1),
            hear_as("a", standing(AgentStatus::Degraded, "slow"), round * 10 + 2),
            define("e", Topic::BusinessFacts, "an event", round * 10),
            schema("s", &round.to_string(), "{}", round * 10),
            remove("a", round * 10 + 3),
        ];
        for write in writes {
            let written = done(&*store, write.clone()).await;
            assert!(written.revision > last, "{} after {last}: {write:?}", written.revision);
            last = written.revision;
        }
    }
}

/// Whether it has a revision of its own is the store's affair.
pub(super) async fn a_sign_of_life_that_is_no_news_has_no_older_revision_than_the_record<
    H: RegistryStoreHarness,
>(
    h: H,
) {
    let store = h.store();
    all_done(&*store, vec![put("a", 10), hear("a", 20)]).await;
    let again = done(&*store, put("a", 30)).await.revision;
    for old in [hear("a", 5), hear("a", 30), hear_as("a", Standing::READY, 30)] {
        let written = done(&*store, old).await;
        assert!(written.revision >= again, "{} is before {again}", written.revision);
        assert!(all(&*store).await.upto >= written.revision);
    }
    let heard = done(&*store, hear("a", 40)).await.revision;
    assert!(done(&*store, hear("a", 40)).await.revision >= heard);
}

pub(super) async fn revisions_grow_after_reopening<H: RegistryStoreHarness>(h: H) {
    let first = done(&*h.store(), put("a", 1)).await.revision;
    // The last thing that happened is of an agent that is no more.
    let last = done(&*h.store(), remove("a", 2)).await.revision;
    h.store().forget(at(100)).await.unwrap();
    let h = h.reopen().await;
    let next = done(&*h.store(), put("b", 3)).await.revision;
    assert!(first < last && last < next, "{first}, {last}, {next}");
}

pub(super) async fn what_was_written_is_seen_up_to_its_revision<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    for write in
        [put("a", 1), hear("a", 2), define("e", Topic::BusinessFacts, "", 3), put("b", 4), remove("b", 5)]
    {
        let revision = done(&*store, write).await.revision;
        let seen = all(&*store).await;
        // Who waits to see a write waits for its revision.
        assert!(seen.upto >= revision, "all is read up to {}, and {revision} was answered", seen.upto);
    }
    let answers = write(&*store, vec![put("c", 6), hear("nobody", 6), hear("c", 7)]).await;
    let highest = answers.iter().flatten().map(|written| written.revision).max().unwrap();
    assert!(all(&*store).await.upto >= highest);
}

pub(super) async fn ten_thousand_rows_are_paged_while_they_change<H: RegistryStoreHarness>(h: H) {
    const ROWS: u64 = 10_000;
    let [store, other] = handles(&h).await;
    let id = |nth: u64| format!("agent-{nth:05}");
    for from in (0..ROWS).step_by(1_000) {
        all_done(&*store, (from..from + 1_000).map(|nth| put(&id(nth), 1)).collect()).await;
    }
    // All kinds of changes after each page, behind it and before it.
    let entropy = SeededEntropy::new(7);
    let (mut follower, mut touched, mut pages, mut new) = (Follower::default(), BTreeSet::new(), 0, 0);
    while follower.page(&*store, 100).await.unwrap() {
        pages += 1;
        if pages > 150 {
            // Long enough; else what changes is paged for ever.
            continue;
        }
        let mut writes = Vec::new();
        for _ in 0..10 {
            let nth = entropy.below(ROWS);
            touched.insert(nth);
            let second = 10 + pages;
            writes.push(match entropy.below(5) {
                0 => put(&id(nth), second),
                1 => remove(&id(nth), second),
                2 => hear_as(&id(nth), standing(AgentStatus::Degraded, "slow"), second),
                _ => hear(&id(nth), second),
            });
        }
        writes.push(put(&format!("new-{new}"), 1));
        new += 1;
        write(if pages % 2 == 0 { &*store } else { &*other }, writes).await;
    }
    assert!(pages >= 100, "{pages} pages");
    let agents = follower.agents();
    for nth in (0..ROWS).filter(|nth| !touched.contains(nth)) {
        assert!(agents.contains_key(id(nth).as_str()), "{nth} stood all the while and was missed");
    }
    assert_eq!(agents.keys().filter(|id| id.starts_with("new-")).count(), new);
    assert_eq!(follower.rows, Follower::from_zero(&*other, ALL).await.rows);
}

pub(super) async fn who_follows_misses_nothing_of_writers_at_once<H: RegistryStoreHarness>(h: H) {
    const WRITERS: usize = 8;
    const BATCHES: i64 = 25;
    let handles = handles(&h).await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = handles[writer % 2].clone();
        writers.spawn(async move {
            for batch in 0..BATCHES {
                let own = |nth: i64| format!("w{writer}-{nth}");
                let writes = vec![
                    put(&own(batch), batch),
                    hear(&own(batch / 2), batch + 1),
                    put("shared", batch),
                    hear_as("shared", standing(AgentStatus::Degraded, &own(batch)), batch),
                    schema("shared", &batch.to_string(), "{}", batch),
                    define("shared", Topic::BusinessFacts, &own(batch), batch),
                    of("globex", put(&own(batch), batch)),
                ];
                write(&*store, writes).await;
                if batch % 5 == 4 {
                    done(&*store, remove(&own(batch - 1), batch)).await;
                }
            }
        });
    }
    let mut followers = JoinSet::new();
    for (nth, store) in handles.clone().into_iter().enumerate() {
        followers.spawn(async move {
            let mut follower = Follower::default();
            let last = WRITERS * usize::try_from(BATCHES - BATCHES / 5).unwrap() + 1;
            // Until all that stands at the end was seen: small pages on the one side, what there is on the other.
            let until = async {
                loop {
                    follower.follow(&*store, if nth == 0 { 3 } else { ALL }).await.unwrap();
                    let is_there = |one: usize| follower.agents().contains_key(format!("w{one}-24").as_str());
                    if (0..WRITERS).all(is_there) && follower.agents().len() == last {
                        return;
                    }
                    store.changed(follower.upto).await.unwrap();
                }
            };
            let seen = tokio::time::timeout(super::steps::SOON * 12, until).await;
            assert!(seen.is_ok(), "{} of {last} agents were seen", follower.agents().len());
            follower
        });
    }
    writers.join_all().await;
    let mut followers = followers.join_all().await;
    let expected = all(&*h.store()).await;
    for follower in &mut followers {
        follower.follow(&*h.store(), ALL).await.unwrap();
        assert_eq!(follower.rows, expected.rows, "who followed has seen what stands");
    }
}
