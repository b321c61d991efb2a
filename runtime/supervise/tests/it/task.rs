use std::time::Duration;

use soorma_core::ChildState;
use soorma_supervise::{Backoff, ChildSpec, Restart, Root, Shutdown, Strategy};

use super::fixture::{Diary, find, patient, settle, state};

#[tokio::test(start_paused = true)]
async fn a_task_runs_until_it_is_asked_to_stop_and_ends_well() {
    let diary = Diary::default();
    let task = {
        let diary = diary.clone();
        ChildSpec::task("t", move |cx| {
            let diary = diary.clone();
            async move {
                diary.write(format!("{} up", cx.path()));
                cx.stopping().await;
                diary.write("down");
                Ok(())
            }
        })
    };
    let root = Root::start(patient("root", Strategy::OneForOne).child(task)).await.unwrap();
    settle().await;
    root.stop().await.unwrap();
    assert_eq!(diary.take(), ["root/t up", "down"]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_or_panics_is_made_anew() {
    let diary = Diary::default();
    let task = {
        let diary = diary.clone();
        ChildSpec::task("t", move |cx| {
            let diary = diary.clone();
            async move {
                diary.write("up");
                match diary.take().len() {
                    0 => panic!("never"),
                    _ if cx.is_stopping() => Ok(()),
                    _ => {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        Err("worn out".into())
                    }
                }
            }
        })
        .backoff(Backoff::NONE)
    };
    let root = Root::start(patient("root", Strategy::OneForOne).child(task)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    let node = find(&root.tree(), "t").clone();
    assert_eq!((node.restarts, node.last_failure.as_deref()), (3, Some("worn out")));
}

#[tokio::test(start_paused = true)]
async fn a_transient_task_that_is_done_stays_done() {
    let task = ChildSpec::task("t", |_| async { Ok(()) }).restart(Restart::Transient);
    let root = Root::start(patient("root", Strategy::OneForOne).child(task)).await.unwrap();
    settle().await;
    assert_eq!(state(&root, "t"), ChildState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_listen_is_killed_at_its_deadline() {
    let task =
        ChildSpec::task("t", |_| std::future::pending()).shutdown(Shutdown::Stop(Duration::from_secs(4)));
    let root = Root::start(patient("root", Strategy::OneForOne).child(task)).await.unwrap();
    let asked = tokio::time::Instant::now();
    root.stop().await.unwrap();
    assert_eq!(asked.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_task_shows_what_its_gauge_says() {
    let gauged = ChildSpec::gauged_task(
        "t",
        || (3, 5),
        |cx| async move {
            cx.stopping().await;
            Ok(())
        },
    );
    let root = Root::start(patient("root", Strategy::OneForOne).child(gauged)).await.unwrap();
    let shown = find(&root.tree(), "t").clone();
    assert_eq!((shown.depth, shown.credit), (3, 5));
}
