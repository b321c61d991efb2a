//! A client that proves who it is.

use soorma::config::Tokens;
use soorma::{Client, ErrorCode, Scope, TenantId, Topic};
use soorma_testkit::{SECRET, token_of};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::world::{World, event, ids, open, watcher};

async fn strict() -> World {
    let strict = World::embedded().with(|config| {
        config.auth.tokens = Tokens::Required;
        config.auth.jwt_secret = SECRET.into();
    });
    strict.start().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_goes_before_the_scope_and_reaches_publishes_and_streams() {
    let world = strict().await;
    let hers = world.client_of("two").token(&token_of("one", "ann")).unwrap();
    let his = world.client().token(&token_of("two", "bob")).unwrap();
    let mut streams = Vec::new();
    for client in [&hers, &his] {
        streams.push(open(client, &watcher(Topic::BusinessFacts)).await);
    }
    his.publish(&event("his", Topic::BusinessFacts)).await.unwrap();
    hers.publish(&event("hers", Topic::BusinessFacts)).await.unwrap();
    assert_eq!(ids(&mut streams[0], 1).await, ["hers"]);
    assert_eq!(ids(&mut streams[1], 1).await, ["his"]);
    let scope = Scope { user: Some("bob".into()), ..Scope::default() };
    let refused = hers.scope(scope).groups(&Default::default()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unauthenticated, "the scope names another user than the token");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_proves_nothing_is_told_what_to_do() {
    let world = strict().await;
    let nobody = world.client().groups(&Default::default()).await.unwrap_err();
    assert_eq!(nobody.code, ErrorCode::Unauthenticated);
    assert!(
        nobody.message.contains("Missing bearer token") && nobody.message.contains("--token"),
        "{nobody}"
    );
    let wrong = world.client().token("abc.def.ghi").unwrap().groups(&Default::default()).await.unwrap_err();
    assert!(wrong.message.contains("Invalid JWT") && wrong.message.contains("it may be over"), "{wrong}");
    assert!(!wrong.message.contains("abc.def"), "{wrong}");
    world.stop().await;
}

#[test]
fn a_token_is_shown_to_nobody_and_what_is_none_is_refused() {
    let client = || Client::new("http://127.0.0.1:1").unwrap();
    let shown = format!("{:?}", client().token("hunter.two.three").unwrap());
    assert!(!shown.contains("hunter"), "{shown}");
    for wrong in ["", "  ", "two words", "new\nline", "caf\u{e9}"] {
        let error = client().token(wrong).unwrap_err();
        assert_eq!(error.code, ErrorCode::Invalid, "{wrong:?}");
        assert!(wrong.trim().is_empty() || !error.message.contains(wrong), "{error}");
    }
}

#[test]
fn a_base_address_is_http_or_https_and_no_more() {
    for good in ["http://127.0.0.1:8080", "https://soorma.example", "https://soorma.example/"] {
        Client::new(good).unwrap();
    }
    for wrong in ["soorma.example", "ftp://soorma.example", "https://soorma.example/api", "https://x/?y", ""]
    {
        let error = Client::new(wrong).unwrap_err();
        assert!(error.message.contains("http://HOST:PORT or https://HOST"), "{error}");
    }
}

#[test]
fn a_base_address_with_a_password_is_refused_and_not_repeated() {
    for wrong in [
        "http://ada:hunter2@127.0.0.1:8080",
        "https://hunter2@soorma.example",
        "https://:hunter2@soorma.example",
        "http://ada:hunter2@:x",
        "ftp://ada:hunter2@soorma.example",
        "https://soorma.example/?key=hunter2",
    ] {
        let error = Client::new(wrong).unwrap_err();
        assert_eq!(error.code, ErrorCode::Invalid, "{wrong}");
        assert!(!error.message.contains("hunter2") && error.message.contains("https://HOST"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_answers_that_the_platform_is_elsewhere_does_not_lead_the_token_there() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = elsewhere.local_addr().unwrap();
    let liar = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&format!("http://{}", liar.local_addr().unwrap())).unwrap();
    let client = client.scope(Scope { tenant: TenantId::default(), ..Scope::default() });
    let client = client.token("hunter.two.three").unwrap();
    let answer = async {
        let (mut socket, _) = liar.accept().await.unwrap();
        let mut head = [0; 4_096];
        let read = socket.read(&mut head).await.unwrap();
        let moved =
            format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n");
        socket.write_all(moved.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&head[..read]).into_owned()
    };
    let (outcome, asked) = tokio::join!(client.health(), answer);
    assert!(asked.contains("authorization: Bearer hunter.two.three\r\n"), "{asked}");
    assert!(!asked.contains("x-tenant-id"), "the token names the tenant");
    assert!(outcome.unwrap_err().message.contains("307"));
    let nobody = tokio::select! {
        biased;
        came = elsewhere.accept() => came.is_err(),
        () = tokio::task::yield_now() => true,
    };
    assert!(nobody, "it was not asked");
}
