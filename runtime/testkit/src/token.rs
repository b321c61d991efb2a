//! Tokens, as who issues them makes them.

use jsonwebtoken::{EncodingKey, Header};
use serde_json::Value;

/// A shared secret that is long enough.
pub const SECRET: &str = "a secret that is known to tests alone";

/// Signs claims with a shared secret (HS256).
pub fn token(secret: &str, claims: &Value) -> String {
    jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// Returns a token of a tenant and one of its users, with [`SECRET`], that outlives every test.
pub fn token_of(tenant: &str, user: &str) -> String {
    // The year 2100.
    let exp = 4_102_444_800_u64;
    token(SECRET, &serde_json::json!({ "platform_tenant_id": tenant, "principal_id": user, "exp": exp }))
}
