//! The group streams of this edge, to be found by what their agents publish.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use soorma_core::{Event, TenantId};
use tokio::sync::Notify;

use crate::in_hand::InHand;

/// What a stream has in hand, shared between the stream and those who publish replies.
#[derive(Debug, Default)]
pub(crate) struct Hand {
    frames: Mutex<InHand>,
    /// Rings when something was replied to.
    pub(crate) replied: Notify,
}

impl Hand {
    pub(crate) fn lock(&self) -> MutexGuard<'_, InHand> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type ByName = HashMap<String, Vec<Arc<Hand>>>;

#[derive(Debug, Default)]
pub(crate) struct Groups {
    hands: RwLock<HashMap<TenantId, ByName>>,
}

/// What a published event may be the reply to.
#[derive(Debug)]
pub(crate) struct Reply {
    hands: Vec<Arc<Hand>>,
    parent: Option<String>,
    conversation: Option<String>,
}

/// A stream's membership; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Membership {
    groups: Arc<Groups>,
    tenant: TenantId,
    name: String,
    hand: Arc<Hand>,
}

impl Groups {
    pub(crate) fn join(self: &Arc<Self>, tenant: &TenantId, name: &str) -> Membership {
        let hand = Arc::new(Hand::default());
        let mut hands = self.hands.write().unwrap_or_else(PoisonError::into_inner);
        let by_name = hands.entry(tenant.clone()).or_default();
        by_name.entry(name.to_owned()).or_default().push(hand.clone());
        Membership { groups: self.clone(), tenant: tenant.clone(), name: name.to_owned(), hand }
    }

    /// Returns what an event may be a reply to, if its sender has a stream here. Asked before the event is
    /// published, since a reply that nobody hears of yet may already be read by who waits for it.
    pub(crate) fn reply(&self, tenant: &TenantId, event: &Event) -> Option<Reply> {
        let hands = self.hands.read().unwrap_or_else(PoisonError::into_inner);
        let hands = hands.get(tenant)?.get(&event.source)?.clone();
        Some(Reply {
            hands,
            parent: event.parent_event_id.clone(),
            conversation: event.correlation_id.clone(),
        })
    }
}

impl Reply {
    /// Settles what was replied to, now that the reply is durable.
    pub(crate) fn settle(self) {
        let by_id =
            self.parent.as_deref().and_then(|id| self.hands.iter().find(|hand| hand.lock().reply_to(id)));
        let replied = by_id.or_else(|| {
            let conversation = self.conversation.as_deref()?;
            self.hands.iter().find(|hand| hand.lock().reply_in(conversation))
        });
        if let Some(hand) = replied {
            hand.replied.notify_one();
        }
    }
}

impl Membership {
    pub(crate) fn hand(&self) -> &Arc<Hand> {
        &self.hand
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut hands = self.groups.hands.write().unwrap_or_else(PoisonError::into_inner);
        let Some(by_name) = hands.get_mut(&self.tenant) else {
            return;
        };
        if let Some(members) = by_name.get_mut(&self.name) {
            members.retain(|hand| !Arc::ptr_eq(hand, &self.hand));
            if members.is_empty() {
                by_name.remove(&self.name);
            }
        }
        if by_name.is_empty() {
            hands.remove(&self.tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use soorma_core::{EventId, Timestamp, Topic};

    use super::*;

    #[test]
    fn only_members_of_the_senders_group_and_tenant_are_found() {
        let groups = Arc::new(Groups::default());
        let (one, two) = (TenantId::new("one").expect("a tenant"), TenantId::new("two").expect("a tenant"));
        let id = EventId::new("e").expect("a name");
        let event = Event::new(id, "worker", "done", Timestamp::default(), Topic::ActionResults);
        let first = groups.join(&one, "worker");
        let second = groups.join(&one, "worker");
        let _other = groups.join(&one, "planner");
        assert_eq!(groups.reply(&one, &event).map(|reply| reply.hands.len()), Some(2));
        assert!(groups.reply(&two, &event).is_none());
        drop((first, second));
        assert!(groups.reply(&one, &event).is_none());
        drop(_other);
        assert!(groups.hands.read().expect("whole").is_empty());
    }
}
