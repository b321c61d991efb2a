//! Agents that run elsewhere and are connected by a stream.

use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{Cursor, Error, Event, Name, TenantId};

use crate::{Appended, ConsumerSpec, Delivery, DeliveryId, Settle};

/// Connects agents that run elsewhere. Each is a proxy in the tree, which takes events from the agent's group for it.
///
/// # Contract
/// 1. **Credit.** An agent is never shown more than [`ExternalAgent::credit`] events that are not settled, and its proxy asks the group for
///    no more than that.
/// 2. **Settled** is what the agent settles by [`settle`](Self::settle) where its [`Acks`] are explicit, and where they are implied what it
///    answers, or has had on its open connection for `settle_after`. What is not settled explicitly within the group's `ack_within` goes to
///    another.
/// 3. **Given back**, in order, is what is unsettled when the connection ends: the oldest counts as tried, the others do not. Where the
///    node closes it, none does.
/// 4. **Replies reach who asked.** An event whose correlation id was first published under an `agent_id` goes to the connection of that
///    `agent_id` in the group, while that is open in this node.
/// 5. **One that keeps failing** (what it rejects or does not settle in time, what it has in hand when its connection ends) is shown one
///    event at a time, after a pause, until it settles one.
#[async_trait]
pub trait ExternalAgents: Send + Sync + std::fmt::Debug + 'static {
    /// Joins the agent's group and puts a proxy for it into the tree.
    ///
    /// # Errors
    /// `conflict` where the group is that of an agent which the node hosts.
    async fn connect(&self, agent: ExternalAgent) -> Result<Box<dyn Connection>, Error>;

    /// Is told of events before they are published, as whoever it may be that publishes them: what they answer counts as answered when
    /// [`Publishing::done`] says that they are durable, and what answers them goes to `agent_id`. Where none is said, a sender that has the
    /// name of an open connection's `agent_id` is taken for that.
    fn publishing(
        &self,
        tenant: &TenantId,
        agent_id: Option<&str>,
        events: &[Event],
    ) -> Option<Box<dyn Publishing>>;

    /// Settles deliveries by their tickets, whoever has the connection; says for each whether it counted, which it does not where there is
    /// no such group.
    async fn settle(&self, tenant: &TenantId, settlements: Vec<(Ticket, Settle)>)
    -> Result<Vec<bool>, Error>;

    /// Returns how many connections of this node are members of a group.
    fn connections(&self, tenant: &TenantId, group: &Name) -> usize;

    /// Returns whether the group is that of an agent which the node hosts.
    fn hosts(&self, tenant: &TenantId, group: &Name) -> bool;
}

/// An agent that connects.
#[derive(Debug, Clone)]
pub struct ExternalAgent {
    /// Its group.
    pub group: ConsumerSpec,
    /// The name of this one of its instances.
    pub agent_id: Name,
    /// The connection's id, unique.
    pub connection_id: String,
    /// How it says that it is done with an event.
    pub acks: Acks,
    /// How many unsettled events it has at most; at least 1.
    pub credit: usize,
    /// The event types that it wants; all where there is nothing. Others count as done, unless another connection of the group in this
    /// node wants them.
    pub kinds: Option<Kinds>,
}

/// How an agent says that it is done with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// By its ticket; what is not settled within the group's `ack_within` goes to another.
    Explicit,
    /// By answering it, or by staying connected for so long after it was taken from the connection.
    Implied {
        /// How long.
        settle_after: Duration,
    },
}

/// Which event types are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kinds(Vec<String>);

/// The far end of an agent's connection. Dropped, the connection has ended, and the agent may be why.
#[async_trait]
pub trait Connection: Send + std::fmt::Debug {
    /// Waits for what the agent is to be shown next. What was shown by the last call counts as taken by the agent. Dropping the future
    /// loses nothing.
    async fn next(&mut self) -> Outgoing;

    /// Ends the connection, of which the agent is not to blame; returns when what was unsettled is given back.
    async fn close(&mut self);
}

/// What an agent is shown.
#[derive(Debug)]
pub enum Outgoing {
    /// An event, its ticket, and the place behind it.
    Event {
        /// What it was handed.
        delivery: Delivery,
        /// By what it is settled.
        ticket: Ticket,
        /// How long it has, where it settles explicitly.
        lease: Duration,
        /// What the agent has been shown of its topics.
        cursor: Cursor,
    },
    /// The last: the node stops, or the proxy has failed. Asked again, it says so again.
    End,
}

/// Events on their way into the log.
pub trait Publishing: Send {
    /// They are durable: where each of them stands, in their order. One that was there before settles only the event that it names as
    /// its parent, since it has settled what it answers in its conversation.
    fn done(self: Box<Self>, appended: &[Appended]);
}

/// Names a delivery to those who are not in this process. Written `action-requests:7:1:worker`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// The group.
    pub group: Name,
    /// The delivery.
    pub delivery: DeliveryId,
}

/// A text that is no ticket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not the id of a delivery; send back the delivery_id of a frame unchanged")]
pub struct InvalidTicket;

impl std::fmt::Display for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let DeliveryId { topic, position, attempt } = self.delivery;
        write!(f, "{topic}:{position}:{attempt}:{}", self.group)
    }
}

impl std::str::FromStr for Ticket {
    type Err = InvalidTicket;

    fn from_str(text: &str) -> Result<Self, InvalidTicket> {
        let mut parts = text.splitn(4, ':');
        let mut part = || parts.next().ok_or(InvalidTicket);
        let topic = part()?.parse().map_err(|_| InvalidTicket)?;
        let position = soorma_core::Position(part()?.parse().map_err(|_| InvalidTicket)?);
        let attempt = part()?.parse().map_err(|_| InvalidTicket)?;
        let group = Name::new(part()?).map_err(|_| InvalidTicket)?;
        Ok(Self { group, delivery: DeliveryId { topic, position, attempt } })
    }
}

impl Kinds {
    /// Reads types with commas between them; `order.*` stands for all that begin with `order.`. `None` where none is named.
    pub fn parse(text: &str) -> Option<Self> {
        let kinds: Vec<String> =
            text.split(',').map(str::trim).filter(|kind| !kind.is_empty()).map(str::to_owned).collect();
        (!kinds.is_empty()).then_some(Self(kinds))
    }

    /// Says whether a type is wanted.
    pub fn wants(&self, kind: &str) -> bool {
        self.0.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(begin) => kind.starts_with(begin),
            None => wanted == kind,
        })
    }
}

#[cfg(test)]
mod tests {
    use soorma_core::{Position, Topic};

    use super::*;

    #[test]
    fn a_ticket_reads_back_what_it_writes_whatever_the_group_is_called() {
        for group in ["worker", "a:b:c", "x:ack", "ä /%"] {
            let delivery = DeliveryId { topic: Topic::PlanEvents, position: Position(7), attempt: 2 };
            let ticket = Ticket { group: Name::new(group).unwrap(), delivery };
            assert_eq!(ticket.to_string(), format!("plan-events:7:2:{group}"));
            assert_eq!(ticket.to_string().parse(), Ok(ticket));
        }
        for wrong in ["", "7", "plan-events:7:2", "plan-events:7:2:", "plans:7:2:g", "plan-events:-7:2:g"] {
            assert_eq!(wrong.parse::<Ticket>(), Err(InvalidTicket), "{wrong}");
        }
    }

    #[test]
    fn kinds_are_whole_types_or_what_types_begin_with() {
        let kinds = Kinds::parse(" order.placed, bill.* ,").unwrap();
        for (kind, wanted) in
            [("order.placed", true), ("order.placed.late", false), ("bill.sent", true), ("bill", false)]
        {
            assert_eq!(kinds.wants(kind), wanted, "{kind}");
        }
        assert!(Kinds::parse("*").unwrap().wants("anything"));
        assert_eq!(Kinds::parse(" , "), None);
    }
}
