//! A schema that was admitted, ready to check payloads.

use std::sync::Arc;

use jsonschema::{Draft, Validator};
use serde_json::Value;

use super::admit::{admit, linear};
use super::bounds::{Bounds, MOST_CHECKS};
use super::payload_fault::PayloadFault;
use super::profile::profile;
use super::schema_fault::SchemaFault;

/// How much may be copied to name what is wrong, in values: some tens of MiB at the most.
const MOST_NAMED: u64 = 250_000;

/// A schema that was admitted and compiled. Clones share it.
#[derive(Debug, Clone)]
pub struct CompiledSchema(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    validator: Validator,
    bounds: Bounds,
}

impl CompiledSchema {
    /// Admits and compiles a schema.
    ///
    /// # Errors
    /// As [`admit`].
    pub fn new(schema: &Value) -> Result<Self, Vec<SchemaFault>> {
        let bounds = admit(schema)?;
        let options =
            jsonschema::options().with_draft(Draft::Draft202012).offline().should_validate_formats(false);
        match options.with_pattern_options(linear()).build(schema) {
            Ok(validator) => Ok(Self(Arc::new(Inner { validator, bounds }))),
            Err(error) => {
                let sentence = super::payload_fault::sentence(&error);
                Err(vec![SchemaFault::new(error.schema_path().as_str(), sentence)])
            }
        }
    }

    /// Returns how much work the schema can make.
    pub fn bounds(&self) -> &Bounds {
        &self.0.bounds
    }

    /// Checks a payload.
    ///
    /// # Errors
    /// With at most 16 faults. A payload that is nested deeper, or larger, than the schema can be checked to is not
    /// checked but reported as that.
    pub fn check(&self, payload: &Value) -> Result<(), Vec<PayloadFault>> {
        let Inner { validator, bounds } = &*self.0;
        let unchecked = |sentence| Err(vec![PayloadFault::unchecked(sentence)]);
        let max_depth = bounds.max_depth();
        let Some(profile) =
            profile(payload).filter(|profile| profile.values.len() <= max_depth.saturating_add(1))
        else {
            return unchecked(format!(
                "is nested deeper than this schema can be checked to, which is {max_depth}"
            ));
        };
        if bounds.checks(&profile.values) > MOST_CHECKS {
            return unchecked("is too large to be checked by this schema".to_owned());
        }
        if validator.is_valid(payload) {
            return Ok(());
        }
        if bounds.names(&profile.bulk) > MOST_NAMED {
            let sentence =
                "does not fit the schema, and is too large for what is wrong to be named".to_owned();
            return Err(vec![PayloadFault {
                keyword: "schema".to_owned(),
                ..PayloadFault::unchecked(sentence)
            }]);
        }
        Err(validator
            .iter_errors(payload)
            .take(PayloadFault::MOST)
            .map(|error| PayloadFault::of(&error))
            .collect())
    }
}
