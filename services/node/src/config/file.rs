//! `soorma.toml`, taken apart into keys and values with the line of each.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, File, Given, Source};

/// Appends what a file gives, and what is wrong with the file itself. Keys that can be read are read although others cannot.
pub(super) fn read(file: &File, given: &mut Vec<Given>, errors: &mut Vec<ConfigError>) {
    // Editors on Windows put it there.
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    let at = |offset: usize| Source::File {
        path: file.path.clone(),
        line: 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count(),
    };
    let (table, wrong) = DeTable::parse_recoverable(text);
    errors.extend(wrong.into_iter().map(|error| ConfigError {
        path: String::new(),
        value: None,
        source: at(error.span().map_or(0, |span| span.start)),
        problem: format!("is no TOML: {}", error.message()),
        advice: "strings stand in quotes, such as ack_within = \"30s\"".to_owned(),
    }));
    flatten("", table.get_ref(), &at, given);
}

fn flatten(prefix: &str, table: &DeTable<'_>, at: &impl Fn(usize) -> Source, given: &mut Vec<Given>) {
    // The parser sorts by key; people read from top to bottom.
    let mut entries: Vec<(&Spanned<_>, &Spanned<DeValue<'_>>)> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let path = format!("{prefix}{}", key.get_ref());
        let value = match value.get_ref() {
            DeValue::Table(inner) if !inner.is_empty() => {
                flatten(&format!("{path}."), inner, at, given);
                continue;
            }
            // A section that says nothing.
            DeValue::Table(_) if super::SECTIONS.iter().any(|(section, _)| *section == path) => continue,
            DeValue::Table(_) => Err("a table".to_owned()),
            DeValue::Array(_) => Err("a list".to_owned()),
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
            DeValue::Integer(number) => Ok(i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| number.as_str().to_owned(), |n| n.to_string())),
            DeValue::Float(number) => Ok(number.as_str().to_owned()),
            DeValue::Boolean(truth) => Ok(truth.to_string()),
            DeValue::Datetime(time) => Ok(time.to_string()),
        };
        given.push(Given { path, value, source: at(key.span().start) });
    }
}
