//! What strangers wrote, made harmless for a terminal: agents write descriptions and reasons, and must not write to the terminal of who
//! reads them. Pure.

/// What stands in place of a control character.
const CONTROL: char = '\u{fffd}';

/// How a text may go over lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// It stays on one: breaks become blanks.
    One,
    /// Its breaks stay.
    Several,
}

/// Replaces what a terminal would obey; only colours of our own stay, which `mark` tells from those in the texts of others.
pub(super) fn plain(text: &str, lines: Lines, mark: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '\n' if lines == Lines::Several => out.push('\n'),
            '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push(' '),
            '\x1b' => match colour(rest, mark) {
                Some((code, behind)) => {
                    out.push_str(&format!("\x1b[{code}m"));
                    rest = behind;
                }
                None => out.push(CONTROL),
            },
            // They turn the order of what is read around.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push(CONTROL),
            c if c.is_control() => out.push(CONTROL),
            c => out.push(c),
        }
    }
    out
}

/// Writes a colour of our own, for [`plain`] to know it again.
pub(super) fn marked(code: u8, mark: &str) -> String {
    format!("\x1b{mark}{code}m")
}

fn colour<'a>(rest: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let (code, behind) = rest.strip_prefix(mark)?.split_once('m')?;
    code.bytes().all(|byte| byte.is_ascii_digit()).then_some((code, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_others_are_replaced_and_colours_of_our_own_stay() {
        for (text, one, several) in [
            ("plain, \u{fc}\u{1F600}", "plain, \u{fc}\u{1F600}", "plain, \u{fc}\u{1F600}"),
            ("a\nb\tc\r\nd", "a b c  d", "a\nb c \nd"),
            (
                "\x1b[2J\x1b]0;title\x07",
                "\u{fffd}[2J\u{fffd}]0;title\u{fffd}",
                "\u{fffd}[2J\u{fffd}]0;title\u{fffd}",
            ),
            ("\x1b[31mready\x1b[0m", "\u{fffd}[31mready\u{fffd}[0m", "\u{fffd}[31mready\u{fffd}[0m"),
            (
                "\u{9b}2J\u{7f}\0\x08",
                "\u{fffd}2J\u{fffd}\u{fffd}\u{fffd}",
                "\u{fffd}2J\u{fffd}\u{fffd}\u{fffd}",
            ),
            ("a\u{202e}b\u{2028}c\u{85}d", "a\u{fffd}b c d", "a\u{fffd}b c d"),
            ("\x1b", "\u{fffd}", "\u{fffd}"),
        ] {
            assert_eq!(plain(text, Lines::One, "mark"), one, "{text:?}");
            assert_eq!(plain(text, Lines::Several, "mark"), several, "{text:?}");
        }
        let ours = format!("{}good{} \x1bother32m", marked(32, "mark"), marked(0, "mark"));
        assert_eq!(plain(&ours, Lines::One, "mark"), "\x1b[32mgood\x1b[0m \u{fffd}other32m");
        assert_eq!(plain("\x1bmark2Jm", Lines::One, "mark"), "\u{fffd}mark2Jm");
    }
}
