//! What is wrong with a payload, in words that repeat little of it.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::excerpt::{excerpt, names_excerpt, pointer_excerpt, value_excerpt};

/// One rule that a payload breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadFault {
    /// The place in the payload, as a JSON pointer; empty for the whole.
    pub pointer: String,
    /// The keyword that is broken; empty where the payload was not checked, since it is too deep or too large.
    pub keyword: String,
    /// The place of the rule in the schema, as a JSON pointer.
    pub rule: String,
    /// What is wrong, as a sentence without a full stop.
    pub sentence: String,
}

impl PayloadFault {
    /// How many faults are named at most.
    pub(super) const MOST: usize = 16;

    pub(super) fn unchecked(sentence: String) -> Self {
        Self { pointer: String::new(), keyword: String::new(), rule: String::new(), sentence }
    }

    pub(super) fn of(error: &ValidationError<'_>) -> Self {
        Self {
            pointer: pointer_excerpt(error.instance_path().as_str()),
            keyword: error.kind().keyword().to_owned(),
            rule: pointer_excerpt(error.schema_path().as_str()),
            sentence: sentence(error),
        }
    }
}

impl std::fmt::Display for PayloadFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}: {}", self.pointer, self.sentence)?;
        if !self.rule.is_empty() {
            write!(f, " (rule #{})", self.rule)?;
        }
        Ok(())
    }
}

/// Says what is wrong. The library's own sentences repeat the whole value.
pub(super) fn sentence(error: &ValidationError<'_>) -> String {
    with_depth(error, 1)
}

fn with_depth(error: &ValidationError<'_>, depth: usize) -> String {
    use ValidationErrorKind as Kind;
    let is = || value_excerpt(error.instance());
    let names = |names: &[String]| names_excerpt(names.iter().map(String::as_str));
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            format!("has members that are not allowed: {}", names(unexpected))
        }
        Kind::AdditionalItems { limit } => format!("has more than {limit} items"),
        Kind::UnevaluatedItems { unexpected } => {
            format!("has items that are not allowed: {}", names(unexpected))
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            format!("{} fits none of {} alternatives{}", is(), context.len(), nearest(context, depth))
        }
        Kind::OneOfMultipleValid { .. } => format!("{} fits more than one alternative", is()),
        Kind::Constant { expected_value } => {
            format!("is {}, must be {}", is(), value_excerpt(expected_value))
        }
        Kind::Contains => "contains no item of the kind that is asked for, or not as many".to_owned(),
        Kind::Enum { options } => format!("is {}, must be {}", is(), one_of(options)),
        Kind::ExclusiveMaximum { limit } => format!("is {}, must be less than {limit}", is()),
        Kind::ExclusiveMinimum { limit } => format!("is {}, must be more than {limit}", is()),
        Kind::Maximum { limit } => format!("is {}, must be at most {limit}", is()),
        Kind::Minimum { limit } => format!("is {}, must be at least {limit}", is()),
        Kind::MultipleOf { multiple_of } => format!("is {}, must be a multiple of {multiple_of}", is()),
        Kind::FalseSchema => "is not allowed here".to_owned(),
        Kind::Format { format } => format!("is {}, must be a {}", is(), excerpt(format)),
        Kind::MaxItems { limit } => format!("has more than {limit} items"),
        Kind::MinItems { limit } => format!("has fewer than {limit} items"),
        Kind::MaxLength { limit } => format!("is longer than {limit} characters"),
        Kind::MinLength { limit } => format!("is shorter than {limit} characters"),
        Kind::MaxProperties { limit } => format!("has more than {limit} members"),
        Kind::MinProperties { limit } => format!("has fewer than {limit} members"),
        Kind::Not { .. } => format!("{} is what must not be here", is()),
        Kind::Pattern { pattern } => format!("is {}, must match {}", is(), excerpt(pattern)),
        Kind::PropertyNames { error } => match depth.checked_sub(1) {
            Some(depth) => format!("has a name that is not allowed: {}", with_depth(error, depth)),
            None => "has a name that is not allowed".to_owned(),
        },
        Kind::Required { property } => match property {
            Value::String(name) => format!("\"{}\" is missing", excerpt(name)),
            other => format!("{} is missing", value_excerpt(other)),
        },
        Kind::Type { kind } => format!("is {}, must be {}", what(error.instance()), types(kind)),
        Kind::UniqueItems => "has an item twice".to_owned(),
        other => format!("breaks the rule {}", excerpt(other.keyword())),
    }
}

/// Of the alternatives, the one with the fewest faults is most likely meant.
fn nearest(context: &[Vec<ValidationError<'static>>], depth: usize) -> String {
    let (Some(depth), Some(nearest)) = (
        depth.checked_sub(1),
        context.iter().filter(|faults| !faults.is_empty()).min_by_key(|faults| faults.len()),
    ) else {
        return String::new();
    };
    nearest.first().map_or_else(String::new, |fault| {
        let place = excerpt(fault.instance_path().as_str());
        format!("; nearest: #{place} {}", with_depth(fault, depth))
    })
}

fn one_of(options: &Value) -> String {
    const NAMED: usize = 8;
    let Value::Array(options) = options else { return value_excerpt(options) };
    let named: Vec<_> = options.iter().take(NAMED).map(value_excerpt).collect();
    match options.len().saturating_sub(NAMED) {
        0 => format!("one of {}", named.join(", ")),
        more => format!("one of {} and {more} more", named.join(", ")),
    }
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => name(*one).to_owned(),
        TypeKind::Multiple(set) => set.iter().map(name).collect::<Vec<_>>().join(" or "),
    }
}

fn name(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Null => "null",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "an integer",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => "an array",
        JsonType::Object => "an object",
    }
}

fn what(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
