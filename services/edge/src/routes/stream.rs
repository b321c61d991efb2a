//! Opening a stream (CONTRACT 2.6.2): live, or as a member of a group.

pub(crate) mod ask;

use std::collections::BTreeSet;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use soorma_api::{Connected, Connection, ConnectionRef, Problem, StreamQuery, frame as name, media};
use soorma_core::{Error, ErrorCode, Name, Position, Scope, TenantId, Topic};
use soorma_ports::{
    Acks, ConsumerSpec, EventLogError, ExternalAgent, Kinds, Start, Subscriber, Subscription,
};

use crate::access::Pass;
use crate::app::{App, Shared};
use crate::ending::Ending;
use crate::frame;
use crate::live::LiveStream;
use crate::member::MemberStream;
use crate::pulse::Pulse;
use crate::reply::{Refusal, query};
use crate::streams::{Kind, Place};
use crate::watched::{self, Shown};
use ask::{Ask, Member, What};

/// When a tenant that has too many groups may have fewer, nobody knows.
const FEWER_GROUPS: std::time::Duration = std::time::Duration::from_secs(60);

pub(crate) async fn open(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Extension(pass): Extension<Pass>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let asked: StreamQuery = query(&uri)?;
    let Ask { topics, agent_id, kinds, what } = Ask::read(&asked, &headers, app.config())?;
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
    let kind = match &what {
        What::Live { .. } => Kind::Live,
        What::Member(Member { acks: Acks::Explicit, .. }) => Kind::Explicit,
        What::Member(_) => Kind::Member,
    };
    let shown = Connection {
        connection_id: connection_id.clone(),
        agent_id: agent_id.to_string(),
        topics: topic_names,
    };
    let place = app.streams.open(&scope, kind, shown)?;
    let ending = Ending::new(&app, pass.until);
    let connection = ConnectionRef { connection_id };
    let body = match what {
        What::Member(member) => {
            let agent = agent(&app, &scope, member, topics, agent_id, &connection, kinds);
            member_body(app, agent, connection, &connected, place, ending).await?
        }
        What::Live { from } => {
            let topics: BTreeSet<Topic> = topics.into_iter().collect();
            let (after, kept) = match from {
                Start::Now => (None, false),
                Start::Earliest => (Some(topics.iter().map(|topic| (*topic, Position(0))).collect()), true),
                Start::After(cursor) => (Some(cursor), false),
            };
            let mut subscription = Subscription { tenant: scope.tenant, topics, after };
            if kept {
                to_earliest(&app, &mut subscription).await?;
            }
            live_body(app, subscription, kinds, connection, &connected, place, ending).await?
        }
    };
    let headers = [
        (header::CONTENT_TYPE.as_str(), media::EVENT_STREAM),
        (header::CACHE_CONTROL.as_str(), "no-store"),
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, body).into_response())
}

async fn member_body(
    app: Shared,
    agent: ExternalAgent,
    connection: ConnectionRef,
    connected: &Connected,
    place: Place,
    ending: Ending,
) -> Result<Body, Refusal> {
    may_make(&app, &agent.group.tenant, &agent.group.group).await?;
    let explicit = agent.acks == Acks::Explicit;
    let proxy = app.agents().connect(agent).await.map_err(|error| {
        // What it does not find is the place at which a new group is to start.
        let gone = error.code == ErrorCode::NotFound;
        let problem = Problem::from(error);
        if gone { problem.with_status(410) } else { problem }
    })?;
    let connected = Shown::aside(frame::control(name::CONNECTED, None, connected));
    let stream = MemberStream {
        pulse: Pulse::new(app.config().heartbeat_every),
        ending,
        app,
        proxy,
        explicit,
        connection: connection.clone(),
        ended: false,
    };
    let feed = futures_util::stream::iter([connected]).chain(stream.into_stream());
    Ok(watched::body(connection, place, None, feed))
}

async fn live_body(
    app: Shared,
    subscription: Subscription,
    kinds: Option<Kinds>,
    connection: ConnectionRef,
    connected: &Connected,
    place: Place,
    ending: Ending,
) -> Result<Body, Refusal> {
    let subscriber = subscribe(&app, subscription).await?;
    let cursor = subscriber.cursor().clone();
    let connected = Shown::aside(frame::control(name::CONNECTED, Some(&cursor), connected));
    let stream = LiveStream {
        pulse: Pulse::new(app.config().heartbeat_every),
        ending,
        app,
        subscriber,
        kinds,
        connection: connection.clone(),
        ended: false,
    };
    let feed = futures_util::stream::iter([connected]).chain(stream.into_stream());
    Ok(watched::body(connection, place, Some(cursor), feed))
}

fn agent(
    app: &App,
    scope: &Scope,
    member: Member,
    topics: Vec<Topic>,
    agent_id: Name,
    connection: &ConnectionRef,
    kinds: Option<Kinds>,
) -> ExternalAgent {
    let config = app.config();
    ExternalAgent {
        group: ConsumerSpec {
            tenant: scope.tenant.clone(),
            group: member.group,
            topics: topics.into_iter().collect(),
            start: member.start,
            ack_within: member.lease,
            max_attempts: config.max_attempts.max(1),
            max_unsettled: config.max_unsettled.max(1),
            key: member.key,
            expire_after: Some(config.group_idle.max(std::time::Duration::from_secs(1))),
        },
        agent_id,
        connection_id: connection.connection_id.clone(),
        acks: member.acks,
        credit: member.credit,
        kinds,
    }
}

/// Refuses a group that is not there yet to a tenant that has as many as it may.
async fn may_make(app: &App, tenant: &TenantId, group: &Name) -> Result<(), Error> {
    let most = app.config().max_groups_per_tenant;
    if app.bus().count_groups(tenant).await? < u64::try_from(most).unwrap_or(u64::MAX) {
        return Ok(());
    }
    if app.bus().group(tenant, group).await.is_err_and(|error| error.code == ErrorCode::NotFound) {
        let message = format!(
            "this tenant has {most} groups, which is all it may; remove one that is not needed (DELETE /v1/groups/{{name}})"
        );
        return Err(Error::new(ErrorCode::RateLimited, message).retry_after(FEWER_GROUPS));
    }
    Ok(())
}

async fn subscribe(app: &App, subscription: Subscription) -> Result<Box<dyn Subscriber>, Refusal> {
    match app.bus().subscribe(subscription.clone()).await {
        Ok(subscriber) => Ok(subscriber),
        Err(error @ EventLogError::Gone { .. }) => Err(gone(app, subscription, error).await.into()),
        Err(error) => Err(Error::from(error).into()),
    }
}

/// Moves a subscription to what is still kept.
async fn to_earliest(app: &App, subscription: &mut Subscription) -> Result<(), Error> {
    for _ in Topic::ALL {
        match app.bus().subscribe(subscription.clone()).await {
            Err(EventLogError::Gone { topic, before_first, .. }) => {
                subscription.after.get_or_insert_default().advance(topic, before_first);
            }
            opened => return Ok(opened.map(drop)?),
        }
    }
    Ok(())
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
