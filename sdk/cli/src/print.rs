//! What goes to standard output, as text for people or as JSON for programs, and what goes to standard error.
//!
//! Text for people is made harmless here, all of it: much of it was written by agents.

mod plain;

use std::io::{IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use soorma::{Entropy as _, ErrorCode, MachineEntropy};

use plain::{Lines, marked, plain};

/// How a command prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    json: bool,
    colour: bool,
    /// Tells our own colours from those that somebody wrote into a text; nobody can guess it.
    mark: u128,
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
        let colour = !json && wanted && !dumb && std::io::stdout().is_terminal();
        let mut mark = [0; 16];
        MachineEntropy.fill(&mut mark);
        Self { json, colour, mark: u128::from_le_bytes(mark) }
    }

    /// Whether JSON is wanted.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Whether a person watches.
    pub(crate) fn is_live(self) -> bool {
        !self.json && std::io::stdout().is_terminal()
    }

    /// Writes a line, which stays one.
    pub(crate) fn line(self, text: &str) -> anyhow::Result<()> {
        self.raw(format!("{}\n", self.plain(text, Lines::One)).as_bytes())
    }

    /// Writes a text of one or several lines.
    pub(crate) fn lines(self, text: &str) -> anyhow::Result<()> {
        self.raw(format!("{}\n", self.plain(text, Lines::Several)).as_bytes())
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
        self.raw(format!("{}\n", serde_json::to_string(value)?).as_bytes())
    }

    /// Writes a line for people on standard error.
    pub(crate) fn note(self, text: &str) {
        complain(&self.plain(text, Lines::One));
    }

    /// Says on standard error what went wrong.
    pub(crate) fn failure(self, text: &str, code: Option<ErrorCode>) {
        if self.json {
            let code = code.unwrap_or(ErrorCode::Internal);
            complain(&serde_json::json!({ "error": text, "code": code }).to_string());
        } else {
            complain(&self.plain(&format!("soorma: {text}"), Lines::Several));
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
        if !self.colour {
            return text.to_owned();
        }
        let mark = self.mark();
        format!("{}{text}{}", marked(code, &mark), marked(0, &mark))
    }

    fn mark(self) -> String {
        format!("{:032x}:", self.mark)
    }

    fn plain(self, text: &str, lines: Lines) -> String {
        plain(text, lines, &self.mark())
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
            table.add_row(row.iter().map(|cell| self.plain(cell, Lines::One)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        // Cells are padded to their column; a line needs no blanks at its end.
        let text: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        self.raw(format!("{}\n", text.join("\n")).as_bytes())
    }
}

fn complain(text: &str) {
    // Nobody to tell it to is no reason to stop.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
