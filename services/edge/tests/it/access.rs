//! The access rule holds on every route, before anything else.

use super::http::exchange;
use super::server::Server;

#[tokio::test]
async fn a_request_that_names_another_host_is_refused_on_every_route() {
    let server = Server::start().await;
    for (method, path) in soorma_api::routes::ALL {
        for header in
            [("host", "evil.example"), ("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")]
        {
            let reply = server.send(method, path, &[header], "").await;
            assert_eq!(
                (reply.status, reply.problem()["code"].as_str()),
                (403, Some("forbidden")),
                "{path} {header:?}"
            );
        }
    }
    assert_eq!(server.send("GET", "/nowhere", &[("host", "evil.example")], "").await.status, 403);
}

#[tokio::test]
async fn loopback_names_and_pages_of_the_node_itself_are_answered() {
    let server = Server::start().await;
    let own = format!("localhost:{}", server.address.port());
    let origin = format!("http://{own}");
    for headers in [
        vec![("host", "127.0.0.1:1")],
        vec![("host", "[::1]:8082")],
        vec![("host", own.as_str()), ("origin", origin.as_str()), ("sec-fetch-site", "same-origin")],
    ] {
        assert_eq!(server.send("GET", "/livez", &headers, "").await.status, 200, "{headers:?}");
    }
}

#[tokio::test]
async fn a_request_without_a_host_is_refused() {
    let server = Server::start().await;
    assert_eq!(exchange(server.address, b"GET /livez HTTP/1.0\r\n\r\n").await.status, 403);
}

#[tokio::test]
async fn no_answer_invites_pages_of_other_sites() {
    let server = Server::start().await;
    let reply = server.get("/health").await;
    assert!(!reply.headers.iter().any(|(name, _)| name.starts_with("access-control-")));
}

#[tokio::test]
async fn a_header_that_is_no_tenant_is_refused_by_name() {
    let server = Server::start().await;
    let reply = server.send("GET", "/health", &[("x-tenant-id", &"t".repeat(65))], "").await;
    assert_eq!(reply.status, 422);
    assert!(reply.detail().contains("x-tenant-id"));
}
