//! Our streams: made where they do not exist, brought up to date where they differ.
//!
//! What an operator has set beside our settings (placement, compression, a description) stays as it is.

use std::time::Duration;

use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Republish, RetentionPolicy, StorageType};
use async_nats::jetstream::{Context, ErrorCode};
use soorma_core::Topic;
use soorma_ports::EventLogError;

use crate::config::{NatsLogConfig, Retention};
use crate::error::away;
use crate::names::Names;

/// How long a call stays written down at most: longer than a weekend on which nobody looks after the server.
const CALLS_KEPT: Duration = Duration::from_secs(72 * 3_600);
/// And what part of the time that the events of any topic are kept.
const PART_OF_RETENTION: u32 = 4;

pub(crate) async fn provision(
    jetstream: &Context,
    names: &Names,
    config: &NatsLogConfig,
) -> Result<(), EventLogError> {
    for topic in Topic::ALL {
        let retain = config.retain_of.get(&topic).unwrap_or(&config.retain);
        bring_about(jetstream, &events(names, config, topic, retain)).await?;
    }
    bring_about(jetstream, &groups(names, config)).await?;
    bring_about(jetstream, &calls(names, config)).await
}

fn common(config: &NatsLogConfig) -> Config {
    Config {
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        num_replicas: config.replicas,
        allow_direct: true,
        allow_atomic_publish: true,
        max_messages: -1,
        max_bytes: -1,
        max_messages_per_subject: -1,
        ..Config::default()
    }
}

fn events(names: &Names, config: &NatsLogConfig, topic: Topic, retain: &Retention) -> Config {
    let most = |number: Option<u64>| number.map_or(-1, |number| i64::try_from(number).unwrap_or(i64::MAX));
    Config {
        name: names.events_stream(topic),
        subjects: vec![names.all_events(topic)],
        max_age: retain.age,
        max_messages: most(retain.events),
        max_bytes: most(retain.bytes),
        republish: Some(Republish {
            source: names.all_events(topic),
            destination: names.republished(&format!("events.{topic}")),
            headers_only: true,
        }),
        ..common(config)
    }
}

/// The newest message of a subject is all that is kept of it: the state of a group, a dead letter.
fn groups(names: &Names, config: &NatsLogConfig) -> Config {
    Config {
        name: names.groups_stream(),
        subjects: vec![names.all_groups()],
        max_messages_per_subject: 1,
        allow_message_ttl: true,
        republish: Some(Republish {
            source: names.all_states(),
            destination: names.republished("state"),
            headers_only: true,
        }),
        ..common(config)
    }
}

/// A call is dropped long before its events are: finished later than that, it would append them a second time.
fn calls(names: &Names, config: &NatsLogConfig) -> Config {
    let ages = Topic::ALL.iter().map(|topic| config.retain_of.get(topic).unwrap_or(&config.retain).age);
    let shortest = ages.filter(|age| !age.is_zero()).min();
    Config {
        name: names.calls_stream(),
        subjects: vec![names.all_calls()],
        max_age: shortest.map_or(CALLS_KEPT, |shortest| CALLS_KEPT.min(shortest / PART_OF_RETENTION)),
        ..common(config)
    }
}

async fn bring_about(jetstream: &Context, wanted: &Config) -> Result<(), EventLogError> {
    // Twice: another process may make it in between.
    for _ in 0..2 {
        match jetstream.get_stream(&wanted.name).await {
            Ok(stream) => return update(jetstream, &stream.cached_info().config, wanted).await,
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                }
                GetStreamErrorKind::JetStream(error) => return Err(refusal(&wanted.name, &error)),
                _ => return Err(no_jetstream(&error)),
            },
        }
        match jetstream.create_stream(wanted.clone()).await {
            Ok(_) => return Ok(()),
            Err(error) => match error.kind() {
                CreateStreamErrorKind::JetStream(error)
                    if error.error_code() == ErrorCode::STREAM_NAME_EXIST => {}
                CreateStreamErrorKind::JetStream(error) => return Err(refusal(&wanted.name, &error)),
                _ => return Err(no_jetstream(&error)),
            },
        }
    }
    Err(away(format!("the stream {} is made and deleted by others", wanted.name)))
}

async fn update(jetstream: &Context, found: &Config, wanted: &Config) -> Result<(), EventLogError> {
    let name = &wanted.name;
    let invalid = |what: &str| {
        Err(EventLogError::Invalid(format!(
            "the stream {name} {what}, which cannot be changed in place; delete it, or take another prefix"
        )))
    };
    if found.storage != wanted.storage {
        return invalid("is kept in memory and not in files");
    }
    if found.retention != wanted.retention {
        return invalid("drops messages when they are consumed");
    }
    if found.mirror.is_some() || found.sources.is_some() {
        return invalid("is a copy of another stream");
    }
    if found.sealed {
        return invalid("is sealed");
    }
    if found.no_ack {
        return invalid("answers no publish");
    }
    let merged = Config {
        subjects: wanted.subjects.clone(),
        discard: wanted.discard,
        discard_new_per_subject: false,
        num_replicas: wanted.num_replicas,
        allow_direct: true,
        allow_atomic_publish: true,
        allow_message_ttl: found.allow_message_ttl || wanted.allow_message_ttl,
        max_messages: wanted.max_messages,
        max_bytes: wanted.max_bytes,
        max_messages_per_subject: wanted.max_messages_per_subject,
        max_age: wanted.max_age,
        // Nobody publishes with a message id here; it only may not be longer than messages are kept.
        duplicate_window: match wanted.max_age {
            Duration::ZERO => found.duplicate_window,
            max_age => found.duplicate_window.min(max_age),
        },
        republish: wanted.republish.clone(),
        ..found.clone()
    };
    if merged == *found {
        return Ok(());
    }
    tracing::info!(stream = %name, "bringing stream up to date");
    match jetstream.update_stream(&merged).await {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            CreateStreamErrorKind::JetStream(error) => Err(refusal(name, &error)),
            _ => Err(no_jetstream(&error)),
        },
    }
}

/// The server understood, and does not want to.
fn refusal(name: &str, error: &async_nats::jetstream::Error) -> EventLogError {
    match error.error_code() {
        ErrorCode::INSUFFICIENT_RESOURCES | ErrorCode::STORAGE_RESOURCES_EXCEEDED => {
            EventLogError::Full(format!("the NATS server makes no stream {name}: {error}"))
        }
        // Unavailable for now, or no leader yet.
        _ if error.code() == 503 => away(format!("the stream {name}: {error}")),
        _ => EventLogError::Invalid(format!(
            "the NATS server does not take the stream {name} as it is set: {error}"
        )),
    }
}

fn no_jetstream(error: &dyn std::fmt::Display) -> EventLogError {
    away(format!("JetStream does not answer; is it enabled on the server and for the account? {error}"))
}
