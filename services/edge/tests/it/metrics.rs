//! What Prometheus is shown.

use serde_json::{Value, json};
use soorma_ports::EventLogError;
use soorma_testkit::{Call, Fault};

use super::server::{Server, patient, work};

#[tokio::test]
async fn metrics_say_how_much_there_is_of_what() {
    let server = Server::with(patient()).await;
    let _live = server.stream("topics=*&agent_id=a").await;
    let mut explicit = server.explicit("wor%22kers", "&credit=2").await;
    let _member = server.member("paused").await;
    server.publish_all(&[work("e0"), work("e1"), work("e1"), work("e2")]).await;
    assert_eq!(server.ask("POST", "/v1/events/publish", &json!({"event": {}})).await.status, 422);
    let (first, ..) = explicit.delivery().await;
    let (second, ..) = explicit.delivery().await;
    let ids = json!({"ids": [first, first]});
    assert_eq!(server.ask("POST", "/v1/deliveries:ack", &ids).await.status, 200);
    let reject = json!({"ids": [second], "reject": true});
    assert_eq!(server.ask("POST", "/v1/deliveries:nack", &reject).await.status, 200);
    let (third, ..) = explicit.delivery().await;
    assert_eq!(server.ask("POST", "/v1/deliveries:extend", &json!({"ids": [third]})).await.status, 200);
    assert_eq!(server.ask("POST", "/v1/groups/paused:pause", &Value::Null).await.status, 200);
    let reply = server.get("/metrics").await;
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "# TYPE soorma_group_behind gauge",
        "soorma_log_up 1",
        "soorma_streams_open{kind=\"live\"} 1",
        "soorma_streams_open{kind=\"member\"} 1",
        "soorma_streams_open{kind=\"explicit\"} 1",
        "soorma_events_published_total 3",
        "soorma_events_duplicate_total 1",
        "soorma_publishes_refused_total 1",
        "soorma_deliveries_settled_total{how=\"ack\"} 1",
        "soorma_deliveries_settled_total{how=\"nack\"} 1",
        "soorma_deliveries_settled_total{how=\"extend\"} 1",
        "soorma_deliveries_settled_total{how=\"stale\"} 1",
        "soorma_registry_up 1",
        "soorma_registry_agents 0",
        "soorma_registry_payload_faults_total 0",
        "soorma_registry_payloads_unchecked_total 0",
        "soorma_streams_open{kind=\"watch\"} 0",
        "soorma_memory_up 1",
        "soorma_memory_embedder_away 0",
        "soorma_memory_embedded_total 0",
        "soorma_memory_deferred_total 0",
        "soorma_memory_searches_without_meaning_total 0",
        "soorma_memory_expired_total 0",
        "soorma_groups_left_out 0",
        "soorma_group_behind{tenant=\"one\",group=\"wor\\\"kers\"} 1",
        "soorma_group_in_hand{tenant=\"one\",group=\"wor\\\"kers\"} 1",
        "soorma_group_dead_letters{tenant=\"one\",group=\"wor\\\"kers\"} 1",
        "soorma_group_paused{tenant=\"one\",group=\"paused\"} 1",
        "soorma_group_waiting{tenant=\"one\",group=\"paused\"} 0",
    ] {
        assert!(reply.body.lines().any(|known| known == line), "{line} in\n{}", reply.body);
    }
    assert!(reply.body.contains("soorma_group_oldest_seconds{tenant=\"one\",group=\"wor\\\"kers\"} 0."));
}

#[tokio::test]
async fn a_log_that_is_away_is_shown_with_the_rest() {
    let server = Server::start().await;
    server.log.on(Call::Check, Fault::Fail(EventLogError::Unavailable("net".into())));
    let reply = server.get("/metrics").await;
    assert_eq!(reply.status, 200);
    assert!(
        reply.body.contains("soorma_log_up 0\n") && reply.body.contains("soorma_events_published_total 0\n")
    );
}
