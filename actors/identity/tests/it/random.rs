//! Whatever is sent as a token or as keys: nothing panics, and nothing counts that was not signed.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use soorma_identity::{Keyring, VerifierSpec};

use super::keys::Fixed;
use super::mint::{SECRET, base64, claims, shared, unsigned, verifier, verify, with_secret};

fn now<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(future)
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,70}".prop_map(Value::from),
        Just(json!("HS256")),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Value::from))
}

proptest! {
    #[test]
    fn random_bytes_never_pass(token in ".{0,300}") {
        prop_assert!(now(verify(&with_secret(), &token)).is_err());
    }

    #[test]
    fn random_parts_never_pass(
        header in prop::collection::vec(any::<u8>(), 0..60),
        body in prop::collection::vec(any::<u8>(), 0..60),
        signature in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let token = format!("{}.{}.{}", base64(header), base64(body), base64(signature));
        prop_assert!(now(verify(&with_secret(), &token)).is_err());
    }

    #[test]
    fn a_header_of_any_kind_does_not_pass_without_a_signature(
        alg in json_value(), kid in json_value(), signature in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let header = json!({"alg": alg, "kid": kid});
        let token = format!("{}.{}", unsigned(&header, &claims()), base64(signature));
        prop_assert!(now(verify(&with_secret(), &token)).is_err());
    }

    #[test]
    fn a_changed_token_never_passes(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.-]") {
        let good = shared(&claims());
        let at = at.index(good.len());
        let mut changed = good.clone();
        changed.replace_range(at..=at, &to);
        prop_assert_eq!(now(verify(&with_secret(), &changed)).is_ok(), changed == good);
    }

    /// What is signed and says anything at all is taken whole or refused; what is taken keeps to the bounds.
    #[test]
    fn claims_of_any_kind_are_taken_within_bounds_or_refused(
        claim in prop::sample::select(vec![
            "exp", "nbf", "platform_tenant_id", "tenant_id", "service_tenant_id", "service_user_id", "user_id",
            "principal_id", "sub", "principal_type", "roles", "iss", "aud",
        ]),
        value in json_value(),
    ) {
        let mut said = claims();
        said[claim] = value;
        if let Ok(principal) = now(verify(&with_secret(), &shared(&said))) {
            let names = [Some(principal.tenant.as_str()), Some(&principal.service_tenant), principal.user.as_deref()];
            for name in names.into_iter().flatten() {
                prop_assert!(!name.is_empty() && name.len() <= 64 && !name.chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn keys_of_any_kind_are_read_or_refused(kty in json_value(), n in json_value(), e in json_value()) {
        let keys = Keyring::new(Fixed::new(json!({"keys": [{"kty": kty, "n": n, "e": e}]})), Duration::from_secs(300));
        prop_assert!(now(keys.read()).is_err());
        let both = VerifierSpec { secret: Some(SECRET.into()), keys: Some(keys), ..VerifierSpec::default() };
        prop_assert!(now(verify(&verifier(both), &shared(&claims()))).is_ok());
    }
}
