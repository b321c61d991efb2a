//! Settling what a member was handed: done, failed, or more time.

use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use soorma_api::{Deliveries, Nack, Part, Problem, Settled, Violation, media};
use soorma_core::{ErrorCode, Scope, retry_after};
use soorma_ports::{Settle, Ticket};

use crate::app::{App, Shared};
use crate::body;
use crate::counters::Counter;
use crate::reply::{Named, Refusal, json};

/// How long to wait before an event is tried again, where nothing is said.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(300);
/// The longest that can be asked for: a week, which is as long as events are kept where nothing else is said.
const RETRY_MAX_MS: u64 = 7 * 86_400_000;
/// How many characters a reason may have.
const REASON_MAX: usize = 4_096;

pub(crate) async fn ack(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    request: Request,
) -> Result<Response, Refusal> {
    let ids = ids_of(&app, request).await?;
    settle_all(&app, &scope, ids, &Say::Ack).await
}

pub(crate) async fn extend(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    request: Request,
) -> Result<Response, Refusal> {
    let ids = ids_of(&app, request).await?;
    settle_all(&app, &scope, ids, &Say::Extend).await
}

pub(crate) async fn nack(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    request: Request,
) -> Result<Response, Refusal> {
    body::media_type(request.headers(), &[media::JSON])?;
    let mut nack: Nack = body::parse(&body::read(request, app.config()).await?)?;
    let ids = std::mem::take(&mut nack.ids);
    settle_all(&app, &scope, ids, &Say::nack(nack)?).await
}

/// One delivery: its id, a colon, and what is said of it.
pub(crate) async fn one(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Named(path): Named,
    request: Request,
) -> Result<Response, Refusal> {
    let usage = || invalid("behind the id of a delivery stands :ack, :nack or :extend".into());
    let (id, verb) = path.rsplit_once(':').ok_or_else(usage)?;
    let say = match verb {
        "ack" => Say::Ack,
        "extend" => Say::Extend,
        "nack" => {
            let nack: Nack = body::read_or_none(request, app.config()).await?;
            if !nack.ids.is_empty() {
                return Err(invalid("the path names the delivery; leave ids out".into()));
            }
            Say::nack(nack)?
        }
        _ => return Err(usage()),
    };
    let ticket: Ticket = id.parse().map_err(|error| invalid(format!("'{id}' {error}")))?;
    let settled = settle(&app, &scope, vec![id.to_owned()], vec![ticket.clone()], &say).await?;
    if settled.stale.is_empty() {
        return Ok(json(&settled));
    }
    // Which of both it is costs another question, which is asked only now.
    app.bus().group(&scope.tenant, &ticket.group).await?;
    let detail = "this delivery does not count any more: it was settled before, or its time ran out and the event goes to another. \
                  Take the next; ask for more time with :extend, or a longer lease_ms, if this happens often";
    Err(Problem::new(ErrorCode::Conflict, detail).into())
}

/// What is said of deliveries.
enum Say {
    Ack,
    Extend,
    Retry { after: Option<Duration>, cause: String },
    Release { after: Duration },
    Reject { cause: String },
}

impl Say {
    fn nack(nack: Nack) -> Result<Self, Refusal> {
        let Nack { reason, retry_after_ms, reject, release, .. } = nack;
        if reject && (release || retry_after_ms.is_some()) {
            return Err(invalid(
                "what is rejected is not tried again: leave release and retry_after_ms out".into(),
            ));
        }
        if retry_after_ms.is_some_and(|ms| ms > RETRY_MAX_MS) {
            return Err(invalid(format!("retry_after_ms must be at most {RETRY_MAX_MS}")));
        }
        let cause = reason.unwrap_or_else(|| "the agent gave it back".to_owned());
        if cause.chars().count() > REASON_MAX {
            return Err(invalid(format!("reason must be at most {REASON_MAX} characters")));
        }
        let after = retry_after_ms.map(Duration::from_millis);
        Ok(match (reject, release) {
            (true, _) => Self::Reject { cause },
            (false, true) => Self::Release { after: after.unwrap_or_default() },
            (false, false) => Self::Retry { after, cause },
        })
    }

    fn of(&self, app: &App, ticket: &Ticket) -> Settle {
        match self {
            Self::Ack => Settle::Ack,
            Self::Extend => Settle::Extend,
            Self::Release { after } => Settle::Release { after: *after },
            Self::Reject { cause } => Settle::Reject { cause: cause.clone() },
            Self::Retry { after, cause } => {
                let after = after.unwrap_or_else(|| {
                    let mut seed = [0; 8];
                    app.edge.entropy.fill(&mut seed);
                    retry_after(ticket.delivery.attempt, RETRY_FIRST, RETRY_LONGEST, u64::from_le_bytes(seed))
                });
                Settle::Retry { after, cause: cause.clone() }
            }
        }
    }

    fn counter<'a>(&self, app: &'a App) -> &'a Counter {
        match self {
            Self::Ack => &app.counters.acked,
            Self::Extend => &app.counters.extended,
            Self::Retry { .. } | Self::Release { .. } | Self::Reject { .. } => &app.counters.nacked,
        }
    }
}

async fn ids_of(app: &App, request: Request) -> Result<Vec<String>, Refusal> {
    body::media_type(request.headers(), &[media::JSON])?;
    let deliveries: Deliveries = body::parse(&body::read(request, app.config()).await?)?;
    Ok(deliveries.ids)
}

async fn settle_all(app: &App, scope: &Scope, ids: Vec<String>, say: &Say) -> Result<Response, Refusal> {
    if ids.is_empty() || ids.len() > Deliveries::MAX {
        return Err(invalid(format!("ids must be 1 to {} ids of deliveries", Deliveries::MAX)));
    }
    let mut errors = Vec::new();
    let mut tickets = Vec::with_capacity(ids.len());
    for (nth, id) in ids.iter().enumerate() {
        match id.parse::<Ticket>() {
            Ok(ticket) => tickets.push(ticket),
            Err(error) => errors.push(Violation {
                rule: "value_error".into(),
                loc: vec!["body".into(), "ids".into(), Part::Nth(u64::try_from(nth).unwrap_or(u64::MAX))],
                msg: error.to_string(),
                input: None,
            }),
        }
    }
    if !errors.is_empty() {
        let detail = format!(
            "{} of the ids are no ids of deliveries; send back the delivery_id of frames unchanged",
            errors.len()
        );
        return Err(Problem::new(ErrorCode::Invalid, detail).with_errors(errors).into());
    }
    Ok(json(&settle(app, scope, ids, tickets, say).await?))
}

async fn settle(
    app: &App,
    scope: &Scope,
    ids: Vec<String>,
    tickets: Vec<Ticket>,
    say: &Say,
) -> Result<Settled, Refusal> {
    let settlements = tickets
        .into_iter()
        .map(|ticket| {
            let settle = say.of(app, &ticket);
            (ticket, settle)
        })
        .collect();
    let counted = app.agents().settle(&scope.tenant, settlements).await?;
    let mut answer = Settled::default();
    for (id, counted) in ids.into_iter().zip(counted) {
        if counted { answer.settled.push(id) } else { answer.stale.push(id) }
    }
    say.counter(app).add(answer.settled.len());
    app.counters.stale.add(answer.stale.len());
    Ok(answer)
}

fn invalid(detail: String) -> Refusal {
    Problem::new(ErrorCode::Invalid, detail).into()
}
