//! The demo counts what the old tools count, whatever the files are like, and whatever is made to fail meanwhile.

use std::path::Path;

use serde_json::Value;

use super::place::{Place, Running};

/// What it comes to, without what differs from run to run.
#[derive(Debug, PartialEq)]
struct Totals {
    files: u64,
    lines: u64,
    words: u64,
    top: Vec<(String, u64)>,
}

impl Totals {
    fn of(report: &Value) -> Self {
        let number = |key: &str| report[key].as_u64().unwrap();
        let top = report["top"].as_array().unwrap().iter();
        let top = top.map(|top| (top["word"].as_str().unwrap().to_owned(), top["count"].as_u64().unwrap()));
        Self { files: number("files"), lines: number("lines"), words: number("words"), top: top.collect() }
    }

    /// What `wc`, `tr`, `sort` and `uniq` say.
    fn by_the_old_tools(folder: &Place, files: &[String]) -> Self {
        const SCRIPT: &str = r#"
            export LC_ALL=C
            while IFS= read -r file; do wc -l -w <"$file"; done <"$1" | awk '{ l += $1; w += $2 } END { print l, w }'
            while IFS= read -r file; do tr -cs A-Za-z '\n' <"$file" | tr A-Z a-z; echo; done <"$1" |
                grep -v '^$' | sort | uniq -c | sort -k1,1nr -k2,2 | head -20
        "#;
        let lists = Place::new();
        lists.write("list", files.join("\n") + "\n");
        let list = lists.path().join("list");
        let shell = folder.program("sh", &["-c", SCRIPT, "sh", list.to_str().unwrap()]);
        let said = Running::start(shell).done().ok();
        let mut pairs = said.lines().map(|line| line.trim().split_once(' ').unwrap());
        let (lines, words) = pairs.next().unwrap();
        let top = pairs.map(|(count, word)| (word.to_owned(), count.parse().unwrap()));
        Self {
            files: u64::try_from(files.len()).unwrap(),
            lines: lines.parse().unwrap(),
            words: words.parse().unwrap(),
            top: top.collect(),
        }
    }
}

/// What a file may hold for `wc` and us to agree: from coreutils 9.5 on, `wc -w` counts bytes that are no
/// characters as parts of words, where we follow its elders and POSIX.
struct Alphabet {
    ascii_only: bool,
}

impl Alphabet {
    fn of_this_machine() -> Self {
        let place = Place::new();
        let shell = place.program("sh", &["-c", r"printf '\351' | LC_ALL=C wc -w"]);
        Self { ascii_only: Running::start(shell).done().ok().trim() == "1" }
    }

    fn of(&self, bytes: &[u8]) -> Vec<u8> {
        let keeps = |byte: &u8| !self.ascii_only || matches!(byte, 0 | 0x20..=0x7e | b'\t'..=b'\r');
        bytes.iter().copied().filter(keeps).collect()
    }
}

/// Counts with and without chaos, and looks that all runs agree with the old tools.
fn check(folder: &Place, files: &[String]) {
    let expected = Totals::by_the_old_tools(folder, files);
    assert_eq!(expected.top.len(), 20);
    let elsewhere = Place::new();
    let demo = |more: &[&str]| {
        let args = [&["demo", folder.path().to_str().unwrap(), "--json"], more].concat();
        let report = elsewhere.run(&args).json();
        assert_eq!(Totals::of(&report), expected, "{more:?}");
        (report["restarts"].as_u64().unwrap(), report["redeliveries"].as_u64().unwrap())
    };
    assert_eq!(demo(&[]), (0, 0));
    for seed in ["1", "2", "3"] {
        let (restarts, redeliveries) = demo(&["--chaos", "--seed", seed]);
        assert!(restarts > 0 && redeliveries > 0, "seed {seed}: {restarts} and {redeliveries}");
    }
}

/// Letters that follow from a number: words that are the same in every run.
fn word(n: u64, letters: u32) -> String {
    let mut n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        n ^= n << 13;
        n ^= n >> 7;
        n ^= n << 17;
        char::from(b'a' + u8::try_from(n % 26).unwrap())
    };
    (0..letters).map(|_| next()).collect()
}

fn words(count: u64, letters: u32, around: &str) -> String {
    (0..count).map(|n| word(n, letters) + around).collect()
}

#[test]
fn files_of_every_kind_are_counted_as_wc_and_uniq_count_them() {
    let (folder, alphabet) = (Place::new(), Alphabet::of_this_machine());
    let mut counted = Vec::new();
    let mut add = |name: &str, bytes: &[u8]| {
        folder.write(name, alphabet.of(bytes));
        counted.push(name.to_owned());
    };
    let all_bytes: Vec<u8> = (1..=255).collect();
    add("bytes.txt", &[b"\x01 \xe9 a\x01b \xc2\xa0x\x7f y\x0bz\x0cq\r\n".as_slice(), &all_bytes].concat());
    add("crlf.txt", b"one two\r\nthree\r\n\r\nfour");
    add("no-newline.txt", b"the last word has no end");
    add("empty.txt", b"");
    add("blank.txt", b" \t\n\n  \n");
    add("utf8.txt", "Ærøskøbing — naïve straße\u{2028}日本語 x\u{feff}y\n".as_bytes());
    add("sheet with 'quotes' and blanks.txt", b"a b c\n");
    add(".hidden", b"hidden words count\n");
    add(".config/deep/er/settings", b"so do those of hidden folders\n");
    add("a/b/c/d/e.txt", b"deep down\n");
    // Three megabytes of words that hardly repeat: many events.
    add("distinct.txt", words(375_000, 7, "\n").as_bytes());
    add("long-words.txt", words(5_000, 90, " ").as_bytes());
    // One word of more bytes than an event usually carries.
    add("one-word.txt", "x".repeat(400_000).as_bytes());
    for n in 0..100 {
        add(&format!("notes/{n}.txt"), format!("note {n}: the Note, THE note\nend of {n}").as_bytes());
    }
    add(".gitignore", b"*.log\n/build/\n!keep.log\n");
    add("keep.log", b"kept although it is a log\n");
    add("a/.gitignore", b"secret*\n");
    add("secret.txt", b"only those in a are left out\n");
    // Not git's, so without effect.
    add(".ignore", b"notes\n");
    for (name, bytes) in [
        ("x.log", b"left out\n".to_vec()),
        ("a/y.log", b"left out\n".to_vec()),
        ("build/out.txt", b"left out\n".to_vec()),
        ("a/b/secret-plan.txt", b"left out\n".to_vec()),
        (".git/config", b"left out\n".to_vec()),
        ("binary", b"words\0words\n".to_vec()),
        // Further down than what is read at once.
        ("late.bin", ["word ".repeat(100_000).as_bytes(), b"\0"].concat()),
    ] {
        folder.write(name, bytes);
    }
    let outside = Place::new();
    outside.write("outside.txt", "left out\n");
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("outside.txt"), folder.path().join("link.txt")).unwrap();
    check(&folder, &counted);
}

/// Copies what stands in this repository, so that nobody changes it while it is counted.
fn copy(from: &Path, name: &str, to: &Place, alphabet: &Alphabet, copied: &mut Vec<String>) {
    for entry in std::fs::read_dir(from.join(name)).unwrap() {
        let entry = entry.unwrap();
        let own = entry.file_name().into_string().unwrap();
        let path = if name.is_empty() { own.clone() } else { format!("{name}/{own}") };
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !["target", ".git", ".soorma"].contains(&own.as_str()) {
            copy(from, &path, to, alphabet, copied);
        } else if kind.is_file() && own != ".gitignore" {
            let Ok(bytes) = std::fs::read(entry.path()) else { continue };
            to.write(&path, alphabet.of(&bytes));
            if !bytes.contains(&0) {
                copied.push(path);
            }
        }
    }
}

#[test]
fn the_sources_of_this_repository_are_counted_as_wc_and_uniq_count_them() {
    let (folder, mut files) = (Place::new(), Vec::new());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    copy(&root, "", &folder, &Alphabet::of_this_machine(), &mut files);
    assert!(files.len() > 100, "the whole repository is counted");
    check(&folder, &files);
}

#[test]
fn without_json_the_demo_prints_a_table_and_two_lines() {
    let folder = Place::new();
    folder.write("a", "the cat and the hat\n");
    let said = folder.run(&["demo"]).ok();
    assert!(said.starts_with("counting 1 files under ."), "{said}");
    assert!(said.contains("\nWORD  COUNT\nthe   2\nand   1\ncat   1\nhat   1\n"), "{said}");
    assert!(said.contains("\n1 files, 1 lines, 5 words\n"), "{said}");
    assert!(said.ends_with("0 restarts, 0 redeliveries\n") && !said.contains('\x1b'), "{said}");
}

#[test]
fn an_empty_folder_comes_to_nothing_and_a_folder_that_is_none_is_refused() {
    let folder = Place::new();
    let report = folder.run(&["demo", "--json"]).json();
    assert_eq!(Totals::of(&report), Totals { files: 0, lines: 0, words: 0, top: vec![] });
    folder.write("file", "x");
    for (path, why) in [("nowhere", "No such file"), ("file", "it is a file")] {
        let said = folder.run(&["demo", path]).failed(2);
        assert!(said.contains(path) && said.contains(why) && said.contains("Give a folder"), "{said}");
    }
    let said = folder.run(&["demo", "--seed", "7"]);
    assert!(said.code == Some(2) && said.err.contains("--chaos"), "a seed of nothing: {said:?}");
}
