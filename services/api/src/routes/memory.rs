//! The routes of memory (CONTRACT 2.8), and ours beside them.

/// Stores a text (`POST`), and lists them (`GET`).
pub const SEMANTIC: &str = "/v1/memory/semantic";
/// Searches texts by what stands in the query (`POST`).
pub const SEMANTIC_QUERY: &str = "/v1/memory/semantic/query";
/// The same, as `GET`.
pub const SEMANTIC_SEARCH: &str = "/v1/memory/semantic/search";
/// Shows one text (`GET`), and removes it (`DELETE`).
pub const FACT: &str = "/v1/memory/semantic/{id}";

/// Adds to what happened (`POST`), and lists it (`GET`).
pub const EPISODIC: &str = "/v1/memory/episodic";
/// Lists what happened last with an agent (`GET`).
pub const EPISODIC_RECENT: &str = "/v1/memory/episodic/recent";
/// Searches what happened with an agent (`GET`).
pub const EPISODIC_SEARCH: &str = "/v1/memory/episodic/search";
/// Shows the end of a conversation, as much as fits (`GET`).
pub const EPISODIC_WINDOW: &str = "/v1/memory/episodic/window";

/// Stores a skill, prompt or rule (`POST`), and lists them (`GET`).
pub const PROCEDURAL: &str = "/v1/memory/procedural";
/// Searches those of an agent by their triggers (`GET`).
pub const PROCEDURAL_CONTEXT: &str = "/v1/memory/procedural/context";
/// Shows one (`GET`), puts another in its place (`PUT`), and removes it (`DELETE`).
pub const SKILL: &str = "/v1/memory/procedural/{id}";

/// Lists the keys of a plan, or with `watch=true` follows what happens to it (`GET`), and removes all its values (`DELETE`).
pub const WORKING: &str = "/v1/memory/working/{plan_id}";
/// Shows a value (`GET`), sets it (`PUT`), changes it in one step (`POST`), and removes it (`DELETE`).
pub const VALUE: &str = "/v1/memory/working/{plan_id}/{key}";

/// Stores what a task goes on with (`POST`).
pub const TASK_CONTEXTS: &str = "/v1/memory/task-context";
/// Shows what the task goes on with that waits for this one (`GET`).
pub const TASK_CONTEXT_OF: &str = "/v1/memory/task-context/by-subtask/{sub_task_id}";
/// Shows what a task goes on with (`GET`), changes it (`PUT`), and removes it (`DELETE`).
pub const TASK_CONTEXT: &str = "/v1/memory/task-context/{task_id}";

/// Stores what a plan goes on with (`POST`).
pub const PLAN_CONTEXTS: &str = "/v1/memory/plan-context";
/// Shows what the plan goes on with that waits for this correlation id (`GET`).
pub const PLAN_CONTEXT_OF: &str = "/v1/memory/plan-context/by-correlation/{correlation_id}";
/// Shows what a plan goes on with (`GET`), changes it (`PUT`), and removes it (`DELETE`).
pub const PLAN_CONTEXT: &str = "/v1/memory/plan-context/{plan_id}";

/// Makes a plan (`POST`), and lists them (`GET`).
pub const PLANS: &str = "/v1/memory/plans";
/// Shows a plan (`GET`), says how it is (`PUT`), and removes it (`DELETE`).
pub const PLAN: &str = "/v1/memory/plans/{plan_id}";
/// Makes a session (`POST`), and lists them (`GET`).
pub const SESSIONS: &str = "/v1/memory/sessions";
/// Shows a session (`GET`), and removes it (`DELETE`).
pub const SESSION: &str = "/v1/memory/sessions/{session_id}";

/// Says how much there is (`GET`).
pub const STATS: &str = "/v1/memory/stats";
/// Has the vectors of the tenant made anew (`POST`).
pub const REEMBED: &str = "/v1/memory/reembed";
/// Erases all that a tenant has (`DELETE`).
pub const ERASE_TENANT: &str = "/v1/memory/admin/platform/{tenant}";
/// Erases all that a service tenant has (`DELETE`).
pub const ERASE_SERVICE_TENANT: &str = "/v1/memory/admin/tenant/{tenant}/{service_tenant}";
/// Erases all that a user has (`DELETE`).
pub const ERASE_USER: &str = "/v1/memory/admin/user/{tenant}/{service_tenant}/{user}";
