//! Reading.

use std::sync::Arc;

use soorma_core::{Event, Position, TenantId, Timestamp, Topic};
use soorma_ports::{Bounds, Entry, EventLogError, Page, Reach};

use crate::core::Core;

/// The most events that one request asks for.
const ASKED_AT_ONCE: usize = 1_000;

/// What one request found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) entries: Vec<(Entry, Timestamp)>,
    /// Up to where it has looked, with nothing left out.
    pub(crate) looked: Position,
    /// Whether there is more after that, now.
    pub(crate) more: bool,
    /// Whether something stands there that is not to be seen yet.
    pub(crate) cut: bool,
}

impl Core {
    pub(crate) async fn bounds(&self, topic: Topic) -> Result<Bounds, EventLogError> {
        let ends = self.wire.ends(&self.names.events_stream(topic)).await?;
        let before_first = ends.first.saturating_sub(1).min(ends.last);
        Ok(Bounds { before_first: Position(before_first), head: Position(ends.last) })
    }

    /// Reads after a position, whatever retention has passed.
    pub(crate) async fn find(
        &self,
        reach: &Reach,
        topic: Topic,
        after: Position,
        limit: usize,
    ) -> Result<Found, EventLogError> {
        let filter = match reach {
            Reach::Tenant(tenant) => Some(self.names.events_of(topic, tenant)),
            Reach::Platform => None,
        };
        let stream = self.names.events_stream(topic);
        let limit = limit.clamp(1, ASKED_AT_ONCE);
        let range = self.wire.range(&stream, after.0, filter.as_deref(), limit).await?.whole();
        let last = range.messages.last().map_or(after.0, |last| last.sequence);
        let looked = Position(range.cut_after.unwrap_or(last).max(after.0));
        let mut entries = Vec::with_capacity(range.messages.len());
        for message in range.messages {
            match self.event(topic, &message.subject, &message.payload) {
                Some((tenant, event)) => {
                    let position = Position(message.sequence);
                    entries.push((Entry { position, tenant, event: Arc::new(event) }, message.at));
                }
                None => {
                    tracing::warn!(subject = %message.subject, "skipped a message that is not an event of ours")
                }
            }
        }
        Ok(Found { entries, looked, more: range.more, cut: range.cut_after.is_some() })
    }

    /// Reads an event, if it is the one that its subject says.
    pub(crate) fn event(&self, topic: Topic, subject: &str, payload: &[u8]) -> Option<(TenantId, Event)> {
        let (tenant, id) = self.names.whose_event(topic, subject)?;
        let event: Event = serde_json::from_slice(payload).ok()?;
        (event.id == id && event.topic == topic).then_some((tenant, event))
    }

    pub(crate) async fn read(
        &self,
        reach: &Reach,
        topic: Topic,
        after: Position,
        limit: usize,
    ) -> Result<Page, EventLogError> {
        // Before it is read: what comes in between is looked at the next time.
        let bounds = self.bounds(topic).await?;
        within(topic, after, bounds)?;
        let mut page = Page { entries: Vec::new(), next: after };
        while page.entries.len() < limit {
            let missing = limit - page.entries.len();
            let found = self.find(reach, topic, page.next, missing).await?;
            page.entries.extend(found.entries.into_iter().map(|(entry, _)| entry));
            page.next = found.looked;
            if !found.more {
                if !found.cut && page.entries.len() < limit {
                    page.next = page.next.max(bounds.head);
                }
                break;
            }
        }
        Ok(page)
    }
}

pub(crate) fn within(topic: Topic, after: Position, bounds: Bounds) -> Result<(), EventLogError> {
    let Bounds { before_first, head } = bounds;
    if after < before_first {
        return Err(EventLogError::Gone { topic, after, before_first });
    }
    if after > head {
        return Err(EventLogError::Beyond { topic, after, head });
    }
    Ok(())
}
