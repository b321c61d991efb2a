//! The body of a request: bounded in bytes and time, of a known type, and JSON.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request};
use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::value::RawValue;
use soorma_api::{Part, Problem, Violation};
use soorma_core::ErrorCode;

use crate::config::Config;
use crate::reply::Refusal;

/// How long a body that is refused is still taken in.
const LINGER: Duration = Duration::from_secs(2);

/// How many bytes the body may have that tells something to memory: a content has its own bound, and as JSON it may be several times as long.
pub(crate) const MAX_MEMORY_BYTES: usize = 4 * 1_024 * 1_024;

/// Makes a bound hold; [`read`], [`read_batch`] and [`read_memory`] say it.
pub(crate) fn limit(most: usize) -> DefaultBodyLimit {
    DefaultBodyLimit::max(most)
}

/// Returns which of the accepted media types a request has.
pub(crate) fn media_type(headers: &HeaderMap, accepted: &[&'static str]) -> Result<&'static str, Refusal> {
    let sent = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("unreadable"));
    let essence = sent.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    accepted.iter().find(|known| essence.eq_ignore_ascii_case(known)).copied().ok_or_else(|| {
        let was = sent.map_or_else(|| "missing".to_owned(), |text| format!("'{text}'"));
        let detail = format!("content-type is {was}; send {}", accepted.join(" or "));
        Problem::new(ErrorCode::Invalid, detail).with_status(415).into()
    })
}

/// Reads the whole body.
pub(crate) async fn read(request: Request, config: &Config) -> Result<Bytes, Refusal> {
    read_up_to(request, config, config.max_body_bytes).await
}

/// Reads the whole body, which may hold several events.
pub(crate) async fn read_batch(request: Request, config: &Config) -> Result<Bytes, Refusal> {
    read_up_to(request, config, config.max_batch_bytes).await
}

/// Reads the whole body, which tells something to memory.
pub(crate) async fn read_memory(request: Request, config: &Config) -> Result<Bytes, Refusal> {
    read_up_to(request, config, MAX_MEMORY_BYTES).await
}

async fn read_up_to(request: Request, config: &Config, most: usize) -> Result<Bytes, Refusal> {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if declared.and_then(|text| text.parse::<usize>().ok()).is_some_and(|length| length > most) {
        // Who is still sending reads no answer: a bounded rest is taken in and dropped first.
        let rest = axum::body::to_bytes(request.into_body(), most.saturating_mul(8));
        drop(tokio::time::timeout(config.body_within.min(LINGER), rest).await);
        return Err(too_large(most));
    }
    match tokio::time::timeout(config.body_within, Bytes::from_request(request, &())).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) if rejection.status().as_u16() == 413 => Err(too_large(most)),
        Ok(Err(rejection)) => {
            let detail = format!("the body could not be read: {}", rejection.body_text());
            Err(Problem::new(ErrorCode::Invalid, detail).with_status(400).into())
        }
        Err(_) => {
            let detail = format!("the body did not arrive within {} s", config.body_within.as_secs());
            Err(Problem::new(ErrorCode::Timeout, detail).with_status(408).into())
        }
    }
}

fn too_large(most: usize) -> Refusal {
    let detail =
        format!("the body has more than {most} bytes. Keep large content elsewhere and send where it is");
    Problem::new(ErrorCode::Invalid, detail).with_status(413).into()
}

/// Reads a JSON body that may be left out.
pub(crate) async fn read_or_none<T: DeserializeOwned + Default>(
    request: Request,
    config: &Config,
) -> Result<T, Refusal> {
    match read_if_any(request, config).await? {
        Some(bytes) => parse(&bytes),
        None => Ok(T::default()),
    }
}

/// Reads a JSON body that may be left out, as the bytes that it is.
pub(crate) async fn read_if_any(request: Request, config: &Config) -> Result<Option<Bytes>, Refusal> {
    let media = media_type(request.headers(), &[soorma_api::media::JSON]);
    let bytes = read(request, config).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    media?;
    Ok(Some(bytes))
}

/// Returns JSON as the text that it is, having looked that it is JSON.
pub(crate) fn raw(bytes: &[u8]) -> Result<&RawValue, Refusal> {
    parse(bytes)
}

/// Reads JSON, and says where it goes wrong.
pub(crate) fn parse<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (rule, msg, loc) = match error.classify() {
            Category::Data => ("value_error", error.to_string(), vec!["body".into()]),
            Category::Syntax | Category::Eof | Category::Io => (
                "json_invalid",
                "JSON decode error".to_owned(),
                vec!["body".into(), Part::Nth(offset(bytes, &error))],
            ),
        };
        let violation = Violation { rule: rule.to_owned(), loc, msg, input: None };
        let what = if rule == "value_error" {
            "the body does not have the right shape"
        } else {
            "the body is not JSON"
        };
        Problem::new(ErrorCode::Invalid, format!("{what}: {error}")).with_errors(vec![violation]).into()
    })
}

/// Returns how many bytes stand before the place that an error names.
fn offset(bytes: &[u8], error: &serde_json::Error) -> u64 {
    let lines = error.line().saturating_sub(1);
    let before: usize = bytes.split_inclusive(|byte| *byte == b'\n').take(lines).map(<[u8]>::len).sum();
    u64::try_from(before + error.column()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_json_is_placed_by_line_column_and_offset() {
        for (text, place, nth) in [
            ("{\"event\": {\"source\": \"x\", ", "line 1 column 26", 26),
            ("{\n  \"event\": nope\n}", "line 2 column 13", 15),
            ("", "line 1 column 0", 0),
        ] {
            let problem = parse::<serde_json::Value>(text.as_bytes()).expect_err("broken").into_problem();
            assert_eq!(problem.status, 422);
            assert!(problem.detail.contains(place), "{}", problem.detail);
            assert_eq!(problem.errors[0].rule, "json_invalid");
            assert_eq!(problem.errors[0].loc, ["body".into(), Part::Nth(nth)]);
        }
    }
}
