//! What is wrong with a configuration: where, what, and what to do.

use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody gave one.
    Default,
    /// A file.
    File {
        /// Which.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The environment variable of this name.
    Env(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Env(name) => f.write_str(name),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key; empty where a file as a whole cannot be read.
    pub path: String,
    /// What was given, where it may be shown.
    pub value: Option<String>,
    /// Who gave it.
    pub source: Source,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub advice: String,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source)?;
        if !self.path.is_empty() {
            write!(f, "{}", self.path)?;
            if let Some(value) = &self.value {
                write!(f, " = '{value}'")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.problem)?;
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}

/// Returns the key that was probably meant: the same name in another section, or one that is a few letters away.
pub(super) fn nearest<'a>(path: &str, keys: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let name = |path: &'a str| path.rsplit('.').next();
    let last = path.rsplit('.').next();
    let close = keys.clone().map(|key| (distance(path, key), key)).min()?;
    // A third of the letters may be wrong; beyond that a guess is noise.
    if close.0 <= path.len().div_ceil(3).min(4) {
        return Some(close.1);
    }
    keys.into_iter().find(|key| name(key) == last)
}

/// Counts the letters to insert, delete, replace or swap to turn one text into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(x != *y)).min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
