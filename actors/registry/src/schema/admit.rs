//! What a schema must be to be taken: one that is what it says, needs nothing from elsewhere, and cannot be made to
//! work for ever by any payload.

use jsonschema::PatternOptions;
use serde_json::Value;
use soorma_core::json_bytes;

use super::bounds::{Bounds, bounds};
use super::excerpt::{excerpt, pointer_excerpt};
use super::schema_fault::SchemaFault;
use super::subschemas::{MAX_DEPTH, Subschemas, subschemas};

/// How long a schema may be as JSON, in bytes: as long as an event.
pub const MAX_BYTES: usize = 256 * 1_024;

/// How many regular expressions a schema may have.
pub const MAX_PATTERNS: usize = 256;

/// How large one regular expression may become when it is compiled, in bytes, and the memory that matching with it
/// may take. 256 of them stay within 64 MiB.
const PATTERN_BYTES: usize = 256 * 1_024;

/// By how much larger ones count as more work: the time of matching grows with the text and, at worst, with them.
const PATTERN_SIZES: &[usize] = &[4 * 1_024, 32 * 1_024, PATTERN_BYTES];
const PATTERN_BYTES_A_CHECK: usize = 256;

/// What a schema takes in memory when it is compiled and was used, as measured, rather too high: by itself, for each byte of its text, for
/// each subschema, and for each regular expression, which keeps what it has found out while matching. Mostly it is up to four times too high;
/// for what needs no such expression (`^a$`) up to forty.
const BYTES: usize = 4 * 1_024;
const TEXT_BYTES: usize = 8;
const SUBSCHEMA_BYTES: usize = 1_024;
const PATTERN_BYTES_AT_LEAST: usize = 24 * 1_024;
const PATTERN_TIMES: usize = 2;

/// Judges a schema, and counts how much work it can make.
///
/// # Errors
/// With all that is wrong, as far as it can be said at once, and at most 16 things of it.
pub fn admit(schema: &Value) -> Result<Bounds, Vec<SchemaFault>> {
    if !matches!(schema, Value::Object(_) | Value::Bool(_)) {
        return refuse("a schema is an object, or true or false");
    }
    if deeper_than(schema, MAX_DEPTH) {
        return refuse(format!("is nested more than {MAX_DEPTH} deep"));
    }
    if json_bytes(schema) > MAX_BYTES {
        return refuse(format!("is longer than {MAX_BYTES} bytes"));
    }
    let mut subschemas = subschemas(schema)?;
    let faults = against_the_draft(schema);
    if !faults.is_empty() {
        return Err(faults);
    }
    let without_patterns = bounds(&subschemas)?;
    let of_patterns = against_the_patterns(&mut subschemas)?;
    let bytes =
        BYTES + TEXT_BYTES * json_bytes(schema) + SUBSCHEMA_BYTES * subschemas.all.len() + of_patterns;
    Ok(bounds(&subschemas)?.naming_as(without_patterns).taking(bytes))
}

fn refuse<T>(sentence: impl Into<String>) -> Result<T, Vec<SchemaFault>> {
    Err(vec![SchemaFault::new("", sentence)])
}

/// The engine whose time grows with the text alone.
pub(super) fn linear() -> PatternOptions<jsonschema::Regex> {
    within(PATTERN_BYTES)
}

fn within(bytes: usize) -> PatternOptions<jsonschema::Regex> {
    PatternOptions::regex().size_limit(bytes).dfa_size_limit(PATTERN_BYTES)
}

/// Whether objects and arrays stand in one another more than so many deep. Goes no deeper than that itself.
fn deeper_than(value: &Value, most: usize) -> bool {
    let within = |value: &Value| most.checked_sub(1).is_none_or(|most| deeper_than(value, most));
    match value {
        Value::Array(items) => most == 0 || items.iter().any(within),
        Value::Object(members) => most == 0 || members.values().any(within),
        _ => false,
    }
}

/// Holds a schema against the draft's own schema.
fn against_the_draft(schema: &Value) -> Vec<SchemaFault> {
    let draft = jsonschema::draft202012::meta::validator();
    let mut faults = Vec::new();
    for error in draft.iter_errors(schema) {
        let fault = SchemaFault::new(error.instance_path().as_str(), super::payload_fault::sentence(&error));
        // The draft's schema is made of several, which find the same fault each.
        if faults.len() < SchemaFault::MOST && !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    faults
}

/// Tries the regular expressions, adds to each subschema the work that matching by them is, and returns about how many bytes they take.
fn against_the_patterns(subschemas: &mut Subschemas) -> Result<usize, Vec<SchemaFault>> {
    let patterns = &subschemas.patterns;
    if patterns.len() > MAX_PATTERNS {
        let sentence =
            format!("has {} regular expressions, at most {MAX_PATTERNS} are possible", patterns.len());
        return Err(vec![SchemaFault::new("", sentence)]);
    }
    let (mut faults, mut taken) = (Vec::new(), 0);
    for pattern in patterns {
        match size(&pattern.text) {
            Ok(bytes) => {
                taken += PATTERN_BYTES_AT_LEAST + PATTERN_TIMES * bytes;
                if let Some(subschema) = subschemas.all.get_mut(pattern.of) {
                    let checks = u64::try_from(bytes / PATTERN_BYTES_A_CHECK).unwrap_or(u64::MAX);
                    subschema.weight = subschema.weight.saturating_add(checks);
                }
            }
            Err(why) if faults.len() < SchemaFault::MOST => {
                let sentence = format!("\"{}\" {why}", excerpt(&pattern.text));
                faults.push(SchemaFault::new(&pointer_excerpt(&pattern.pointer), sentence));
            }
            Err(_) => break,
        }
    }
    if faults.is_empty() { Ok(taken) } else { Err(faults) }
}

/// Returns about how large a regular expression is when it is compiled, or why it is not taken.
fn size(pattern: &str) -> Result<usize, &'static str> {
    let schema = serde_json::json!({ "pattern": pattern });
    let options = || jsonschema::options().with_draft(jsonschema::Draft::Draft202012).offline();
    let builds = |bytes: &&usize| options().with_pattern_options(within(**bytes)).build(&schema).is_ok();
    if let Some(bytes) = PATTERN_SIZES.iter().find(builds) {
        return Ok(*bytes);
    }
    let bounded = PatternOptions::fancy_regex().size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
    if pattern.contains(['(', '\\']) && options().with_pattern_options(bounded).build(&schema).is_ok() {
        return Err(
            "looks around or back, which cannot be matched in time that grows with the text alone; write it without",
        );
    }
    Err("is no regular expression, or one that becomes too large")
}
