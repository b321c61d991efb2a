//! What a plan has at hand.
//!
//! A body is the value as JSON. Where the plan or the key is too long for its place in a store, the body begins with a character that no JSON begins with, and says
//! both beside the value.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use soorma_core::{AnyJson, Error, MemoryKind, MemoryScope, WorkingKey, WorkingValue};
use soorma_ports::{
    MemoryAfter, MemoryDraft, MemoryEntry, MemoryFilter, MemoryOrder, MemoryPlace, MemoryQuery, SetWhen,
    Working, WorkingOp, WorkingWatch,
};
use uuid::Uuid;

use super::{body, read, unreadable};
use crate::bounds::{self, GROUP_BYTES, KEY_BYTES, stored};
use crate::memories::Memories;
use crate::op;
use crate::watch::PlanWatch;
use crate::writers::{Act, Answer};

pub(crate) const KIND: MemoryKind = MemoryKind::WORKING;
/// How many entries are read at once where keys are looked for.
const PAGE: usize = 256;
/// Begins a body with a plan and a key.
const LONG: char = '\u{1}';

#[derive(Debug, Serialize, Deserialize)]
struct Long {
    plan: String,
    key: String,
    value: AnyJson,
}

/// Refuses a plan or key that cannot be one.
fn check(field: &str, text: &str, most: usize) -> Result<(), Error> {
    if text.contains('/') {
        return Err(Error::invalid(format!("{field}: no /")));
    }
    bounds::named(field, text, most)
}

fn check_plan(plan: &str) -> Result<(), Error> {
    check("planId", plan, WorkingValue::MAX_PLAN_CHARS)
}

fn check_place(plan: &str, key: &str) -> Result<(), Error> {
    check_plan(plan)?;
    check("key", key, WorkingValue::MAX_KEY_CHARS)
}

/// Returns the group of a plan.
pub(crate) fn group(plan: &str) -> String {
    stored(plan, GROUP_BYTES).into_owned()
}

fn stored_key(key: &str) -> String {
    stored(key, KEY_BYTES).into_owned()
}

/// Returns where a value is.
pub(crate) fn place(plan: &str, key: &str) -> MemoryPlace {
    stored_at(plan, &stored_key(key))
}

/// Returns where the value is whose key is stored so.
pub(crate) fn stored_at(plan: &str, stored_key: &str) -> MemoryPlace {
    MemoryPlace::Key { kind: KIND, group: group(plan), key: stored_key.to_owned(), public: false }
}

/// Returns a value as it is put, but for the time when it is gone.
pub(crate) fn draft(plan: &str, key: &str, value: &AnyJson, id: Uuid) -> Result<MemoryDraft, Error> {
    let (group, as_key) = (group(plan), stored_key(key));
    let body = match group == plan && as_key == key {
        true => value.as_str().to_owned(),
        false => {
            let long = Long { plan: plan.to_owned(), key: key.to_owned(), value: value.clone() };
            format!("{LONG}{}", body(&long)?)
        }
    };
    Ok(MemoryDraft { id, kind: KIND, group, key: Some(as_key), body, ..MemoryDraft::default() })
}

/// Reads a key and its value.
pub(crate) fn value(entry: &MemoryEntry) -> Result<(String, AnyJson), Error> {
    if let Some(long) = entry.body.strip_prefix(LONG) {
        let Long { key, value, .. } = read(&KIND, long)?;
        return Ok((key, value));
    }
    let value = AnyJson::from_json(&entry.body).map_err(|error| unreadable(&KIND, &error))?;
    Ok((entry.key.clone().unwrap_or_default(), value))
}

/// Returns all values of a plan, in the order of their keys, a page at a time.
fn all(plan: &str, after: Option<MemoryAfter>, limit: usize) -> MemoryQuery {
    let filter = MemoryFilter { kind: Some(KIND), group: Some(group(plan)), ..MemoryFilter::default() };
    MemoryQuery { filter, order: MemoryOrder::Key, after, limit }
}

fn working_value(scope: &MemoryScope, plan: &str, entry: &MemoryEntry) -> Result<WorkingValue, Error> {
    let (key, value) = value(entry)?;
    Ok(WorkingValue {
        id: entry.id,
        tenant_id: scope.tenant.clone(),
        plan_id: plan.to_owned(),
        key,
        value,
        updated_at: entry.updated_at,
        revision: Some(entry.revision),
        expires_at: entry.expires_at,
    })
}

impl Memories {
    async fn have_changed(
        &self,
        scope: &MemoryScope,
        plan: &str,
        key: &str,
        act: Act,
    ) -> Result<Answer, Error> {
        self.writers.ask(&self.shared, scope, plan, key, act).await
    }
}

/// What is told where a writer answers something else than was asked.
fn misunderstood() -> Error {
    Error::internal("a writer of working memory answered something else than it was asked")
}

#[async_trait]
impl Working for Memories {
    async fn set_value(
        &self,
        scope: &MemoryScope,
        plan: &str,
        key: &str,
        value: AnyJson,
        when: SetWhen,
        ttl: Option<Duration>,
    ) -> Result<WorkingValue, Error> {
        check_place(plan, key)?;
        op::fits("value", &value)?;
        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(Error::invalid("ttl: it must be longer than nothing"));
        }
        match self.have_changed(scope, plan, key, Act::Set { value, when, ttl }).await? {
            Answer::Value(value) => Ok(value),
            Answer::Removed(_) => Err(misunderstood()),
        }
    }

    async fn value(&self, scope: &MemoryScope, plan: &str, key: &str) -> Result<Option<WorkingValue>, Error> {
        let _held = self.shared.reading(&scope.tenant)?;
        let entry = self.shared.get(scope, place(plan, key)).await?;
        entry.map(|entry| working_value(scope, plan, &entry)).transpose()
    }

    async fn update_value(
        &self,
        scope: &MemoryScope,
        plan: &str,
        key: &str,
        op: WorkingOp,
    ) -> Result<WorkingValue, Error> {
        check_place(plan, key)?;
        op::check(&op)?;
        match self.have_changed(scope, plan, key, Act::Update(op)).await? {
            Answer::Value(value) => Ok(value),
            Answer::Removed(_) => Err(misunderstood()),
        }
    }

    async fn remove_value(&self, scope: &MemoryScope, plan: &str, key: &str) -> Result<bool, Error> {
        match self.have_changed(scope, plan, key, Act::Remove).await? {
            Answer::Removed(count) => Ok(count > 0),
            Answer::Value(_) => Err(misunderstood()),
        }
    }

    async fn clear_plan(&self, scope: &MemoryScope, plan: &str) -> Result<u64, Error> {
        match self.have_changed(scope, plan, "", Act::Clear).await? {
            Answer::Removed(count) => Ok(count),
            Answer::Value(_) => Err(misunderstood()),
        }
    }

    async fn keys(
        &self,
        scope: &MemoryScope,
        plan: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<WorkingKey>, Error> {
        bounds::limit(limit)?;
        bounds::chars("prefix", prefix, WorkingValue::MAX_KEY_CHARS)?;
        bounds::chars("after", after.unwrap_or_default(), WorkingValue::MAX_KEY_CHARS)?;
        let _held = self.shared.reading(&scope.tenant)?;
        let (mut keys, begins) = (Vec::new(), bounds::beginning(prefix, KEY_BYTES));
        // As a place it stands before all keys that begin so; the last id there is, behind the key itself.
        let from = match after.map(stored_key).filter(|after| after.as_str() >= begins) {
            Some(after) => MemoryAfter::Key(after, Uuid::max()),
            None => MemoryAfter::Key(begins.to_owned(), Uuid::nil()),
        };
        let mut query = all(plan, Some(from), PAGE.min(limit + 1));
        loop {
            let page = self.shared.ask(self.shared.store.list(scope, self.shared.now(), &query)).await?;
            for entry in &page.entries {
                let stands_at = entry.key.as_deref().unwrap_or_default();
                if !stands_at.starts_with(begins) {
                    return Ok(keys);
                }
                let (key, value) = value(entry)?;
                if key.starts_with(prefix) {
                    keys.push(WorkingKey {
                        key,
                        bytes: u64::try_from(value.as_str().len()).unwrap_or(u64::MAX),
                        revision: entry.revision,
                        updated_at: entry.updated_at,
                        expires_at: entry.expires_at,
                    });
                }
                if keys.len() == limit {
                    return Ok(keys);
                }
            }
            let Some(last) = page.entries.last().filter(|_| page.more) else { return Ok(keys) };
            query.after = Some(MemoryAfter::of(last, MemoryOrder::Key));
        }
    }

    async fn watch_plan(&self, scope: &MemoryScope, plan: &str) -> Result<Box<dyn WorkingWatch>, Error> {
        check_plan(plan)?;
        Ok(Box::new(PlanWatch::new(&self.shared, scope, plan)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_and_a_key_that_are_too_long_for_their_places_are_kept_in_the_body() {
        let value_of = |plan: &str, key: &str| {
            let value = AnyJson::from_json("[1.0]").expect("JSON");
            let draft = draft(plan, key, &value, Uuid::nil()).expect("a draft");
            assert!(
                draft.group.len() <= GROUP_BYTES && draft.key.as_ref().expect("a key").len() <= KEY_BYTES
            );
            draft
        };
        assert_eq!(value_of("p", "k").body, "[1.0]");
        let (plan, key) = ("🦀".repeat(100), "🦀".repeat(255));
        let long = value_of(&plan, &key);
        let entry = MemoryEntry {
            id: long.id,
            owner: soorma_core::Owner::new("s", "u").expect("an owner"),
            kind: KIND,
            group: long.group,
            key: long.key,
            public: false,
            text: None,
            body: long.body,
            labels: Vec::new(),
            created_at: Default::default(),
            updated_at: Default::default(),
            valid_from: None,
            valid_until: None,
            expires_at: None,
            revision: 1,
        };
        let (read, value) = value(&entry).expect("readable");
        assert_eq!((read, value.as_str()), (key.clone(), "[1.0]"));
        let [MemoryPlace::Key { key: one, .. }, MemoryPlace::Key { key: other, .. }] =
            [place(&plan, &key), place(&plan, &format!("{key}x"))]
        else {
            panic!("places by key");
        };
        assert_eq!(Some(&one), entry.key.as_ref());
        let begins = bounds::beginning(&key, KEY_BYTES);
        assert!(one != other && one.starts_with(begins) && other.starts_with(begins));
    }
}
