//! What the edge takes on, and how long it waits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration;

/// The bounds and times of the edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many bytes the body of a request may have.
    pub max_body_bytes: usize,
    /// How many bytes the body of a request with several events may have.
    pub max_batch_bytes: usize,
    /// How long a client may take to send the body of a request.
    #[serde(with = "duration")]
    pub body_within: Duration,
    /// How many streams may be open.
    pub max_streams: usize,
    /// How many streams one tenant may have open.
    pub max_streams_per_tenant: usize,
    /// How many streams one principal may have open: a user of a service tenant, as the caller says.
    pub max_streams_per_principal: usize,
    /// How long after its last message or heartbeat a stream shows a heartbeat, and how often it shows a comment.
    #[serde(with = "duration")]
    pub heartbeat_every: Duration,
    /// How many unsettled events one member of a group has in hand at most, where it does not say.
    pub stream_credit: usize,
    /// How many a member may ask for.
    pub max_credit: usize,
    /// How long a stream must stay open behind an event before that event counts as done without a reply.
    #[serde(with = "duration")]
    pub settle_after: Duration,
    /// How long a stream may take no bytes before it is ended, and a member's events go to others.
    #[serde(with = "duration")]
    pub stall_after: Duration,
    /// How long a member has for an event, where it does not say; and how long one stays with a member whose edge has died.
    #[serde(with = "duration")]
    pub ack_within: Duration,
    /// How often a group tries an event before it becomes a dead letter.
    pub max_attempts: u32,
    /// How many events all members of a group together have in hand at most.
    pub max_unsettled: u32,
    /// After how long without use a group of streams may be forgotten.
    #[serde(with = "duration")]
    pub group_idle: Duration,
    /// How many groups a tenant may have before a stream can make no more.
    pub max_groups_per_tenant: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_body_bytes: 1_024 * 1_024,
            max_batch_bytes: 8 * 1_024 * 1_024,
            body_within: Duration::from_secs(30),
            max_streams: 10_000,
            max_streams_per_tenant: 2_000,
            max_streams_per_principal: 1_000,
            heartbeat_every: Duration::from_secs(15),
            stream_credit: 256,
            max_credit: 4_096,
            settle_after: Duration::from_secs(5),
            stall_after: Duration::from_secs(30),
            ack_within: Duration::from_secs(30),
            max_attempts: 5,
            max_unsettled: 4_096,
            group_idle: Duration::from_secs(7 * 86_400),
            max_groups_per_tenant: 10_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_written_and_read_as_they_are() {
        let text = serde_json::to_string(&Config::default()).expect("serialises");
        assert!(text.contains(r#""settle_after":"5s""#), "{text}");
        assert_eq!(serde_json::from_str::<Config>(&text).expect("reads"), Config::default());
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = serde_json::from_str::<Config>(r#"{"max_stream": 1}"#).expect_err("unknown");
        assert!(error.to_string().contains("max_stream"), "{error}");
    }
}
