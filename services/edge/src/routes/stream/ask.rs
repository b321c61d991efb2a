//! What a stream is asked for: every parameter, and which of them needs which other.

use std::time::Duration;

use axum::http::HeaderMap;
use soorma_api::{Problem, StreamQuery, Violation, header as our};
use soorma_core::{Cursor, ErrorCode, Name, PartitionKey, Topic};
use soorma_ports::{Acks, Kinds, Start};

use crate::config::Config;
use crate::reply::Refusal;

/// How long a member may ask to have for an event.
const LEASES: std::ops::RangeInclusive<u64> = 1_000..=3_600_000;

/// A stream, as it is asked for.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) topics: Vec<Topic>,
    pub(crate) agent_id: Name,
    pub(crate) kinds: Option<Kinds>,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// A live stream, from some place on.
    Live { from: Start },
    /// A member of a group.
    Member(Member),
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) group: Name,
    pub(crate) acks: Acks,
    pub(crate) lease: Duration,
    pub(crate) credit: usize,
    pub(crate) start: Start,
    pub(crate) key: Option<PartitionKey>,
}

impl Ask {
    pub(crate) fn read(asked: &StreamQuery, headers: &HeaderMap, config: &Config) -> Result<Self, Refusal> {
        let (Some(topics), Some(agent_id)) = (&asked.topics, &asked.agent_id) else {
            return Err(missing(asked).into());
        };
        let topics = read_topics(topics)?;
        let agent_id = read_name("agent_id", agent_id)?;
        let group = asked.agent_name.as_deref().filter(|group| !group.is_empty());
        let what = match group {
            None => {
                for_members_only(asked)?;
                // A position that was shown goes before: a browser sends it with the same address when it connects again.
                let from = match (read_cursor(headers, asked)?, asked.start.as_deref()) {
                    (Some(cursor), _) => Start::After(cursor),
                    (None, Some(start)) => read_start("query", "start", start)?,
                    (None, None) => Start::Now,
                };
                What::Live { from }
            }
            Some(group) => What::Member(member(group, asked, config)?),
        };
        Ok(Self { topics, agent_id, kinds: asked.types.as_deref().and_then(Kinds::parse), what })
    }
}

fn for_members_only(asked: &StreamQuery) -> Result<(), Refusal> {
    for (field, given) in [
        ("ack", asked.ack.is_some()),
        ("lease_ms", asked.lease_ms.is_some()),
        ("credit", asked.credit.is_some()),
        ("partitionkey", asked.partitionkey.is_some()),
    ] {
        if given {
            let message =
                format!("{field} is for members of a group: name one with agent_name, or leave {field} out");
            return Err(wrong(field, "value_error", message));
        }
    }
    Ok(())
}

fn member(group: &str, asked: &StreamQuery, config: &Config) -> Result<Member, Refusal> {
    let group = read_name("agent_name", group)?;
    let acks = match asked.ack.as_deref() {
        None => Acks::Implied { settle_after: config.settle_after },
        Some("explicit") => Acks::Explicit,
        Some(_) => {
            let message = "ack can be explicit, or is left out: then an event counts as done when it is answered, or by time";
            return Err(wrong("ack", "enum", message.into()));
        }
    };
    let lease = match asked.lease_ms {
        None => config.ack_within,
        Some(_) if acks != Acks::Explicit => {
            let message =
                "lease_ms needs ack=explicit: without it, an event stays with the stream while that is open";
            return Err(wrong("lease_ms", "value_error", message.into()));
        }
        Some(lease) if LEASES.contains(&lease) => Duration::from_millis(lease),
        Some(_) => {
            let message = format!("lease_ms must be from {} to {}", LEASES.start(), LEASES.end());
            return Err(wrong("lease_ms", "value_error", message));
        }
    };
    let credit = match asked.credit {
        None => config.stream_credit.max(1),
        Some(credit) if (1..=config.max_credit).contains(&credit) => credit,
        Some(_) => {
            let message = format!("credit must be from 1 to {}", config.max_credit);
            return Err(wrong("credit", "value_error", message));
        }
    };
    let start = asked.start.as_deref().map_or(Ok(Start::Now), |start| read_start("query", "start", start))?;
    let key = asked.partitionkey.as_deref().map(str::parse).transpose();
    let key = key.map_err(|error: soorma_core::InvalidPartitionKey| {
        wrong("partitionkey", "value_error", error.to_string())
    })?;
    Ok(Member { group, acks, lease, credit, start, key })
}

/// Reads a place where a group starts or goes on.
pub(crate) fn read_start(part: &str, field: &str, text: &str) -> Result<Start, Refusal> {
    match text.trim() {
        "now" => Ok(Start::Now),
        "earliest" => Ok(Start::Earliest),
        place => place.parse().map(Start::After).map_err(|_| {
            let shown: String = text.chars().take(100).collect();
            let message = format!(
                "{field} must be now, earliest, or a position such as action-requests=7, not '{shown}'"
            );
            let errors = vec![Violation {
                rule: "value_error".into(),
                loc: vec![part.into(), field.into()],
                msg: message.clone(),
                input: None,
            }];
            Problem::new(ErrorCode::Invalid, message).with_errors(errors).into()
        }),
    }
}

/// Reads topics, each once, in the order in which they were asked for.
fn read_topics(text: &str) -> Result<Vec<Topic>, Refusal> {
    let mut topics = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let meant = match part {
            "*" | ">" => Topic::ALL.to_vec(),
            one => vec![
                one.parse()
                    .map_err(|error: soorma_core::UnknownTopic| wrong("topics", "enum", error.to_string()))?,
            ],
        };
        for topic in meant {
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
    }
    if topics.is_empty() {
        let problem = Problem::new(ErrorCode::Invalid, "At least one topic is required").with_status(400);
        return Err(problem.into());
    }
    Ok(topics)
}

fn read_name(field: &'static str, text: &str) -> Result<Name, Refusal> {
    Name::new(text).map_err(|error| wrong(field, "value_error", format!("{field} {error}")))
}

/// Takes the position from the header, which a browser keeps up to date, or else from the query.
fn read_cursor(headers: &HeaderMap, asked: &StreamQuery) -> Result<Option<Cursor>, Refusal> {
    let header = match headers.get(our::LAST_EVENT_ID) {
        None => None,
        Some(value) => {
            let text = value.to_str().map_err(|_| {
                wrong(
                    "last_event_id",
                    "value_error",
                    format!("{} is not a position of this stream", our::LAST_EVENT_ID),
                )
            })?;
            Some(text)
        }
    };
    let text = header.or(asked.last_event_id.as_deref()).map(str::trim).filter(|text| !text.is_empty());
    text.map(|text| {
        text.parse().map_err(|error: soorma_core::InvalidCursor| {
            wrong("last_event_id", "value_error", error.to_string())
        })
    })
    .transpose()
}

fn missing(asked: &StreamQuery) -> Problem {
    let fields = [("topics", asked.topics.is_none()), ("agent_id", asked.agent_id.is_none())];
    let absent = fields.iter().filter(|(_, absent)| *absent).map(|(field, _)| *field);
    let errors: Vec<_> =
        absent.clone().map(|field| violation(field, "missing", "Field required".into())).collect();
    let what = absent.collect::<Vec<_>>().join(" and ");
    let is = if errors.len() > 1 { "are" } else { "is" };
    let detail = format!(
        "{what} {is} required: open /v1/events/stream?topics=action-requests&agent_id=<a name of your own>"
    );
    Problem::new(ErrorCode::Invalid, detail).with_errors(errors)
}

fn wrong(field: &str, rule: &str, message: String) -> Refusal {
    let errors = vec![violation(field, rule, message.clone())];
    Problem::new(ErrorCode::Invalid, message).with_errors(errors).into()
}

fn violation(field: &str, rule: &str, msg: String) -> Violation {
    Violation { rule: rule.into(), loc: vec!["query".into(), field.into()], msg, input: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member_of(asked: StreamQuery) -> Result<Member, Box<Problem>> {
        let asked = StreamQuery { topics: Some("*".into()), agent_id: Some("a".into()), ..asked };
        match Ask::read(&asked, &HeaderMap::new(), &Config::default())
            .map_err(|refusal| Box::new(refusal.into_problem()))?
            .what
        {
            What::Member(member) => Ok(member),
            What::Live { .. } => panic!("a live stream"),
        }
    }

    fn explicit() -> StreamQuery {
        StreamQuery { agent_name: Some("g".into()), ack: Some("explicit".into()), ..StreamQuery::default() }
    }

    #[test]
    fn a_member_that_acknowledges_says_how_long_and_how_many() {
        let asked = StreamQuery {
            lease_ms: Some(1_000),
            credit: Some(4_096),
            start: Some("plan-events=7".into()),
            partitionkey: Some("data.order_id".into()),
            ..explicit()
        };
        let member = member_of(asked).expect("a member");
        assert_eq!(
            (member.acks, member.lease, member.credit),
            (Acks::Explicit, Duration::from_secs(1), 4_096)
        );
        assert_eq!(member.start, Start::After("plan-events=7".parse().expect("a cursor")));
        assert_eq!(member.key.map(|key| key.to_string()).as_deref(), Some("data.order_id"));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let implied = || StreamQuery { ack: None, ..explicit() };
        let live = || StreamQuery { agent_name: None, ..implied() };
        let some = |text: &str| Some(text.to_owned());
        for (asked, field, says) in [
            (StreamQuery { agent_name: None, ..explicit() }, "ack", "agent_name"),
            (StreamQuery { lease_ms: Some(2_000), ..live() }, "lease_ms", "agent_name"),
            (StreamQuery { credit: Some(1), ..live() }, "credit", "agent_name"),
            (StreamQuery { start: some("yesterday"), ..live() }, "start", "not 'yesterday'"),
            (StreamQuery { partitionkey: some("plan_id"), ..live() }, "partitionkey", "agent_name"),
            (StreamQuery { ack: some("auto"), ..explicit() }, "ack", "explicit"),
            (StreamQuery { lease_ms: Some(2_000), ..implied() }, "lease_ms", "ack=explicit"),
            (StreamQuery { lease_ms: Some(999), ..explicit() }, "lease_ms", "1000 to 3600000"),
            (StreamQuery { lease_ms: Some(3_600_001), ..explicit() }, "lease_ms", "1000 to 3600000"),
            (StreamQuery { credit: Some(0), ..implied() }, "credit", "1 to 4096"),
            (StreamQuery { credit: Some(4_097), ..explicit() }, "credit", "1 to 4096"),
            (StreamQuery { start: some("yesterday"), ..implied() }, "start", "earliest"),
            (StreamQuery { partitionkey: some("colour"), ..implied() }, "partitionkey", "plan_id"),
        ] {
            let problem = member_of(asked).expect_err(field);
            assert_eq!((problem.status, &problem.errors[0].loc), (422, &vec!["query".into(), field.into()]));
            assert!(problem.detail.contains(says), "{field}: {}", problem.detail);
        }
    }
}
