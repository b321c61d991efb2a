//! A set of published keys (JWKS, RFC 7517), of which those count that verify RS256.

use std::collections::HashMap;

use jsonwebtoken::{DecodingKey, DecodingKeyKind};
use serde::Deserialize;

/// How many keys a set has at most.
const MAX_KEYS: usize = 100;
/// How long the name of a key is at most.
const MAX_KID_BYTES: usize = 256;
/// Smaller keys can be broken, and larger ones are a way to keep us busy.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// See the file's own words.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    /// By `kid`.
    named: HashMap<String, DecodingKey>,
    /// Those without one.
    unnamed: Vec<DecodingKey>,
    /// Why the last key for RS256 that is not taken is not, where there is one.
    unusable: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl Jwk {
    /// Whether it is one to verify RS256 with. Sets have others, for others.
    fn is_ours(&self) -> bool {
        self.kty == "RSA"
            && self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.alg.as_deref().is_none_or(|alg| alg == "RS256")
            && self.key_ops.as_deref().is_none_or(|ops| ops.iter().any(|op| op == "verify"))
    }

    fn key(&self) -> Result<DecodingKey, String> {
        let (Some(n), Some(e)) = (&self.n, &self.e) else { return Err("has no n or no e".to_owned()) };
        let key = DecodingKey::from_rsa_components(n, e).map_err(|_| "is not written in base64url")?;
        let bits = match key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, .. } => bits(n),
            DecodingKeyKind::SecretOrDer(_) => 0,
        };
        if RSA_BITS.contains(&bits) {
            Ok(key)
        } else {
            Err(format!("has {bits} bits; RSA keys of {} to {} are taken", RSA_BITS.start(), RSA_BITS.end()))
        }
    }
}

/// Counts the bits of a number, the largest first.
fn bits(number: &[u8]) -> usize {
    let mut bytes = number.iter().skip_while(|byte| **byte == 0);
    let first = bytes.next().map_or(0, |byte| 8 - usize::try_from(byte.leading_zeros()).unwrap_or(8));
    first + 8 * bytes.count()
}

impl KeySet {
    /// Reads a set. Keys that are not for RS256, or cannot be used, are passed over; that none is left is no error, since so an issuer takes
    /// its last one away. Two of one name spoil the set: whether a token counts must not depend on which of them is found.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| format!("it is no set of keys (JWKS): {error}"))?;
        if document.keys.len() > MAX_KEYS {
            return Err(format!("it has {} keys; at most {MAX_KEYS} are taken", document.keys.len()));
        }
        let mut set = Self::default();
        for jwk in document.keys.into_iter().filter(Jwk::is_ours) {
            let shown = jwk.kid.as_deref().unwrap_or("without a kid");
            if shown.len() > MAX_KID_BYTES {
                return Err(format!("it has a kid that is longer than {MAX_KID_BYTES} bytes"));
            }
            let key = match jwk.key() {
                Ok(key) => key,
                Err(why) => {
                    tracing::warn!(kid = shown, why, "a published key is not taken");
                    set.unusable = Some(format!("the key {shown:?} {why}"));
                    continue;
                }
            };
            match jwk.kid {
                None => set.unnamed.push(key),
                Some(kid) if set.named.contains_key(&kid) => {
                    return Err(format!("it has two keys with the kid {kid:?}"));
                }
                Some(kid) => drop(set.named.insert(kid, key)),
            }
        }
        Ok(set)
    }

    /// Says that there is no key, where there is none.
    pub(crate) fn emptiness(&self) -> Option<String> {
        let why = self.unusable.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        (self.len() == 0).then(|| format!("it has no key to verify RS256 with{why}"))
    }

    pub(crate) fn len(&self) -> usize {
        self.named.len() + self.unnamed.len()
    }

    /// Returns the key of that name; where a token names none, the only one that there is.
    pub(crate) fn get(&self, kid: Option<&str>) -> Option<&DecodingKey> {
        match kid {
            Some(kid) => self.named.get(kid),
            None if self.len() == 1 => self.named.values().chain(&self.unnamed).next(),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_from_the_first_that_is_set() {
        for (number, expect) in
            [(&[][..], 0), (&[0], 0), (&[1], 1), (&[0, 0x80], 8), (&[1, 0], 9), (&[0xff; 256], 2_048)]
        {
            assert_eq!(bits(number), expect, "{number:?}");
        }
    }
}
