//! Which files there are.

use std::path::Path;

use ignore::WalkBuilder;
use soorma::Error;

/// The files under a folder, relative to it, sorted: hidden ones as well, but not those that .gitignore names, nor git's own.
/// Links are not followed.
pub(crate) fn under(folder: &Path) -> anyhow::Result<Vec<String>> {
    let cannot = |why: &dyn std::fmt::Display| {
        Error::invalid(format!(
            "cannot read the folder {}: {why}. Give a folder of text files",
            folder.display()
        ))
    };
    let meta = std::fs::metadata(folder).map_err(|error| cannot(&error))?;
    if !meta.is_dir() {
        return Err(cannot(&"it is a file").into());
    }
    let walk = WalkBuilder::new(folder)
        .hidden(false)
        .ignore(false)
        .require_git(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    let mut files = Vec::new();
    for entry in walk {
        let entry = entry.map_err(|error| cannot(&error))?;
        if entry.file_type().is_some_and(|kind| kind.is_file()) {
            let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            match path.to_str() {
                Some(path) => files.push(path.to_owned()),
                // An event carries text; a name that is none cannot be asked for.
                None => return Err(cannot(&format!("the name of {} is no UTF-8", path.display())).into()),
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}
