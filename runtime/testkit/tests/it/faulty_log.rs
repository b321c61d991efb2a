use std::sync::Arc;
use std::time::Duration;

use soorma_core::{Position, Topic};
use soorma_ports::{EventLog, EventLogError, Reach};
use soorma_testkit::{Call, Fault, FaultyLog, MemoryLog, TestClock, event, tenant};
use tokio::time::Instant;

fn faulty() -> Arc<FaultyLog> {
    FaultyLog::new(MemoryLog::new(Arc::new(TestClock::new())))
}

fn away() -> EventLogError {
    EventLogError::Unavailable("planned".into())
}

async fn append(log: &FaultyLog, id: &str) -> Result<bool, EventLogError> {
    let appended = log.append(&tenant("acme"), vec![Arc::new(event(id, Topic::PlanEvents))]).await?;
    Ok(appended[0].duplicate)
}

async fn count(log: &FaultyLog) -> usize {
    log.read(&Reach::Platform, Topic::PlanEvents, Position(0), 10).await.unwrap().entries.len()
}

#[tokio::test(start_paused = true)]
async fn a_failed_append_appends_nothing_and_the_next_goes_through() {
    let log = faulty();
    log.fail_next_append(2, away());
    assert_eq!(append(&log, "a").await, Err(away()));
    assert_eq!(log.pending(), 1);
    assert_eq!(append(&log, "a").await, Err(away()));
    assert_eq!(count(&log).await, 0);
    assert_eq!(append(&log, "a").await, Ok(false));
    assert_eq!(log.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_is_not_answered_is_found_as_a_duplicate() {
    let log = faulty();
    log.commit_then_fail(1, away());
    assert_eq!(append(&log, "a").await, Err(away()));
    assert_eq!(append(&log, "a").await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn a_delay_takes_its_time_and_no_more() {
    let log = faulty();
    log.delay(1, Call::Append, Duration::from_secs(3_600));
    let started = Instant::now();
    append(&log, "a").await.unwrap();
    append(&log, "b").await.unwrap();
    assert_eq!(started.elapsed(), Duration::from_secs(3_600));
}

#[tokio::test(start_paused = true)]
async fn faults_of_one_call_leave_the_others_alone() {
    let log = faulty();
    log.on(Call::Read, Fault::Fail(away()));
    assert_eq!(append(&log, "a").await, Ok(false));
    assert_eq!(log.read(&Reach::Platform, Topic::PlanEvents, Position(0), 1).await, Err(away()));
    assert_eq!(count(&log).await, 1);
}
