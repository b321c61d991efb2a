//! Habits that a machine can hold: the size of files, and pages whose sentences name their tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The most lines of code that a file has, tests not counted.
const MOST_LINES: usize = 500;

/// Files that were longer when this was written. A number may go down, never up; no file is added.
const RATCHET: &[(&str, usize)] = &[];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Returns all Rust files below a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Counts lines that are neither blank nor comments, up to the tests at the end of the file.
fn lines_of_code(text: &str) -> usize {
    let text = text.split_once("#[cfg(test)]\nmod ").map_or(text, |(code, _)| code);
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

/// Whether a file holds nothing but tests.
fn is_test(path: &Path) -> bool {
    path.iter().any(|part| part == "tests") || path.ends_with("tests.rs")
}

#[test]
fn files_are_short() {
    let root = root();
    let files = rust_files(&root);
    assert!(files.len() > 30, "the whole repository is looked at");
    let mut wrong = Vec::new();
    for file in files {
        let path = file.strip_prefix(&root).unwrap();
        if is_test(path) {
            continue;
        }
        let listed = RATCHET.iter().find(|(name, _)| Path::new(name) == path).map(|(_, lines)| *lines);
        let lines = lines_of_code(&std::fs::read_to_string(&file).unwrap());
        if lines > listed.unwrap_or(MOST_LINES) {
            wrong.push(format!("{}: {lines} lines of code; part it by what it answers", path.display()));
        }
        if listed.is_some_and(|most| lines < most) {
            wrong.push(format!(
                "{}: {lines} lines of code now; write that into RATCHET, or drop the row",
                path.display()
            ));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn blank_lines_comments_and_tests_do_not_count() {
    assert_eq!(lines_of_code("//! Why.\n\nfn a() {\n    // Because.\n    b();\n}\n"), 3);
    assert_eq!(lines_of_code("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n"), 1);
    assert_eq!(lines_of_code("fn a() {}\n#[cfg(test)]\nfn only_for_tests() {}\nfn b() {}\n"), 4);
    assert!(is_test(Path::new("runtime/core/tests/it/names.rs")));
    assert!(is_test(Path::new("services/node/src/config/tests.rs")));
    assert!(!is_test(Path::new("runtime/testkit/src/world.rs")));
}

/// Returns the names of the functions that carry a test attribute.
fn tests_in(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut attributed = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            attributed |= line.contains("test");
        } else if let Some((_, rest)) = line.split_once("fn ") {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if std::mem::take(&mut attributed) {
                names.insert(name);
            }
        }
    }
    names
}

/// Returns the bullets of a page, each with the indented lines that go on with it.
fn bullets(page: &str) -> Vec<String> {
    let mut bullets: Vec<String> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        if let Some(text) = line.strip_prefix("- ") {
            bullets.push(text.to_owned());
            open = true;
        } else if open && line.starts_with(' ') && !line.trim().is_empty() {
            if let Some(bullet) = bullets.last_mut() {
                *bullet = format!("{bullet} {}", line.trim());
            }
        } else {
            open = false;
        }
    }
    bullets
}

/// Returns the bullets of a page that name no test that exists. A name may stand with its path: `crate::module::name`.
fn bullets_without_a_test<'a>(bullets: &'a [String], tests: &BTreeSet<String>) -> Vec<&'a str> {
    let names_one = |bullet: &&String| {
        let mut quoted = bullet.split('`').skip(1).step_by(2);
        quoted.any(|name| tests.contains(name.rsplit("::").next().unwrap_or(name)))
    };
    bullets.iter().filter(|bullet| !names_one(bullet)).map(String::as_str).collect()
}

#[test]
fn every_rule_of_the_supervision_page_names_its_test() {
    let page = root().join("docs/supervision.md");
    let page = std::fs::read_to_string(&page)
        .unwrap_or_else(|e| panic!("docs/supervision.md: {e}. The page says what supervision promises, a bullet a promise, each with its test"));
    let tests: BTreeSet<String> = rust_files(&root().join("runtime/supervise"))
        .iter()
        .flat_map(|file| tests_in(&std::fs::read_to_string(file).unwrap()))
        .collect();
    let bullets = bullets(&page);
    assert!(!bullets.is_empty(), "docs/supervision.md has no line that begins with `- `");
    assert_eq!(
        bullets_without_a_test(&bullets, &tests),
        Vec::<&str>::new(),
        "these name no test of runtime/supervise"
    );
}

#[test]
fn a_rule_without_a_test_is_found() {
    let tests =
        tests_in("#[tokio::test(start_paused = true)]\nasync fn it_restarts() {}\n\nfn helper() {}\n");
    assert_eq!(tests, BTreeSet::from(["it_restarts".to_owned()]));
    let page = "# Rules\n- It restarts,\n  `supervise::restart::it_restarts`.\n- It `helper`s.\n- It is wished for.\n\nText `it_restarts`.\n";
    let bullets = bullets(page);
    assert_eq!(bullets.len(), 3);
    assert_eq!(bullets_without_a_test(&bullets, &tests), ["It `helper`s.", "It is wished for."]);
}
