//! Which instance gets which event. Knows nothing of the log.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use soorma_ports::DeliveryId;
use soorma_supervise::{Addr, Backoff, ChildSpec, Shutdown, SupervisorHandle};
use tokio::time::Instant;

use crate::handler::Fault;
use crate::instance::{Common, Instance, Msg};
use crate::lease::{self, Lease, Seat};
use crate::limits::Instances;

/// Where an instance is.
#[derive(Debug)]
enum At {
    /// Not there, or not known to be free: it says so when it is.
    Away,
    Free {
        since: Instant,
    },
    Busy,
}

#[derive(Debug)]
struct Chair {
    addr: Addr<Msg>,
    at: At,
    /// What waits for this very instance; for keyed ones only.
    queue: VecDeque<Lease>,
    key: Option<String>,
}

/// The instances of one agent.
#[derive(Debug)]
pub(crate) struct Pool {
    of: Arc<Common>,
    supervisor: SupervisorHandle,
    chairs: HashMap<Seat, Chair>,
    keys: HashMap<String, Seat>,
    /// Who works on what.
    busy: HashMap<DeliveryId, Seat>,
    /// What waits for any instance, and the instances that wait.
    queue: VecDeque<Lease>,
    free: BTreeSet<Seat>,
    /// Keyed instances that may have both time and work.
    due: VecDeque<Seat>,
    next: Seat,
    passivate_at: Option<Instant>,
}

/// An instance crashes with one event in hand; it is started again at once, the event waits by the agent's own limits.
const RESTART: Backoff = Backoff {
    first: Duration::from_millis(1),
    max: Duration::from_secs(1),
    jitter: 0.2,
    calm: Duration::from_secs(10),
};

/// Describes an instance. It has one event at a time, so its mailbox is small.
pub(crate) fn instance(of: &Arc<Common>, id: String, seat: Seat) -> (ChildSpec, Addr<Msg>) {
    let (spec, addr) = ChildSpec::actor_with_mailbox::<Instance>(id, (Arc::clone(of), seat), 4);
    // The dispatcher, which stops first, has waited for what is in hand.
    (spec.backoff(RESTART).shutdown(Shutdown::Stop(Duration::from_secs(1))), addr)
}

impl Pool {
    /// Takes over the instances that there are; asks each to say when it is free.
    pub(crate) fn new(
        of: Arc<Common>,
        supervisor: SupervisorHandle,
        addrs: &[Addr<Msg>],
        first_free: Seat,
    ) -> Self {
        let mut chairs = HashMap::new();
        for (seat, addr) in (0..).zip(addrs) {
            // One that is down says so itself when it is up.
            drop(addr.cast(Msg::Hello));
            chairs
                .insert(seat, Chair { addr: addr.clone(), at: At::Away, queue: VecDeque::new(), key: None });
        }
        let passivate_at = match of.agent.instances {
            Instances::PerKey { idle, .. } => Some(Instant::now() + idle / 2),
            Instances::Pool(_) => None,
        };
        Self {
            of,
            supervisor,
            chairs,
            keys: HashMap::new(),
            busy: HashMap::new(),
            queue: VecDeque::new(),
            free: BTreeSet::new(),
            due: VecDeque::new(),
            next: first_free,
            passivate_at,
        }
    }

    /// An instance is free.
    pub(crate) fn ready(&mut self, seat: Seat, now: Instant) {
        if self.chairs.get(&seat).is_some_and(|chair| matches!(chair.at, At::Away)) {
            self.free(seat, now);
        }
    }

    /// An event is done with, and its instance is free, or gone.
    pub(crate) fn done(&mut self, id: DeliveryId, result: &lease::Result, now: Instant) {
        let Some(seat) = self.busy.remove(&id) else { return };
        match result {
            lease::Result::Crashed(_) => self.away(seat),
            _ => self.free(seat, now),
        }
    }

    fn free(&mut self, seat: Seat, now: Instant) {
        if let Some(chair) = self.chairs.get_mut(&seat) {
            chair.at = At::Free { since: now };
            if chair.key.is_some() {
                self.due.push_back(seat);
            } else {
                self.free.insert(seat);
            }
        }
    }

    fn away(&mut self, seat: Seat) {
        if let Some(chair) = self.chairs.get_mut(&seat) {
            chair.at = At::Away;
        }
    }

    /// Takes an event in, to be handed to an instance by [`hand_out`](Self::hand_out). Makes an instance for its key if need be.
    pub(crate) async fn take(&mut self, lease: Lease) {
        let Instances::PerKey { key, .. } = &self.of.agent.instances else {
            self.queue.push_back(lease);
            return;
        };
        // The author's code: what panics on an event now will do so again.
        let Ok(key) = std::panic::catch_unwind(AssertUnwindSafe(|| key(&lease.event))) else {
            lease.settle(lease::Result::Fault(Fault::Reject(
                "the function that finds the key panicked".to_owned(),
            )));
            return;
        };
        let key = key.unwrap_or_default();
        let seat = match self.keys.get(&key) {
            Some(seat) => *seat,
            None => self.seat_for(key).await,
        };
        if let Some(chair) = self.chairs.get_mut(&seat) {
            chair.queue.push_back(lease);
            self.due.push_back(seat);
        }
    }

    async fn seat_for(&mut self, key: String) -> Seat {
        let seat = self.next;
        self.next += 1;
        // The seat's number keeps ids apart whose keys look alike.
        let shown: String = key.chars().filter(|c| !c.is_control() && *c != '/').take(60).collect();
        let (spec, addr) = instance(&self.of, format!("{shown}#{seat}"), seat);
        let started = self.supervisor.start(spec).await;
        debug_assert!(started.is_ok(), "seats are never used twice");
        let chair = Chair { addr, at: At::Away, queue: VecDeque::new(), key: Some(key.clone()) };
        self.chairs.insert(seat, chair);
        self.keys.insert(key, seat);
        if self.chairs.len() > self.of.agent.instances.capacity() {
            self.passivate_at = Some(Instant::now());
        }
        seat
    }

    /// Hands what waits to those that are free.
    pub(crate) fn hand_out(&mut self) {
        while let Some(seat) = self.due.pop_front() {
            if let Some(chair) = self.chairs.get_mut(&seat)
                && matches!(chair.at, At::Free { .. })
                && let Some(lease) = chair.queue.pop_front()
                && let Some(refused) = self.hand(seat, lease)
                && let Some(chair) = self.chairs.get_mut(&seat)
            {
                chair.queue.push_front(refused);
            }
        }
        while !self.queue.is_empty()
            && let Some(seat) = self.free.pop_first()
            && let Some(lease) = self.queue.pop_front()
        {
            if let Some(refused) = self.hand(seat, lease) {
                self.queue.push_front(refused);
            }
        }
    }

    /// Gives an event to an instance; gives it back when the instance was killed a moment ago. That one says when it is back.
    fn hand(&mut self, seat: Seat, lease: Lease) -> Option<Lease> {
        let chair = self.chairs.get_mut(&seat)?;
        let id = lease.id;
        match chair.addr.cast(Msg::Work(lease)) {
            Ok(()) => {
                chair.at = At::Busy;
                self.busy.insert(id, seat);
                None
            }
            Err(refused) => {
                chair.at = At::Away;
                match refused.into_message() {
                    Msg::Work(lease) => Some(lease),
                    Msg::Hello => None,
                }
            }
        }
    }

    /// When [`passivate`](Self::passivate) is next to be called.
    pub(crate) fn passivate_at(&self) -> Option<Instant> {
        self.passivate_at
    }

    /// Lets go of keyed instances that have long had no work, and of the longest idle ones where there are too many.
    pub(crate) async fn passivate(&mut self, now: Instant) {
        let Instances::PerKey { idle, .. } = self.of.agent.instances else { return };
        if self.passivate_at.is_some_and(|at| now < at) {
            return;
        }
        self.passivate_at = Some(now + idle / 2);
        let max = self.of.agent.instances.capacity();
        let mut free: Vec<(Instant, Seat)> = Vec::new();
        #[expect(clippy::iter_over_hash_type, reason = "sorted below")]
        for (seat, chair) in &self.chairs {
            if let At::Free { since } = chair.at
                && chair.queue.is_empty()
            {
                free.push((since, *seat));
            }
        }
        free.sort_unstable();
        // Where there are too many, a share goes at once, so that not every new key has to look for one.
        let mut surplus = self.chairs.len().saturating_sub(max);
        if surplus > 0 {
            surplus += max / 8;
        }
        for (since, seat) in free {
            if surplus == 0 && now.duration_since(since) < idle {
                break;
            }
            surplus = surplus.saturating_sub(1);
            if let Some(chair) = self.chairs.remove(&seat) {
                self.keys.remove(chair.key.as_deref().unwrap_or_default());
                self.supervisor.remove(chair.addr.id()).await;
            }
        }
    }

    /// Lets go of what waits: the log hands it out again.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.due.clear();
        #[expect(clippy::iter_over_hash_type, reason = "all are cleared alike")]
        for chair in self.chairs.values_mut() {
            chair.queue.clear();
        }
    }
}
