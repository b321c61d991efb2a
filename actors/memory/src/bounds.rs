//! How much may be said, and how what is longer than its place in a store stands there.

use std::borrow::Cow;

use sha2::{Digest, Sha256};
use soorma_core::{Data, Error};
use soorma_ports::{NewFact, Recall};

/// The most characters of the id of a plan, session or task.
pub(crate) const ID_CHARS: usize = 100;
/// The most characters of the type of an event.
pub(crate) const EVENT_CHARS: usize = 255;
/// The most bytes of the name of an agent.
pub(crate) const AGENT_BYTES: usize = 255;
/// The most bytes of what goes on with a task or plan, as JSON.
pub(crate) const STATE_BYTES: usize = 1_024 * 1_024;
/// The most ids of tasks or answers that are waited for.
pub(crate) const WAITED_FOR: usize = 1_000;
/// The most bytes of the group of an entry.
pub(crate) const GROUP_BYTES: usize = 255;
/// The most bytes of the key of an entry, and of a label.
pub(crate) const KEY_BYTES: usize = 512;

/// How many bytes a hash has.
const HASH_BYTES: usize = 64;

/// Refuses a text that has too many bytes.
pub(crate) fn bytes(field: &str, text: &str, most: usize) -> Result<(), Error> {
    no_nul(field, text)?;
    at_most(field, text.len(), most, "bytes")
}

/// Refuses a text that has too many characters.
pub(crate) fn chars(field: &str, text: &str, most: usize) -> Result<(), Error> {
    no_nul(field, text)?;
    at_most(field, text.chars().count(), most, "characters")
}

/// Refuses too many of something.
pub(crate) fn at_most(field: &str, has: usize, most: usize, what: &str) -> Result<(), Error> {
    if has <= most {
        return Ok(());
    }
    Err(Error::invalid(format!("{field}: at most {most} {what}; this has {has}")))
}

/// Refuses data that is too long.
pub(crate) fn data(field: &str, data: &Data, most: usize) -> Result<(), Error> {
    at_most(field, data.as_str().len(), most, "bytes as JSON")
}

/// Refuses a content that is too long.
pub(crate) fn content(text: &str) -> Result<(), Error> {
    bytes("content", text, NewFact::MAX_CONTENT_BYTES)
}

/// Refuses metadata that is too long.
pub(crate) fn metadata(of: &Data) -> Result<(), Error> {
    data("metadata", of, NewFact::MAX_METADATA_BYTES)
}

/// Refuses what is no id.
pub(crate) fn id(field: &str, text: &str) -> Result<(), Error> {
    named(field, text, ID_CHARS)
}

/// Refuses a name that is empty, too long, or has control characters.
pub(crate) fn named(field: &str, text: &str, most: usize) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::invalid(format!("{field}: at least 1 character")));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(format!("{field}: no control characters")));
    }
    chars(field, text, most)
}

/// Refuses the name of an agent that is blank or too long.
pub(crate) fn agent(text: &str) -> Result<(), Error> {
    if text.trim().is_empty() {
        return Err(Error::invalid("agentId: say which agent"));
    }
    bytes("agentId", text, AGENT_BYTES)
}

/// Refuses ids that are waited for.
pub(crate) fn waited_for(field: &str, ids: &[String]) -> Result<(), Error> {
    at_most(field, ids.len(), WAITED_FOR, "ids")?;
    ids.iter().try_for_each(|one| id(field, one))
}

/// Refuses to list nothing, or too much at once.
pub(crate) fn limit(limit: usize) -> Result<(), Error> {
    let most = Recall::MAX_LIMIT;
    match (1..=most).contains(&limit) {
        true => Ok(()),
        false => Err(Error::invalid(format!("limit: from 1 to {most}; this is {limit}"))),
    }
}

fn no_nul(field: &str, text: &str) -> Result<(), Error> {
    match text.contains('\0') {
        true => Err(Error::invalid(format!("{field}: no NUL characters"))),
        false => Ok(()),
    }
}

/// Returns a text as it stands in a place of so many bytes: itself, or as much of its beginning as there is room for beside its hash.
///
/// What stands there cannot be said by anybody, since between the two is a control character. One that cannot be kept as it is (NUL) is hashed, too.
pub(crate) fn stored(text: &str, most: usize) -> Cow<'_, str> {
    let end = text.find('\0').unwrap_or(text.len());
    if end == text.len() && end <= most {
        return Cow::Borrowed(text);
    }
    let beginning = beginning(text.get(..end).unwrap_or_default(), most);
    Cow::Owned(format!("{beginning}\u{1}{}", hash(text)))
}

/// Returns how all that begins with a text begins in a place of so many bytes.
pub(crate) fn beginning(text: &str, most: usize) -> &str {
    let room = most.saturating_sub(HASH_BYTES + 1);
    text.get(..text.floor_char_boundary(room)).unwrap_or_default()
}

/// Returns the SHA-256 of a text, in hexadecimal.
pub(crate) fn hash(text: &str) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ok = write!(hex, "{byte:02x}");
        hex
    })
}

/// Returns a text where it says something; searching for what is blank finds nothing.
pub(crate) fn said(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.to_owned())
}

/// Returns how many KiB something takes, at least one.
pub(crate) fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1_024).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_for_its_place_stands_there_with_its_hash() {
        assert_eq!(stored("short", 512), "short");
        let long = "ü".repeat(256);
        assert_eq!(stored(&long, 512), long, "as long as the place");
        let one = stored(&format!("{long}a"), 512).into_owned();
        let other = stored(&format!("{long}b"), 512).into_owned();
        assert!(one.len() <= 512 && other.len() <= 512);
        assert!(one != other && one.starts_with(&"ü".repeat(223)) && one.contains('\u{1}'));
        assert!(!stored("a\0b", 512).contains('\0'));
        assert_ne!(stored("a\0b", 512), stored("a\0c", 512));
    }

    #[test]
    fn a_bound_is_named_with_the_field() {
        let refused = [
            bytes("content", "abc", 2),
            chars("name", "äöü", 2),
            id("planId", ""),
            id("planId", "a\nb"),
            id("planId", &"x".repeat(101)),
            bytes("content", "a\0", 2),
            agent(" "),
            limit(0),
            limit(1_001),
        ];
        let fields =
            ["content", "name", "planId", "planId", "planId", "content", "agentId", "limit", "limit"];
        for (refused, field) in refused.into_iter().zip(fields) {
            let error = refused.expect_err(field);
            assert!(error.message.starts_with(&format!("{field}: ")), "{error}");
        }
        assert!(chars("name", "äöü", 3).is_ok() && limit(1).is_ok() && limit(1_000).is_ok());
    }
}
