//! What is made of a schema: how it is checked by, and how it is told.

use serde_json::Value;
use soorma_core::Data;
use soorma_ports::DescribedField;

use crate::schema::{CompiledSchema, PayloadFault, example, fields};

/// The most bytes of an example: what is larger says little in few tokens.
const MOST_EXAMPLE: usize = 1_000;
/// How much work a check may be where others wait for it, in evaluations: about a millisecond. An ordinary event of some KiB is below it.
const AT_ONCE: u64 = 8 * 1_024;
/// What is told of a member takes that much at the most, about.
const FIELD_BYTES: usize = 1_024;

/// A schema as it is checked by and as it is told; nothing of one that cannot be checked by.
#[derive(Debug)]
pub(crate) struct Made(Option<(CompiledSchema, Told)>);

/// What a planner is told of a payload.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The members that must be there.
    pub(crate) required: Vec<DescribedField>,
    /// A payload that fits, where a small one was found.
    pub(crate) example: Option<Data>,
}

impl Made {
    /// Makes all of a schema. Takes up to seconds.
    pub(crate) fn of(schema: &Data, name: &str) -> Self {
        let value: Result<Value, _> = schema.parse().map_err(|error| error.to_string());
        let made = value.and_then(|value| {
            let check = CompiledSchema::new(&value).map_err(|faults| format!("{faults:?}"))?;
            let told = told(&check, &value);
            Ok((check, told))
        });
        // It was admitted when it was registered, perhaps by another version of this program.
        let made = made.map_err(|error| {
            tracing::error!(name, error, "a schema cannot be checked by; payloads pass it");
        });
        Self(made.ok())
    }

    /// Returns about how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(FIELD_BYTES, |(check, told)| {
            check.bounds().bytes() + FIELD_BYTES * (2 + told.required.len())
        })
    }

    /// Whether a payload of so many bytes can be checked where others wait for it.
    pub(crate) fn is_quick(&self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.0.as_ref().is_none_or(|(check, _)| bytes.saturating_mul(check.bounds().most_times()) <= AT_ONCE)
    }

    /// Checks a payload.
    pub(crate) fn check(&self, payload: &Value) -> Result<(), Vec<PayloadFault>> {
        self.0.as_ref().map_or(Ok(()), |(check, _)| check.check(payload))
    }

    pub(crate) fn can_check(&self) -> bool {
        self.0.is_some()
    }

    /// Returns what a planner is told.
    pub(crate) fn told(&self) -> Option<&Told> {
        self.0.as_ref().map(|(_, told)| told)
    }
}

fn told(check: &CompiledSchema, schema: &Value) -> Told {
    let required = fields(schema).into_iter().filter(|field| field.required);
    let example = example(schema);
    let fits = check.check(&example).is_ok();
    Told {
        required: required
            .map(|field| DescribedField {
                name: field.name,
                kind: field.kind,
                description: field.description,
            })
            .collect(),
        example: Data::from_value(&example).ok().filter(|data| fits && data.as_str().len() <= MOST_EXAMPLE),
    }
}
