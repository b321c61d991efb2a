//! Every route, by name.

pub mod memory;

/// Publishes an event (`POST`).
pub const PUBLISH: &str = "/v1/events/publish";
/// Publishes several events, all or none (`POST`).
pub const BATCH: &str = "/v1/events:batch";
/// Opens a live stream or joins a group (`GET`, SSE).
pub const STREAM: &str = "/v1/events/stream";
/// Acknowledges deliveries (`POST`).
pub const ACK: &str = "/v1/deliveries:ack";
/// Gives deliveries back that have failed (`POST`).
pub const NACK: &str = "/v1/deliveries:nack";
/// Has the time to settle deliveries begin anew (`POST`).
pub const EXTEND: &str = "/v1/deliveries:extend";
/// The same for one delivery: its id, a colon, and `ack`, `nack` or `extend` (`POST`).
pub const DELIVERY: &str = "/v1/deliveries/{delivery}";
/// Lists groups and how far behind they are (`GET`).
pub const GROUPS: &str = "/v1/groups";
/// Shows one group (`GET`), removes it (`DELETE`), and with a colon and `pause`, `resume` or `seek` behind its name does that (`POST`).
pub const GROUP: &str = "/v1/groups/{group}";
/// Lists the caller's open streams (`GET`).
pub const CONNECTIONS: &str = "/v1/admin/connections";
/// Lists dead letters (`GET`).
pub const DEAD_LETTERS: &str = "/v1/dead-letters";
/// Shows one dead letter (`GET`).
pub const DEAD_LETTER: &str = "/v1/dead-letters/{id}";
/// Gives dead letters back to their groups (`POST`).
pub const REDRIVE: &str = "/v1/dead-letters/redrive";
/// Drops dead letters (`POST`).
pub const DISCARD: &str = "/v1/dead-letters/discard";
/// Registers an agent (`POST`), and lists them (`GET`).
pub const AGENTS: &str = "/v1/agents";
/// Lists agents that are there to be asked (`GET`).
pub const DISCOVER: &str = "/v1/agents/discover";
/// Shows one agent (`GET`), and removes it (`DELETE`).
pub const AGENT: &str = "/v1/agents/{id}";
/// Renews an agent's lease (`PUT`, `POST`).
pub const HEARTBEAT: &str = "/v1/agents/{id}/heartbeat";
/// Says what an event means (`POST`), and lists what was said (`GET`).
pub const EVENTS: &str = "/v1/events";
/// Shows what one event means (`GET`).
pub const EVENT: &str = "/v1/events/{name}";
/// Registers a schema (`POST`), and lists them (`GET`).
pub const SCHEMAS: &str = "/v1/schemas";
/// Shows the version of a schema that was registered last (`GET`).
pub const SCHEMA: &str = "/v1/schemas/{name}";
/// Lists all versions of a schema (`GET`).
pub const SCHEMA_VERSIONS: &str = "/v1/schemas/{name}/versions";
/// Shows one version of a schema (`GET`).
pub const SCHEMA_VERSION: &str = "/v1/schemas/{name}/versions/{version}";
/// Shows the supervision tree (`GET`).
pub const TREE: &str = "/v1/runtime/tree";
/// Says how the node is (`GET`).
pub const HEALTH: &str = "/health";
/// Says that the process answers (`GET`).
pub const LIVEZ: &str = "/livez";
/// Says whether the node takes work (`GET`).
pub const READYZ: &str = "/readyz";
/// Says which version runs (`GET`).
pub const VERSION: &str = "/version";
/// Says how much there is of what, for Prometheus (`GET`).
pub const METRICS: &str = "/metrics";
/// Says what this is (`GET`).
pub const ROOT: &str = "/";

/// All routes with their method, in the order in which they are shown.
pub const ALL: [(&str, &str); 85] = [
    ("POST", PUBLISH),
    ("POST", BATCH),
    ("GET", STREAM),
    ("POST", ACK),
    ("POST", NACK),
    ("POST", EXTEND),
    ("POST", DELIVERY),
    ("GET", GROUPS),
    ("GET", GROUP),
    ("DELETE", GROUP),
    ("POST", GROUP),
    ("GET", CONNECTIONS),
    ("GET", DEAD_LETTERS),
    ("GET", DEAD_LETTER),
    ("POST", REDRIVE),
    ("POST", DISCARD),
    ("POST", AGENTS),
    ("GET", AGENTS),
    ("GET", DISCOVER),
    ("GET", AGENT),
    ("DELETE", AGENT),
    ("PUT", HEARTBEAT),
    ("POST", HEARTBEAT),
    ("POST", EVENTS),
    ("GET", EVENTS),
    ("GET", EVENT),
    ("POST", SCHEMAS),
    ("GET", SCHEMAS),
    ("GET", SCHEMA),
    ("GET", SCHEMA_VERSIONS),
    ("GET", SCHEMA_VERSION),
    ("POST", memory::SEMANTIC),
    ("GET", memory::SEMANTIC),
    ("POST", memory::SEMANTIC_QUERY),
    ("GET", memory::SEMANTIC_SEARCH),
    ("GET", memory::FACT),
    ("DELETE", memory::FACT),
    ("POST", memory::EPISODIC),
    ("GET", memory::EPISODIC),
    ("GET", memory::EPISODIC_RECENT),
    ("GET", memory::EPISODIC_SEARCH),
    ("GET", memory::EPISODIC_WINDOW),
    ("POST", memory::PROCEDURAL),
    ("GET", memory::PROCEDURAL),
    ("GET", memory::PROCEDURAL_CONTEXT),
    ("GET", memory::SKILL),
    ("PUT", memory::SKILL),
    ("DELETE", memory::SKILL),
    ("GET", memory::WORKING),
    ("DELETE", memory::WORKING),
    ("GET", memory::VALUE),
    ("PUT", memory::VALUE),
    ("POST", memory::VALUE),
    ("DELETE", memory::VALUE),
    ("POST", memory::TASK_CONTEXTS),
    ("GET", memory::TASK_CONTEXT_OF),
    ("GET", memory::TASK_CONTEXT),
    ("PUT", memory::TASK_CONTEXT),
    ("DELETE", memory::TASK_CONTEXT),
    ("POST", memory::PLAN_CONTEXTS),
    ("GET", memory::PLAN_CONTEXT_OF),
    ("GET", memory::PLAN_CONTEXT),
    ("PUT", memory::PLAN_CONTEXT),
    ("DELETE", memory::PLAN_CONTEXT),
    ("POST", memory::PLANS),
    ("GET", memory::PLANS),
    ("GET", memory::PLAN),
    ("PUT", memory::PLAN),
    ("DELETE", memory::PLAN),
    ("POST", memory::SESSIONS),
    ("GET", memory::SESSIONS),
    ("GET", memory::SESSION),
    ("DELETE", memory::SESSION),
    ("GET", memory::STATS),
    ("POST", memory::REEMBED),
    ("DELETE", memory::ERASE_TENANT),
    ("DELETE", memory::ERASE_SERVICE_TENANT),
    ("DELETE", memory::ERASE_USER),
    ("GET", TREE),
    ("GET", HEALTH),
    ("GET", LIVEZ),
    ("GET", READYZ),
    ("GET", VERSION),
    ("GET", METRICS),
    ("GET", ROOT),
];

/// Returns the path of one dead letter.
pub fn dead_letter(id: u64) -> String {
    format!("{DEAD_LETTERS}/{id}")
}
