//! The lines of a file that was exported, by their numbers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use soorma::Error;

use crate::commands::memory::backup::{Entry, Kind, read};

/// Where each line stands, and how long it is.
#[derive(Debug)]
pub(super) struct Lines {
    file: File,
    places: BTreeMap<Kind, Vec<Line>>,
}

impl Lines {
    /// Reads the file once, and looks whether all of it can be read.
    ///
    /// # Errors
    /// What is wrong with the first line that cannot.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let wrong = |why: String| Error::invalid(format!("{}: {why}", path.display()));
        let io = |error: std::io::Error| wrong(error.to_string());
        let file = if path == Path::new("-") {
            // It is gone through more than once.
            let mut copy = tempfile::tempfile().map_err(io)?;
            std::io::copy(&mut std::io::stdin().lock(), &mut copy).map_err(io)?;
            copy.rewind().map_err(io)?;
            copy
        } else {
            File::open(path).map_err(io)?
        };
        let mut reader = BufReader::new(&file);
        let (mut places, mut at, mut number) = (BTreeMap::<Kind, Vec<_>>::new(), 0, 0);
        let mut line = String::new();
        loop {
            line.clear();
            number += 1;
            let length =
                reader.read_line(&mut line).map_err(|error| wrong(format!("line {number}: {error}")))?;
            if length == 0 {
                break;
            }
            if !line.trim().is_empty() {
                let entry = read(&line).map_err(|error| wrong(format!("line {number}: {error}")))?;
                places.entry(entry.kind()).or_default().push((number, at, length));
            }
            at += u64::try_from(length).unwrap_or(u64::MAX);
        }
        Ok(Self { file, places })
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> u64 {
        self.places.values().map(|places| u64::try_from(places.len()).unwrap_or(u64::MAX)).sum()
    }

    /// Of which kinds there are some, in the order in which they are stored.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        self.places.keys().copied().collect()
    }

    /// The numbers of the lines of a kind.
    pub(super) fn of(&self, kind: Kind) -> Vec<Line> {
        self.places.get(&kind).cloned().unwrap_or_default()
    }

    pub(super) fn read(&mut self, (number, at, length): Line) -> Result<Entry, Error> {
        let changed =
            |why: String| Error::invalid(format!("line {number}: {why}; the file has changed meanwhile"));
        let mut line = String::new();
        self.file.seek(SeekFrom::Start(at)).map_err(|error| changed(error.to_string()))?;
        let mut part = (&self.file).take(u64::try_from(length).unwrap_or(u64::MAX));
        part.read_to_string(&mut line).map_err(|error| changed(error.to_string()))?;
        read(&line).map_err(|error| changed(error.to_string()))
    }
}

/// Its number from 1, where it begins, and how long it is.
pub(super) type Line = (usize, u64, usize);
