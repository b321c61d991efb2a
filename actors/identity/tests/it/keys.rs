use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use soorma_identity::{KeySource, Keyring, Verifier, VerifierSpec};
use soorma_ports::AuthError;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::mint::{Issuer, at, base64, claims, refused, set, unsigned, verifier, verify, with};

/// A source in memory.
#[derive(Debug, Clone)]
pub(crate) struct Fixed {
    /// What it holds; nothing while it is away.
    keys: Arc<Mutex<Option<Value>>>,
    reads: Arc<AtomicU64>,
    slow: Duration,
}

impl Fixed {
    pub(crate) fn new(keys: Value) -> Self {
        Self { keys: Arc::new(Mutex::new(Some(keys))), reads: Arc::default(), slow: Duration::ZERO }
    }

    fn set(&self, keys: Option<Value>) {
        *self.keys.lock().unwrap() = keys;
    }

    fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeySource for Fixed {
    async fn read(&self) -> Result<Vec<u8>, String> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        // What is on its way does not change any more.
        let keys = self.keys.lock().unwrap().clone();
        tokio::time::sleep(self.slow).await;
        keys.map(|keys| keys.to_string().into_bytes()).ok_or_else(|| "it is away".to_owned())
    }
}

const EVERY: Duration = Duration::from_secs(300);

/// A ring that is kept fresh, and who verifies by it.
fn ring(source: &Fixed) -> (Arc<Keyring>, Verifier, JoinSet<()>) {
    let keys = Keyring::new(source.clone(), EVERY);
    let kept = Arc::clone(&keys);
    let mut running = JoinSet::new();
    running.spawn(async move { kept.run().await });
    let verifier = verifier(VerifierSpec { keys: Some(Arc::clone(&keys)), ..VerifierSpec::default() });
    (keys, verifier, running)
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_known_is_asked_for_once_and_then_known() {
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let source = Fixed::new(set(&[&old]));
    let (keys, verifier, _running) = ring(&source);
    keys.read().await.unwrap();
    source.set(Some(set(&[&old, &new])));
    verify(&verifier, &new.token(&claims())).await.unwrap();
    assert_eq!(source.reads(), 2);
    verify(&verifier, &old.token(&claims())).await.unwrap();
    assert_eq!(source.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_makes_up_names_of_keys_has_them_asked_for_once_in_ten_seconds_and_waits_for_nothing_else() {
    let (known, made_up) = (Issuer::new("known"), Issuer::new("made-up"));
    let source = Fixed { slow: Duration::from_millis(300), ..Fixed::new(set(&[&known])) };
    let (keys, verifier, _running) = ring(&source);
    keys.read().await.unwrap();
    let token = made_up.token(&claims());
    let start = Instant::now();
    let all = futures_all((0..50).map(|_| verify(&verifier, &token))).await;
    assert_eq!(all.into_iter().map(refused).filter(|why| why == "it names no key that is known").count(), 50);
    assert_eq!((source.reads(), start.elapsed()), (2, Duration::from_millis(300)), "they share one");
    for _ in 0..50 {
        refused(verify(&verifier, &token).await);
    }
    assert_eq!((source.reads(), start.elapsed()), (2, Duration::from_millis(300)));
    tokio::time::advance(Duration::from_secs(10)).await;
    refused(verify(&verifier, &token).await);
    assert_eq!(source.reads(), 3);
}

/// Waits for all of them at once.
async fn futures_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        let mut all = true;
        for (future, done) in &mut waiting {
            if done.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(output) => *done = Some(output),
                    std::task::Poll::Pending => all = false,
                }
            }
        }
        if all { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    waiting.into_iter().map(|(_, done)| done.unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_two_seconds_for_a_source_that_hangs() {
    let (known, other) = (Issuer::new("known"), Issuer::new("other"));
    let source = Fixed::new(set(&[&known]));
    let hanging = Fixed { slow: Duration::from_secs(60), ..source.clone() };
    let (_, verifier, _running) = ring(&hanging);
    let start = Instant::now();
    let answer = verify(&verifier, &other.token(&claims())).await;
    assert!(matches!(answer, Err(AuthError::Unavailable(_))), "{answer:?}");
    assert_eq!(start.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn keys_are_read_anew_now_and_then_and_those_that_are_gone_count_no_more() {
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let source = Fixed::new(set(&[&old]));
    let (keys, verifier, _running) = ring(&source);
    keys.read().await.unwrap();
    source.set(Some(set(&[&new])));
    verify(&verifier, &old.token(&claims())).await.unwrap();
    tokio::time::sleep(EVERY + Duration::from_secs(1)).await;
    assert_eq!(source.reads(), 2);
    verify(&verifier, &new.token(&claims())).await.unwrap();
    refused(verify(&verifier, &old.token(&claims())).await);
}

#[tokio::test(start_paused = true)]
async fn while_the_source_is_away_or_spoiled_the_known_keys_count_on() {
    let issuer = Issuer::new("one");
    let source = Fixed::new(set(&[&issuer]));
    let (keys, verifier, _running) = ring(&source);
    keys.read().await.unwrap();
    for spoiled in [None, Some(json!("nonsense")), Some(json!({"keys": [issuer.jwk(), issuer.jwk()]}))] {
        source.set(spoiled);
        assert!(keys.read().await.is_err());
        tokio::time::sleep(EVERY * 2).await;
        verify(&verifier, &issuer.token(&with("exp", json!(at(100_000))))).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_takes_its_last_key_away_or_signs_otherwise_now_is_believed() {
    let issuer = Issuer::new("one");
    let mut weak = issuer.jwk();
    weak["n"] = base64([0xff; 128]).into();
    for without in [
        json!({"keys": []}),
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "ec", "x": "AA", "y": "AA"}]}),
        json!({ "keys": [weak] }),
    ] {
        let source = Fixed::new(set(&[&issuer]));
        let (keys, verifier, _running) = ring(&source);
        keys.read().await.unwrap();
        let token = issuer.token(&with("exp", json!(at(100_000))));
        verify(&verifier, &token).await.unwrap();
        source.set(Some(without));
        tokio::time::sleep(EVERY * 2).await;
        assert_eq!(refused(verify(&verifier, &token).await), "it names no key that is known");
        source.set(Some(set(&[&issuer])));
        tokio::time::sleep(EVERY * 2).await;
        verify(&verifier, &token).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_without_keys_at_the_start_is_as_good_as_none() {
    let issuer = Issuer::new("one");
    let source = Fixed::new(json!({"keys": []}));
    let (keys, verifier, _running) = ring(&source);
    assert_eq!(keys.read().await, Err("it has no key to verify RS256 with".to_owned()));
    let answer = verify(&verifier, &issuer.token(&claims())).await;
    assert!(matches!(answer, Err(AuthError::Unavailable(_))), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_published_while_a_reading_is_under_way_is_found_by_the_next() {
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let source = Fixed { slow: Duration::from_millis(300), ..Fixed::new(set(&[&old])) };
    let (keys, verifier, _running) = ring(&source);
    keys.read().await.unwrap();
    while source.reads() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    source.set(Some(set(&[&old, &new])));
    verify(&verifier, &new.token(&claims())).await.unwrap();
    assert_eq!(source.reads(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_is_given_up_holds_nobody_up() {
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let source = Fixed { slow: Duration::from_millis(300), ..Fixed::new(set(&[&old])) };
    let (keys, verifier, _running) = ring(&source);
    keys.read().await.unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(100), keys.read()).await;
    assert!(given_up.is_err());
    source.set(Some(set(&[&old, &new])));
    let start = Instant::now();
    verify(&verifier, &new.token(&claims())).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_millis(300));
}

#[tokio::test(start_paused = true)]
async fn before_the_keys_have_been_read_a_token_is_neither_right_nor_wrong_and_they_are_asked_for_often() {
    let issuer = Issuer::new("one");
    let source = Fixed::new(set(&[&issuer]));
    source.set(None);
    let (keys, verifier, _running) = ring(&source);
    assert_eq!(keys.read().await, Err("it is away".to_owned()));
    let answer = verify(&verifier, &issuer.token(&claims())).await;
    assert!(matches!(answer, Err(AuthError::Unavailable(_))), "{answer:?}");
    source.set(Some(set(&[&issuer])));
    tokio::time::sleep(Duration::from_secs(6)).await;
    verify(&verifier, &issuer.token(&claims())).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_names_no_key_counts_only_where_there_is_one() {
    let (a, b) = (Issuer::new("a"), Issuer::new("b"));
    let nameless = a.rs256(&unsigned(&json!({"alg": "RS256"}), &claims()));
    let source = Fixed::new(set(&[&a]));
    let (keys, verifier, _running) = ring(&source);
    keys.read().await.unwrap();
    verify(&verifier, &nameless).await.unwrap();
    source.set(Some(set(&[&a, &b])));
    keys.read().await.unwrap();
    let reads = source.reads();
    refused(verify(&verifier, &nameless).await);
    assert_eq!(source.reads(), reads, "to read them anew would change nothing");
    let mut unnamed = a.jwk();
    unnamed.as_object_mut().unwrap().remove("kid");
    source.set(Some(json!({ "keys": [unnamed] })));
    keys.read().await.unwrap();
    verify(&verifier, &nameless).await.unwrap();
    refused(verify(&verifier, &a.token(&claims())).await);
}

#[tokio::test(start_paused = true)]
async fn keys_for_something_else_and_keys_that_are_too_weak_are_passed_over() {
    let issuer = Issuer::new("good");
    let other_with = |name: &str, value: Value| {
        let mut jwk = Issuer::new("other").jwk();
        jwk[name] = value;
        jwk
    };
    let weak = json!({"kty": "RSA", "kid": "weak", "e": "AQAB", "n": base64([0xff; 128])});
    let others = [
        json!({"kty": "EC", "crv": "P-256", "kid": "ec", "x": "AA", "y": "AA"}),
        json!({"kty": "oct", "kid": "oct", "k": base64([7; 32])}),
        other_with("use", json!("enc")),
        other_with("alg", json!("RS512")),
        other_with("key_ops", json!(["encrypt"])),
        other_with("n", json!("not base64!")),
        other_with("n", Value::Null),
        other_with("n", json!(base64([0xff; 1_100]))),
        weak.clone(),
    ];
    for other in &others {
        let source = Fixed::new(json!({ "keys": [issuer.jwk(), other] }));
        let (keys, verifier, _running) = ring(&source);
        keys.read().await.unwrap();
        verify(&verifier, &issuer.token(&claims())).await.unwrap();
        let alone = Keyring::new(Fixed::new(json!({ "keys": [other] })), EVERY);
        let why = alone.read().await.unwrap_err();
        assert!(why.starts_with("it has no key to verify RS256 with"), "{why}");
    }
    let why = Keyring::new(Fixed::new(json!({ "keys": [weak] })), EVERY).read().await.unwrap_err();
    assert!(why.contains("\"weak\" has 1024 bits; RSA keys of 2048 to 8192 are taken"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_set_that_is_none_or_too_large_or_names_two_keys_alike_is_refused() {
    let issuer = Issuer::new("one");
    let many: Vec<_> = (0..101).map(|_| json!({"kty": "EC"})).collect();
    let mut long = issuer.jwk();
    long["kid"] = "k".repeat(257).into();
    for (set, why) in [
        (json!([]), "it is no set of keys (JWKS)"),
        (json!({}), "it is no set of keys (JWKS)"),
        (json!({"keys": {"one": issuer.jwk()}}), "it is no set of keys (JWKS)"),
        (json!({"keys": [{"kid": "x"}]}), "it is no set of keys (JWKS)"),
        (json!({ "keys": many }), "it has 101 keys; at most 100 are taken"),
        (json!({"keys": [issuer.jwk(), issuer.jwk()]}), "it has two keys with the kid \"one\""),
        (json!({ "keys": [long] }), "longer than 256 bytes"),
    ] {
        let refused = Keyring::new(Fixed::new(set), EVERY).read().await.unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
}
