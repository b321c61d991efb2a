//! Who is to look when something was stored.
//!
//! The server says of every event and of every state of a group that it was stored, without content. It may leave out some of
//! it, when the connection is lost or we are slow; then everybody looks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_nats::Subscriber;
use futures_util::StreamExt as _;
use soorma_core::{Name, TenantId, Topic};
use soorma_ports::DeliveryId;
use tokio::sync::Notify;

use crate::names::{Names, What};
use crate::token::encode;

/// All topics at once, a bit each.
pub(crate) const EVERY_TOPIC: u64 = 0xff;

#[derive(Debug)]
pub(crate) struct Signals {
    appended: Vec<Notify>,
    /// By the tokens of tenant and group.
    groups: Mutex<BTreeMap<String, BTreeMap<String, Weak<Hint>>>>,
}

/// What one group is told.
#[derive(Debug, Default)]
pub(crate) struct Hint {
    pub(crate) wake: Notify,
    /// Topics in which something was appended, a bit each.
    fresh: AtomicU64,
    /// The newest state that is known to be stored.
    newest: AtomicU64,
    /// Hand-outs that nobody took.
    untaken: Mutex<Vec<DeliveryId>>,
}

pub(crate) fn bit(topic: Topic) -> u64 {
    1 << topic.number()
}

impl Hint {
    pub(crate) fn appended(&self, topics: u64) {
        self.fresh.fetch_or(topics, Ordering::SeqCst);
        self.wake.notify_one();
    }

    pub(crate) fn is_fresh(&self, topic: Topic) -> bool {
        self.fresh.load(Ordering::SeqCst) & bit(topic) != 0
    }

    /// To be called before one looks: what is appended from now on is told again.
    pub(crate) fn looking(&self, topic: Topic) {
        self.fresh.fetch_and(!bit(topic), Ordering::SeqCst);
    }

    pub(crate) fn newest(&self) -> u64 {
        self.newest.load(Ordering::SeqCst)
    }

    /// To be called before the state is read because it may have changed unheard.
    pub(crate) fn forget_newest(&self) {
        self.newest.store(0, Ordering::SeqCst);
    }

    fn state_stored(&self, revision: u64) {
        self.newest.fetch_max(revision, Ordering::SeqCst);
        self.wake.notify_one();
    }

    pub(crate) fn give_back(&self, ids: impl Iterator<Item = DeliveryId>) {
        self.untaken.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
        self.wake.notify_one();
    }

    pub(crate) fn take_untaken(&self) -> Vec<DeliveryId> {
        std::mem::take(&mut *self.untaken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Signals {
    pub(crate) fn new() -> Arc<Self> {
        let appended = Topic::ALL.iter().map(|_| Notify::new()).collect();
        Arc::new(Self { appended, groups: Mutex::default() })
    }

    /// Returns what is called when something is appended to a topic.
    pub(crate) fn of_topic(&self, topic: Topic) -> Option<&Notify> {
        self.appended.get(usize::from(topic.number()))
    }

    pub(crate) fn listen(&self, tenant: &TenantId, group: &Name, hint: &Arc<Hint>) {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = groups.entry(encode(tenant.as_str())).or_default();
        of_tenant.retain(|_, hint| hint.strong_count() > 0);
        of_tenant.insert(encode(group.as_str()), Arc::downgrade(hint));
    }

    pub(crate) fn all_may_have_changed(&self) {
        self.appended.iter().for_each(Notify::notify_waiters);
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        for hint in groups.values().flat_map(BTreeMap::values).filter_map(Weak::upgrade) {
            // One more than any sequence that was seen: the state is read anew.
            hint.state_stored(u64::MAX);
            hint.appended(EVERY_TOPIC);
        }
    }

    fn event_stored(&self, topic: Topic, tenant: &str) {
        if let Some(appended) = self.of_topic(topic) {
            appended.notify_waiters();
        }
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        for hint in groups.get(tenant).into_iter().flat_map(BTreeMap::values).filter_map(Weak::upgrade) {
            hint.appended(bit(topic));
        }
    }

    pub(crate) fn state_stored(&self, tenant: &str, group: &str, revision: u64) {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hint) = groups.get(tenant).and_then(|groups| groups.get(group)).and_then(Weak::upgrade) {
            hint.state_stored(revision);
        }
    }
}

/// Passes on what the server says, until the connection is closed.
pub(crate) async fn pass_on(signals: Arc<Signals>, names: Names, mut stored: Subscriber) {
    while let Some(message) = stored.next().await {
        match names.what_was_stored(&message.subject) {
            Some(What::Event { topic, tenant }) => signals.event_stored(topic, tenant),
            Some(What::State { tenant, group }) => {
                let sequence = message.headers.as_ref().and_then(|headers| headers.get("Nats-Sequence"));
                let sequence = sequence.and_then(|sequence| sequence.as_str().parse().ok());
                signals.state_stored(tenant, group, sequence.unwrap_or(u64::MAX));
            }
            None => {}
        }
    }
}
