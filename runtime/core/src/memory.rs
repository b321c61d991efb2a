//! Memory as it is spoken of: whose it is, its kinds, and what each of them has. Field names on the wire are those of CONTRACT 2.8.

mod episode;
mod fact;
mod kind;
mod owner;
mod recalled;
mod skill;
mod stats;
mod work;
mod working;

pub use episode::{Episode, Role, UnknownRole};
pub use fact::Fact;
pub use kind::{InvalidKind, MemoryKind};
pub use owner::{InvalidOwner, MemoryScope, Owner};
pub use recalled::{Explanation, Place};
pub use skill::Skill;
pub use stats::{EmbeddingStatus, MemoryReceipt, MemoryStats, ReceiptLine, StatsLine};
pub use work::{Plan, PlanContext, PlanStatus, Session, TaskContext, UnknownPlanStatus};
pub use working::{WorkingChange, WorkingKey, WorkingValue};
