//! Verifies tokens.

use std::sync::Arc;

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use soorma_ports::{AuthError, Authenticator, Clock, Principal};

use crate::claims::{Claims, Expected};
use crate::keyring::{Found, Keyring};

/// The most bytes that a token may have.
const MAX_TOKEN_BYTES: usize = 16 * 1_024;
/// How long a shared secret must be: as long as what HS256 makes of it (RFC 7518, 3.2).
pub const MIN_SECRET_BYTES: usize = 32;

/// By what tokens are verified.
#[derive(Debug, Default)]
pub struct VerifierSpec {
    /// The secret that is shared with who issues tokens (HS256).
    pub secret: Option<Vec<u8>>,
    /// The keys that who issues tokens publishes (RS256).
    pub keys: Option<Arc<Keyring>>,
    /// The `iss` that a token must have; any where there is none.
    pub issuer: Option<String>,
    /// What `aud` must name; anything where there is none.
    pub audience: Option<String>,
}

/// Verifies tokens: HS256 with a shared secret, RS256 with published keys, and no other way.
///
/// Each key is for one algorithm: an RSA key is never taken for a secret, whatever a token says.
pub struct Verifier {
    secret: Option<DecodingKey>,
    keys: Option<Arc<Keyring>>,
    expected: Expected,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("secret", &self.secret.is_some())
            .field("keys", &self.keys)
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}

impl Verifier {
    /// Makes a verifier. A token may be over for a few seconds by its clock, in case the issuer's goes differently.
    ///
    /// # Errors
    /// When the secret is too short to be one.
    pub fn new(spec: VerifierSpec, clock: Arc<dyn Clock>) -> Result<Self, String> {
        if let Some(short) = spec.secret.as_ref().map(Vec::len).filter(|len| *len < MIN_SECRET_BYTES) {
            return Err(format!(
                "the secret for tokens has {short} bytes; HS256 needs at least {MIN_SECRET_BYTES}, such as `openssl rand -hex 32` makes"
            ));
        }
        Ok(Self {
            secret: spec.secret.map(|secret| DecodingKey::from_secret(&secret)),
            keys: spec.keys,
            expected: Expected { issuer: spec.issuer, audience: spec.audience },
            clock,
        })
    }

    /// Returns the key by which the token is to be verified, and the algorithm that the key is for.
    async fn key(&self, token: &str) -> Result<(DecodingKey, Algorithm), AuthError> {
        let header = jsonwebtoken::decode_header(token).map_err(|error| unreadable(&error))?;
        // What must be understood (RFC 7515, 4.1.11) is nothing that we do.
        if header.crit.is_some() {
            return Err(wrong("its header asks for what is not understood here"));
        }
        match header.alg {
            Algorithm::HS256 => {
                let key = self.secret.clone().ok_or_else(|| wrong("it is HS256, and there is no secret"))?;
                Ok((key, Algorithm::HS256))
            }
            Algorithm::RS256 => {
                let keys = self.keys.as_ref().ok_or_else(|| wrong("it is RS256, and there are no keys"))?;
                match keys.find(header.kid.as_deref()).await {
                    Found::Key(key) => Ok((key, Algorithm::RS256)),
                    Found::None => Err(wrong("it names no key that is known")),
                    Found::Unread => Err(AuthError::Unavailable(
                        "the keys by which tokens are verified cannot be read for the moment".to_owned(),
                    )),
                }
            }
            _ => Err(wrong("its algorithm is neither HS256 nor RS256")),
        }
    }
}

#[async_trait]
impl Authenticator for Verifier {
    async fn verify(&self, token: &str) -> Result<Principal, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(wrong("it is too long"));
        }
        let (key, algorithm) = self.key(token).await?;
        let mut validation = Validation::new(algorithm);
        // What it says of time, issuer and audience is looked at below: by our clock, and also where it says nothing.
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        let read = jsonwebtoken::decode::<Claims>(token, &key, &validation);
        let claims = read.map_err(|error| unreadable(&error))?.claims;
        claims.principal(&self.expected, self.clock.now())
    }
}

fn wrong(why: &str) -> AuthError {
    AuthError::Invalid(why.to_owned())
}

/// Says what kind of fault it is, and nothing of what the token holds.
fn unreadable(error: &jsonwebtoken::errors::Error) -> AuthError {
    use jsonwebtoken::errors::ErrorKind;
    wrong(match error.kind() {
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::InvalidAlgorithm => "its algorithm is not that of the key",
        ErrorKind::Json(_) => "its header or its claims are no JSON object as a token has it",
        ErrorKind::Base64(_) => "it is not written in base64url",
        ErrorKind::InvalidToken => "it has not three parts",
        _ => "it cannot be read",
    })
}
