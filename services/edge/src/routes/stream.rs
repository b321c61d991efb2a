//! Opening a stream (CONTRACT 2.6.2): live, or as a member of a group.

use std::collections::BTreeSet;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse as _, Response};
use soorma_api::{
    Connected, Connection, ConnectionRef, Problem, StreamQuery, Violation, frame as name, header as our,
    media,
};
use soorma_core::{Cursor, Error, ErrorCode, Name, Scope, Topic};
use soorma_ports::{ConsumerSpec, EventLogError, Start, Subscriber, Subscription};

use crate::app::{App, Shared};
use crate::frame;
use crate::live::LiveStream;
use crate::member::Member;
use crate::pulse::Pulse;
use crate::reply::{Refusal, query};

pub(crate) async fn open(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let asked: StreamQuery = query(&uri)?;
    let (Some(topics), Some(agent_id)) = (&asked.topics, &asked.agent_id) else {
        return Err(missing(&asked).into());
    };
    let topics = read_topics(topics)?;
    let agent_id = read_name("agent_id", agent_id)?;
    let group = asked.agent_name.as_deref().filter(|group| !group.is_empty());
    let group = group.map(|group| read_name("agent_name", group)).transpose()?;
    let after = match group {
        None => read_cursor(&headers, &asked)?,
        Some(_) => None,
    };
    if *app.stopping.borrow() {
        return Err(Error::unavailable("the node is draining; use another, or wait").into());
    }

    let connection_id = app.new_id().to_string();
    let topic_names: Vec<_> = topics.iter().map(Topic::to_string).collect();
    let connected = Connected {
        connection_id: connection_id.clone(),
        topics: topic_names.clone(),
        agent_id: agent_id.to_string(),
    };
    let place = app.streams.open(
        &scope.tenant,
        Connection {
            connection_id: connection_id.clone(),
            agent_id: agent_id.to_string(),
            topics: topic_names,
        },
    )?;
    let connection = ConnectionRef { connection_id };
    let topics = topics.into_iter().collect();

    let body = if let Some(group) = group {
        let consumer = app.edge.bus.join(spec(&app, &scope, group.clone(), topics)).await?;
        let membership = app.groups.join(&scope.tenant, group.as_str());
        let (member, body) = Member::new(app.clone(), consumer, membership, connection, place);
        let connected = frame::control(name::CONNECTED, None, &connected);
        if app.members.send(Box::pin(member.run(connected))).await.is_err() {
            return Err(Error::unavailable("the node is draining; use another, or wait").into());
        }
        Body::from_stream(body)
    } else {
        let subscriber = subscribe(&app, Subscription { tenant: scope.tenant, topics, after }).await?;
        let connected = frame::control(name::CONNECTED, Some(subscriber.cursor()), &connected);
        let stream = LiveStream {
            pulse: Pulse::new(app.config().heartbeat_every),
            stopping: app.stopping.clone(),
            app,
            subscriber,
            connection,
            out: [connected].into(),
            ended: false,
            _place: place,
        };
        Body::from_stream(stream.into_stream())
    };
    let headers = [
        (header::CONTENT_TYPE.as_str(), media::EVENT_STREAM),
        (header::CACHE_CONTROL.as_str(), "no-store"),
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, body).into_response())
}

fn spec(app: &App, scope: &Scope, group: Name, topics: BTreeSet<Topic>) -> ConsumerSpec {
    let config = app.config();
    ConsumerSpec {
        tenant: scope.tenant.clone(),
        group,
        topics,
        start: Start::Now,
        ack_within: config.ack_within,
        max_attempts: config.max_attempts.max(1),
        max_unsettled: config.max_unsettled.max(1),
        key: None,
        expire_after: None,
    }
}

async fn subscribe(app: &App, subscription: Subscription) -> Result<Box<dyn Subscriber>, Refusal> {
    match app.bus().subscribe(subscription.clone()).await {
        Ok(subscriber) => Ok(subscriber),
        Err(error @ EventLogError::Gone { .. }) => Err(gone(app, subscription, error).await.into()),
        Err(error) => Err(Error::from(error).into()),
    }
}

/// Says from where the stream can be resumed; each topic may have its own earliest position.
async fn gone(app: &App, mut subscription: Subscription, error: EventLogError) -> Problem {
    let detail =
        format!("{error}. Resume from the position in `earliest`; what lies before it is no longer kept");
    let mut problem = Problem::new(ErrorCode::NotFound, detail).with_status(410);
    let mut last = Err(error);
    for _ in Topic::ALL {
        let Err(EventLogError::Gone { topic, before_first, .. }) = last else {
            break;
        };
        let cursor = subscription.after.get_or_insert_default();
        cursor.advance(topic, before_first);
        problem.earliest = Some(cursor.to_string());
        last = app.bus().subscribe(subscription.clone()).await.map(drop);
    }
    problem
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
