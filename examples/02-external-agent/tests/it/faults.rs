use std::time::Duration;

use soorma::TenantId;
use soorma::config::Config;

use super::world::{World, nth};

/// Only an answer settles a request: else one that was sent to a worker some seconds before it died would count as done.
fn answers_settle(config: &mut Config) {
    config.edge.settle_after = Duration::from_secs(3_600);
}

/// Every request was answered once, and so is what comes after them.
async fn each_is_answered_once(world: &World, requests: usize) {
    world.publish(nth(requests)).await;
    let mut answers = world.answers().await;
    answers.wait_for(requests + 1).await;
    for (n, (request, answers)) in answers.by_request.iter().enumerate() {
        assert_eq!(*request, nth(n).id.to_string());
        assert_eq!(answers.len(), 1, "{request}");
    }
    let dead = world.node.bus().dead_letters(&TenantId::default(), &Default::default(), 0, 10).await.unwrap();
    assert_eq!(dead, []);
}

#[tokio::test]
async fn each_request_is_answered_once_though_workers_are_killed_over_and_over() {
    const PER_LIFE: usize = 60;
    const LIVES: usize = 5;
    let world = World::new(answers_settle).await;
    let mut answers = world.answers().await;
    let mut worker = world.worker();
    worker.joined().await;
    for life in 0..LIVES {
        let first = life * PER_LIFE;
        let publish = async {
            for n in first..first + PER_LIFE {
                world.publish(nth(n)).await;
            }
        };
        let kill = async {
            // Somewhere in the middle of this life's requests.
            answers.wait_for(first + PER_LIFE / 3).await;
            worker.kill().await;
        };
        tokio::join!(publish, kill);
        worker = world.worker();
    }
    answers.wait_for(LIVES * PER_LIFE).await;
    each_is_answered_once(&world, LIVES * PER_LIFE).await;
    world.node.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_comes_back_when_the_edge_has_crashed_and_answers_what_it_missed() {
    const REQUESTS: usize = 200;
    let world = World::new(|config| {
        answers_settle(config);
        // What the crashed edge had in hand comes back when its time is over.
        config.bus.ack_within = Duration::from_secs(1);
        config.bus.max_attempts = 100;
    })
    .await;
    let mut answers = world.answers().await;
    let mut worker = world.worker();
    worker.joined().await;
    let publish = async {
        for n in 0..REQUESTS {
            world.publish(nth(n)).await;
        }
    };
    let crash = async {
        answers.wait_for(REQUESTS / 4).await;
        assert!(world.node.root().kill("edge/listener"));
        worker.joined().await;
    };
    tokio::join!(publish, crash);
    answers.wait_for(REQUESTS).await;
    each_is_answered_once(&world, REQUESTS).await;
    world.node.stop().await.unwrap();
}
