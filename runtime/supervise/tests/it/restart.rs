use std::time::Duration;

use soorma_core::ChildState;
use soorma_supervise::{Backoff, CastError, Intensity, Restart, Root, Shutdown, Strategy, SupervisorSpec};
use tokio::time::Instant;

use super::fixture::{Diary, Msg, Start, count, find, patient, probe, probe_that, settle, state};

#[tokio::test(start_paused = true)]
async fn a_panic_restarts_with_fresh_state_behind_the_same_address() {
    let diary = Diary::default();
    let (a, addr) = probe("a", &diary);
    let root = Root::start(patient("root", Strategy::OneForOne).child(a)).await.unwrap();
    addr.cast(Msg::Add).unwrap();
    assert_eq!(count(&addr).await, 1);
    addr.cast(Msg::Panic).unwrap();
    settle().await;
    assert_eq!(count(&addr).await, 0);
    assert_eq!(diary.take(), ["a up", "a up"]);
    let node = find(&root.tree(), "a").clone();
    assert_eq!((node.restarts, node.last_failure.as_deref()), (1, Some("told to")));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_a_crash_like_a_panic() {
    let diary = Diary::default();
    let (a, addr) = probe("a", &diary);
    let root = Root::start(patient("root", Strategy::OneForOne).child(a)).await.unwrap();
    addr.cast(Msg::Fail).unwrap();
    settle().await;
    assert_eq!(count(&addr).await, 0);
    assert_eq!(find(&root.tree(), "a").restarts, 1);
}

/// How each kind of child goes on after an end by itself, a crash, and a kill.
async fn after(restart: Restart, how: &str) -> Option<ChildState> {
    let diary = Diary::default();
    let (a, addr) = probe("a", &diary);
    let root = Root::start(patient("root", Strategy::OneForOne).child(a.restart(restart))).await.unwrap();
    match how {
        "ends" => addr.cast(Msg::Finish).unwrap(),
        "crashes" => addr.cast(Msg::Panic).unwrap(),
        _ => assert!(root.kill("a")),
    }
    settle().await;
    let tree = root.tree();
    let node = find(&tree, "a");
    assert_eq!(node.restarts > 0, node.state == ChildState::Running, "{node:?}");
    Some(node.state)
}

#[tokio::test(start_paused = true)]
async fn permanent_children_are_always_started_again() {
    for how in ["ends", "crashes", "is killed"] {
        assert_eq!(after(Restart::Permanent, how).await, Some(ChildState::Running), "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn transient_children_are_started_again_when_they_fail_only() {
    assert_eq!(after(Restart::Transient, "ends").await, Some(ChildState::Stopped));
    assert_eq!(after(Restart::Transient, "crashes").await, Some(ChildState::Running));
    assert_eq!(after(Restart::Transient, "is killed").await, Some(ChildState::Running));
}

#[tokio::test(start_paused = true)]
async fn temporary_children_are_never_started_again() {
    for how in ["ends", "crashes", "is killed"] {
        assert_eq!(after(Restart::Temporary, how).await, Some(ChildState::Stopped), "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn restarts_wait_as_the_backoff_says_to_the_millisecond() {
    let diary = Diary::default();
    let (a, addr) = probe("a", &diary);
    let backoff =
        Backoff { jitter: 0.0, ..Backoff::exponential(Duration::from_secs(2), Duration::from_secs(9)) };
    let root = Root::start(patient("root", Strategy::OneForOne).child(a.backoff(backoff))).await.unwrap();
    for wait in [2_000, 4_000, 8_000, 9_000, 9_000] {
        let crashed = Instant::now();
        addr.cast(Msg::Panic).unwrap();
        settle().await;
        assert_eq!(state(&root, "a"), ChildState::Restarting);
        while state(&root, "a") != ChildState::Running {
            settle().await;
        }
        assert_eq!(crashed.elapsed().as_millis().abs_diff(wait), 1, "a settle is a millisecond");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_are_forgotten_after_calm() {
    let diary = Diary::default();
    let (a, addr) = probe("a", &diary);
    let backoff = Backoff {
        jitter: 0.0,
        calm: Duration::from_secs(60),
        ..Backoff::exponential(Duration::from_secs(1), Duration::from_secs(100))
    };
    let root = Root::start(patient("root", Strategy::OneForOne).child(a.backoff(backoff))).await.unwrap();
    let mut waits = Vec::new();
    for calm in [0, 0, 59, 61, 0] {
        tokio::time::sleep(Duration::from_secs(calm)).await;
        addr.cast(Msg::Panic).unwrap();
        settle().await;
        waits.push(find(&root.tree(), "a").restart_in_ms.unwrap().div_ceil(1_000));
        while state(&root, "a") != ChildState::Running {
            settle().await;
        }
    }
    assert_eq!(waits, [1, 2, 4, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_waits_and_siblings_come_back_apart() {
    async fn waits(seed: u64) -> Vec<u64> {
        let diary = Diary::default();
        let mut spec = patient("root", Strategy::OneForOne);
        let mut addrs = Vec::new();
        for name in ["a", "b", "c"] {
            let (child, addr) = probe(name, &diary);
            let backoff = Backoff {
                jitter: 0.5,
                ..Backoff::exponential(Duration::from_secs(10), Duration::from_secs(10))
            };
            spec = spec.child(child.backoff(backoff));
            addrs.push(addr);
        }
        let root = Root::start_with(spec, seed, None).await.unwrap();
        addrs.iter().for_each(|addr| addr.cast(Msg::Panic).unwrap());
        settle().await;
        ["a", "b", "c"].map(|id| find(&root.tree(), id).restart_in_ms.unwrap()).to_vec()
    }
    let first = waits(7).await;
    assert_eq!(first, waits(7).await);
    assert_ne!(first, waits(8).await);
    assert!(first[0] != first[1] && first[1] != first[2], "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_fails_in_start_is_retried_and_its_later_siblings_wait() {
    let diary = Diary::default();
    let (a, _a) = probe("a", &diary);
    let (b, _b) = probe_that("b", &diary, Start::FailFirst(2, std::sync::Arc::default()));
    let (c, _c) = probe("c", &diary);
    let root = Root::start(patient("root", Strategy::OneForOne).child(a).child(b).child(c)).await.unwrap();
    assert_eq!(diary.take(), ["a up", "b cannot start", "b cannot start", "b up", "c up"]);
    assert_eq!(find(&root.tree(), "b").restarts, 2);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_never_starts_makes_its_supervisor_give_up() {
    let diary = Diary::default();
    let (a, _a) = probe("a", &diary);
    let (b, _b) = probe_that("b", &diary, Start::FailFirst(u32::MAX, std::sync::Arc::default()));
    let spec =
        SupervisorSpec::new("root", Strategy::OneForOne).intensity(Intensity::new(3, Duration::from_secs(5)));
    let gave_up = Root::start(spec.child(a).child(b)).await.unwrap_err();
    assert_eq!(gave_up.0, "more than 3 restarts within 5s, the last when b failed: not yet");
    assert_eq!(
        diary.take(),
        ["a up", "b cannot start", "b cannot start", "b cannot start", "b cannot start", "a down"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_start_that_takes_too_long_is_cut_off_and_counts_as_a_failure() {
    let diary = Diary::default();
    let (a, _a) = probe_that("a", &diary, Start::Slow(Duration::from_secs(3_600)));
    let spec = SupervisorSpec::new("root", Strategy::OneForOne)
        .intensity(Intensity::new(1, Duration::from_secs(600)));
    let begun = Instant::now();
    let gave_up = Root::start(spec.child(a.start_within(Some(Duration::from_secs(10))))).await.unwrap_err();
    assert!(gave_up.0.ends_with("a failed: did not start within 10s"), "{gave_up}");
    assert_eq!(begun.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_quarantined_child_is_held_until_it_is_released_and_harms_nobody() {
    let diary = Diary::default();
    let (a, addr_a) = probe("a", &diary);
    let (b, addr_b) = probe("b", &diary);
    let spec =
        SupervisorSpec::new("root", Strategy::OneForOne).intensity(Intensity::new(0, Duration::from_secs(1)));
    let root = Root::start(spec.child(a.quarantine()).child(b)).await.unwrap();
    addr_a.cast(Msg::Panic).unwrap();
    settle().await;
    assert_eq!(state(&root, "a"), ChildState::Quarantined);
    assert!(matches!(addr_a.cast(Msg::Add), Err(CastError::Unavailable { retry_in: None, .. })));
    assert_eq!(count(&addr_b).await, 0);
    assert!(!root.handle().release("b").await, "what runs is not held");
    assert!(root.handle().release("a").await);
    settle().await;
    assert_eq!(state(&root, "a"), ChildState::Running);
    assert_eq!(count(&addr_a).await, 0);
    root.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_killed_child_has_no_last_act_and_is_restarted() {
    let diary = Diary::default();
    let (a, addr) = probe("a", &diary);
    let root =
        Root::start(patient("root", Strategy::OneForOne).child(a.shutdown(Shutdown::Kill))).await.unwrap();
    addr.cast(Msg::Hang).unwrap();
    settle().await;
    assert!(root.kill("a"));
    settle().await;
    assert_eq!(diary.take(), ["a up", "a up"]);
    assert_eq!(find(&root.tree(), "a").last_failure.as_deref(), Some("killed"));
}
