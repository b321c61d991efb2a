//! Publishing (CONTRACT 2.6.1): one event, or several of which all are published or none.

mod draft;
mod once;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde::de::IgnoredAny;
use soorma_api::{
    Problem, PublishBatch, PublishRequest, Published, PublishedBatch, PublishedEvent, Violation,
    header as our, media,
};
use soorma_core::{Error, ErrorCode, Event, EventDraft, Name, Scope};
use soorma_ports::Appended;

use crate::access::{Pass, given};
use crate::app::{App, Shared};
use crate::body;
use crate::reply::{Refusal, json};
use draft::{complete, refuse, refuse_batch};
use once::Once;

pub(crate) async fn publish(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Extension(pass): Extension<Pass>,
    request: Request,
) -> Result<Response, Refusal> {
    counted(&app, one(&app, (&scope, pass), request).await)
}

pub(crate) async fn publish_all(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Extension(pass): Extension<Pass>,
    request: Request,
) -> Result<Response, Refusal> {
    counted(&app, all(&app, (&scope, pass), request).await)
}

fn counted(app: &App, answer: Result<Response, Refusal>) -> Result<Response, Refusal> {
    app.counters.refused.add(usize::from(answer.is_err()));
    answer
}

async fn one(app: &App, (scope, pass): (&Scope, Pass), request: Request) -> Result<Response, Refusal> {
    let media = body::media_type(request.headers(), &[media::JSON, media::CLOUD_EVENT])?;
    let says = Says::read(scope, request.headers())?;
    let bytes = body::read(request, app.config()).await?;
    let wrapped = media == media::JSON;
    let mut draft = if wrapped { unwrap(&bytes)? } else { bare(&bytes)? };
    let derived = says.once.as_ref().is_some_and(|once| once.name(&mut draft, 0, 1));
    let event = complete(app, (scope, pass), draft).map_err(|errors| refuse(&errors, &bytes, wrapped))?;

    let answer = Published {
        success: true,
        event_id: event.id.to_string(),
        message: format!("Event published to {}", event.topic),
    };
    append(app, scope, &says, vec![event], &[derived]).await?;
    Ok(json(&answer))
}

async fn all(app: &App, (scope, pass): (&Scope, Pass), request: Request) -> Result<Response, Refusal> {
    body::media_type(request.headers(), &[media::JSON])?;
    let says = Says::read(scope, request.headers())?;
    let batch: PublishBatch = body::parse(&body::read_batch(request, app.config()).await?)?;
    if batch.events.is_empty() || batch.events.len() > PublishBatch::MAX {
        let detail =
            format!("{} events were sent; a batch has 1 to {}", batch.events.len(), PublishBatch::MAX);
        return Err(Problem::new(ErrorCode::Invalid, detail).into());
    }
    let (mut events, mut derived, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    let count = batch.events.len();
    for (nth, mut draft) in batch.events.into_iter().enumerate() {
        let ordinal = u32::try_from(nth).unwrap_or(u32::MAX);
        derived.push(says.once.as_ref().is_some_and(|once| once.name(&mut draft, ordinal, count)));
        match complete(app, (scope, pass), draft) {
            Ok(event) => events.push(event),
            Err(wrong) => errors.extend(wrong.into_iter().map(|error| (nth, error))),
        }
    }
    if !errors.is_empty() {
        return Err(refuse_batch(&errors));
    }
    let ids: Vec<_> = events.iter().map(|event| event.id.to_string()).collect();
    let appended = append(app, scope, &says, events, &derived).await?;
    let events: Vec<_> = ids
        .into_iter()
        .zip(appended)
        .map(|(event_id, appended)| PublishedEvent { event_id, duplicate: appended.duplicate })
        .collect();
    Ok(json(&PublishedBatch { success: true, count: events.len(), events }))
}

/// What the headers of a publish say.
struct Says {
    agent_id: Option<Name>,
    once: Option<Once>,
}

impl Says {
    fn read(scope: &Scope, headers: &HeaderMap) -> Result<Self, Refusal> {
        let agent_id = given(headers, our::AGENT_ID)?.map(Name::new).transpose();
        let agent_id =
            agent_id.map_err(|error| Error::invalid(format!("header {} {error}", our::AGENT_ID)))?;
        Ok(Self { agent_id, once: Once::read(scope, headers)? })
    }
}

/// Publishes events; `derived` says whose ids follow from the idempotency key.
async fn append(
    app: &App,
    scope: &Scope,
    says: &Says,
    events: Vec<Event>,
    derived: &[bool],
) -> Result<Vec<Appended>, Refusal> {
    let agent_id = says.agent_id.as_ref().map(Name::as_str);
    let publishing = app.agents().publishing(&scope.tenant, agent_id, &events);
    // To compare with what stands in the log, where the id is the key's.
    let kept: Vec<_> =
        events.iter().zip(derived).map(|(event, derived)| derived.then(|| event.clone())).collect();
    let appended = app.bus().publish(&scope.tenant, events).await?;
    let duplicates = appended.iter().filter(|appended| appended.duplicate).count();
    app.counters.duplicates.add(duplicates);
    app.counters.published.add(appended.len() - duplicates);
    let again = kept.into_iter().zip(&appended).filter(|(_, appended)| appended.duplicate);
    let again = again.filter_map(|(event, appended)| Some((event?, appended.position))).collect();
    once::look_same(app, &scope.tenant, again).await?;
    // What is refused answers nothing.
    if let Some(publishing) = publishing {
        publishing.done(&appended);
    }
    Ok(appended)
}

fn unwrap(bytes: &[u8]) -> Result<EventDraft, Refusal> {
    #[derive(Deserialize)]
    struct Probe {
        event: Option<IgnoredAny>,
    }
    match body::parse::<PublishRequest>(bytes) {
        Ok(request) => Ok(request.event),
        Err(refusal) => match serde_json::from_slice::<Probe>(bytes) {
            Ok(Probe { event: None }) => Err(missing_event().into()),
            _ => Err(refusal),
        },
    }
}

fn missing_event() -> Problem {
    let violation = Violation {
        rule: "missing".into(),
        loc: vec!["body".into(), "event".into()],
        msg: "Field required".into(),
        input: None,
    };
    let detail = format!(
        "event is required: send {{\"event\": {{…}}}}, or the event alone with content-type {}",
        media::CLOUD_EVENT
    );
    Problem::new(ErrorCode::Invalid, detail).with_errors(vec![violation])
}

fn bare(bytes: &[u8]) -> Result<EventDraft, Refusal> {
    #[derive(Deserialize)]
    struct Probe {
        data_base64: Option<IgnoredAny>,
    }
    let draft = body::parse(bytes)?;
    if let Ok(Probe { data_base64: Some(_) }) = serde_json::from_slice(bytes) {
        let detail =
            "data_base64 is not taken; send data as a JSON object, or where the bytes can be fetched";
        return Err(Problem::new(ErrorCode::Invalid, detail).into());
    }
    Ok(draft)
}
