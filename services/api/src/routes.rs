//! Every route, by name.

/// Publishes an event (`POST`).
pub const PUBLISH: &str = "/v1/events/publish";
/// Opens a live stream or joins a group (`GET`, SSE).
pub const STREAM: &str = "/v1/events/stream";
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
/// Says what this is (`GET`).
pub const ROOT: &str = "/";

/// All routes with their method, in the order in which they are shown.
pub const ALL: [(&str, &str); 13] = [
    ("POST", PUBLISH),
    ("GET", STREAM),
    ("GET", CONNECTIONS),
    ("GET", DEAD_LETTERS),
    ("GET", DEAD_LETTER),
    ("POST", REDRIVE),
    ("POST", DISCARD),
    ("GET", TREE),
    ("GET", HEALTH),
    ("GET", LIVEZ),
    ("GET", READYZ),
    ("GET", VERSION),
    ("GET", ROOT),
];

/// Returns the path of one dead letter.
pub fn dead_letter(id: u64) -> String {
    format!("{DEAD_LETTERS}/{id}")
}
