//! Memory, as the edge, hosted agents and commands see it: one trait for what each kind can do.

mod episodic;
mod procedural;
mod recall;
mod semantic;
mod upkeep;
mod work;
mod working;

pub use episodic::{EpisodeQuery, Episodic, NewEpisode, Window};
pub use procedural::{NewSkill, Procedural, SkillQuery};
pub use recall::{After, Found, ListQuery, Listed, Recall, RecallFilter, Weights};
pub use semantic::{NewFact, Semantic};
pub use upkeep::{MemoryTally, Upkeep};
pub use work::{
    NewPlan, NewPlanContext, NewSession, NewTaskContext, PlanContextChange, PlanQuery, TaskContextChange,
    Work,
};
pub use working::{SetWhen, Working, WorkingOp, WorkingWatch};

/// All of memory.
///
/// # Contract
/// 1. Nothing is answered before it is in the store.
/// 2. Nothing of one tenant is shown to, counted for, or changed by another; nothing private of one owner by another.
/// 3. A write waits for no model longer than a bounded time: what could not be turned into a vector by then is stored without, found by its words and by time, and gets its vector later.
/// 4. No connection to a store is held while a model is waited for.
/// 5. There is never more work waiting than a bounded number: beyond that it answers `overloaded` at once.
/// 6. A search has as many rows as were asked for whenever as many fit. Where the meaning of the question cannot be had in time it goes by words and time and says so.
pub trait Memory:
    Semantic + Episodic + Procedural + Working + Work + Upkeep + Send + Sync + std::fmt::Debug + 'static
{
}

impl<T> Memory for T where
    T: Semantic + Episodic + Procedural + Working + Work + Upkeep + Send + Sync + std::fmt::Debug + 'static
{
}
