//! Makes tokens and keys, also such as nobody should.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use soorma_identity::{Verifier, VerifierSpec};
use soorma_ports::{AuthError, Authenticator as _, Clock as _, Principal};
use soorma_testkit::TestClock;

pub(crate) const SECRET: &str = "a secret of more than thirty-two bytes";

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Two parts of a token, ready to be signed.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64(header.to_string()), base64(claims.to_string()))
}

/// Signs as HS256 does, whatever the header says.
pub(crate) fn hs256(secret: &[u8], message: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", base64(tag))
}

/// A token of the shared secret.
pub(crate) fn shared(claims: &Value) -> String {
    hs256(SECRET.as_bytes(), &unsigned(&json!({"alg": "HS256", "typ": "JWT"}), claims))
}

/// A pair of RSA keys with a name.
pub(crate) struct Issuer {
    pub(crate) kid: Option<&'static str>,
    pair: KeyPair,
}

impl Issuer {
    pub(crate) fn new(kid: &'static str) -> Self {
        Self { kid: Some(kid), pair: KeyPair::generate(KeySize::Rsa2048).unwrap() }
    }

    /// Signs as RS256 does, whatever the header says.
    pub(crate) fn rs256(&self, message: &str) -> String {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", base64(signature))
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        let mut header = json!({"alg": "RS256", "typ": "JWT"});
        if let Some(kid) = self.kid {
            header["kid"] = kid.into();
        }
        self.rs256(&unsigned(&header, claims))
    }

    pub(crate) fn jwk(&self) -> Value {
        let public = self.pair.public_key();
        let (n, e) = (public.modulus().big_endian_without_leading_zero(), public.exponent());
        let mut jwk = json!({
            "kty": "RSA", "use": "sig", "alg": "RS256",
            "n": base64(n), "e": base64(e.big_endian_without_leading_zero()),
        });
        if let Some(kid) = self.kid {
            jwk["kid"] = kid.into();
        }
        jwk
    }

    /// The public key as anybody can have it.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der().unwrap();
        der.as_ref().to_vec()
    }
}

pub(crate) fn set(issuers: &[&Issuer]) -> Value {
    json!({ "keys": issuers.iter().map(|issuer| issuer.jwk()).collect::<Vec<_>>() })
}

/// Seconds since 1970, so many from where the test's clock begins.
pub(crate) fn at(seconds: i64) -> i64 {
    TestClock::new().now().micros() / 1_000_000 + seconds
}

/// What the identity service puts into a token.
pub(crate) fn claims() -> Value {
    json!({
        "iss": "soorma-identity-service", "aud": "soorma-services", "exp": at(900), "iat": at(0),
        "platform_tenant_id": "pt_1", "tenant_id": "pt_1", "principal_id": "pr_1", "principal_type": "worker",
        "roles": ["worker"],
    })
}

/// The claims with one of them set, or taken away by `null` where it is not to stand there at all.
pub(crate) fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

pub(crate) fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

pub(crate) fn verifier(spec: VerifierSpec) -> Verifier {
    Verifier::new(spec, Arc::new(TestClock::new())).unwrap()
}

/// One with the shared secret alone.
pub(crate) fn with_secret() -> Verifier {
    verifier(VerifierSpec { secret: Some(SECRET.into()), ..VerifierSpec::default() })
}

pub(crate) async fn verify(verifier: &Verifier, token: &str) -> Result<Principal, AuthError> {
    let answer = verifier.verify(token).await;
    if let Err(error) = &answer {
        assert!(token.len() < 8 || !error.to_string().contains(token), "it is said to nobody");
    }
    answer
}

/// Why a token is refused.
#[track_caller]
pub(crate) fn refused(answer: Result<Principal, AuthError>) -> String {
    match answer {
        Err(AuthError::Invalid(why)) => why,
        other => panic!("{other:?}"),
    }
}
