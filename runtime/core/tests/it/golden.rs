//! What a release wrote, every later one reads. `UPDATE=1` rewrites the files of the newest version.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use soorma_core::{Event, Json};

use super::sample;

/// The version whose files today's code writes; older folders are only read.
const NEWEST: &str = "v0_1";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[test]
fn todays_output_is_the_golden_file_byte_for_byte() {
    let mut expected = BTreeSet::new();
    for (name, event) in sample::golden() {
        for (ending, spelling) in [("snake", Json::Snake), ("cloud", Json::Cloud)] {
            let file = folder().join(NEWEST).join(format!("{name}.{ending}.json"));
            let written = event.to_json(spelling) + "\n";
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&file, &written).unwrap();
            }
            let golden = std::fs::read_to_string(&file)
                .unwrap_or_else(|e| panic!("{}: {e}; UPDATE=1 writes it", file.display()));
            assert_eq!(written, golden, "{} differs; UPDATE=1 rewrites it", file.display());
            assert_eq!(serde_json::from_str::<Event>(&golden).unwrap(), event, "{}", file.display());
            expected.insert(file);
        }
    }
    let found: BTreeSet<_> = files(&folder().join(NEWEST)).into_iter().collect();
    assert_eq!(found, expected, "each file of the newest version belongs to a sample");
}

#[test]
fn every_released_version_is_read_and_written_back_equal() {
    let mut read = 0;
    for version in files(&folder()) {
        for file in files(&version) {
            let golden = std::fs::read_to_string(&file).unwrap();
            let event: Event =
                serde_json::from_str(&golden).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            let name = file.file_name().unwrap().to_str().unwrap();
            let spelling = if name.ends_with(".cloud.json") { Json::Cloud } else { Json::Snake };
            let again: Event = serde_json::from_str(&event.to_json(spelling)).unwrap();
            assert_eq!(again, event, "{}", file.display());
            read += 1;
        }
    }
    assert!(read >= 8, "only {read} golden files");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}
