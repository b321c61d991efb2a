//! How groups are, and what is done with them.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use soorma_core::{Name, Position, TenantId, Timestamp, Topic};
use soorma_ports::{
    DeadLetterFilter, EventLogError, GroupCommand, GroupKey, GroupPlace, GroupStatus, Reach, Start,
};

use crate::core::Core;
use crate::error::away;
use crate::group::{GroupState, Saved};
use crate::read::within;
use crate::token::encode;

/// How many states are read at once.
const READ_AT_ONCE: usize = 100;
/// How often others may be faster before a call is given up.
const MOST_RACES: usize = 100;

impl Core {
    pub(crate) async fn groups(
        &self,
        reach: &Reach,
        after: Option<&GroupKey>,
        limit: usize,
    ) -> Result<Vec<GroupStatus>, EventLogError> {
        let mut keys = self.group_keys(reach).await?;
        keys.sort_unstable();
        keys.retain(|key| after.is_none_or(|after| key > after));
        keys.truncate(limit);
        let mut groups = Vec::with_capacity(keys.len());
        for some in keys.chunks(READ_AT_ONCE) {
            for (key, state, _) in self.states(some).await? {
                groups.push(self.status(key, &state).await?);
            }
        }
        Ok(groups)
    }

    pub(crate) async fn count_groups(&self, tenant: &TenantId) -> Result<u64, EventLogError> {
        let keys = self.group_keys(&Reach::Tenant(tenant.clone())).await?;
        Ok(u64::try_from(keys.len()).unwrap_or(u64::MAX))
    }

    pub(crate) async fn group(
        &self,
        tenant: &TenantId,
        group: &Name,
    ) -> Result<Option<GroupStatus>, EventLogError> {
        match self.load(tenant, group).await? {
            (Some(state), _) => Ok(Some(self.status(&(tenant.clone(), group.clone()), &state).await?)),
            (None, _) => Ok(None),
        }
    }

    async fn group_keys(&self, reach: &Reach) -> Result<Vec<GroupKey>, EventLogError> {
        let filter = match reach {
            Reach::Tenant(tenant) => self.names.states_of(tenant),
            Reach::Platform => self.names.all_states(),
        };
        let subjects = self.wire.subjects(&self.names.groups_stream(), &filter).await?;
        Ok(subjects.iter().filter_map(|subject| self.names.whose_state(subject)).collect())
    }

    /// Reads states as the leader knows them, each with its revision: none is left out because a server lags behind, or since they are more
    /// than one answer holds. One that was removed meanwhile is no more.
    async fn states<'a>(
        &self,
        keys: &'a [GroupKey],
    ) -> Result<impl Iterator<Item = (&'a GroupKey, GroupState, u64)>, EventLogError> {
        let states = try_join_all(keys.iter().map(|(tenant, group)| self.load(tenant, group))).await?;
        let there = |(key, (state, revision)): (_, (Option<GroupState>, _))| Some((key, state?, revision));
        Ok(keys.iter().zip(states).filter_map(there))
    }

    async fn status(&self, key: &GroupKey, state: &GroupState) -> Result<GroupStatus, EventLogError> {
        let places = state.cursors().iter().map(|(topic, cursor)| self.place(&key.0, *topic, *cursor));
        let places = try_join_all(places).await?;
        let (open, redriven) = state.oldest();
        let open = try_join_all(open.iter().map(|(topic, position)| self.appended_at(*topic, *position)));
        let firsts = places.iter().map(|(_, _, first)| *first);
        let oldest = firsts.chain(open.await?).flatten().chain(redriven).min();
        let (in_hand, waiting) = state.counts();
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Ok(GroupStatus {
            tenant: key.0.clone(),
            group: key.1.clone(),
            topics: places.into_iter().map(|(topic, place, _)| (topic, place)).collect(),
            in_hand: number(in_hand),
            waiting: number(waiting),
            dead_letters: state.dead,
            paused: state.paused,
            oldest,
            used_at: Timestamp::from_micros(state.used_at),
            key: state.key.clone(),
            expire_after: state.expire_after,
        })
    }

    /// Returns how much stands behind a place in a topic, and when the first of it was appended.
    async fn place(
        &self,
        tenant: &TenantId,
        topic: Topic,
        position: Position,
    ) -> Result<(Topic, GroupPlace, Option<Timestamp>), EventLogError> {
        let filter = self.names.events_of(topic, tenant);
        let range = self.wire.range(&self.names.events_stream(topic), position.0, Some(&filter), 1).await?;
        let first = range.messages.first();
        let lag = range.pending + u64::from(first.is_some());
        Ok((topic, GroupPlace { position, lag }, first.map(|first| first.at)))
    }

    /// Returns when an event was appended, unless retention has passed it.
    async fn appended_at(
        &self,
        topic: Topic,
        position: Position,
    ) -> Result<Option<Timestamp>, EventLogError> {
        let stream = self.names.events_stream(topic);
        let range = self.wire.range(&stream, position.0.saturating_sub(1), None, 1).await?;
        Ok(range.messages.first().filter(|first| first.sequence == position.0).map(|first| first.at))
    }

    pub(crate) async fn command(
        &self,
        tenant: &TenantId,
        group: &Name,
        command: &GroupCommand,
    ) -> Result<bool, EventLogError> {
        if *command == GroupCommand::Remove {
            let was_there = self.remove(tenant, group, u64::MAX).await?;
            if !was_there {
                // A removal before may have been cut short: nobody could get rid of what it left.
                self.purge_letters(tenant, group).await?;
            }
            return Ok(was_there);
        }
        for _ in 0..MOST_RACES {
            let (Some(held), revision) = self.load(tenant, group).await? else { return Ok(false) };
            let mut state = held.clone();
            match command {
                GroupCommand::Pause => state.paused = true,
                GroupCommand::Resume => state.paused = false,
                GroupCommand::Seek(start) => state.seek(&self.places(start, &held).await?),
                GroupCommand::Remove => {}
            }
            if state == held {
                return Ok(true);
            }
            match self.save(tenant, group, &state, revision, Vec::new()).await? {
                Saved::As(_) => return Ok(true),
                Saved::Raced => {}
            }
        }
        Err(EventLogError::Unavailable(format!(
            "the members of the group {group} were faster too often; try again"
        )))
    }

    /// Where a group goes on that is to go on from somewhere.
    async fn places(
        &self,
        start: &Start,
        state: &GroupState,
    ) -> Result<BTreeMap<Topic, Position>, EventLogError> {
        let mut places = BTreeMap::new();
        for topic in state.cursors().keys().copied() {
            let bounds = self.bounds(topic).await?;
            match start {
                Start::Now => drop(places.insert(topic, bounds.head)),
                Start::Earliest => drop(places.insert(topic, bounds.before_first)),
                Start::After(cursor) => {
                    if let Some(after) = cursor.get(topic) {
                        within(topic, after, bounds)?;
                        places.insert(topic, after);
                    }
                }
            }
        }
        Ok(places)
    }

    /// Removes a group, unless it has changed since a revision; its dead letters go with it.
    async fn remove(&self, tenant: &TenantId, group: &Name, revision: u64) -> Result<bool, EventLogError> {
        let stream = self.names.groups_stream();
        let state = self.names.state(tenant, group);
        if self.wire.purge_up_to(&stream, &state, revision).await? == 0 {
            return Ok(false);
        }
        self.purge_letters(tenant, group).await?;
        self.signals.state_stored(&encode(tenant.as_str()), &encode(group.as_str()), u64::MAX);
        // The server says nothing of what it drops: those who work for the group elsewhere are to look.
        let told = self.names.stored_state(tenant, group);
        self.wire.client.publish(told, bytes::Bytes::new()).await.map_err(away)?;
        Ok(true)
    }

    async fn purge_letters(&self, tenant: &TenantId, group: &Name) -> Result<(), EventLogError> {
        self.wire.purge(&self.names.groups_stream(), &self.names.letters(tenant, Some(group), None)).await
    }

    pub(crate) async fn expire_groups(&self) -> Result<Vec<GroupKey>, EventLogError> {
        let mut gone = Vec::new();
        for some in self.group_keys(&Reach::Platform).await?.chunks(READ_AT_ONCE) {
            for (key, state, revision) in self.states(some).await? {
                if !state.is_idle(self.now()) {
                    continue;
                }
                // The letters themselves are asked, whatever the state says of them.
                let own = DeadLetterFilter { group: Some(key.1.clone()), ..DeadLetterFilter::default() };
                let mourned = !self.dead_letters(&key.0, &own, 0, 1).await?.is_empty();
                if !mourned && self.remove(&key.0, &key.1, revision).await? {
                    gone.push(key.clone());
                }
            }
        }
        Ok(gone)
    }
}
