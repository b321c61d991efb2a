//! The sockets of Soorma: one trait a file, its contract in numbered clauses.
//!
//! Whoever implements a port runs the suite of that port in `soorma-testkit`, which has a case for each clause.
#![deny(missing_docs)]

mod bus;
mod clock;
mod entropy;
mod event_log;

pub use bus::{Bus, Live, Subscriber, Subscription};
pub use clock::Clock;
pub use entropy::{Entropy, new_event_id};
pub use event_log::{
    Appended, Bounds, Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, Delivery, DeliveryId, Entry,
    EventLog, EventLogError, Follower, Page, Reach, Settle, Start,
};
