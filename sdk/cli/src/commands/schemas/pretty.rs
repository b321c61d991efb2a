//! Writes JSON over several lines for people, with the order and the digits that it has. Pure.

/// How far each level stands in.
const INDENT: &str = "  ";

/// Writes compact JSON over several lines.
pub(crate) fn pretty(json: &str) -> String {
    let (mut out, mut depth) = (String::new(), 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    let mut characters = json.chars().peekable();
    while let Some(c) = characters.next() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                // What is empty stays on its line.
                match characters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        begin_line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                begin_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                begin_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            '"' => {
                out.push(c);
                in_string = true;
            }
            c => out.push(c),
        }
    }
    out
}

fn begin_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&INDENT.repeat(depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_digits_and_texts_stay_and_what_is_empty_stays_on_its_line() {
        let text = r#"{"z":1.0,"a":{"k":[1e400,true,{}],"s":"{\"x\\\":[,:"},"e":[]}"#;
        let lines = [
            "{",
            r#"  "z": 1.0,"#,
            r#"  "a": {"#,
            r#"    "k": ["#,
            "      1e400,",
            "      true,",
            "      {}",
            "    ],",
            r#"    "s": "{\"x\\\":[,:""#,
            "  },",
            r#"  "e": []"#,
            "}",
        ];
        assert_eq!(pretty(text), lines.join("\n"));
        assert_eq!(pretty("{}"), "{}");
    }
}
