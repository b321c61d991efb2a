use std::time::Duration;

use soorma_ports::Clock;
use soorma_testkit::TestClock;

#[tokio::test(start_paused = true)]
async fn it_starts_at_a_fixed_moment_and_moves_with_paused_time() {
    let clock = TestClock::new();
    assert_eq!(clock.now().to_string(), "2026-01-01T00:00:00.000000Z");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(clock.now().to_string(), "2026-01-01T00:00:01.500000Z");
}

#[tokio::test(start_paused = true)]
async fn it_jumps_forward_and_back() {
    let clock = TestClock::new();
    let start = clock.now();
    clock.jump(Duration::from_secs(5));
    assert_eq!(clock.now().since(start), Duration::from_secs(5));
    clock.jump_back(Duration::from_secs(3_605));
    assert_eq!(start.since(clock.now()), Duration::from_secs(3_600));
}
