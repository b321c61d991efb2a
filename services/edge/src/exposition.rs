//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write as _};

/// The media type of the format.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text of metrics, one family after the other.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    text: String,
    family: &'static str,
}

impl Exposition {
    /// Begins a family: its name, what it says, and whether it is a `counter` or a `gauge`.
    pub(crate) fn family(&mut self, name: &'static str, says: &str, kind: &str) {
        self.family = name;
        let says = says.replace('\\', "\\\\").replace('\n', "\\n");
        self.push(format_args!("# HELP {name} {says}\n# TYPE {name} {kind}\n"));
    }

    /// Adds a sample of the family.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.family);
        for (nth, (name, text)) in labels.iter().enumerate() {
            let begin = if nth == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.push(format_args!("{begin}{name}=\"{text}\""));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        self.push(format_args!("{end} {value}\n"));
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn push(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ok = self.text.write_fmt(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stand_below_their_family_with_labels_escaped() {
        let mut text = Exposition::default();
        text.family("up", "Whether it \\ works.\nOr not.", "gauge");
        text.sample(&[], 1);
        text.family("behind", "How many.", "gauge");
        text.sample(&[("tenant", "a"), ("group", "q\"uo\\te\nd")], 2.5);
        assert_eq!(
            text.into_text(),
            "# HELP up Whether it \\\\ works.\\nOr not.\n# TYPE up gauge\nup 1\n\
             # HELP behind How many.\n# TYPE behind gauge\nbehind{tenant=\"a\",group=\"q\\\"uo\\\\te\\nd\"} 2.5\n"
        );
    }
}
