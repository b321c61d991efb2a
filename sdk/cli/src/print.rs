//! What goes to standard output, as text for people or as JSON for programs, and what goes to standard error.

use std::io::{IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use soorma::ErrorCode;

/// How a command prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    json: bool,
    colour: bool,
}

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Warn,
    Bad,
    Quiet,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        // https://no-color.org
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { json, colour: !json && wanted && !dumb && std::io::stdout().is_terminal() }
    }

    /// Whether JSON is wanted.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Whether a person watches.
    pub(crate) fn is_live(self) -> bool {
        !self.json && std::io::stdout().is_terminal()
    }

    /// Writes a line.
    #[expect(clippy::unused_self, reason = "whoever prints has a printer")]
    pub(crate) fn line(self, text: &str) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}")?;
        Ok(out.flush()?)
    }

    /// Writes bytes as they are.
    #[expect(clippy::unused_self, reason = "whoever prints has a printer")]
    pub(crate) fn raw(self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(bytes)?;
        Ok(out.flush()?)
    }

    /// Writes a value as one line of JSON.
    pub(crate) fn object<T: Serialize + ?Sized>(self, value: &T) -> anyhow::Result<()> {
        self.line(&serde_json::to_string(value)?)
    }

    /// Writes a line for people on standard error.
    #[expect(clippy::unused_self, reason = "whoever prints has a printer")]
    pub(crate) fn note(self, text: &str) {
        // Nobody to tell it to is no reason to stop.
        drop(writeln!(std::io::stderr().lock(), "{text}"));
    }

    /// Says on standard error what went wrong.
    pub(crate) fn failure(self, text: &str, code: Option<ErrorCode>) {
        if self.json {
            let code = code.unwrap_or(ErrorCode::Internal);
            self.note(&serde_json::json!({ "error": text, "code": code }).to_string());
        } else {
            self.note(&format!("soorma: {text}"));
        }
    }

    /// Colours a text where colours are wanted.
    pub(crate) fn tone(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => 32,
            Tone::Warn => 33,
            Tone::Bad => 31,
            Tone::Quiet => 2,
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Writes a table that fits the terminal.
    pub(crate) fn table(self, head: &[&str], rows: Vec<Vec<String>>) -> anyhow::Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        if !std::io::stdout().is_terminal() {
            table.force_no_tty();
        }
        table.set_header(head.iter().map(|text| text.to_uppercase()));
        for row in rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        // Cells are padded to their column; a line needs no blanks at its end.
        let text: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        self.line(&text.join("\n"))
    }
}
