//! The answer to a request, as the contract writes it. Pure.

use serde_json::{Value, json};
use soorma_core::{Event, Topic};

use crate::emission::Emission;
use crate::handler::{Fault, Handler, Style};

/// Makes the answer, if one is due.
pub(crate) fn reply(
    handler: &Handler,
    cause: &Event,
    result: Result<&Value, &str>,
) -> Result<Option<Emission>, Fault> {
    let given = |key: &str| {
        let data = cause.data.as_ref().and_then(|data| data.parse::<serde_json::Map<String, Value>>().ok());
        data.and_then(|mut data| data.remove(key)).filter(|value| !value.is_null())
    };
    let correlation = || cause.correlation_id.clone().unwrap_or_else(|| cause.id.to_string());
    let body = match (handler.style, result) {
        (Style::Event, _) => return Ok(None),
        (Style::Tool, result) => {
            let request_id = given("request_id").unwrap_or_else(|| correlation().into());
            match result {
                Ok(value) => json!({ "request_id": request_id, "success": true, "result": value }),
                Err(error) => json!({ "request_id": request_id, "success": false, "error": error }),
            }
        }
        (Style::Task, result) => {
            let task_id = given("task_id").unwrap_or_else(|| correlation().into());
            let action_id = given("action_id");
            match result {
                Ok(value) => {
                    json!({ "task_id": task_id, "action_id": action_id, "status": "completed", "result": value })
                }
                Err(error) => {
                    json!({ "task_id": task_id, "action_id": action_id, "status": "failed", "error": error })
                }
            }
        }
    };
    let Some(kind) = cause.response_event.clone().or_else(|| handler.default_response.clone()) else {
        return Ok(None);
    };
    let topic = match cause.response_topic.as_deref() {
        None | Some("") => Topic::ActionResults,
        Some(topic) => topic.parse().map_err(|error| Fault::Reject(format!("response_topic: {error}")))?,
    };
    Ok(Some(Emission::new(topic, kind, &body)?))
}
