//! What falls between: a crash and its detection, an exit and a command, an incarnation and the next.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::poll;
use soorma_core::ChildState;
use soorma_supervise::{
    Actor, Addr, Backoff, CallError, CastError, ChildSpec, Cx, Failure, Fatal, Intensity, Observer, Reply,
    Restart, Root, Shutdown, Strategy, SupervisorHandle, SupervisorSpec, TaskCx, Turn,
};

use super::fixture::{Diary, Msg, count, find, patient, probe, settle, state};

const SECOND: Duration = Duration::from_secs(1);

/// An actor that has itself removed and fails in the same breath.
struct Quitter(Arc<Mutex<Option<SupervisorHandle>>>);

impl Actor for Quitter {
    type Args = Arc<Mutex<Option<SupervisorHandle>>>;
    type Msg = ();
    async fn start(handle: Self::Args, _: &mut Cx<()>) -> Result<Self, Failure> {
        Ok(Self(handle))
    }
    async fn handle(&mut self, (): (), cx: &mut Cx<()>) -> Result<(), Failure> {
        let handle = self.0.lock().unwrap().clone().unwrap();
        let id = cx.addr().id().to_owned();
        let mut removed = Box::pin(async move { handle.remove(&id).await });
        assert!(poll!(&mut removed).is_pending(), "the command waits at the supervisor");
        Err("told to".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_hears_exits_before_commands() {
    let handle = Arc::default();
    let (a, addr) = ChildSpec::actor::<Quitter>("a", Arc::clone(&handle));
    let turns: Arc<Mutex<Vec<Turn>>> = Arc::default();
    let observer: Observer = {
        let turns = Arc::clone(&turns);
        Arc::new(move |turn| turns.lock().unwrap().push(turn.turn.clone()))
    };
    let spec = patient("root", Strategy::OneForOne).child(a.backoff(Backoff::exponential(SECOND, SECOND)));
    let root = Root::start_with(spec, 0, Some(observer)).await.unwrap();
    *handle.lock().unwrap() = Some(root.handle());
    turns.lock().unwrap().clear();
    addr.cast(()).unwrap();
    settle().await;
    // The command was sent first. Heard first, it would have made the failure the end of a child on its way out.
    let turns = turns.lock().unwrap().clone();
    assert!(matches!(&turns[..], [Turn::Failed { reason, .. }] if reason == "told to"), "{turns:?}");
    assert!(root.handle().is_empty());
}

#[tokio::test(start_paused = true)]
async fn between_a_crash_and_its_detection_nobody_hangs_and_no_place_is_lost() {
    let (a, addr) = probe("a", &Diary::default());
    let _root = Root::start(patient("root", Strategy::OneForOne).child(a)).await.unwrap();
    let mut answers = Vec::new();
    // Each round asks one step later after the message that makes the actor fail.
    for steps in 0..12 {
        addr.cast(Msg::Panic).unwrap();
        for _ in 0..steps {
            tokio::task::yield_now().await;
        }
        answers.push(addr.call(SECOND, Msg::Count).await);
        settle().await;
        assert_eq!((addr.credit(), count(&addr).await), (1_024, 0), "after {steps} steps");
    }
    let known = |answer: &Result<u32, CallError>| {
        matches!(answer, Ok(0) | Err(CallError::Ended | CallError::Unavailable { .. }))
    };
    assert!(answers.iter().all(known), "{answers:?}");
    assert_eq!(answers[0], Err(CallError::Ended), "it was lost with the mailbox");
    assert_eq!(answers[11], Ok(0), "it reached the next incarnation");
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_a_crash_never_reaches_the_next_incarnation() {
    let (a, addr) = probe("a", &Diary::default());
    let _root = Root::start(patient("root", Strategy::OneForOne).child(a)).await.unwrap();
    addr.cast(Msg::Panic).unwrap();
    for _ in 0..100 {
        addr.cast(Msg::Add).unwrap();
    }
    settle().await;
    assert_eq!(count(&addr).await, 0);
}

/// Holds something of which there is one, for as long as it lives.
struct Holder {
    held: Arc<AtomicBool>,
    seen: Diary,
}

impl Actor for Holder {
    type Args = (Arc<AtomicBool>, Diary);
    type Msg = Msg;
    async fn start((held, seen): Self::Args, _: &mut Cx<Msg>) -> Result<Self, Failure> {
        seen.write(if held.swap(true, Ordering::SeqCst) { "still held" } else { "free" });
        Ok(Self { held, seen })
    }
    async fn handle(&mut self, msg: Msg, cx: &mut Cx<Msg>) -> Result<(), Failure> {
        match msg {
            Msg::Panic => panic!("told to"),
            Msg::Fail => return Err("told to".into()),
            Msg::Finish => cx.stop(),
            Msg::Hang => std::future::pending().await,
            Msg::Count(reply) => reply.send(0),
            Msg::Add | Msg::Work(..) => {}
        }
        Ok(())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.held.store(false, Ordering::SeqCst);
        self.seen.write("dropped");
    }
}

/// Real threads: on one, the order would hold by chance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incarnation_is_gone_before_the_next_starts() {
    let seen = Diary::default();
    let (a, addr) = ChildSpec::actor::<Holder>("a", (Arc::default(), seen.clone()));
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let observer: Observer = Arc::new(move |turn| {
        if turn.turn == Turn::Started {
            started.send(()).unwrap();
        }
    });
    let spec = patient("root", Strategy::OneForOne).child(a.backoff(Backoff::NONE));
    let root = Root::start_with(spec, 0, Some(observer)).await.unwrap();
    starts.recv().await.unwrap();
    for round in 0..400 {
        match round % 5 {
            0 => addr.cast(Msg::Panic).unwrap(),
            1 => addr.cast(Msg::Fail).unwrap(),
            2 => addr.cast(Msg::Finish).unwrap(),
            3 => assert!(root.kill("a")),
            _ => {
                addr.cast(Msg::Hang).unwrap();
                while addr.credit() < 1_024 {
                    tokio::task::yield_now().await;
                }
                assert!(root.kill("a"));
            }
        }
        starts.recv().await.unwrap();
    }
    root.stop().await.unwrap();
    let lines = seen.take();
    let still = lines.iter().filter(|line| *line == "still held").count();
    assert_eq!((still, lines.len()), (0, 802));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_timed_out_is_handled_all_the_same() {
    let diary = Diary::default();
    let (a, addr) = probe("a", &diary);
    let _root = Root::start(patient("root", Strategy::OneForOne).child(a)).await.unwrap();
    addr.cast(Msg::Work(3 * SECOND, "one")).unwrap();
    let mut unanswered = None;
    let asked = addr.call(SECOND, |reply: Reply<()>| {
        unanswered = Some(reply);
        Msg::Add
    });
    assert_eq!(asked.await, Err(CallError::Timeout));
    assert!(unanswered.is_some_and(|reply| reply.is_abandoned()), "who is asked can see that nobody waits");
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(count(&addr).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_is_made_anew() {
    let diary = Diary::default();
    let task = {
        let diary = diary.clone();
        ChildSpec::task("t", move |cx| {
            diary.write("up");
            async move {
                cx.stopping().await;
                panic!("told to")
            }
        })
    };
    let impatient = |cx: TaskCx| async move {
        tokio::time::sleep(SECOND).await;
        assert!(cx.is_stopping(), "nobody asked");
        Ok(())
    };
    let spec = patient("root", Strategy::OneForOne);
    let root =
        Root::start(spec.child(task).child(ChildSpec::task("u", impatient).backoff(Backoff::NONE))).await;
    let root = root.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let tree = root.tree();
    let u = find(&tree, "u");
    assert_eq!((u.restarts, u.last_failure.as_deref()), (2, Some("nobody asked")));
    root.stop().await.unwrap();
    assert_eq!(diary.take(), ["up"], "a panic on the way out restarts nothing");
}

#[tokio::test(start_paused = true)]
async fn an_address_of_a_removed_child_says_unavailable_without_a_hint() {
    let (a, addr) = probe("a", &Diary::default());
    let root = Root::start(patient("root", Strategy::OneForOne).child(a)).await.unwrap();
    assert!(root.handle().remove("a").await);
    assert!(matches!(addr.cast(Msg::Add), Err(CastError::Unavailable { retry_in: None, .. })));
    assert_eq!(addr.call(SECOND, Msg::Count).await, Err(CallError::Unavailable { retry_in: None }));
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_of_one_actor_harms_no_other() {
    let diary = Diary::default();
    let (a, addr_a) = probe("a", &diary);
    let (b, addr_b) = probe("b", &diary);
    let root = Root::start(patient("root", Strategy::OneForOne).child(a).child(b)).await.unwrap();
    addr_a.cast(Msg::Hang).unwrap();
    settle().await;
    while addr_a.cast(Msg::Add).is_ok() {}
    assert_eq!(addr_a.credit(), 0);
    addr_b.cast(Msg::Add).unwrap();
    assert_eq!(count(&addr_b).await, 1);
    assert_eq!(find(&root.tree(), "a").depth, 1_024);
}

/// An actor that runs a future beside itself, which writes when it is cut off.
struct Host;

struct Cut(Diary);

impl Drop for Cut {
    fn drop(&mut self) {
        self.0.write("cut off");
    }
}

impl Actor for Host {
    type Args = Diary;
    type Msg = Msg;
    async fn start(diary: Diary, cx: &mut Cx<Msg>) -> Result<Self, Failure> {
        cx.spawn(async move {
            let _cut = Cut(diary);
            std::future::pending().await
        });
        Ok(Self)
    }
    async fn handle(&mut self, msg: Msg, cx: &mut Cx<Msg>) -> Result<(), Failure> {
        match msg {
            Msg::Panic => panic!("told to"),
            _ => cx.stop(),
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_actor_spawned_is_cut_off_when_it_ends_however_it_ends() {
    for how in ["ends", "crashes", "is killed", "is stopped"] {
        let diary = Diary::default();
        let (a, addr) = ChildSpec::actor::<Host>("a", diary.clone());
        let root = Root::start(patient("root", Strategy::OneForOne).child(a.restart(Restart::Temporary)));
        let root = root.await.unwrap();
        settle().await;
        match how {
            "ends" => addr.cast(Msg::Finish).unwrap(),
            "crashes" => addr.cast(Msg::Panic).unwrap(),
            "is killed" => assert!(root.kill("a")),
            _ => root.stop().await.unwrap(),
        }
        settle().await;
        assert_eq!(diary.take(), ["cut off"], "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_permanent_child_counts_as_a_failure() {
    let (a, addr) = probe("a", &Diary::default());
    let spec = SupervisorSpec::new("root", Strategy::OneForOne).intensity(Intensity::new(1, 10 * SECOND));
    let root = Root::start(spec.child(a)).await.unwrap();
    for _ in 0..2 {
        addr.cast(Msg::Finish).unwrap();
        settle().await;
    }
    let why = root.ended().await.unwrap_err().0;
    assert_eq!(why, "more than 1 restarts within 10s, the last when a failed: ended, and is permanent");
}

#[tokio::test(start_paused = true)]
async fn a_child_added_while_its_supervisor_is_down_starts_with_it() {
    let diary = Diary::default();
    let (low, handle) = patient("low", Strategy::OneForOne)
        .backoff(Backoff::exponential(5 * SECOND, 5 * SECOND))
        .into_child();
    let root = Root::start(patient("root", Strategy::OneForOne).child(low)).await.unwrap();
    assert!(root.kill("low"));
    settle().await;
    let (a, addr) = probe("a", &diary);
    handle.start(a).await.unwrap();
    assert_eq!(diary.take(), Vec::<String>::new());
    assert!(matches!(addr.cast(Msg::Add), Err(CastError::Unavailable { .. })));
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!((diary.take(), state(&root, "low/a")), (vec!["a up".to_owned()], ChildState::Running));
}

fn hopeless() -> ChildSpec {
    ChildSpec::task("t", |_| async { Err(Fatal("hopeless".to_owned()).into()) })
}

#[tokio::test(start_paused = true)]
async fn a_fatal_failure_of_a_quarantined_child_is_held_like_any_other() {
    let root = Root::launch(patient("root", Strategy::OneForOne).child(hopeless().quarantine()), 0, None);
    let root = root.await.unwrap();
    settle().await;
    assert_eq!(state(&root, "t"), ChildState::Quarantined);
    root.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_fatal_failure_is_an_ordinary_one_a_level_up() {
    let low = patient("low", Strategy::OneForOne).backoff(Backoff::NONE).child(hopeless());
    let spec = SupervisorSpec::new("root", Strategy::OneForOne).intensity(Intensity::new(2, SECOND));
    let root = Root::launch(spec.child(low.into()), 0, None).await.unwrap();
    let why = root.ended().await.unwrap_err().0;
    assert_eq!(why, "more than 2 restarts within 1s, the last when low failed: t: hopeless");
    assert_eq!(find(&root.tree(), "low").restarts, 2);
}

#[tokio::test(start_paused = true)]
async fn a_tree_goes_on_without_its_root_handle_and_a_second_stop_is_harmless() {
    let (a, addr) = probe("a", &Diary::default());
    let root = Root::start(patient("root", Strategy::OneForOne).child(a)).await.unwrap();
    let again = root.clone();
    drop(root);
    assert_eq!(count(&addr).await, 0);
    again.stop().await.unwrap();
    again.stop().await.unwrap();
    assert!(matches!(addr.cast(Msg::Add), Err(CastError::Unavailable { retry_in: None, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_drain_takes_no_new_messages() {
    let diary = Diary::default();
    let (a, addr) = probe("a", &diary);
    let spec = patient("root", Strategy::OneForOne).child(a.shutdown(Shutdown::Drain(60 * SECOND)));
    let root = Root::start(spec).await.unwrap();
    addr.cast(Msg::Work(SECOND, "one")).unwrap();
    let (stopped, late) = tokio::join!(root.stop(), async {
        settle().await;
        addr.cast(Msg::Work(SECOND, "two"))
    });
    stopped.unwrap();
    assert!(matches!(late, Err(CastError::Unavailable { .. })));
    assert_eq!(diary.take(), ["a up", "one", "a down"]);
}

/// What another task holds when it is told the address: nothing but the address.
#[tokio::test(start_paused = true)]
async fn an_address_made_before_its_child_starts_is_unavailable_until_then() {
    let (a, addr): (ChildSpec, Addr<Msg>) = probe("a", &Diary::default());
    assert!(matches!(addr.cast(Msg::Add), Err(CastError::Unavailable { retry_in: None, .. })));
    let _root = Root::start(patient("root", Strategy::OneForOne).child(a)).await.unwrap();
    addr.cast(Msg::Add).unwrap();
    assert_eq!(count(&addr).await, 1);
}
