//! The bus, as agents and the edge see it.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use soorma_core::{Cursor, Error, Event, Name, TenantId, Topic};

use crate::{
    Appended, Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, DeliveryId, Entry, EventLogError,
    GroupCommand, GroupKey, GroupStatus, Reach, Settle,
};

/// Publishing, groups, live streams, dead letters.
///
/// # Contract
/// 1. [`publish`](Self::publish) answers when the events are durable; it sets their `platform_tenant_id` to the tenant.
/// 2. It never has more than a bounded number of events in hand: beyond that it answers `overloaded` at once, with a hint when to come back,
///    and has taken nothing on.
/// 3. A [`Subscriber`] gets every event of its topics and tenant after its cursor, each once and in order, however slow it is.
#[async_trait]
pub trait Bus: Send + Sync + std::fmt::Debug + 'static {
    /// Publishes events of one tenant, all or none.
    async fn publish(&self, tenant: &TenantId, events: Vec<Event>) -> Result<Vec<Appended>, Error>;

    /// Joins a group, and makes it where it does not exist.
    async fn join(&self, spec: ConsumerSpec) -> Result<Arc<dyn Consumer>, Error>;

    /// Settles deliveries of a group without being a member; `not_found` where there is no such group.
    async fn settle(
        &self,
        tenant: &TenantId,
        group: &Name,
        settlements: Vec<(DeliveryId, Settle)>,
    ) -> Result<Vec<bool>, Error>;

    /// Lists groups by tenant and name, after `after`.
    async fn groups(
        &self,
        reach: &Reach,
        after: Option<&GroupKey>,
        limit: usize,
    ) -> Result<Vec<GroupStatus>, Error>;

    /// Returns how many groups a tenant has.
    async fn count_groups(&self, tenant: &TenantId) -> Result<u64, Error>;

    /// Returns how a group is; `not_found` where there is none.
    async fn group(&self, tenant: &TenantId, group: &Name) -> Result<GroupStatus, Error>;

    /// Carries out a command on a group; `not_found` where there is none.
    async fn command(&self, tenant: &TenantId, group: &Name, command: GroupCommand) -> Result<(), Error>;

    /// Opens a live stream.
    ///
    /// # Errors
    /// [`EventLogError::Gone`] and [`EventLogError::Beyond`] for a cursor that cannot be resumed from.
    async fn subscribe(&self, subscription: Subscription) -> Result<Box<dyn Subscriber>, EventLogError>;

    /// Lists dead letters, oldest first, after an id.
    async fn dead_letters(
        &self,
        tenant: &TenantId,
        filter: &DeadLetterFilter,
        after: u64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, Error>;

    /// Returns one dead letter.
    async fn dead_letter(&self, tenant: &TenantId, id: u64) -> Result<DeadLetter, Error>;

    /// Gives dead letters back to their groups; returns which were there.
    async fn redrive(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, Error>;

    /// Drops dead letters; returns which were there.
    async fn discard(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, Error>;

    /// Says whether an event can be published now.
    async fn check(&self) -> Result<(), Error>;
}

/// What a live stream is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Whose events.
    pub tenant: TenantId,
    /// Which topics.
    pub topics: BTreeSet<Topic>,
    /// After what; topics that it does not name, and all where there is none, start at now.
    pub after: Option<Cursor>,
}

/// An event of a live stream. It is encoded once, however many streams show it.
#[derive(Debug)]
pub struct Live {
    /// The event and its place.
    pub entry: Entry,
    /// The event as one line of ASCII JSON, snake_case.
    pub json: String,
}

/// A live stream.
#[async_trait]
pub trait Subscriber: Send + std::fmt::Debug + 'static {
    /// Waits for the next event. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Arc<Live>, Error>;

    /// Returns the place after the last event that `next` gave: to resume from.
    fn cursor(&self) -> &Cursor;
}
