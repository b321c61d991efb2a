use std::time::Duration;

use soorma_supervise::{Addr, Backoff, Restart, Root, Strategy};

use super::fixture::{Diary, Msg, patient, probe, settle};

/// Four siblings; `victim` is made to fail.
async fn fail(strategy: Strategy, victim: usize) -> Vec<String> {
    let diary = Diary::default();
    let mut spec = patient("root", strategy);
    let mut addrs: Vec<Addr<Msg>> = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let (child, addr) = probe(name, &diary);
        spec = spec.child(child);
        addrs.push(addr);
    }
    let root = Root::start(spec).await.unwrap();
    assert_eq!(diary.take(), ["a up", "b up", "c up", "d up"]);
    addrs[victim].cast(Msg::Panic).unwrap();
    settle().await;
    let lines = diary.take();
    root.stop().await.unwrap();
    assert_eq!(diary.take(), ["d down", "c down", "b down", "a down"]);
    lines
}

#[tokio::test(start_paused = true)]
async fn children_start_in_order_and_stop_in_reverse() {
    // `fail` asserts both.
    fail(Strategy::OneForOne, 0).await;
}

#[tokio::test(start_paused = true)]
async fn one_for_one_restarts_the_failed_child_alone() {
    assert_eq!(fail(Strategy::OneForOne, 1).await, ["b up"]);
}

#[tokio::test(start_paused = true)]
async fn one_for_all_stops_the_others_in_reverse_and_starts_all_in_order() {
    let lines = ["d down", "c down", "a down", "a up", "b up", "c up", "d up"];
    assert_eq!(fail(Strategy::OneForAll, 1).await, lines);
}

#[tokio::test(start_paused = true)]
async fn rest_for_one_restarts_those_started_after_the_failed_child() {
    assert_eq!(fail(Strategy::RestForOne, 1).await, ["d down", "c down", "b up", "c up", "d up"]);
    assert_eq!(fail(Strategy::RestForOne, 3).await, ["d up"]);
}

#[tokio::test(start_paused = true)]
async fn a_group_waits_for_the_backoff_of_the_child_that_failed() {
    let diary = Diary::default();
    let (a, _a) = probe("a", &diary);
    let (b, addr) = probe("b", &diary);
    let (c, _c) = probe("c", &diary);
    let backoff =
        Backoff { jitter: 0.0, ..Backoff::exponential(Duration::from_secs(5), Duration::from_secs(5)) };
    let root = Root::start(patient("root", Strategy::OneForAll).child(a).child(b.backoff(backoff)).child(c))
        .await
        .unwrap();
    diary.take();
    addr.cast(Msg::Panic).unwrap();
    settle().await;
    assert_eq!(diary.take(), ["c down", "a down", "a up"], "c comes after b, which waits");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(diary.take(), ["b up", "c up"]);
    root.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_failures_at_once_restart_the_group_once_more_at_most() {
    let diary = Diary::default();
    let (a, addr_a) = probe("a", &diary);
    let (b, _b) = probe("b", &diary);
    let (c, addr_c) = probe("c", &diary);
    let root = Root::start(patient("root", Strategy::RestForOne).child(a).child(b).child(c)).await.unwrap();
    diary.take();
    addr_c.cast(Msg::Panic).unwrap();
    addr_a.cast(Msg::Panic).unwrap();
    settle().await;
    let lines = diary.take();
    assert_eq!(lines.iter().filter(|line| *line == "a up").count(), 1, "{lines:?}");
    assert!(lines.ends_with(&["a up".into(), "b up".into(), "c up".into()]), "{lines:?}");
    root.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn temporary_children_stopped_with_their_group_stay_away() {
    let diary = Diary::default();
    let (a, addr) = probe("a", &diary);
    let (b, _b) = probe("b", &diary);
    let root =
        Root::start(patient("root", Strategy::OneForAll).child(a).child(b.restart(Restart::Temporary)))
            .await
            .unwrap();
    diary.take();
    addr.cast(Msg::Panic).unwrap();
    settle().await;
    assert_eq!(diary.take(), ["b down", "a up"]);
    root.stop().await.unwrap();
}
