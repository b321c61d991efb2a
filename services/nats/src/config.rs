//! Where the server is, and how much the log keeps.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use soorma_core::Topic;

/// The connection, and the bounds of the log.
///
/// What an answer means is said at [`Durability`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsLogConfig {
    /// Servers of one cluster, such as `nats://127.0.0.1:4222`; any one that answers is enough.
    pub servers: Vec<String>,
    /// Who we are.
    pub credentials: Credentials,
    /// A file of root certificates, in place of those of the system.
    pub tls_root: Option<PathBuf>,
    /// Whether a connection without TLS is refused.
    pub tls_required: bool,
    /// What the names of our streams and subjects begin with.
    pub prefix: String,
    /// On how many servers each stream is kept.
    pub replicas: usize,
    /// How much is kept of a topic.
    pub retain: Retention,
    /// The same, for topics that differ.
    pub retain_of: BTreeMap<Topic, Retention>,
    /// For which servers appends are made.
    pub durability: Durability,
    /// How many publishes wait for their answer at once; more wait their turn.
    pub max_unanswered: usize,
    /// How long an answer of the server is waited for. A connection that is seen to be lost is not waited for at all.
    pub answer_within: Duration,
}

/// For which servers appends are made. Nothing on the wire says how a server is set, so this is to be set as the server is.
///
/// With both, an answer means that the server has written the event, so it survives the end of our process and of the
/// server's. Whether it survives a power cut is the server's `sync_interval`, or `replicas` on machines that do not fail together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// For servers that sync now and then: two minutes if nothing is set. Each append is sent at once.
    #[default]
    Acknowledged,
    /// For servers with `jetstream { sync_interval: always }`, which sync before they answer, one publish after the other. Appends
    /// that wait at the same time are sent as one batch, which is synced once.
    Synced,
}

/// Who we are to the server.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Credentials {
    /// Nobody, or whom the URL names.
    #[default]
    None,
    /// A credentials file, as `nsc` writes it.
    File(PathBuf),
    /// A user and a password.
    User {
        /// The user.
        name: String,
        /// The password.
        password: String,
    },
    /// A token.
    Token(String),
}

impl std::fmt::Debug for Credentials {
    /// Without what is secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::User { name, .. } => f.debug_struct("User").field("name", name).finish_non_exhaustive(),
            Self::Token(_) => f.write_str("Token(..)"),
        }
    }
}

/// How much is kept of a topic; what is older or more goes first. Dead letters are kept until they are dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// How long.
    pub age: Duration,
    /// How many events.
    pub events: Option<u64>,
    /// How many bytes.
    pub bytes: Option<u64>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_secs(7 * 24 * 3_600), events: Some(1_000_000), bytes: None }
    }
}

impl Default for NatsLogConfig {
    fn default() -> Self {
        Self {
            servers: vec!["nats://127.0.0.1:4222".into()],
            credentials: Credentials::None,
            tls_root: None,
            tls_required: false,
            prefix: "soorma".into(),
            replicas: 1,
            retain: Retention::default(),
            retain_of: BTreeMap::new(),
            durability: Durability::default(),
            // 512: beyond it, one server answers no faster.
            max_unanswered: 512,
            answer_within: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        for secret in [
            Credentials::Token("hunter2".into()),
            Credentials::User { name: "soorma".into(), password: "hunter2".into() },
        ] {
            assert!(!format!("{secret:?}").contains("hunter2"));
        }
    }
}
