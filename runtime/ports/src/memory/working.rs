//! What a plan has at hand.

use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{AnyJson, Error, MemoryScope, WorkingChange, WorkingKey, WorkingValue};

/// Working memory (CONTRACT 3.3): any JSON under a key of a plan, for all that share an owner. Changes of one plan are made one after the other, wherever they come from.
///
/// A plan's id has at most [`WorkingValue::MAX_PLAN_CHARS`] characters, a key at most [`WorkingValue::MAX_KEY_CHARS`]; neither has control characters or `/`. A value has at most [`WorkingValue::MAX_BYTES`] as JSON.
#[async_trait]
pub trait Working {
    /// Sets a value, for a time where one is given.
    ///
    /// # Errors
    /// `conflict`, where it is not as it must be.
    async fn set_value(
        &self,
        scope: &MemoryScope,
        plan: &str,
        key: &str,
        value: AnyJson,
        when: SetWhen,
        ttl: Option<Duration>,
    ) -> Result<WorkingValue, Error>;

    /// Returns a value.
    async fn value(&self, scope: &MemoryScope, plan: &str, key: &str) -> Result<Option<WorkingValue>, Error>;

    /// Changes a value in one step that no other comes between.
    ///
    /// # Errors
    /// `conflict` where the value is not of the sort that is changed so, or not the one that must be there; `not_found` where there must be one.
    async fn update_value(
        &self,
        scope: &MemoryScope,
        plan: &str,
        key: &str,
        op: WorkingOp,
    ) -> Result<WorkingValue, Error>;

    /// Removes a value; says whether it was there.
    async fn remove_value(&self, scope: &MemoryScope, plan: &str, key: &str) -> Result<bool, Error>;

    /// Removes all values of a plan; says how many.
    async fn clear_plan(&self, scope: &MemoryScope, plan: &str) -> Result<u64, Error>;

    /// Returns the keys of a plan that begin so, in their order, after a key, at most `limit`.
    async fn keys(
        &self,
        scope: &MemoryScope,
        plan: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<WorkingKey>, Error>;

    /// Watches a plan: first all that there is, then what happens to it.
    async fn watch_plan(&self, scope: &MemoryScope, plan: &str) -> Result<Box<dyn WorkingWatch>, Error>;
}

/// Follows what happens to a plan. Of a value that changes faster than it is asked for, the last state is told.
#[async_trait]
pub trait WorkingWatch: Send + std::fmt::Debug {
    /// Waits for changes. The first answers have all that there is, a piece each, and the last of them may be empty; later ones are not.
    async fn next(&mut self) -> Result<Vec<WorkingChange>, Error>;

    /// Says whether all that there was at the beginning has been told.
    fn has_begun(&self) -> bool;
}

/// What must be there so that a value is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SetWhen {
    /// Anything.
    #[default]
    Any,
    /// Nothing.
    Absent,
    /// This state of it.
    Revision(u64),
}

/// How a value is changed. It keeps the time at which it is gone.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkingOp {
    /// Adds a number; where nothing is there, to 0. Whole numbers stay exact; one beyond 64 bits is `conflict`.
    Increment(AnyJson),
    /// Adds an element at the end of a list; where nothing is there, of an empty one.
    Append(AnyJson),
    /// Adds all elements of a list at the end of a list.
    Extend(AnyJson),
    /// Sets fields of an object, and removes those that are set to `null` (RFC 7396, one level deep); where nothing is there, of an empty one.
    Merge(AnyJson),
    /// Sets another value where this one is, whatever the order of its fields.
    CompareAndSet {
        /// The value that must be there; nothing where none may be.
        expected: Option<AnyJson>,
        /// The value that is set.
        value: AnyJson,
    },
}
