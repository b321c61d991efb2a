//! Health, readiness, the tree, and what is not there.

use std::sync::atomic::Ordering;

use serde_json::json;
use soorma_ports::{EventLogError, MemoryStoreError};
use soorma_testkit::{Call, Fault, MemoryCall};

use super::server::Server;

#[tokio::test]
async fn health_is_degraded_while_the_log_or_memory_is_away_and_the_node_is_alive_all_along() {
    let server = Server::start().await;
    let version = env!("CARGO_PKG_VERSION");
    let healthy = json!({"status": "healthy", "adapter": "NatsAdapter", "connected": true, "active_streams": 0,
        "memory": true, "embedder": "scripted/8", "service": "soorma", "version": version});
    assert_eq!(server.get("/health").await.json(), healthy);
    assert_eq!(server.get("/readyz").await.json(), json!({"status": "ready"}));
    for path in ["/health", "/readyz"] {
        server.log.on(Call::Check, Fault::Fail(EventLogError::Unavailable("net".into())));
        let reply = server.get(path).await;
        if path == "/health" {
            assert_eq!(
                (reply.status, &reply.json()["status"], &reply.json()["connected"]),
                (200, &json!("degraded"), &json!(false))
            );
        } else {
            assert_eq!((reply.status, reply.problem()["code"].as_str()), (503, Some("unavailable")));
        }
    }
    for path in ["/health", "/readyz"] {
        server.kept.on(MemoryCall::Check, Fault::Fail(MemoryStoreError::Unavailable("disk".into())));
        let reply = server.get(path).await;
        if path == "/health" {
            let health = reply.json();
            let said = (&health["status"], &health["connected"], &health["memory"]);
            assert_eq!((reply.status, said), (200, (&json!("degraded"), &json!(true), &json!(false))));
        } else {
            assert_eq!((reply.status, reply.problem()["code"].as_str()), (503, Some("unavailable")));
        }
    }
    server.ready.store(false, Ordering::SeqCst);
    assert_eq!(server.get("/readyz").await.status, 503);
    assert_eq!(server.get("/livez").await.json(), json!({"status": "alive"}));
    assert_eq!(server.get("/version").await.json(), json!({"service": "soorma", "version": version}));
}

#[tokio::test]
async fn the_root_lists_every_route_and_each_of_them_is_there() {
    let server = Server::start().await;
    let about = server.get("/").await.json();
    let listed = about["routes"].as_array().expect("routes");
    assert_eq!(listed.len(), soorma_api::routes::ALL.len());
    for (method, path) in soorma_api::routes::ALL {
        assert!(listed.contains(&json!(format!("{method} {path}"))));
        let reply = server.send(method, &path.replace("{id}", "1"), &[], "").await;
        let absent = reply.status == 405 || (reply.status == 404 && reply.detail().starts_with("Not Found"));
        assert!(!absent, "{method} {path}: {}", reply.status);
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_that_says_what_is() {
    let server = Server::start().await;
    let reply = server.get("/v1/nowhere").await;
    assert_eq!((reply.status, reply.problem()["code"].as_str()), (404, Some("not_found")));
    assert!(reply.detail().starts_with("Not Found"));
    for path in ["/v1/groups/%FF", "/v1/dead-letters/%FF"] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.problem()["code"].as_str()), (422, Some("invalid")), "{path}");
    }
    for (method, path, allow) in [
        ("GET", "/v1/events/publish", "POST"),
        ("POST", "/health", "GET,HEAD"),
        ("DELETE", "/v1/dead-letters/1", "GET,HEAD"),
        ("PUT", "/v1/dead-letters/redrive", "POST"),
    ] {
        let reply = server.send(method, path, &[], "").await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some(allow)), "{method} {path}");
        assert!(reply.detail().starts_with("Method Not Allowed"));
    }
    assert_eq!(server.send("HEAD", "/livez", &[], "").await.status, 200);
}

#[tokio::test]
async fn the_tree_is_cut_to_the_wanted_size() {
    let server = Server::start().await;
    for (query, agents, more) in
        [("", 100, 50), ("?limit=1000", 150, 0), ("?limit=7", 7, 143), ("?depth=1", 0, 150)]
    {
        let tree = server.get(&format!("/v1/runtime/tree{query}")).await.json();
        let below = &tree["children"][1];
        let shown = below["children"].as_array().map_or(0, Vec::len);
        assert_eq!((shown, below["more"].as_u64().unwrap_or(0)), (agents, more), "{query}");
    }
    let reply = server.get("/v1/runtime/tree?limit=many").await;
    assert_eq!(reply.status, 422);
    assert!(reply.detail().contains("limit"));
}

#[tokio::test]
async fn a_panic_is_answered_and_harms_nobody_else() {
    let server = Server::start().await;
    server.broken.store(true, Ordering::SeqCst);
    let reply = server.get("/v1/runtime/tree").await;
    assert_eq!((reply.status, reply.problem()["code"].as_str()), (500, Some("internal")));
    assert!(!reply.body.contains("the tree is broken"), "what a panic says is not for callers");
    server.broken.store(false, Ordering::SeqCst);
    assert_eq!(server.get("/v1/runtime/tree").await.status, 200);
}
