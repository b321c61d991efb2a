//! Who is asking, where everybody is asked for a token.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use soorma_edge::{Access, Tokens};
use soorma_ports::{AuthError, Authenticator, Clock, Principal};
use soorma_testkit::{SECRET, TestClock, token, token_of};

use super::http::{Reply, exchange};
use super::server::{Server, guarded, work};
use super::sse::Stream;

const OPEN: [&str; 4] = ["/health", "/livez", "/readyz", "/version"];

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Seconds since 1970, so many from where the server's clock begins.
fn at(seconds: i64) -> i64 {
    TestClock::new().now().micros() / 1_000_000 + seconds
}

/// Asks with these headers.
async fn ask(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    server.send("GET", path, headers, "").await
}

#[track_caller]
fn refused(reply: &Reply, detail: &str) {
    let problem = reply.problem();
    assert_eq!(
        (reply.status, &problem["code"], &problem["detail"]),
        (401, &json!("unauthenticated"), &json!(detail))
    );
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn without_a_token_every_route_is_closed_but_those_that_say_nothing_of_anybody() {
    let server = Server::letting_in(guarded).await;
    for (method, path) in soorma_api::routes::ALL {
        for headers in [
            vec![],
            vec![("x-tenant-id", "one")],
            vec![("x-identity-admin-key", "dev-identity-admin"), ("x-tenant-id", "one")],
            vec![("authorization", "Basic dTpw")],
            vec![("authorization", "Bearer ")],
        ] {
            let reply = server.send(method, path, &headers, "").await;
            if OPEN.contains(&path) {
                assert_eq!(reply.status, 200, "{path}");
            } else {
                refused(&reply, "Missing bearer token");
            }
        }
    }
    refused(&ask(&server, "/nowhere", &[]).await, "Missing bearer token");
    refused(&ask(&server, "/health/", &[]).await, "Missing bearer token");
    refused(&ask(&server, "//health", &[]).await, "Missing bearer token");
}

#[tokio::test]
async fn a_token_opens_whatever_the_host_is_called_and_the_headers_of_a_page_are_no_matter() {
    let server = Server::letting_in(guarded).await;
    let mine = bearer(&token_of("one", "ann"));
    for headers in [
        vec![("host", "soorma.example")],
        vec![("host", "soorma.example"), ("origin", "https://app.example"), ("sec-fetch-site", "cross-site")],
        vec![("host", "localhost"), ("x-tenant-id", "two")],
    ] {
        let headers = [&headers[..], &[("authorization", mine.as_str())]].concat();
        let reply = ask(&server, "/v1/groups", &headers).await;
        assert_eq!(reply.status, 200, "{headers:?}: {}", reply.body);
        assert!(!reply.headers.iter().any(|(name, _)| name.starts_with("access-control-")));
    }
    let lower = mine.replace("Bearer", "bearer");
    assert_eq!(ask(&server, "/", &[("authorization", &lower)]).await.status, 200);
    let without_a_host = format!("GET /v1/groups HTTP/1.0\r\nauthorization: {mine}\r\n\r\n");
    assert_eq!(exchange(server.address, without_a_host.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn a_listener_on_loopback_answers_this_machine_alone_also_with_a_token() {
    let server = Server::letting_in(|clock| Access { loopback: true, ..guarded(clock) }).await;
    let mine = bearer(&token_of("one", "ann"));
    for header in
        [("host", "evil.example"), ("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")]
    {
        for path in ["/v1/groups", "/health"] {
            let reply = ask(&server, path, &[header, ("authorization", &mine)]).await;
            assert_eq!(reply.status, 403, "{header:?}");
        }
    }
    assert_eq!(ask(&server, "/v1/groups", &[("authorization", &mine)]).await.status, 200);
    refused(&ask(&server, "/v1/groups", &[]).await, "Missing bearer token");
}

#[tokio::test]
async fn what_is_no_good_token_is_refused_in_the_same_words_whatever_is_wrong() {
    let server = Server::letting_in(guarded).await;
    let good = token_of("one", "ann");
    let soon = |claims: Value| token(SECRET, &claims);
    for headers in [
        vec![bearer("abc.def.ghi")],
        vec![bearer(&token(
            "another secret of more than thirty-two bytes",
            &json!({"platform_tenant_id": "one"}),
        ))],
        vec![bearer(&soon(json!({"platform_tenant_id": "one"})))],
        vec![bearer(&soon(json!({"exp": at(60)})))],
        vec![bearer(&soon(json!({"exp": at(-60), "platform_tenant_id": "one"})))],
        vec![bearer(&soon(json!({"exp": at(60), "platform_tenant_id": "t".repeat(65)})))],
        vec![bearer(&format!("{good} {good}"))],
        vec![bearer(&"x".repeat(20_000))],
        vec![bearer(&good), bearer(&good)],
        vec![bearer(&good), "Basic dTpw".to_owned()],
        vec!["Bearer caf\u{e9}".to_owned()],
    ] {
        let headers: Vec<_> = headers.iter().map(|value| ("authorization", value.as_str())).collect();
        refused(&ask(&server, "/v1/groups", &headers).await, "Invalid JWT");
    }
}

#[tokio::test]
async fn headers_that_name_another_than_the_token_are_refused() {
    let server = Server::letting_in(guarded).await;
    let claims = json!({"exp": at(60), "platform_tenant_id": "pt", "service_tenant_id": "st", "service_user_id": "su"});
    let mine = bearer(&token(SECRET, &claims));
    let nobody = bearer(&token(SECRET, &json!({"exp": at(60), "platform_tenant_id": "pt"})));
    for (proof, headers, good) in [
        (&mine, vec![("x-service-tenant-id", "st"), ("x-user-id", "su"), ("x-tenant-id", "other")], true),
        (&mine, vec![("x-service-tenant-id", ""), ("x-user-id", " ")], true),
        (&mine, vec![("x-service-tenant-id", "pt")], false),
        (&mine, vec![("x-user-id", "SU")], false),
        (&mine, vec![("x-service-tenant-id", "st"), ("x-user-id", "other")], false),
        (&nobody, vec![("x-service-tenant-id", "pt")], true),
        (&nobody, vec![("x-user-id", "su")], false),
    ] {
        let headers = [&headers[..], &[("authorization", proof.as_str())]].concat();
        let reply = ask(&server, "/v1/groups", &headers).await;
        if good {
            assert_eq!(reply.status, 200, "{headers:?}: {}", reply.body);
        } else {
            refused(&reply, "Invalid JWT");
        }
    }
}

#[tokio::test]
async fn a_token_that_is_sent_is_verified_also_where_none_is_needed() {
    let optional =
        |clock: Arc<dyn Clock>| Access { tokens: Tokens::Optional, loopback: true, ..guarded(clock) };
    let server = Server::letting_in(optional).await;
    assert_eq!(ask(&server, "/v1/groups", &[]).await.status, 200);
    refused(&ask(&server, "/v1/groups", &[("authorization", "Bearer abc.def.ghi")]).await, "Invalid JWT");
    refused(&ask(&server, "/v1/groups", &[("authorization", "Basic dTpw")]).await, "Missing bearer token");
    let mine = bearer(&token_of("one", "ann"));
    let _stream = Stream::open(
        server.address,
        "topics=*&agent_id=a",
        &[("authorization", &mine), ("x-tenant-id", "two")],
    )
    .await;
    for (tenant, count) in [("one", 1), ("two", 0)] {
        let reply = ask(&server, "/v1/admin/connections", &[("x-tenant-id", tenant)]).await;
        assert_eq!(reply.json()["count"], count, "{tenant}");
    }
    let server = Server::start().await;
    let reply = ask(&server, "/v1/groups", &[("authorization", &mine)]).await;
    refused(&reply, "JWT validation not configured");
}

#[tokio::test]
async fn a_listener_that_others_reach_asks_for_a_token_whatever_it_was_told() {
    let open = |_| Access { loopback: false, ..Access::this_machine() };
    let server = Server::letting_in(open).await;
    refused(&ask(&server, "/v1/groups", &[]).await, "Missing bearer token");
}

#[tokio::test]
async fn keys_that_are_away_are_no_fault_of_the_token() {
    #[derive(Debug)]
    struct Away;
    #[async_trait]
    impl Authenticator for Away {
        async fn verify(&self, _: &str) -> Result<Principal, AuthError> {
            Err(AuthError::Unavailable("the keys are away".into()))
        }
    }
    let server =
        Server::letting_in(|clock| Access { authenticator: Some(Arc::new(Away)), ..guarded(clock) }).await;
    let reply = ask(&server, "/v1/groups", &[("authorization", "Bearer x.y.z")]).await;
    assert_eq!((reply.status, reply.detail().as_str()), (503, "the keys are away"));
    assert_eq!(reply.header("retry-after"), Some("5"));
}

#[tokio::test]
async fn events_are_those_of_the_tenant_that_the_token_names() {
    let server = Server::letting_in(guarded).await;
    let (ann, bob) = (bearer(&token_of("one", "ann")), bearer(&token_of("two", "bob")));
    let mut streams = Vec::new();
    for proof in [&ann, &bob] {
        streams.push(Stream::open(server.address, "topics=*&agent_id=a", &[("authorization", proof)]).await);
    }
    for (proof, id) in [(&bob, "theirs"), (&ann, "mine")] {
        let headers =
            [("authorization", proof.as_str()), ("content-type", "application/json"), ("x-tenant-id", "one")];
        let mut event = work(id);
        event.as_object_mut().expect("an event").retain(|key, _| key != "tenant_id" && key != "user_id");
        event["platform_tenant_id"] = "one".into();
        let body = json!({ "event": event }).to_string();
        let reply = server.send("POST", "/v1/events/publish", &headers, &body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
    for (stream, id, tenant, user) in [(0, "mine", "one", "ann"), (1, "theirs", "two", "bob")] {
        let data = streams[stream].events(1).await.remove(0).data;
        let owner = ["id", "platform_tenant_id", "tenant_id", "user_id"]
            .map(|key| data[key].as_str().expect("a text"));
        assert_eq!(owner, [id, tenant, tenant, user]);
    }
}

#[tokio::test]
async fn a_person_publishes_what_is_of_this_person_alone_and_agents_for_whom_they_act() {
    let server = Server::letting_in(guarded).await;
    for (kind, tenant, user, status) in [
        (Some("user"), "one", "ann", 200),
        (Some("user"), "one", "bob", 422),
        (Some("user"), "two", "ann", 422),
        (Some("agent"), "one", "bob", 200),
        (Some("service"), "two", "bob", 200),
        (None, "one", "bob", 200),
    ] {
        let mut claims = json!({ "platform_tenant_id": "one", "principal_id": "ann", "exp": at(60) });
        if let Some(kind) = kind {
            claims["principal_type"] = kind.into();
        }
        let proof = bearer(&token(SECRET, &claims));
        let headers = [("authorization", proof.as_str()), ("content-type", "application/json")];
        let mut event = work(&format!("{kind:?}-{tenant}-{user}"));
        (event["tenant_id"], event["user_id"]) = (tenant.into(), user.into());
        for (path, body) in [
            ("/v1/events/publish", json!({ "event": event })),
            ("/v1/events:batch", json!({ "events": [event] })),
        ] {
            let reply = server.send("POST", path, &headers, &body.to_string()).await;
            assert_eq!(reply.status, status, "{kind:?} {tenant} {user}: {}", reply.body);
            if status == 422 {
                let field = if user == "bob" { "user_id" } else { "tenant_id" };
                let place = &reply.problem()["errors"][0]["loc"];
                assert_eq!(place.as_array().and_then(|place| place.last()), Some(&json!(field)), "{place}");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_ends_when_its_token_does_and_a_member_is_not_to_blame() {
    let server = Server::letting_in(guarded).await;
    // What is in hand at the end is handed out again, untried.
    let claims = json!({"exp": at(-2), "platform_tenant_id": "one"});
    let short = bearer(&token(SECRET, &claims));
    let long = bearer(&token_of("one", "ann"));
    let query = "topics=action-requests&agent_id=w-1&agent_name=w&ack=explicit";
    let mut member = Stream::open(server.address, query, &[("authorization", &short)]).await;
    let mut live = Stream::open(server.address, "topics=*&agent_id=a", &[("authorization", &short)]).await;
    let headers = [("authorization", long.as_str()), ("content-type", "application/json")];
    let body = json!({"event": work("e0")}).to_string();
    assert_eq!(server.send("POST", "/v1/events/publish", &headers, &body).await.status, 200);
    let (_, attempt, id) = member.delivery().await;
    assert_eq!((attempt, id.as_str()), (1, "e0"));
    for stream in [&mut member, &mut live] {
        let last = loop {
            let frame = stream.next().await;
            if !["message", "heartbeat"].contains(&frame.event.as_str()) {
                break frame;
            }
        };
        assert_eq!(last.event, "disconnected");
        assert_eq!(stream.try_next().await, None);
    }
    let reply = ask(&server, "/v1/groups", &[("authorization", &short)]).await;
    refused(&reply, "Invalid JWT");
    let mut again = Stream::open(server.address, query, &[("authorization", &long)]).await;
    let (_, attempt, id) = again.delivery().await;
    assert_eq!((attempt, id.as_str()), (1, "e0"), "it was not the agent that failed");
}

#[tokio::test]
async fn metrics_and_the_tree_show_a_tenant_what_is_its_own_and_the_operator_all() {
    let server = Server::letting_in(guarded).await;
    let (ann, bob) = (bearer(&token_of("one", "ann")), bearer(&token_of("two", "bob")));
    let mut streams = Vec::new();
    for (proof, name) in [(&ann, "hers"), (&bob, "his")] {
        let query = format!("topics=action-requests&agent_id={name}-1&agent_name={name}");
        streams.push(Stream::open(server.address, &query, &[("authorization", proof)]).await);
    }
    let hers = ask(&server, "/metrics", &[("authorization", &ann)]).await;
    assert_eq!(hers.status, 200);
    for line in ["soorma_log_up 1", "soorma_streams_open{kind=\"member\"} 1", "soorma_groups_left_out 0"] {
        assert!(hers.body.lines().any(|known| known == line), "{line} in\n{}", hers.body);
    }
    assert!(
        hers.body.contains("tenant=\"one\",group=\"hers\"") && !hers.body.contains("his"),
        "{}",
        hers.body
    );
    assert!(!hers.body.contains("two") && !hers.body.contains("_total"), "{}", hers.body);
    let all = ask(&server, "/metrics", &[("authorization", "Bearer the operator's")]).await;
    assert!(all.body.contains("soorma_streams_open{kind=\"member\"} 2"), "{}", all.body);
    assert!(
        all.body.contains("tenant=\"two\",group=\"his\"") && all.body.contains("published_total"),
        "{}",
        all.body
    );
    for path in ["/v1/groups", "/v1/runtime/tree", "/", "/metrics/"] {
        refused(&ask(&server, path, &[("authorization", "Bearer the operator's")]).await, "Invalid JWT");
    }
    refused(&ask(&server, "/metrics", &[("authorization", "Bearer the operator")]).await, "Invalid JWT");
    refused(&ask(&server, "/metrics", &[]).await, "Missing bearer token");
    let tree = ask(&server, "/v1/runtime/tree", &[("authorization", &bob)]).await;
    assert_eq!(tree.json()["id"], "what two sees");
    let open = Server::start().await;
    assert_eq!(ask(&open, "/v1/runtime/tree", &[]).await.json()["id"], "root");
    drop(streams);
}
