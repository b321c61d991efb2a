use std::time::Duration;

use soorma_supervise::{CallError, Root, Shutdown, Strategy, SupervisorSpec};
use tokio::time::Instant;

use super::fixture::{Diary, Msg, Start, patient, probe, probe_that, settle};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn drain_handles_what_waits_and_then_stops() {
    let diary = Diary::default();
    let (a, addr) = probe("a", &diary);
    let root = Root::start(patient("root", Strategy::OneForOne).child(a.shutdown(Shutdown::Drain(MINUTE))))
        .await
        .unwrap();
    for line in ["one", "two", "three"] {
        addr.cast(Msg::Work(Duration::from_secs(1), line)).unwrap();
    }
    settle().await;
    root.stop().await.unwrap();
    assert_eq!(diary.take(), ["a up", "one", "two", "three", "a down"]);
}

#[tokio::test(start_paused = true)]
async fn stop_finishes_the_message_in_hand_and_tells_the_callers_that_wait() {
    let diary = Diary::default();
    let (a, addr) = probe("a", &diary);
    let root = Root::start(patient("root", Strategy::OneForOne).child(a.shutdown(Shutdown::Stop(MINUTE))))
        .await
        .unwrap();
    addr.cast(Msg::Work(Duration::from_secs(1), "one")).unwrap();
    addr.cast(Msg::Work(Duration::from_secs(1), "two")).unwrap();
    let (asked, stopped) = tokio::join!(addr.call(MINUTE, Msg::Count), async {
        settle().await;
        root.stop().await
    });
    stopped.unwrap();
    assert_eq!(asked, Err(CallError::Ended));
    assert_eq!(diary.take(), ["a up", "one", "a down"]);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_ignores_stop_is_killed_at_its_deadline() {
    for shutdown in [Shutdown::Stop(Duration::from_secs(3)), Shutdown::Drain(Duration::from_secs(3))] {
        let diary = Diary::default();
        let (a, _a) = probe("a", &diary);
        let (b, addr) = probe("b", &diary);
        let root = Root::start(patient("root", Strategy::OneForOne).child(a).child(b.shutdown(shutdown)))
            .await
            .unwrap();
        addr.cast(Msg::Hang).unwrap();
        settle().await;
        let asked = Instant::now();
        root.stop().await.unwrap();
        assert_eq!(asked.elapsed().as_secs(), 3);
        assert_eq!(diary.take(), ["a up", "b up", "a down"], "b has no last act, a has");
    }
}

#[tokio::test(start_paused = true)]
async fn kill_does_not_wait_for_the_message_in_hand() {
    let diary = Diary::default();
    let (a, addr) = probe("a", &diary);
    let root =
        Root::start(patient("root", Strategy::OneForOne).child(a.shutdown(Shutdown::Kill))).await.unwrap();
    addr.cast(Msg::Hang).unwrap();
    settle().await;
    let asked = Instant::now();
    root.stop().await.unwrap();
    assert_eq!((asked.elapsed().as_secs(), diary.take()), (0, vec!["a up".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_tree_stops_from_the_leaves_each_branch_in_reverse() {
    let diary = Diary::default();
    let mut root = patient("root", Strategy::OneForOne);
    for (branch, leaves) in [("x", ["x1", "x2"]), ("y", ["y1", "y2"])] {
        let mut spec = patient(branch, Strategy::OneForOne);
        for leaf in leaves {
            spec = spec.child(probe(leaf, &diary).0);
        }
        root = root.child(spec.into());
    }
    let root = Root::start(root).await.unwrap();
    root.stop().await.unwrap();
    let up = ["x1 up", "x2 up", "y1 up", "y2 up"];
    let down = ["y2 down", "y1 down", "x2 down", "x1 down"];
    assert_eq!(diary.take(), [up, down].concat());
}

#[tokio::test(start_paused = true)]
async fn stop_in_the_middle_of_a_start_ends_what_was_started() {
    let diary = Diary::default();
    let (a, _a) = probe("a", &diary);
    let (b, _b) = probe_that("b", &diary, Start::Slow(Duration::from_secs(20)));
    let (c, _c) = probe("c", &diary);
    let root =
        Root::launch(patient("root", Strategy::OneForOne).child(a).child(b).child(c), 0, None).await.unwrap();
    settle().await;
    root.stop().await.unwrap();
    assert_eq!(diary.take(), ["a up", "a down"], "b was killed at its deadline of 5 s, c never started");
    assert!(root.ready().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn stop_while_a_restart_is_due_does_not_wait_for_it() {
    let diary = Diary::default();
    let (a, _a) = probe_that("a", &diary, Start::FailFirst(u32::MAX, std::sync::Arc::default()));
    let backoff = soorma_supervise::Backoff::exponential(MINUTE, MINUTE);
    let root =
        Root::launch(SupervisorSpec::new("root", Strategy::OneForOne).child(a.backoff(backoff)), 0, None)
            .await
            .unwrap();
    settle().await;
    let asked = Instant::now();
    root.stop().await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(1));
}

/// A handler that computes without an await cannot be cut off by anybody. Real time and threads: a paused clock does not
/// move while it computes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_not_even_a_kill_ends_is_given_up_on() {
    use soorma_supervise::{Actor, ChildSpec, Cx, Failure};
    use std::sync::atomic::{AtomicBool, Ordering};

    struct Stuck(std::sync::Arc<AtomicBool>);
    impl Actor for Stuck {
        type Args = std::sync::Arc<AtomicBool>;
        type Msg = ();
        async fn start(free: Self::Args, _: &mut Cx<()>) -> Result<Self, Failure> {
            Ok(Self(free))
        }
        async fn handle(&mut self, (): (), _: &mut Cx<()>) -> Result<(), Failure> {
            while !self.0.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            Ok(())
        }
    }

    let free = std::sync::Arc::new(AtomicBool::new(false));
    let (a, addr) = ChildSpec::actor::<Stuck>("a", free.clone());
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let watcher = seen.clone();
    let root = Root::start_with(
        patient("root", Strategy::OneForOne).child(a.shutdown(Shutdown::Kill)),
        0,
        Some(std::sync::Arc::new(move |turn: &soorma_supervise::Lifecycle| {
            watcher.lock().unwrap().push(turn.clone())
        })),
    )
    .await
    .unwrap();
    addr.cast(()).unwrap();
    while addr.credit() < 1_024 {
        tokio::task::yield_now().await;
    }
    root.stop().await.unwrap();
    free.store(true, Ordering::Relaxed);
    assert!(
        seen.lock().unwrap().iter().any(|turn| turn.turn == soorma_supervise::Turn::Abandoned),
        "{seen:?}"
    );
}
