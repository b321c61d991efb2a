//! What a plan has at hand (CONTRACT 3.3): values under keys, set, changed in one step, listed and watched.

use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use serde_json::value::RawValue;
use soorma_api::memory::{MAX_KEYS, MAX_TTL_SECONDS, Page, PlanCleared, ValueRemoved};
use soorma_core::{AnyJson, Error, ErrorCode, Scope, WorkingValue};
use soorma_ports::{SetWhen, WorkingOp};

use super::mine::Mine;
use super::{in_body, in_path, in_query, told, watch};
use crate::access::Pass;
use crate::app::Shared;
use crate::cursor;
use crate::parameters::Parameters;
use crate::reply::{Named, NamedTwice, Refusal, excerpt, json};
use crate::shape::{Object, Shape, part_of_path};

/// The words for what is done to a value.
const OPS: &str = "'increment', 'append', 'extend', 'merge' or 'compare_and_set'";
/// The most bytes of a prefix of keys.
const MAX_PREFIX_BYTES: usize = 1_024;

pub(super) async fn set(
    State(app): State<Shared>,
    Mine(mine): Mine,
    NamedTwice(plan, key): NamedTwice,
    request: Request,
) -> Result<Response, Refusal> {
    place(&plan, Some(&key))?;
    let (value, when, ttl) = told(request, &app, "WorkingMemorySet", value).await?;
    let set = app.memory().set_value(&mine, &plan, &key, value, when, ttl).await.map_err(in_body)?;
    Ok(json(&set))
}

pub(super) async fn change(
    State(app): State<Shared>,
    Mine(mine): Mine,
    NamedTwice(plan, key): NamedTwice,
    request: Request,
) -> Result<Response, Refusal> {
    place(&plan, Some(&key))?;
    let op = told(request, &app, "WorkingMemoryChange", op).await?;
    let changed = app.memory().update_value(&mine, &plan, &key, op).await.map_err(|error| {
        if error.code == ErrorCode::NotFound { missing(&plan, &key) } else { in_body(error) }
    })?;
    Ok(json(&changed))
}

pub(super) async fn show(
    State(app): State<Shared>,
    Mine(mine): Mine,
    NamedTwice(plan, key): NamedTwice,
) -> Result<Response, Refusal> {
    place(&plan, Some(&key))?;
    let found = app.memory().value(&mine, &plan, &key).await.map_err(in_path)?;
    found.map(|value| json(&value)).ok_or_else(|| missing(&plan, &key))
}

pub(super) async fn remove(
    State(app): State<Shared>,
    Mine(mine): Mine,
    NamedTwice(plan, key): NamedTwice,
) -> Result<Response, Refusal> {
    place(&plan, Some(&key))?;
    if !app.memory().remove_value(&mine, &plan, &key).await.map_err(in_path)? {
        return Err(missing(&plan, &key));
    }
    let message = "Working memory key deleted".to_owned();
    Ok(json(&ValueRemoved { success: true, deleted: true, message }))
}

pub(super) async fn clear(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(plan): Named,
) -> Result<Response, Refusal> {
    place(&plan, None)?;
    let count_deleted = app.memory().clear_plan(&mine, &plan).await.map_err(in_path)?;
    let message = format!("Deleted {count_deleted} working memory keys");
    Ok(json(&PlanCleared { success: true, count_deleted, message }))
}

pub(super) async fn keys(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Extension(pass): Extension<Pass>,
    Mine(mine): Mine,
    Named(plan): Named,
    uri: Uri,
) -> Result<Response, Refusal> {
    place(&plan, None)?;
    let mut parameters = Parameters::read(&uri)?;
    let watched = parameters.flag("watch");
    let prefix = parameters.text("prefix").unwrap_or_default().to_owned();
    if prefix.len() > MAX_PREFIX_BYTES {
        let says = format!("has {} bytes; at most {MAX_PREFIX_BYTES} are allowed", prefix.len());
        parameters.fault("prefix", "string_too_long", &format!("Value {says}"), &says);
    }
    let after = parameters.after_text();
    let limit = parameters.number("limit", MAX_KEYS, MAX_KEYS);
    if watched && !(prefix.is_empty() && after.is_none()) {
        let says = "shows the whole plan; leave prefix and cursor out";
        parameters.fault("watch", "value_error", &format!("Value {says}"), says);
    }
    parameters.end()?;
    if watched {
        return watch::open(app, &scope, pass, mine, plan).await;
    }
    let mut items =
        app.memory().keys(&mine, &plan, &prefix, after.as_deref(), limit + 1).await.map_err(in_query)?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|last| cursor::write(&[&last.key]));
    Ok(json(&Page { count: items.len(), items, next_cursor }))
}

/// Looks whether a plan can be called so, and a key.
fn place(plan: &str, key: Option<&str>) -> Result<(), Refusal> {
    part_of_path("plan_id", plan, WorkingValue::MAX_PLAN_CHARS, false)?;
    key.map_or(Ok(()), |key| part_of_path("key", key, WorkingValue::MAX_KEY_CHARS, false))
}

fn missing(plan: &str, key: &str) -> Refusal {
    Error::not_found(format!("Working memory not found: {}/{}", excerpt(plan), excerpt(key))).into()
}

fn value(shape: &mut Shape, object: &Object<'_>) -> Option<(AnyJson, SetWhen, Option<Duration>)> {
    let value = shape.field(object, ("value", "value"), of_value);
    let ttl = shape
        .optional(object, ("ttlSeconds", "ttl_seconds"), |shape, raw| shape.whole(raw, 1, MAX_TTL_SECONDS));
    let revision =
        shape.optional(object, ("ifRevision", "if_revision"), |shape, raw| shape.whole(raw, 0, u64::MAX));
    let absent = shape.optional(object, ("ifAbsent", "if_absent"), Shape::flag).unwrap_or(false);
    let when = match revision {
        Some(_) if absent => {
            let says = "cannot be true beside ifRevision: where nothing is there, it has no revision";
            shape.within("ifAbsent".into(), |shape| {
                shape.fault("value_error", &format!("Value {says}"), says, None);
            });
            SetWhen::Absent
        }
        Some(revision) => SetWhen::Revision(revision),
        None if absent => SetWhen::Absent,
        None => SetWhen::Any,
    };
    Some((value?, when, ttl.map(Duration::from_secs)))
}

fn op(shape: &mut Shape, object: &Object<'_>) -> Option<WorkingOp> {
    let name = shape.field(object, ("op", "op"), |shape, raw| {
        let name = shape.text(raw)?;
        if !matches!(name.as_str(), "increment" | "append" | "extend" | "merge" | "compare_and_set") {
            shape.fault(
                "enum",
                &format!("Input should be {OPS}"),
                &format!("should be {OPS}"),
                Some(raw.get()),
            );
            return None;
        }
        Some(name)
    })?;
    const VALUE: (&str, &str) = ("value", "value");
    match name.as_str() {
        "increment" => {
            let by = if object.has("by") {
                shape.field(object, ("by", "by"), number)
            } else {
                AnyJson::from_json("1").ok()
            };
            Some(WorkingOp::Increment(by?))
        }
        "append" => Some(WorkingOp::Append(shape.field(object, VALUE, of_value)?)),
        "extend" => Some(WorkingOp::Extend(
            shape.field(object, VALUE, |shape, raw| begins(shape, raw, '[', "must be a list"))?,
        )),
        "merge" => Some(WorkingOp::Merge(
            shape.field(object, VALUE, |shape, raw| begins(shape, raw, '{', "must be an object"))?,
        )),
        _ => {
            // Where `null` must be there it is sent as `null`.
            let expected = match object.has("expected") {
                true => Some(shape.field(object, ("expected", "expected"), of_value)?),
                false => None,
            };
            Some(WorkingOp::CompareAndSet { expected, value: shape.field(object, VALUE, of_value)? })
        }
    }
}

fn of_value(shape: &mut Shape, raw: &RawValue) -> Option<AnyJson> {
    let (bytes, most) = (raw.get().len(), WorkingValue::MAX_BYTES);
    let value = shape.any(raw)?;
    // What was sent may be longer than what is kept: it has white space.
    if value.as_str().len() > most {
        shape.wrong("too_long", &format!("has {bytes} bytes; at most {most} are allowed"), raw);
        return None;
    }
    Some(value)
}

fn number(shape: &mut Shape, raw: &RawValue) -> Option<AnyJson> {
    if !raw.get().starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        shape.fault("float_type", "Input should be a valid number", "must be a number", Some(raw.get()));
        return None;
    }
    of_value(shape, raw)
}

fn begins(shape: &mut Shape, raw: &RawValue, with: char, says: &str) -> Option<AnyJson> {
    if !raw.get().starts_with(with) {
        shape.wrong("value_error", says, raw);
        return None;
    }
    of_value(shape, raw)
}
