//! Spans of time in configuration: a number and a unit, such as `250ms`, `30s`, `5m`, `1h`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

pub(crate) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&write(*span))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    read(&text).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "'{text}' is not a span of time; write a number and ms, s, m or h, such as 30s"
        ))
    })
}

fn write(span: Duration) -> String {
    let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let whole = UNITS.iter().rev().find(|(_, unit)| ms >= *unit && ms.is_multiple_of(*unit));
    let (name, unit) = whole.unwrap_or(&("ms", 1));
    format!("{}{name}", ms / unit)
}

fn read(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, name) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let (_, unit) = UNITS.iter().find(|(known, _)| *known == name.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*unit).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for (text, ms) in
            [("0ms", 0), ("250ms", 250), ("30s", 30_000), ("90s", 90_000), ("5m", 300_000), ("1h", 3_600_000)]
        {
            assert_eq!(read(text), Some(Duration::from_millis(ms)), "{text}");
            assert_eq!(write(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in
            ["", "s", "30", "-1s", "1.5s", "3 weeks", "99999999999999999999s", "18446744073709551615h"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
