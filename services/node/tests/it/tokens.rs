//! Tokens at a whole node: what is refused at the start, keys in files and at addresses, and what a tenant sees of the tree.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use soorma_agents::Worker;
use soorma_core::TenantId;
use soorma_node::config::{Config, Jwks, Tokens};
use soorma_node::{Node, NodeError, Options};
use soorma_testkit::{SECRET, token_of};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(20);

async fn start(data: &Path, set: impl FnOnce(&mut Config)) -> Result<Node, NodeError> {
    let mut config = Config::default();
    config.node.data = data.to_owned();
    config.edge.listen = "127.0.0.1:0".parse().unwrap();
    set(&mut config);
    Node::start(config, Options::default()).await
}

/// Asks with a token; returns the status and the body.
async fn get(node: &Node, path: &str, token: Option<&str>) -> (u16, String) {
    let mut socket = TcpStream::connect(node.addr().unwrap()).await.unwrap();
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{token}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, socket.read_to_string(&mut answer)).await.expect("an answer").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn status(node: &Node, token: Option<&str>) -> u16 {
    get(node, "/v1/groups", token).await.0
}

/// Who issues tokens with a key that they publish.
struct Issuer {
    kid: &'static str,
    pair: KeyPair,
}

impl Issuer {
    fn new(kid: &'static str) -> Self {
        Self { kid, pair: KeyPair::generate(KeySize::Rsa2048).unwrap() }
    }

    fn set(&self) -> Value {
        let public = self.pair.public_key();
        let (n, e) = (public.modulus(), public.exponent());
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{
            "kty": "RSA", "kid": self.kid,
            "n": base64(n.big_endian_without_leading_zero()), "e": base64(e.big_endian_without_leading_zero()),
        }]})
    }

    fn token(&self, tenant: &str) -> String {
        let base64 = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = base64(json!({"alg": "RS256", "kid": self.kid}));
        let claims = base64(json!({"exp": 4_102_444_800_u64, "platform_tenant_id": tenant}));
        let message = format!("{header}.{claims}");
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_could_let_nobody_in_or_anybody_does_not_start_and_says_what_to_give() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("keys.json");
    std::fs::write(&file, r#"{"keys": []}"#).unwrap();
    let missing = Jwks::File(data.path().join("missing.json"));
    let required = |config: &mut Config| config.auth.tokens = Tokens::Required;
    for (set, says) in [
        (Box::new(required) as Box<dyn FnOnce(&mut Config)>, "auth.jwt_secret"),
        (
            Box::new(|config| config.auth.jwt_secret = "hunter2".into()),
            "has 7 bytes; HS256 needs at least 32",
        ),
        (Box::new(|config| config.auth.jwks = Some(missing)), "missing.json"),
        (Box::new(|config| config.auth.jwks = Some(Jwks::File(file))), "it has no key to verify RS256 with"),
        (Box::new(|config| config.auth.jwks = Some(Jwks::Url("http://".into()))), "it is no address"),
        (Box::new(|config| config.edge.listen = "0.0.0.0:0".parse().unwrap()), "0.0.0.0:0 is not loopback"),
    ] {
        let refused = start(data.path(), set).await.unwrap_err().to_string();
        assert!(refused.contains(says) && !refused.contains("hunter2"), "{refused}");
    }
    let secret = |config: &mut Config| config.auth.jwt_secret = SECRET.into();
    start(data.path(), secret).await.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_asks_for_tokens_may_be_reached_from_elsewhere() {
    let data = tempfile::tempdir().unwrap();
    let node = start(data.path(), |config| {
        config.edge.listen = "0.0.0.0:0".parse().unwrap();
        config.auth.tokens = Tokens::Required;
        config.auth.jwt_secret = SECRET.into();
    })
    .await
    .unwrap();
    assert_eq!((status(&node, None).await, status(&node, Some(&token_of("one", "ann"))).await), (401, 200));
    assert_eq!(get(&node, "/readyz", None).await.0, 200);
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_a_file_are_read_anew_when_a_token_names_one_that_is_not_known() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("keys.json");
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    std::fs::write(&file, old.set().to_string()).unwrap();
    let jwks = Jwks::File(file.clone());
    let node = start(data.path(), |config| {
        config.auth.tokens = Tokens::Required;
        config.auth.jwks = Some(jwks);
    })
    .await
    .unwrap();
    let keys = node.root().tree().children.into_iter().find(|child| child.id == "identity").unwrap();
    assert_eq!(keys.children[0].id, "keys");
    assert_eq!(status(&node, Some(&old.token("one"))).await, 200);
    std::fs::write(&file, new.set().to_string()).unwrap();
    assert_eq!(status(&node, Some(&new.token("one"))).await, 200);
    assert_eq!(status(&node, Some(&old.token("one"))).await, 401);
    assert_eq!(status(&node, Some(&token_of("one", "ann"))).await, 401);
    node.stop().await.unwrap();
}

/// Answers every request with the same bytes, and counts them.
async fn publisher(answer: String) -> (u16, Arc<AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let mut served = JoinSet::new();
    served.spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let mut head = [0; 4_096];
            let _read = socket.read(&mut head).await;
            // Who has read enough hangs up.
            let _sent = socket.write_all(answer.as_bytes()).await;
        }
    });
    (port, asked, served)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

async fn with_keys_at(data: &Path, url: String) -> Node {
    start(data, |config| {
        config.auth.tokens = Tokens::Required;
        config.auth.jwks = Some(Jwks::Url(url));
        config.auth.jwks_refresh = Duration::from_secs(1);
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_fetched_and_an_address_that_is_away_is_asked_until_it_answers() {
    let data = tempfile::tempdir().unwrap();
    let issuer = Issuer::new("one");
    let token = issuer.token("one");
    // A port that nobody answers on yet.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = free.local_addr().unwrap();
    drop(free);
    let node = with_keys_at(data.path(), format!("http://{addr}/jwks.json")).await;
    assert_eq!(status(&node, Some(&token)).await, 503);
    let listener = TcpListener::bind(addr).await.unwrap();
    let answer = ok(&issuer.set().to_string());
    let mut served = JoinSet::new();
    served.spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = [0; 4_096];
            let _read = socket.read(&mut head).await;
            let _sent = socket.write_all(answer.as_bytes()).await;
        }
    });
    let until = async { while status(&node, Some(&token)).await != 200 {} };
    tokio::time::timeout(PATIENCE, until).await.expect("the keys are fetched");
    served.shutdown().await;
    assert_eq!(status(&node, Some(&token)).await, 200, "the keys that are known count on");
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_taken_from_nowhere_else_and_in_no_size() {
    let issuer = Issuer::new("one");
    let (port, reached, _elsewhere) = publisher(ok(&issuer.set().to_string())).await;
    let padded = format!("{}{}", issuer.set(), " ".repeat(1024 * 1024));
    for answer in [
        format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{port}/\r\ncontent-length: 0\r\n\r\n"),
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ok("not a set"),
        ok(&padded),
    ] {
        let data = tempfile::tempdir().unwrap();
        let (port, asked, _served) = publisher(answer).await;
        let node = with_keys_at(data.path(), format!("http://127.0.0.1:{port}/")).await;
        assert!(asked.load(Ordering::SeqCst) > 0);
        assert_eq!(status(&node, Some(&issuer.token("one"))).await, 503);
        node.stop().await.unwrap();
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0, "a redirect is not followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sees_of_the_tree_its_own_agents_and_not_how_many_others_there_are() {
    let data = tempfile::tempdir().unwrap();
    let node = start(data.path(), |config| {
        config.auth.tokens = Tokens::Required;
        config.auth.jwt_secret = SECRET.into();
    })
    .await
    .unwrap();
    for (name, tenant) in [("hers", "pt_a"), ("his", "pt_b"), ("other", "pt_b")] {
        let worker = Worker::new(name).unwrap().on_task("t", |data: Value, _| async move { Ok(data) });
        node.agents().host(worker.tenant(TenantId::new(tenant).unwrap())).await.unwrap();
    }
    for (token, mine, others) in [
        (token_of("pt_a", "ann"), vec!["hers@pt_a"], vec!["pt_b", "his", "other"]),
        (token_of("pt_b", "bob"), vec!["his@pt_b", "other@pt_b"], vec!["pt_a", "hers"]),
        (token_of("pt_c", "eve"), vec![], vec!["hers", "his", "other", "@"]),
    ] {
        let (status, body) = get(&node, "/v1/runtime/tree", Some(&token)).await;
        assert_eq!(status, 200, "{body}");
        for name in &mine {
            assert!(body.contains(name), "{name}: {body}");
        }
        assert!(body.contains("\"listener\"") && body.contains("\"plan-events\""), "{body}");
        for name in others {
            assert!(!body.contains(name), "{name}: {body}");
        }
        let tree: Value = serde_json::from_str(&body).unwrap();
        let below = |node: &Value, id: &str| {
            let found = node["children"].as_array().into_iter().flatten().find(|child| child["id"] == id);
            found.cloned().unwrap_or_default()
        };
        let hosted = below(&below(&tree, "agents"), "hosted");
        let shown = hosted["children"].as_array().map_or(0, Vec::len);
        assert_eq!((shown, &hosted["more"]), (usize::from(!mine.is_empty()), &Value::Null), "{body}");
        let (_, cut) = get(&node, "/v1/runtime/tree?limit=1", Some(&token)).await;
        let cut: Value = serde_json::from_str(&cut).unwrap();
        assert_eq!(cut["children"].as_array().map(Vec::len), Some(1), "{cut}");
    }
    node.stop().await.unwrap();
}
