use std::sync::{Arc, Mutex};
use std::time::Duration;

use soorma_core::ChildState;
use soorma_supervise::{Backoff, Lifecycle, Observer, Root, Strategy, SupervisorSpec, Turn};

use super::fixture::{Diary, Msg, Start, find, patient, probe, probe_that, settle};

#[tokio::test(start_paused = true)]
async fn the_tree_shows_every_child_with_its_state_restarts_failure_depth_credit_and_age() {
    let diary = Diary::default();
    let (a, addr) = probe("a", &diary);
    let backoff =
        Backoff { jitter: 0.0, ..Backoff::exponential(Duration::from_secs(4), Duration::from_secs(4)) };
    let low = patient("low", Strategy::RestForOne).child(a.backoff(backoff));
    let root = Root::start(patient("root", Strategy::OneForOne).child(low.into())).await.unwrap();
    tokio::time::sleep(Duration::from_secs(7)).await;
    addr.cast(Msg::Work(Duration::from_secs(1), "one")).unwrap();
    settle().await;
    addr.cast(Msg::Panic).unwrap();
    let tree = root.tree();
    let low = find(&tree, "low");
    assert_eq!((low.kind.as_str(), low.strategy.as_deref()), ("supervisor", Some("rest_for_one")));
    let a = find(&tree, "low/a");
    assert_eq!((a.kind.as_str(), a.state, a.restarts), ("actor", ChildState::Running, 0));
    assert_eq!((a.depth, a.credit), (1, 1_023));
    assert!((a.age_seconds - 7.0).abs() < 0.01, "{a:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let tree = root.tree();
    let a = find(&tree, "low/a");
    assert_eq!((a.state, a.last_failure.as_deref()), (ChildState::Restarting, Some("told to")));
    assert!(a.restart_in_ms.is_some_and(|ms| ms > 2_900 && ms <= 3_001), "{a:?}");
}

#[tokio::test(start_paused = true)]
async fn the_tree_is_cut_at_a_depth_and_a_number_and_says_what_it_left_out() {
    let diary = Diary::default();
    let mut low = patient("low", Strategy::OneForOne);
    for name in ["a", "b", "c"] {
        low = low.child(probe(name, &diary).0);
    }
    let root = Root::start(patient("root", Strategy::OneForOne).child(low.into())).await.unwrap();
    let tree = root.tree_to(1, 10);
    assert_eq!((find(&tree, "low").children.len(), find(&tree, "low").more), (0, 3));
    let tree = root.tree_to(2, 2);
    assert_eq!((find(&tree, "low").children.len(), find(&tree, "low").more), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn of_a_tree_that_is_not_for_all_to_see_the_rest_is_not_even_counted() {
    let diary = Diary::default();
    let mut low = patient("low", Strategy::OneForOne);
    for name in ["a", "b", "c", "d"] {
        low = low.child(probe(name, &diary).0);
    }
    let high = patient("high", Strategy::OneForOne).child(probe("a", &diary).0);
    let root = patient("root", Strategy::OneForOne).child(low.into()).child(high.into());
    let root = Root::start(root).await.unwrap();
    let tree = root.tree_of(9, 2, &|path| match path {
        [branch] => &**branch == "low",
        [_, leaf] => ["b", "c", "d"].contains(&&**leaf),
        _ => false,
    });
    assert_eq!((tree.children.len(), tree.more), (1, 0));
    let low = find(&tree, "low");
    let shown: Vec<_> = low.children.iter().map(|child| child.id.as_str()).collect();
    assert_eq!((shown.as_slice(), low.more), (["b", "c"].as_slice(), 1));
}

#[tokio::test(start_paused = true)]
async fn the_tree_shows_who_waits_for_an_earlier_sibling() {
    let diary = Diary::default();
    let (a, _a) = probe_that("a", &diary, Start::Slow(Duration::from_secs(5)));
    let (b, _b) = probe("b", &diary);
    let root = Root::launch(patient("root", Strategy::OneForOne).child(a).child(b), 0, None).await.unwrap();
    settle().await;
    let tree = root.tree();
    assert_eq!((find(&tree, "a").state, find(&tree, "b").state), (ChildState::Starting, ChildState::Waiting));
    root.ready().await.unwrap();
    let tree = root.tree();
    assert_eq!((find(&tree, "a").state, find(&tree, "b").state), (ChildState::Running, ChildState::Running));
}

#[tokio::test(start_paused = true)]
async fn an_observer_hears_of_every_turn_with_the_path() {
    let heard: Arc<Mutex<Vec<Lifecycle>>> = Arc::default();
    let observer: Observer = {
        let heard = Arc::clone(&heard);
        Arc::new(move |turn| heard.lock().unwrap().push(turn.clone()))
    };
    let (a, addr) = probe("a", &Diary::default());
    let low = SupervisorSpec::new("low", Strategy::OneForOne).child(a.quarantine());
    let root = Root::start_with(patient("root", Strategy::OneForOne).child(low.into()), 0, Some(observer))
        .await
        .unwrap();
    addr.cast(Msg::Panic).unwrap();
    settle().await;
    root.stop().await.unwrap();
    let heard = heard.lock().unwrap().clone();
    let turns: Vec<_> = heard.iter().map(|turn| (turn.path.as_str(), turn.turn.clone())).collect();
    assert_eq!(
        turns,
        [
            ("root/low/a", Turn::Started),
            ("root/low", Turn::Started),
            ("root/low/a", Turn::Quarantined { reason: "told to".into() }),
            ("root/low", Turn::Ended { reason: None }),
        ]
    );
}
