//! Groups.
//!
//! All that a group is (how far it has come, what is in hand or waits) is one small message in the stream of groups, replaced
//! by compare-and-set: `state` is what is in it, without waiting, `store` reads and replaces it. In each process `worker` does
//! what the members ask, many calls in one replacement, and `member` is what a member holds.
//!
//! A dead letter is stored in one batch with the state that no longer has the event.

mod letter;
mod member;
mod open_list;
mod places;
mod state;
mod store;
mod worker;

pub(crate) use letter::Letter;
pub(crate) use member::{Member, settle};
pub(crate) use state::{Due, GroupState, MOST_BURIED};
pub(crate) use store::Saved;
pub(crate) use worker::{Ask, MARK_STAYS, Worker};
