use std::time::Duration;

use serde_json::json;
use soorma_agents::{Ctx, Fault, Limits, Worker};
use soorma_core::{ChildState, Topic};
use soorma_ports::{Bus, EventLogError};
use soorma_supervise::Intensity;
use soorma_testkit::{Call, Fault as LogFault};

use super::world::{N, Seen, World, n, settle};

/// A worker whose handler goes wrong as `wrong` says, by event number and attempt, and notes what it did.
fn worker(seen: &Seen, wrong: fn(u64, u32) -> Option<&'static str>) -> Worker {
    let seen = seen.clone();
    Worker::new("w").unwrap().on_task("t", move |N { n }, ctx: Ctx| {
        let seen = seen.clone();
        async move {
            ctx.publish(Topic::BusinessFacts, "did", &json!({ "n": n }))?;
            seen.note(format!("{n}/{}", ctx.attempt()));
            match wrong(n, ctx.attempt()) {
                Some("panic") => panic!("told to"),
                Some("hang") => std::future::pending().await,
                Some("later") => {
                    return Err(Fault::Retry { cause: "busy".into(), after: Some(Duration::from_secs(7)) });
                }
                Some("never") => return Err(Fault::Reject("not for me".into())),
                _ => {}
            }
            Ok(json!({ "n": n }))
        }
    })
}

/// The facts of all events from 0 to `n` are there, each once.
async fn each_once(world: &World, n: u64) {
    let answers = world.answers(Topic::BusinessFacts).await;
    for id in 0..n {
        let facts = answers.get(&format!("c-{id}")).map_or(0, Vec::len);
        assert_eq!(facts, 1, "facts of event {id}");
    }
    assert!(world.dead().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_caught_the_instance_restarted_and_the_event_tried_again() {
    let seen = Seen::default();
    let world = World::with(worker(&seen, |_, attempt| (attempt < 3).then_some("panic"))).await;
    world.ask("0", "t", n(0)).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(seen.all(), ["0/1", "0/2", "0/3"]);
    each_once(&world, 1).await;
    let instances = world.agent("w").children[0].clone();
    assert_eq!(instances.children.iter().map(|instance| instance.restarts).sum::<u64>(), 2);
    assert!(
        instances.children.iter().any(|i| i.last_failure.as_deref() == Some("the handler panicked: told to"))
    );
}

#[tokio::test(start_paused = true)]
async fn after_the_last_attempt_the_event_is_a_dead_letter_and_can_be_redriven() {
    let seen = Seen::default();
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let worker = {
        let (seen, broken) = (seen.clone(), broken.clone());
        Worker::new("w").unwrap().on_task("t", move |N { n }, ctx: Ctx| {
            seen.note(format!("{n}/{}", ctx.attempt()));
            assert!(!broken.load(std::sync::atomic::Ordering::Relaxed), "broken");
            async { Ok(json!({})) }
        })
    };
    let world = World::with(worker).await;
    world.ask("0", "t", n(0)).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let dead = world.dead().await;
    assert_eq!(
        (dead.len(), dead[0].attempts, dead[0].cause.as_str()),
        (1, 5, "the handler panicked: broken")
    );
    assert!(world.events(Topic::ActionResults).await.is_empty());
    broken.store(false, std::sync::atomic::Ordering::Relaxed);
    let redriven = world.bus.redrive(&soorma_core::TenantId::default(), &[dead[0].id]).await.unwrap();
    assert_eq!(redriven, [dead[0].id]);
    settle().await;
    assert_eq!(seen.all(), ["0/1", "0/2", "0/3", "0/4", "0/5", "0/1"]);
    assert_eq!(world.events(Topic::ActionResults).await.len(), 1);
    assert!(world.dead().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_too_long_is_cut_off_and_the_event_tried_again() {
    let seen = Seen::default();
    let limits = Limits { handler_timeout: Duration::from_secs(90), ..Limits::default() };
    let world =
        World::with(worker(&seen, |_, attempt| (attempt == 1).then_some("hang")).limits(limits)).await;
    world.ask("0", "t", n(0)).await;
    // Longer than the log would wait for a sign of life: the lease is kept alive meanwhile.
    tokio::time::sleep(Duration::from_secs(89)).await;
    assert_eq!(seen.all(), ["0/1"]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(seen.all(), ["0/1", "0/2"]);
    each_once(&world, 1).await;
}

#[tokio::test(start_paused = true)]
async fn retry_waits_as_long_as_the_handler_says_and_reject_is_final() {
    let seen = Seen::default();
    let wrong = |n, attempt| match (n, attempt) {
        (0, 1) => Some("later"),
        (1, _) => Some("never"),
        _ => None,
    };
    let world = World::with(worker(&seen, wrong)).await;
    world.ask("0", "t", n(0)).await;
    world.ask("1", "t", n(1)).await;
    tokio::time::sleep(Duration::from_millis(6_900)).await;
    assert_eq!(seen.all(), ["0/1", "1/1"]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(seen.all(), ["0/1", "1/1", "0/2"]);
    let dead = world.dead().await;
    assert_eq!((dead.len(), dead[0].attempts, dead[0].cause.as_str()), (1, 1, "not for me"));
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_publish_and_ack_takes_effect_once() {
    let seen = Seen::default();
    let world = World::with(worker(&seen, |_, _| None)).await;
    // The handler returns, its events are in the log; the ack is lost with the dispatcher.
    world.log.on(Call::Settle, LogFault::Delay(Duration::from_secs(3_600)));
    world.ask("0", "t", n(0)).await;
    settle().await;
    assert!(world.root.kill("agents/hosted/0/w/dispatcher"));
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(seen.all(), ["0/1", "0/2"], "it was handled twice");
    each_once(&world, 1).await;
    assert_eq!(world.events(Topic::ActionResults).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn when_the_log_does_not_take_the_answer_it_is_offered_again_and_the_work_is_not_done_again() {
    let seen = Seen::default();
    let world = World::with(worker(&seen, |_, _| None)).await;
    world.ask("0", "t", n(0)).await;
    world.log.fail_next_append(5, EventLogError::Full("no room for a while".into()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(seen.all(), ["0/1"]);
    each_once(&world, 1).await;
}

#[tokio::test(start_paused = true)]
async fn whatever_is_killed_with_work_in_hand_every_event_takes_effect_once() {
    for path in ["w", "w/instances", "w/instances/0", "w/dispatcher"] {
        let seen = Seen::default();
        let slow = {
            let seen = seen.clone();
            let limits = Limits {
                crashes: Intensity::new(1_000, Duration::from_secs(60)),
                restarts: Intensity::new(1_000, Duration::from_secs(60)),
                ack_within: Duration::from_secs(5),
                max_attempts: 1_000,
                ..Limits::default()
            };
            Worker::new("w").unwrap().pool(4).limits(limits).on_task("t", move |N { n }, ctx: Ctx| {
                let seen = seen.clone();
                async move {
                    ctx.publish(Topic::BusinessFacts, "did", &json!({ "n": n }))?;
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    seen.note(n.to_string());
                    Ok(json!({}))
                }
            })
        };
        let world = World::with(slow).await;
        for id in 0..200 {
            world.ask(&id.to_string(), "t", n(id)).await;
        }
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_millis(47)).await;
            if path == "w" {
                // The agent itself is held when it fails; an operator lets it out.
                world.root.kill("agents/hosted/0/w");
                settle().await;
                let agent = worker(&seen, |_, _| None).into();
                world.agents.release(&agent).await;
            } else {
                world.root.kill(&format!("agents/hosted/0/{path}"));
            }
        }
        tokio::time::sleep(Duration::from_secs(120)).await;
        each_once(&world, 200).await;
        assert_eq!(world.events(Topic::ActionResults).await.len(), 200, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_open_the_breaker_and_use_up_no_attempts_meanwhile() {
    let seen = Seen::default();
    let world = World::with(worker(&seen, |n, _| (n < 1_000).then_some("panic")).pool(1)).await;
    for id in 0..30 {
        world.ask(&id.to_string(), "t", n(id)).await;
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    let tried = seen.all().len();
    assert!((10..=12).contains(&tried), "it pauses after ten failures: {tried}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(seen.all().len(), tried + 1, "then one try");
    assert_eq!(world.agent("w").state, ChildState::Running);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_fails_without_end_is_quarantined_harms_nobody_and_goes_on_when_released() {
    let seen = Seen::default();
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let limits = Limits {
        max_attempts: 1_000,
        crashes: Intensity::new(3, Duration::from_secs(60)),
        ..Limits::default()
    };
    let bad = {
        let broken = broken.clone();
        Worker::new("bad").unwrap().limits(limits).on_task("t", move |N { n }, ctx: Ctx| {
            assert!(!broken.load(std::sync::atomic::Ordering::Relaxed), "broken");
            async move {
                ctx.publish(Topic::BusinessFacts, "did", &json!({ "n": n }))?;
                Ok(json!({}))
            }
        })
    };
    let agent = bad.clone().into();
    let world = World::with(bad).await;
    world.agents.host(worker(&seen, |_, _| None)).await.unwrap();
    settle().await;
    for id in 0..20 {
        world.publish(super::world::request(&id.to_string(), "t", n(id))).await;
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(world.agent("bad").state, ChildState::Quarantined);
    assert!(world.agent("bad").last_failure.is_some());
    assert_eq!((world.agent("w").state, seen.all().len()), (ChildState::Running, 20));
    broken.store(false, std::sync::atomic::Ordering::Relaxed);
    assert!(world.agents.release(&agent).await);
    tokio::time::sleep(Duration::from_secs(400)).await;
    let facts = world.events(Topic::BusinessFacts).await;
    assert_eq!(facts.iter().filter(|fact| fact.source == "bad").count(), 20, "its events had waited");
}

#[tokio::test(start_paused = true)]
async fn a_stopping_agent_finishes_what_it_has_in_hand_and_leaves_the_rest() {
    let seen = Seen::default();
    let slow = {
        let seen = seen.clone();
        Worker::new("w").unwrap().pool(2).on_task("t", move |N { n }, _| {
            let seen = seen.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(2)).await;
                seen.note(n.to_string());
                Ok(json!({}))
            }
        })
    };
    let world = World::with(slow.clone()).await;
    for id in 0..6 {
        world.ask(&id.to_string(), "t", n(id)).await;
    }
    settle().await;
    assert!(world.agents.stop(&slow.clone().into()).await);
    assert_eq!(seen.all(), ["0", "1"]);
    assert_eq!(world.events(Topic::ActionResults).await.len(), 2);
    world.agents.host(slow).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut all = seen.all();
    all.sort();
    assert_eq!(all, ["0", "1", "2", "3", "4", "5"], "each once");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_away_is_waited_for() {
    let seen = Seen::default();
    let world = World::new().await;
    for _ in 0..3 {
        world.log.on(Call::Next, LogFault::Fail(EventLogError::Unavailable("away".into())));
    }
    world.agents.host(worker(&seen, |_, _| None)).await.unwrap();
    settle().await;
    world.ask("0", "t", n(0)).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    each_once(&world, 1).await;
    assert_eq!(world.agent("w").children[1].restarts, 0);
}
