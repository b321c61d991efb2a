use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use soorma_core::TenantId;
use soorma_identity::{Keyring, MIN_SECRET_BYTES, Verifier, VerifierSpec};
use soorma_ports::{Authenticator as _, Clock as _, PrincipalKind};
use soorma_testkit::TestClock;

use super::keys::Fixed;
use super::mint::{
    Issuer, SECRET, at, base64, claims, hs256, refused, set, shared, unsigned, verifier, verify, with,
    with_secret, without,
};

/// Both ways, with one published key.
async fn both(issuer: &Issuer) -> Verifier {
    let keys = Keyring::new(Fixed::new(set(&[issuer])), Duration::from_secs(300));
    keys.read().await.unwrap();
    verifier(VerifierSpec { secret: Some(SECRET.into()), keys: Some(keys), ..VerifierSpec::default() })
}

#[tokio::test(start_paused = true)]
async fn a_good_token_says_who_is_asking() {
    let issuer = Issuer::new("one");
    let verifier = both(&issuer).await;
    for token in [shared(&claims()), issuer.token(&claims())] {
        let principal = verify(&verifier, &token).await.unwrap();
        assert_eq!(principal.tenant, TenantId::new("pt_1").unwrap());
        assert_eq!((principal.service_tenant.as_str(), principal.user.as_deref()), ("pt_1", Some("pr_1")));
        assert_eq!(
            (principal.kind, principal.roles),
            (Some(PrincipalKind::Worker), vec!["worker".to_owned()])
        );
        assert_eq!(principal.expires_at.micros(), at(905) * 1_000_000, "the clocks may differ a little");
    }
}

#[tokio::test(start_paused = true)]
async fn tenants_and_users_are_derived_in_the_order_of_the_contract() {
    let verifier = with_secret();
    for (said, expect) in [
        (json!({}), ("p", "p", None)),
        (json!({"tenant_id": "t"}), ("t", "t", None)),
        (json!({"tenant_id": ""}), ("p", "p", None)),
        (json!({"tenant_id": null, "service_tenant_id": "s"}), ("p", "s", None)),
        (json!({"tenant_id": "t", "service_tenant_id": "s", "sub": "u"}), ("t", "s", Some("u"))),
        (json!({"principal_id": "pr", "sub": "u"}), ("p", "p", Some("pr"))),
        (json!({"user_id": "us", "principal_id": "pr", "sub": "u"}), ("p", "p", Some("us"))),
        (json!({"service_user_id": "su", "user_id": "us", "sub": "u"}), ("p", "p", Some("su"))),
        (json!({"service_user_id": "", "user_id": null, "sub": "u"}), ("p", "p", Some("u"))),
    ] {
        let mut claims = json!({"exp": at(60), "platform_tenant_id": "p"});
        claims.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        let principal = verify(&verifier, &shared(&claims)).await.unwrap();
        let user = principal.user.as_deref();
        assert_eq!((principal.tenant.as_str(), principal.service_tenant.as_str(), user), expect, "{said}");
        assert_eq!((principal.kind, principal.roles.len()), (None, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_says_too_little_or_the_wrong_is_refused_whole() {
    let verifier = with_secret();
    let long = "x".repeat(65);
    let mut table = vec![
        (without("exp"), "exp is missing"),
        (with("exp", Value::Null), "exp is missing"),
        (with("exp", json!("soon")), "exp is no number"),
        (with("exp", json!(at(-6))), "it has expired"),
        (with("exp", json!(-1)), "it has expired"),
        (with("nbf", json!(at(60))), "it is not valid yet"),
        (with("nbf", json!("now")), "nbf is no number"),
        (without("platform_tenant_id"), "platform_tenant_id is missing"),
        (with("platform_tenant_id", json!("")), "platform_tenant_id is missing"),
        (with("platform_tenant_id", json!(7)), "platform_tenant_id is no text"),
        (with("principal_type", json!("zebra")), "principal_type is no kind of principal"),
        (with("principal_type", json!(1)), "principal_type is no text"),
        (with("roles", json!("worker")), "roles is no list"),
        (with("roles", json!({"0": "worker"})), "roles is no list"),
        (with("roles", json!([1])), "roles has what is no short text"),
        (with("roles", json!(vec!["r"; 101])), "roles are too many"),
    ];
    for claim in ["platform_tenant_id", "tenant_id", "service_tenant_id", "service_user_id", "principal_id"] {
        table.push((with(claim, json!(long)), "is longer than 64 bytes"));
        table.push((with(claim, json!("ü".repeat(33))), "is longer than 64 bytes"));
        for text in ["a\nb", "a\u{7f}", " a", "a\n", "\u{85}a"] {
            table.push((with(claim, json!(text)), "has control characters, or white space around it"));
        }
        table.push((with(claim, json!(["a"])), "is no text"));
    }
    for (claims, why) in table {
        let said = refused(verify(&verifier, &shared(&claims)).await);
        assert!(said.contains(why), "{claims}: {said}");
    }
    for (name, value) in [
        ("exp", json!(at(60) as f64 + 0.5)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(1e300)),
        ("nbf", json!(at(4))),
    ] {
        verify(&verifier, &shared(&with(name, value.clone())))
            .await
            .unwrap_or_else(|e| panic!("{value}: {e}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_over_when_its_time_is_up_by_the_wall_clock() {
    let clock = Arc::new(TestClock::new());
    let spec = VerifierSpec { secret: Some(SECRET.into()), ..VerifierSpec::default() };
    let verifier = Verifier::new(spec, clock.clone()).unwrap();
    let token = shared(&with("exp", json!(at(60))));
    let until = verifier.verify(&token).await.unwrap().expires_at;
    clock.jump(until.since(clock.now()) - Duration::from_micros(1));
    verifier.verify(&token).await.unwrap();
    clock.jump(Duration::from_micros(1));
    assert_eq!(refused(verifier.verify(&token).await), "it has expired");
}

#[tokio::test(start_paused = true)]
async fn issuer_and_audience_are_asked_for_where_they_are_configured() {
    let strict = |issuer: Option<&str>, audience: Option<&str>| {
        verifier(VerifierSpec {
            secret: Some(SECRET.into()),
            issuer: issuer.map(str::to_owned),
            audience: audience.map(str::to_owned),
            ..VerifierSpec::default()
        })
    };
    let (issuer, audience) = ("soorma-identity-service", "soorma-services");
    let good = strict(Some(issuer), Some(audience));
    for claims in [claims(), with("aud", json!(["else", audience]))] {
        verify(&good, &shared(&claims)).await.unwrap();
    }
    for claims in [
        without("iss"),
        with("iss", json!("evil")),
        with("iss", json!([issuer])),
        without("aud"),
        with("aud", json!("evil")),
        with("aud", json!([])),
        with("aud", json!({audience: true})),
    ] {
        refused(verify(&good, &shared(&claims)).await);
        let any = strict(None, None);
        verify(&any, &shared(&claims)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_signed_by_a_known_key_for_its_algorithm_is_refused() {
    let (issuer, stranger) = (Issuer::new("one"), Issuer::new("one"));
    let verifier = both(&issuer).await;
    let good = shared(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let header = |alg: &str| json!({"alg": alg, "kid": "one"});
    let rs = unsigned(&header("RS256"), &claims());
    let hs = unsigned(&header("HS256"), &claims());
    let other = unsigned(&json!({"alg": "HS256"}), &with("platform_tenant_id", json!("pt_2")));
    for (what, token) in [
        ("another secret", hs256(&[b'x'; 32], message)),
        ("no secret", hs256(b"", message)),
        ("another issuer's key", stranger.token(&claims())),
        ("the public key as a secret", hs256(&issuer.public_der(), &hs)),
        ("its modulus as a secret", hs256(issuer.jwk()["n"].as_str().unwrap().as_bytes(), &hs)),
        ("HS256 under the name of an RSA key", hs256(issuer.jwk().to_string().as_bytes(), &rs)),
        ("the secret as RS256", hs256(SECRET.as_bytes(), &rs)),
        ("RS256 that says HS256", issuer.rs256(&hs)),
        ("RS256 that says RS384", issuer.rs256(&unsigned(&header("RS384"), &claims()))),
        ("HS256 that says HS384", hs256(SECRET.as_bytes(), &unsigned(&header("HS384"), &claims()))),
        ("other claims under the signature", format!("{other}.{signature}")),
        ("a signature that is cut", good.split_at(good.len() - 2).0.to_owned()),
        ("no signature", format!("{message}.")),
        ("none", format!("{}.", unsigned(&json!({"alg": "none"}), &claims()))),
        ("None", format!("{}.{signature}", unsigned(&json!({"alg": "None"}), &claims()))),
        ("no algorithm", hs256(SECRET.as_bytes(), &unsigned(&json!({"typ": "JWT"}), &claims()))),
        ("a list of algorithms", hs256(SECRET.as_bytes(), &unsigned(&json!({"alg": ["HS256"]}), &claims()))),
        (
            "a key of its own",
            stranger.rs256(&unsigned(&json!({"alg": "RS256", "jwk": stranger.jwk()}), &claims())),
        ),
        (
            "what must be understood and is not",
            hs256(
                SECRET.as_bytes(),
                &unsigned(&json!({"alg": "HS256", "crit": ["b64"], "b64": false}), &claims()),
            ),
        ),
    ] {
        let why = refused(verify(&verifier, &token).await);
        assert!(!why.is_empty(), "{what}");
    }
    verify(&verifier, &good).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_way_that_is_not_configured_is_no_way() {
    let issuer = Issuer::new("one");
    let keys = Keyring::new(Fixed::new(set(&[&issuer])), Duration::from_secs(300));
    keys.read().await.unwrap();
    let published = verifier(VerifierSpec { keys: Some(keys), ..VerifierSpec::default() });
    verify(&published, &issuer.token(&claims())).await.unwrap();
    refused(verify(&published, &shared(&claims())).await);
    refused(verify(&with_secret(), &issuer.token(&claims())).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_token_is_refused() {
    let verifier = with_secret();
    let header = base64(r#"{"alg":"HS256"}"#);
    let sign = |header: &str, claims: &str| {
        hs256(SECRET.as_bytes(), &format!("{}.{}", base64(header), base64(claims)))
    };
    let claims = claims().to_string();
    let twice = format!("{}, \"platform_tenant_id\": \"pt_2\"}}", claims.strip_suffix('}').unwrap());
    let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    for token in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        "abc.def.ghi".into(),
        format!("{header}.{}", base64(&claims)),
        format!("{}.x", shared(&super::mint::claims())),
        format!("{}=", shared(&super::mint::claims())),
        format!(" {}", shared(&super::mint::claims())),
        hs256(SECRET.as_bytes(), &format!("{header}.{claims}")),
        sign(r#"{"alg":"HS256"}"#, "not JSON"),
        sign(r#"{"alg":"HS256"}"#, "[]"),
        sign(r#"{"alg":"HS256"}"#, "null"),
        sign(r#"{"alg":"HS256"}"#, &twice),
        sign(r#"{"alg":"HS256"}"#, &deep),
        sign(r#"{"alg":"HS256","alg":"HS256"}"#, &claims),
        sign(r#"{"alg":"HS256","kid":"a","kid":"b"}"#, &claims),
        sign(&format!(r#"{{"alg":"HS256","x":{deep}}}"#), &claims),
        "é".repeat(100),
    ] {
        refused(verify(&verifier, &token).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_too_long_is_refused_unread() {
    let verifier = with_secret();
    let padded = |bytes: usize| shared(&with("padding", json!("x".repeat(bytes))));
    let fits = padded(11_500);
    assert!(fits.len() <= 16 * 1_024 && fits.len() > 15 * 1_024);
    verify(&verifier, &fits).await.unwrap();
    let long = padded(15_000);
    assert!(long.len() > 20_000 - 500);
    assert_eq!(refused(verify(&verifier, &long).await), "it is too long");
}

#[test]
fn a_secret_that_is_too_short_is_refused_with_what_to_do() {
    let short = |len: usize| {
        let spec = VerifierSpec { secret: Some(vec![b's'; len]), ..VerifierSpec::default() };
        Verifier::new(spec, Arc::new(TestClock::new()))
    };
    for len in [0, 1, MIN_SECRET_BYTES - 1] {
        let why = short(len).unwrap_err();
        assert!(why.contains(&format!("has {len} bytes")) && why.contains("openssl rand"), "{why}");
    }
    let shown = format!("{:?}", short(MIN_SECRET_BYTES).unwrap());
    assert!(!shown.contains("115, 115") && !shown.contains("sss"), "{shown}");
}
