use std::time::Duration;

use soorma_core::ChildState;
use soorma_supervise::{Addr, Backoff, ChildSpec, Fatal, Intensity, Root, Strategy, SupervisorSpec};

use super::fixture::{Diary, Msg, find, patient, probe, settle, state};

fn strict(id: &'static str, max: u32) -> SupervisorSpec {
    SupervisorSpec::new(id, Strategy::OneForOne)
        .intensity(Intensity::new(max, Duration::from_secs(1_000)))
        .backoff(Backoff::NONE)
}

/// root(1) over mid(1) over low(1) over a probe and its neighbour.
async fn three_levels(diary: &Diary) -> (Root, Addr<Msg>) {
    let (leaf, addr) = probe("leaf", diary);
    let (neighbour, _) = probe("neighbour", diary);
    let low = strict("low", 1).child(neighbour).child(leaf);
    let mid = strict("mid", 1).child(low.into());
    (Root::start(strict("root", 1).child(mid.into())).await.unwrap(), addr)
}

#[tokio::test(start_paused = true)]
async fn a_chain_escalates_level_by_level_and_intensities_multiply() {
    let diary = Diary::default();
    let (root, addr) = three_levels(&diary).await;
    diary.take();
    // A level that may fail once gives up at the second failure of what is below it: 2 × 2 × 2 failures in all.
    for failure in 1..=7 {
        addr.cast(Msg::Panic).unwrap();
        settle().await;
        let restarted_all = failure % 2 == 0;
        let lines = diary.take();
        let expected: &[&str] =
            if restarted_all { &["neighbour down", "neighbour up", "leaf up"] } else { &["leaf up"] };
        assert_eq!(lines, expected, "after failure {failure}");
    }
    let tree = root.tree();
    assert_eq!(find(&tree, "mid").restarts, 1);
    assert_eq!(find(&tree, "mid/low").restarts, 3);
    addr.cast(Msg::Panic).unwrap();
    let gave_up = root.ended().await.unwrap_err();
    assert_eq!(
        gave_up.0,
        "more than 1 restarts within 1000s, the last when mid failed: more than 1 restarts within 1000s, the last when low failed: \
         more than 1 restarts within 1000s, the last when leaf failed: told to"
    );
    assert_eq!(diary.take(), ["neighbour down"]);
}

#[tokio::test(start_paused = true)]
async fn failures_further_apart_than_the_window_never_escalate() {
    let diary = Diary::default();
    let (leaf, addr) = probe("leaf", &diary);
    let spec = SupervisorSpec::new("root", Strategy::OneForOne)
        .intensity(Intensity::new(2, Duration::from_secs(10)));
    let root = Root::start(spec.child(leaf)).await.unwrap();
    for _ in 0..50 {
        addr.cast(Msg::Panic).unwrap();
        tokio::time::sleep(Duration::from_millis(5_001)).await;
    }
    assert_eq!(find(&root.tree(), "leaf").restarts, 50);
    root.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_gives_up_stops_its_other_children_in_order_first() {
    let diary = Diary::default();
    let (a, _a) = probe("a", &diary);
    let (b, _b) = probe("b", &diary);
    let (c, addr) = probe("c", &diary);
    let root = Root::start(strict("root", 0).child(a).child(b).child(c)).await.unwrap();
    diary.take();
    addr.cast(Msg::Panic).unwrap();
    root.ended().await.unwrap_err();
    assert_eq!(diary.take(), ["b down", "a down"]);
}

#[tokio::test(start_paused = true)]
async fn a_quarantined_supervisor_is_held_with_all_below_it() {
    let diary = Diary::default();
    let (a, addr_a) = probe("a", &diary);
    let (b, addr_b) = probe("b", &diary);
    let (low, _) = strict("low", 1).child(a).into_child();
    let root = Root::start(strict("root", 0).child(low.quarantine()).child(b)).await.unwrap();
    for _ in 0..2 {
        addr_a.cast(Msg::Panic).unwrap();
        settle().await;
    }
    assert_eq!(state(&root, "low"), ChildState::Quarantined);
    addr_b.cast(Msg::Add).unwrap();
    assert!(root.handle().release("low").await);
    settle().await;
    addr_a.cast(Msg::Add).unwrap();
    settle().await;
    assert_eq!((state(&root, "low"), state(&root, "low/a")), (ChildState::Running, ChildState::Running));
}

#[tokio::test(start_paused = true)]
async fn a_killed_supervisor_comes_back_with_all_its_children() {
    let diary = Diary::default();
    let (a, addr_a) = probe("a", &diary);
    let (low, handle) = patient("low", Strategy::OneForOne).backoff(Backoff::NONE).child(a).into_child();
    let root = Root::start(patient("root", Strategy::OneForOne).child(low)).await.unwrap();
    let (b, addr_b) = probe("b", &diary);
    handle.start(b).await.unwrap();
    settle().await;
    diary.take();
    assert!(root.kill("low"));
    settle().await;
    assert_eq!(
        diary.take(),
        ["a up", "b up"],
        "also the one that was added later; killed children have no last act"
    );
    addr_a.cast(Msg::Add).unwrap();
    addr_b.cast(Msg::Add).unwrap();
    root.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_fatal_failure_escalates_at_once_whatever_the_intensity() {
    let diary = Diary::default();
    let (a, _a) = probe("a", &diary);
    let task = ChildSpec::task("t", |_| async { Err(Fatal("hopeless".to_owned()).into()) });
    let gave_up = Root::launch(patient("root", Strategy::OneForOne).child(a).child(task), 0, None)
        .await
        .unwrap()
        .ended()
        .await;
    assert_eq!(gave_up.unwrap_err().0, "t: hopeless");
    assert_eq!(diary.take(), ["a up", "a down"]);
}
