//! Who is asking: tokens, signed with a shared secret (HS256) or by a key that their issuer publishes (RS256).
//!
//! It does no I/O: where keys are published, a [`KeySource`] reads them for it.
#![deny(missing_docs)]

mod claims;
mod key_set;
mod keyring;
mod verifier;

pub use keyring::{KeySource, Keyring};
pub use verifier::{MIN_SECRET_BYTES, Verifier, VerifierSpec};
