//! Texts and numbers as a schema asks for them.

use serde_json::Value;

use super::admit::linear;
use super::parts::Parts;

/// How many characters are made up to reach a length.
const MOST_CHARS: usize = 256;

/// How often a part of a pattern is repeated at most.
const MOST_REPEATED: usize = 64;

/// Returns a text that fits, as far as one can be found.
pub(super) fn text(parts: &Parts<'_>) -> String {
    let patterns: Vec<_> = parts.all("pattern").filter_map(Value::as_str).collect();
    let format = parts.first("format").and_then(Value::as_str).and_then(of_format);
    let least = length(parts.bound("minLength", f64::max)).unwrap_or(0).min(MOST_CHARS);
    let most = length(parts.bound("maxLength", f64::min)).unwrap_or(usize::MAX);
    let Some(first) = patterns.first() else {
        return fitted(format.unwrap_or("text"), least, most);
    };
    let made = of_pattern(first);
    let candidates = made.as_deref().into_iter().chain(format).chain(["text", "a", "A", "0", "a-1"]);
    let fits = |text: &&str| {
        (least..=most).contains(&text.chars().count()) && patterns.iter().all(|p| matches(p, text))
    };
    match candidates
        .clone()
        .find(fits)
        .or_else(|| candidates.clone().find(|text| patterns.iter().all(|p| matches(p, text))))
    {
        Some(text) => text.to_owned(),
        None => format!("text that matches {first}"),
    }
}

fn length(bound: Option<f64>) -> Option<usize> {
    format!("{:.0}", bound?).parse().ok()
}

fn fitted(text: &str, least: usize, most: usize) -> String {
    let missing = least.saturating_sub(text.chars().count());
    text.chars().chain(std::iter::repeat_n('x', missing)).take(most).collect()
}

fn of_format(format: &str) -> Option<&'static str> {
    Some(match format {
        "date-time" => "2026-01-31T12:00:00Z",
        "date" => "2026-01-31",
        "time" => "12:00:00Z",
        "duration" => "PT1H",
        "email" | "idn-email" => "someone@example.com",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uri" | "iri" | "uri-reference" | "iri-reference" => "https://example.com/",
        "uuid" => "3f2b0b5e-8d0c-4c55-9d52-0c1f2a3b4c5d",
        "json-pointer" => "/a",
        "regex" => "^a$",
        _ => return None,
    })
}

fn matches(pattern: &str, text: &str) -> bool {
    let schema = serde_json::json!({ "pattern": pattern });
    let options = jsonschema::options().offline().with_pattern_options(linear());
    options.build(&schema).is_ok_and(|schema| schema.is_valid(&Value::from(text)))
}

/// Makes up a text for a pattern of characters, classes and repetitions, as most are that describe ids and codes.
/// What it makes is a guess.
fn of_pattern(pattern: &str) -> Option<String> {
    let mut made = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(next) = rest.next() {
        let one = match next {
            '^' | '$' => continue,
            '[' => {
                let class: String = rest.by_ref().take_while(|next| *next != ']').collect();
                of_class(&class)?
            }
            '\\' => escaped(rest.next()?)?,
            '.' => 'a',
            '(' | ')' | '|' => return None,
            literal => literal,
        };
        let times = match rest.peek() {
            Some('?' | '*') => rest.next().map(|_| 0),
            Some('+') => rest.next().map(|_| 1),
            Some('{') => {
                let bounds: String = rest.by_ref().skip(1).take_while(|next| *next != '}').collect();
                Some(bounds.split(',').next()?.parse::<usize>().ok()?)
            }
            _ => Some(1),
        };
        made.extend(std::iter::repeat_n(one, times?.min(MOST_REPEATED)));
    }
    Some(made)
}

/// Returns a character of a class; of one that excludes, a letter or digit that it does not name.
fn of_class(class: &str) -> Option<char> {
    match class.strip_prefix('^') {
        Some(excluded) => ['a', 'A', '0', '_'].into_iter().find(|one| !excluded.contains(*one)),
        None => {
            let mut characters = class.chars();
            match characters.next()? {
                '\\' => escaped(characters.next()?),
                first => Some(first),
            }
        }
    }
}

fn escaped(character: char) -> Option<char> {
    match character {
        'd' => Some('0'),
        'w' | 'S' | 'D' => Some('a'),
        's' => Some(' '),
        'W' => Some('-'),
        letter if letter.is_ascii_alphanumeric() => None,
        literal => Some(literal),
    }
}

/// Returns a number that fits, as far as one can be found: a small one, and whole where it can be.
pub(super) fn number(parts: &Parts<'_>, whole: bool) -> Value {
    let least = parts.bound("minimum", f64::max);
    let over = parts.bound("exclusiveMinimum", f64::max);
    let most = parts.bound("maximum", f64::min);
    let under = parts.bound("exclusiveMaximum", f64::min);
    let step = parts.bound("multipleOf", f64::max);
    let (low, high) = (tightest(least, over, f64::max), tightest(most, under, f64::min));
    let mut candidates = vec![1.0, 0.0];
    let grid = step.filter(|step| *step > 0.0).unwrap_or(1.0);
    if let Some(low) = low {
        let first = (low / grid).ceil() * grid;
        candidates.extend([first, first + grid]);
    }
    if let Some(high) = high {
        let last = (high / grid).floor() * grid;
        candidates.extend([last, last - grid]);
    }
    candidates.push(grid);
    if !whole {
        candidates.extend([low, high].into_iter().flatten());
        candidates.extend(low.zip(high).map(|(low, high)| low.midpoint(high)));
    }
    let fits = |number: &f64| {
        least.is_none_or(|bound| *number >= bound)
            && over.is_none_or(|bound| *number > bound)
            && most.is_none_or(|bound| *number <= bound)
            && under.is_none_or(|bound| *number < bound)
            && parts.all("multipleOf").filter_map(Value::as_f64).all(|step| (number / step).fract() == 0.0)
            && !(whole && number.fract() != 0.0)
    };
    let number = candidates.iter().copied().find(fits).or(candidates.first().copied()).unwrap_or(1.0);
    match format!("{number:.0}").parse::<i64>() {
        Ok(integer) if number.fract() == 0.0 => integer.into(),
        _ => number.into(),
    }
}

fn tightest(one: Option<f64>, other: Option<f64>, tighter: fn(f64, f64) -> f64) -> Option<f64> {
    one.into_iter().chain(other).reduce(tighter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parts(schema: &Value) -> Parts<'_> {
        Parts::of(schema, &[schema])
    }

    #[test]
    fn texts_are_made_for_lengths_formats_and_patterns() {
        for (schema, says) in [
            (json!({}), "text"),
            (json!({ "minLength": 6 }), "textxx"),
            (json!({ "maxLength": 2 }), "te"),
            (json!({ "format": "date" }), "2026-01-31"),
            (json!({ "format": "unheard-of" }), "text"),
            (json!({ "pattern": "^ord-[0-9]{4}$" }), "ord-0000"),
            (json!({ "pattern": r"^\d{2,}\.[A-Z]+x?$" }), "00.A"),
            (json!({ "pattern": "^[^a]b$" }), "Ab"),
            (json!({ "pattern": "^.{3}$" }), "aaa"),
            (json!({ "pattern": "^(a|b)$" }), "a"),
            (json!({ "pattern": "^[a-z]*$", "minLength": 2 }), "text"),
            (json!({ "pattern": "^(ab|cd){3}$" }), "text that matches ^(ab|cd){3}$"),
            (json!({ "minLength": 1e300 }), "text"),
        ] {
            let text = text(&parts(&schema));
            assert!(text.starts_with(says), "{schema}: {text}");
            assert!(text.len() <= MOST_CHARS, "{schema}: {}", text.len());
        }
    }

    #[test]
    fn numbers_are_small_and_whole_where_they_can_be() {
        for (schema, whole, says) in [
            (json!({}), true, json!(1)),
            (json!({ "minimum": 5 }), true, json!(5)),
            (json!({ "exclusiveMinimum": 5 }), true, json!(6)),
            (json!({ "maximum": -3 }), true, json!(-3)),
            (json!({ "exclusiveMaximum": 0 }), true, json!(-1)),
            (json!({ "multipleOf": 5, "minimum": 7 }), true, json!(10)),
            (json!({ "minimum": 0.2, "maximum": 0.4 }), false, json!(0.2)),
            (json!({ "exclusiveMinimum": 0.25, "exclusiveMaximum": 0.75 }), false, json!(0.5)),
            (json!({ "minimum": 1e300 }), false, json!(1e300)),
        ] {
            assert_eq!(number(&parts(&schema), whole), says, "{schema}");
        }
    }
}
