//! What the commands print: plain text for people, one JSON value a line for programs, nothing that a pipe must fear.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::place::{Dev, Place, Running, event, json as line};

/// Reads each line as JSON.
#[track_caller]
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|one| line(&format!("{one}\n"))).collect()
}

fn tail<'a>(dev: &'a Dev, more: &[&'a str]) -> Vec<&'a str> {
    [&["events", "tail", "--url", &dev.url], more].concat()
}

#[test]
fn the_tree_is_a_plain_table_or_one_json_value() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let table = place.run(&["tree", "--url", &dev.url]).ok();
    assert!(table.starts_with("CHILD  "), "{table}");
    for row in
        ["root (rest_for_one) ", "├─ bus (rest_for_one) ", "│  │  ├─ action-requests  ", "   └─ listener  "]
    {
        assert!(table.contains(row), "{row:?} is not in\n{table}");
    }
    assert!(table.lines().skip(1).all(|row| row.contains("running")), "{table}");
    assert!(!table.contains('\x1b') && table.lines().all(|line| !line.ends_with(' ')), "{table:?}");

    let tree = place.run(&["tree", "--json", "--url", &dev.url]).json();
    assert_eq!((&tree["id"], &tree["state"]), (&json!("root"), &json!("running")));
    let ids: Vec<_> = tree["children"].as_array().unwrap().iter().map(|child| child["id"].clone()).collect();
    assert_eq!(ids, ["registry", "memory", "bus", "announcer", "agents", "edge"]);
    let shallow = place.run(&["tree", "--json", "--depth", "1", "--limit", "2", "--url", &dev.url]).json();
    assert_eq!((shallow["children"].as_array().unwrap().len(), &shallow["more"]), (2, &json!(4)));
    assert!(shallow["children"][0].get("children").is_none(), "{shallow}");
}

#[test]
fn what_was_published_is_shown_from_any_place_on() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let said = place.run(&["events", "publish", "order.placed", "--url", &dev.url]).ok();
    assert!(said.starts_with("published ") && said.ends_with(" on business-facts\n"), "{said}");
    let args = [
        "events",
        "publish",
        "work.requested",
        "--topic",
        "action-requests",
        "--data",
        "-",
        "--id",
        "e2",
        "--json",
        "--url",
        &dev.url,
    ];
    for _ in 0..2 {
        let said = Running::reading(place.command(&args), r#"{"n": 1.50, "text": "é"}"#).done().json();
        assert_eq!(said, json!({ "id": "e2", "topic": "action-requests", "correlation_id": "e2" }));
    }
    assert_eq!(dev.publish(&event("e3")).status, 200);

    let from_start = ["--json", "--after", "business-facts=0,action-requests=0"];
    let shown = lines(&place.run(&tail(&dev, &[&from_start[..], &["--count", "3"]].concat())).ok());
    let mut ids: Vec<_> = shown.iter().map(|shown| shown["event"]["id"].as_str().unwrap()).collect();
    ids.retain(|id| id.starts_with('e'));
    assert_eq!(ids, ["e2", "e3"], "the same id is published once");
    let e2 = shown.iter().find(|shown| shown["event"]["id"] == "e2").unwrap();
    assert_eq!(e2["event"]["data"], json!({ "n": 1.5, "text": "é" }));

    // On from a place that was shown.
    let args = ["action-requests", "--json", "--after", "action-requests=0", "--count", "1"];
    let first = lines(&place.run(&tail(&dev, &args)).ok());
    let at = first[0]["at"].as_str().unwrap();
    let next =
        lines(&place.run(&tail(&dev, &["action-requests", "--json", "--after", at, "--count", "1"])).ok());
    assert_eq!((&first[0]["event"]["id"], &next[0]["event"]["id"]), (&json!("e2"), &json!("e3")));
    let args =
        ["--type", "order.placed", "--json", "--after", "business-facts=0,action-requests=0", "--count", "1"];
    assert_eq!(lines(&place.run(&tail(&dev, &args)).ok())[0]["event"]["type"], "order.placed");

    let text = place.run(&tail(&dev, &["--after", "action-requests=0", "--count", "2"])).ok();
    let rows: Vec<_> = text.lines().map(|row| row.split_once(' ').unwrap().1).collect();
    let row = r#"action-requests work.requested from cli {"n":1.50,"text":"\u00e9"}"#;
    assert_eq!(rows, [row, r#"action-requests work.requested from asker {"n":"e3"}"#]);
}

#[test]
fn what_is_wrong_with_arguments_is_said_before_anybody_is_asked() {
    let place = Place::new();
    for (args, words) in [
        (&["events", "publish", "a.b", "--topic", "orders"][..], &["'orders'", "business-facts"][..]),
        (&["events", "publish", "a.b", "--data", "[1]"], &["--data", "must be a JSON object"]),
        (&["events", "publish", "a.b", "--data", "{"], &["--data", "line 1 column 1"]),
        (&["events", "publish", "a.b", "--id", ""], &["--id is empty"]),
        (&["events", "tail", "orders"], &["'orders'", "business-facts"]),
        (&["events", "tail", "--after", "yesterday"], &["--after yesterday", "the `at` of an event"]),
        (&["tree", "--tenant", " "], &["--tenant"]),
    ] {
        let said = place.run(args).failed(2);
        for word in words {
            assert!(said.contains(word), "{word:?} is not in {said:?}");
        }
    }
    for args in [
        &["evnts"][..],
        &["tree", "--depth", "x"],
        &["dlq", "discard"],
        &["dlq", "discard", "1", "--all"],
        &[],
    ] {
        let done = place.run(args);
        assert!(done.code == Some(2) && done.out.is_empty() && done.err.contains("--help"), "{done:?}");
    }
}

#[test]
fn a_tenant_sees_its_own_alone() {
    let place = Place::new();
    let dev = place.dev(&[]);
    for tenant in ["one", "two"] {
        place
            .run(&["events", "publish", "a.b", "--source", tenant, "--tenant", tenant, "--url", &dev.url])
            .ok();
    }
    let args = tail(&dev, &["--tenant", "two", "--json", "--after", "business-facts=0", "--count", "1"]);
    assert_eq!(line(&place.run(&args).ok())["event"]["source"], "two");
}

#[test]
fn the_version_and_completions_are_printed() {
    let place = Place::new();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(place.run(&["version"]).ok(), format!("soorma {version}\n"));
    assert_eq!(place.run(&["--version"]).ok(), format!("soorma {version}\n"));
    assert_eq!(place.run(&["version", "--json"]).json(), json!({ "name": "soorma", "version": version }));
    for (shell, word) in
        [("bash", "complete -F _soorma"), ("zsh", "#compdef soorma"), ("fish", "complete -c soorma")]
    {
        let script = place.run(&["completions", shell]).ok();
        assert!(script.contains(word) && script.contains("redrive"), "{shell}");
    }
    place.write("soorma.bash", place.run(&["completions", "bash"]).ok());
    let check = place.program("bash", &["-n", "soorma.bash"]);
    Running::start(check).done().ok();
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let place = Place::new();
    let dev = place.dev(&[]);
    for args in [
        &["config", "reference"][..],
        &["config", "show"],
        &["completions", "zsh"],
        &["version", "--json"],
        &["tree", "--url", &dev.url],
        &["dlq", "list", "--url", &dev.url],
        &["agents", "list", "--url", &dev.url],
        &["events", "list", "--url", &dev.url],
        &["schemas", "list", "--url", &dev.url],
        &["memory", "stats", "--url", &dev.url],
        &["memory", "search", "x", "--url", &dev.url],
        &["events", "publish", "a.b", "--url", &dev.url],
        &["--help"],
        &["demo"],
    ] {
        let mut child = place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let done = child.wait_with_output().unwrap();
        assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]), "{args:?}");
    }
    assert_eq!(dev.publish(&event("read")).status, 200);
    let (tail, said) =
        Running::read_until(place.command(&tail(&dev, &["--after", "action-requests=0"])), "read");
    assert!(said.contains("work.requested"), "{said}");
    assert_eq!(dev.publish(&event("unread")).status, 200);
    let done = tail.done();
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
}

/// Runs a command on a terminal of `script`, and returns what it wrote there.
pub(crate) fn on_a_terminal(place: &Place, args: &[&str], environment: &[(&str, &str)]) -> String {
    let quoted: Vec<_> = args.iter().map(|arg| format!("'{arg}'")).collect();
    let command = format!("stty cols 120; '{}' {}", env!("CARGO_BIN_EXE_soorma"), quoted.join(" "));
    let mut script: Command = place.program("script", &["-qec", &command, "/dev/null"]);
    script.env("TERM", "xterm").envs(environment.iter().copied());
    Running::start(script).done().ok()
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let tree = ["tree", "--once", "--url", &dev.url];
    assert!(on_a_terminal(&place, &tree, &[]).contains("\x1b[32mrunning\x1b[0m"));
    for environment in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = on_a_terminal(&place, &tree, &[environment]);
        assert!(plain.contains("running") && !plain.contains('\x1b'), "{environment:?}: {plain:?}");
    }
}
