//! What a status other than success means. Pure.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde_json::Value;
use soorma_ports::EmbedderError;

use super::OpenAiConfig;

/// What the endpoint calls the error, where it does.
#[derive(Deserialize)]
struct Body {
    error: Named,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    code: Value,
    #[serde(default, rename = "type")]
    kind: Value,
}

/// The longest word of an error.
const LONGEST_WORD: usize = 64;

/// Returns the one word for the error, such as `model_not_found`. The sentences beside it are not repeated: they may quote a text of somebody,
/// or the key.
pub(super) fn word(body: &[u8]) -> Option<String> {
    let named = serde_json::from_slice::<Body>(body).ok()?.error;
    let word = |value: Value| match value {
        Value::String(word) if is_word(&word) => Some(word),
        _ => None,
    };
    word(named.code).or_else(|| word(named.kind))
}

fn is_word(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    !text.is_empty() && text.len() <= LONGEST_WORD && text.bytes().all(legal)
}

/// Returns how long the endpoint asks to be left alone: in milliseconds, as some say it, or in seconds. A date is not read: it is
/// of a clock that is not ours.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms").map(|ms| ms / 1_000.0).or_else(|| number(RETRY_AFTER.as_str()))?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Says what a status means, and whether to ask again.
pub(super) fn of(
    at: &str,
    config: &OpenAiConfig,
    status: u16,
    word: Option<&str>,
    after: Option<Duration>,
) -> EmbedderError {
    let said = word.map_or_else(|| status.to_string(), |word| format!("{status}, {word}"));
    match status {
        // Waiting does not help: it is paid for or it is not.
        429 if word == Some("insufficient_quota") => {
            EmbedderError::Refused(format!("the account at {at} is used up ({said})"))
        }
        429 => {
            EmbedderError::Busy { message: format!("{at} is asked too much ({said})"), retry_after: after }
        }
        408 | 425 | 500 | 502..=599 => match after {
            Some(_) => EmbedderError::Busy { message: format!("{at} is busy ({said})"), retry_after: after },
            None => EmbedderError::Unavailable(format!("{at} does not answer as it should ({said})")),
        },
        300..=399 => EmbedderError::Refused(format!(
            "{at} points elsewhere ({said}), which is not followed; give the address to which it points"
        )),
        401 | 403 if config.key.is_none() => EmbedderError::Refused(format!("{at} asks for a key ({said})")),
        401 | 403 => EmbedderError::Refused(format!("{at} does not take the key ({said})")),
        404 => EmbedderError::Refused(format!(
            "{at} has no model '{}', or no embeddings at this address ({said})",
            config.model
        )),
        _ => EmbedderError::Refused(format!("{at} does not take the texts ({said})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn how_long_to_wait_is_read_in_seconds_and_in_milliseconds() {
        for (lines, wait) in [
            (&[("retry-after", "7")][..], Some(7_000)),
            (&[("retry-after", " 0.5 ")], Some(500)),
            (&[("retry-after", "7"), ("retry-after-ms", "20")], Some(20)),
            (&[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")], None),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "1e99")], None),
            (&[], None),
        ] {
            assert_eq!(retry_after(&headers(lines)), wait.map(Duration::from_millis), "{lines:?}");
        }
    }

    #[test]
    fn of_an_error_only_its_one_word_is_repeated() {
        for (body, said) in [
            (
                r#"{"error":{"message":"no such model hunter2","type":"invalid_request_error","code":"model_not_found"}}"#,
                Some("model_not_found"),
            ),
            (r#"{"error":{"message":"hunter2","type":"server_error","code":null}}"#, Some("server_error")),
            (r#"{"error":{"type":"server_error","code":404}}"#, Some("server_error")),
            (r#"{"error":{"code":"sk-hunter2"}}"#, None),
            (r#"{"error":{"code":"a sentence with hunter"}}"#, None),
            (r#"{"error":"hunter2"}"#, None),
            (r#"{"message":"hunter2"}"#, None),
            ("hunter2", None),
            ("", None),
        ] {
            assert_eq!(word(body.as_bytes()).as_deref(), said, "{body}");
        }
        let long = format!(r#"{{"error":{{"code":"{}"}}}}"#, "a".repeat(65));
        assert_eq!(word(long.as_bytes()), None);
    }

    #[test]
    fn a_status_says_whether_to_ask_again() {
        let after = Some(Duration::from_secs(3));
        let config =
            OpenAiConfig { key: Some(Secret::new("hunter2")), ..OpenAiConfig::new("http://h", "m", 3) };
        for (status, word, after, again, says) in [
            (429, None, after, true, "asked too much (429)"),
            (429, Some("rate_limit_exceeded"), None, true, "(429, rate_limit_exceeded)"),
            (429, Some("insufficient_quota"), after, false, "used up"),
            (408, None, None, true, "does not answer"),
            (500, None, None, true, "does not answer"),
            (501, None, None, false, "does not take the texts"),
            (503, None, after, true, "is busy (503)"),
            (529, None, None, true, "does not answer"),
            (302, None, None, false, "points elsewhere"),
            (401, Some("invalid_api_key"), None, false, "does not take the key (401, invalid_api_key)"),
            (403, None, None, false, "does not take the key"),
            (404, Some("model_not_found"), None, false, "no model 'm'"),
            (400, Some("context_length_exceeded"), None, false, "does not take the texts (400, context"),
            (413, None, None, false, "does not take the texts"),
        ] {
            let error = of("http://h", &config, status, word, after);
            assert_eq!(error.may_retry(), again, "{error:?}");
            assert!(error.to_string().contains(says), "{error}");
            if let EmbedderError::Busy { retry_after, .. } = error {
                assert_eq!(retry_after, after);
            }
        }
        let open = OpenAiConfig { key: None, ..config };
        assert!(of("http://h", &open, 401, None, None).to_string().contains("asks for a key"));
    }
}
