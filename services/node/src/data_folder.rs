//! The folder of the embedded store: made, written to for a test, and locked, so that one process has it at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::node::NodeError;

/// A locked data folder. The lock ends with the process, however that ends.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    pub(crate) fn open(path: &Path) -> Result<Self, NodeError> {
        let wrong = |what: &str, error: &std::io::Error| {
            NodeError::Data(format!(
                "cannot {what} the data folder {}: {error}. Give a folder that this user may write to with --data DIR",
                path.display()
            ))
        };
        fs::create_dir_all(path).map_err(|error| wrong("make", &error))?;
        let file = path.join("soorma.lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&file)
            .map_err(|error| wrong("write to", &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is said as far as it can be read.
                drop(lock.read_to_string(&mut holder));
                let holder = holder.trim();
                let who = if holder.is_empty() { String::new() } else { format!(" (process {holder})") };
                return Err(NodeError::Data(format!(
                    "the data folder {} is in use by another soorma{who}. Stop that one, or give another folder with --data DIR",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(wrong("lock", &error)),
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(|error| wrong("write to", &error))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The file of the event log.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("events.db")
    }
}
