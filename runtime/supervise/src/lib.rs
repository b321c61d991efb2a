//! Supervision in the manner of OTP, on ractor: children as data, strategies, restart intensity, backoff,
//! ordered stop, addresses that are bounded and outlive a crash, and the tree as it is now.
//!
//! No type of ractor is public, and nobody else spawns: what runs is in the tree. `docs/supervision.md` says what
//! holds, each sentence with its test.
//!
//! ```
//! use std::time::Duration;
//! use soorma_supervise::{Actor, ChildSpec, Cx, Failure, Reply, Root, Strategy, SupervisorSpec};
//!
//! struct Counter(u64);
//! enum Msg { Add(u64), Get(Reply<u64>) }
//!
//! impl Actor for Counter {
//!     type Args = u64;
//!     type Msg = Msg;
//!     async fn start(from: u64, _cx: &mut Cx<Msg>) -> Result<Self, Failure> { Ok(Self(from)) }
//!     async fn handle(&mut self, msg: Msg, _cx: &mut Cx<Msg>) -> Result<(), Failure> {
//!         match msg {
//!             Msg::Add(n) => self.0 += n,
//!             Msg::Get(reply) => reply.send(self.0),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let (counter, addr) = ChildSpec::actor::<Counter>("counter", 40);
//! let root = Root::start(SupervisorSpec::new("root", Strategy::OneForOne).child(counter)).await.unwrap();
//! addr.cast(Msg::Add(2)).unwrap();
//! assert_eq!(addr.call(Duration::from_secs(1), Msg::Get).await.unwrap(), 42);
//! root.stop().await.unwrap();
//! # });
//! ```
#![deny(missing_docs)]

mod actor;
mod addr;
mod backoff;
mod brood;
mod handle;
mod intensity;
mod lifecycle;
mod outage;
mod rarely;
mod root;
mod sharded;
mod slot;
mod spec;
mod supervisor;
mod task;
mod tree;
mod ward;

pub use actor::{Actor, Cx, Failure, Fatal};
pub use addr::{Addr, CallError, CastError, Reply};
pub use backoff::Backoff;
pub use brood::StartError;
pub use handle::SupervisorHandle;
pub use intensity::Intensity;
pub use lifecycle::{Lifecycle, Observer, Turn};
pub use outage::Outage;
pub use rarely::Rarely;
pub use root::{GaveUp, Root};
pub use sharded::Sharded;
pub use spec::{ChildSpec, Restart, Shutdown, Strategy, SupervisorSpec};
pub use task::TaskCx;
