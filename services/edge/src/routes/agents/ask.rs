//! Which agents are asked for, and in which form.

use axum::http::{HeaderMap, Uri};
use soorma_api::registry::{MAX_RANKED_ROWS, RANKED_ROWS};
use soorma_core::{AgentStatus, Name};
use soorma_ports::AgentQuery;

use crate::parameters::Parameters;
use crate::reply::Refusal;

/// How long a text for a planner is where nothing is said: some 4,000 tokens.
const CHARS: usize = 16_000;
/// How long it may be.
const MAX_CHARS: usize = 1_000_000;

/// What is asked.
#[derive(Debug)]
pub(super) struct Ask {
    /// Which agents; `None` where no agent can fit.
    pub(super) query: Option<AgentQuery>,
    /// What they are ranked by, best first.
    pub(super) meaning: Option<String>,
    /// How they are to be shown.
    pub(super) form: Form,
}

/// How agents are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As the published clients know them.
    Short,
    /// With how they are; every instance.
    Full,
    /// In few words, for a planner; as JSON or as text.
    Words { json: bool, max_chars: usize },
}

impl Ask {
    /// Reads a query; `expired` says whether agents that are not heard any more may be shown at all.
    pub(super) fn read(uri: &Uri, headers: &HeaderMap, expired: bool) -> Result<Self, Refusal> {
        let mut parameters = Parameters::read(uri)?;
        let form = form(&mut parameters, headers);
        let include_expired = parameters.flag("include_expired");
        let after = parameters.cursor::<2>();
        let meaning = parameters.text("query").map(str::to_owned);
        let limit = match meaning {
            Some(_) => parameters.limit_within(RANKED_ROWS, MAX_RANKED_ROWS),
            None => parameters.limit(),
        };
        if meaning.is_some() && expired {
            let says = "is for GET /v1/agents/discover, which finds who can be asked";
            parameters.fault("query", "value_error", says, says);
        } else if meaning.is_some() && after.is_some() {
            let says = "is not for what is ranked by a query, which has one page; give a higher limit, or ask more exactly";
            parameters.fault("cursor", "value_error", says, says);
        }
        let mut query = AgentQuery {
            capability: parameters.text("capability").map(str::to_owned),
            topic: parameters.parsed("topic"),
            kind: parameters.parsed("kind"),
            status: parameters.parsed("status"),
            text: parameters.text("text").map(str::to_owned),
            expired: expired && include_expired,
            one_of_each_name: form != Form::Full,
            after: after.map(|[name, id]| (name, id)),
            limit,
            ..AgentQuery::default()
        };
        match query.status {
            Some(AgentStatus::Expired) if !expired => {
                let says = "cannot be expired here: who is not heard any more is asked for with GET /v1/agents?status=expired";
                parameters.fault("status", "value_error", says, says);
            }
            Some(AgentStatus::Expired) => query.expired = true,
            _ => {}
        }
        let mut possible = true;
        // Of these the first that is given counts, so it is with the published services.
        if let Some(id) = parameters.text("agent_id") {
            query.id = Name::new(id).ok();
            query.one_of_each_name = false;
            possible = query.id.is_some();
        } else if let Some(name) = parameters.text("name") {
            query.name = Some(name.to_owned());
        } else if let Some(event) = parameters.text("consumed_event") {
            query.consumes = Some(event.to_owned());
        } else if let Some(event) = parameters.text("produced_event") {
            query.produces = Some(event.to_owned());
        }
        parameters.end()?;
        Ok(Self { query: possible.then_some(query), meaning, form })
    }
}

fn form(parameters: &mut Parameters, headers: &HeaderMap) -> Form {
    let full = match parameters.text("view") {
        None | Some("short") => false,
        Some("full") => true,
        Some(_) => {
            parameters.fault("view", "enum", "Input should be 'short' or 'full'", "must be short or full");
            false
        }
    };
    match parameters.text("format") {
        None | Some("json") if full => Form::Full,
        None | Some("json") => Form::Short,
        Some("llm") => Form::Words { json: wants_json(headers), max_chars: max_chars(parameters) },
        Some(_) => {
            parameters.fault("format", "enum", "Input should be 'json' or 'llm'", "must be json or llm");
            Form::Short
        }
    }
}

fn max_chars(parameters: &mut Parameters) -> usize {
    let Some(text) = parameters.text("max_chars") else { return CHARS };
    match text.parse() {
        Ok(chars) if (1..=MAX_CHARS).contains(&chars) => chars,
        _ => {
            let msg = "Input should be a valid integer, unable to parse string as an integer";
            parameters.fault(
                "max_chars",
                "int_parsing",
                msg,
                &format!("must be a number from 1 to {MAX_CHARS}"),
            );
            CHARS
        }
    }
}

/// Whether JSON is asked for before text. Who accepts anything is given text: it has fewer tokens.
fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(axum::http::header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| {
        let mut types = accept.split(',').map(|one| one.split(';').next().unwrap_or_default().trim());
        let first = types.find(|one| matches!(*one, "application/json" | "text/plain" | "text/*" | "*/*"));
        first == Some("application/json")
    })
}
