//! JSON Schemas of payloads, draft 2020-12: what is admitted, how payloads are checked, how versions compare, and
//! what a payload looks like. Pure functions over JSON: no I/O, no clock; nothing is ever fetched.
//!
//! What `format` names is an annotation, as the draft has it by default: it tells readers, it refuses nothing.

mod admit;
mod bounds;
mod compiled;
mod evolution;
mod example;
mod excerpt;
mod field;
mod keywords;
mod order;
mod parts;
mod payload_fault;
mod pointer;
mod profile;
mod sample;
mod schema_change;
mod schema_fault;
mod subschemas;
mod verdict;

pub use admit::{MAX_BYTES, MAX_PATTERNS, admit};
pub use bounds::Bounds;
pub use compiled::CompiledSchema;
pub use evolution::diff;
pub use example::example;
pub use field::{Field, fields, required_fields};
pub use payload_fault::PayloadFault;
pub use schema_change::{Effect, SchemaChange};
pub use schema_fault::SchemaFault;
pub use subschemas::{MAX_DEPTH, MAX_SUBSCHEMAS};
pub use verdict::Verdict;

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
