//! `soorma memory`: search, show, stats, export, import, erase, reembed.

use std::process::Command;

use serde_json::{Value, json};

use super::commands::on_a_terminal;
use super::place::{Dev, Done, Place, Running, SECRET_OF_TESTS};

fn memory(place: &Place, dev: &Dev, args: &[&str]) -> Done {
    place.run(&[&["memory"], args, &["--url", &dev.url]].concat())
}

/// Stores some of each kind.
fn fill(dev: &Dev) {
    for (path, body) in [
        ("sessions", json!({"sessionId": "s1", "name": "a visit", "metadata": {"n": 1.5}})),
        (
            "plans",
            json!({"planId": "p1", "goalEvent": "visit.wanted", "goalData": {"by": "Ada"}, "sessionId": "s1"}),
        ),
        ("plans", json!({"planId": "p2", "goalEvent": "visit.wanted"})),
        (
            "plan-context",
            json!({"planId": "p1", "goalEvent": "visit.wanted", "state": {"step": 2}, "correlationIds": ["c1"]}),
        ),
        (
            "semantic",
            json!({"content": "the library opens at nine", "externalId": "hours", "tags": ["library", "hours"], "source": "door"}),
        ),
        (
            "semantic",
            json!({"content": "cats are not allowed", "isPublic": true, "metadata": {"lang": "en"}}),
        ),
        ("semantic", json!({"content": "", "externalId": "empty"})),
        (
            "procedural",
            json!({"agentId": "librarian", "name": "greet", "triggerCondition": "somebody says hello",
            "procedureType": "skill", "content": "say hello, too"}),
        ),
        (
            "procedural",
            json!({"agentId": "librarian", "triggerCondition": "it is late", "procedureType": "rule", "content": "close"}),
        ),
        (
            "episodic",
            json!({"agentId": "librarian", "role": "user", "content": "when do you open", "sessionId": "s1"}),
        ),
        (
            "episodic",
            json!({"agentId": "librarian", "role": "assistant", "content": "at nine", "metadata": {"sure": true}}),
        ),
        ("episodic", json!({"agentId": "librarian", "role": "user", "content": "thanks"})),
        ("episodic", json!({"agentId": "librarian", "role": "user", "content": "thanks"})),
    ] {
        let reply = dev.post(&format!("/v1/memory/{path}"), &body);
        assert!([200, 201].contains(&reply.status), "{path}: {reply:?}");
    }
    let put = |path: &str, body: &Value| {
        let reply = dev.put(&format!("/v1/memory/{path}"), body);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
    };
    put("plans/p2", &json!({"status": "completed"}));
    put("working/p1/seat", &json!({"value": {"row": 3, "price": 1.50}}));
    put("working/p1/a:b%20c", &json!({"value": null}));
    put("working/00000000-0000-0000-0000-000000000000/n", &json!({"value": [1, 2]}));
    put("working/p2/short", &json!({"value": "soon gone", "ttlSeconds": 3600}));
}

#[test]
fn what_fits_is_listed_best_first_with_its_score_and_why() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let empty = memory(&place, &dev, &["search", "anything"]).ok();
    assert!(empty.starts_with("nothing is there"), "{empty}");
    fill(&dev);
    let table = memory(&place, &dev, &["search", "when does the library open"]).ok();
    let rows: Vec<Vec<&str>> = table.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["SCORE", "KIND", "TEXT", "STORED", "ID"]);
    assert_eq!((rows.len(), rows[1][1]), (4, "semantic"));
    assert!(
        rows[1][0].parse::<f32>().unwrap() > 0.1 && table.contains("the library opens at nine"),
        "{table}"
    );
    assert!(!table.contains('\x1b'), "{table:?}");

    let found = memory(
        &place,
        &dev,
        &[
            "search",
            "hello",
            "--agent",
            "librarian",
            "--weights",
            "meaning:1,words:1,recency:0.1",
            "--explain",
            "--json",
        ],
    );
    let found = found.json();
    assert_eq!(found["ranking"], "meaning");
    let items = found["items"].as_array().unwrap();
    let kinds: Vec<_> = items.iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "episodic").count(), 4);
    assert_eq!(
        (items[0]["kind"].as_str(), items[0]["name"].as_str()),
        (Some("procedural"), Some("greet")),
        "{found}"
    );
    assert_eq!(items[0]["explanation"]["words"]["rank"], 1, "{found}");
    let why = memory(
        &place,
        &dev,
        &["search", "hello", "--kind", "procedural", "--agent", "librarian", "--explain"],
    );
    let why = why.ok();
    assert!(why.contains("meaning #1 ("), "{why}");
    let tagged =
        memory(&place, &dev, &["search", "cats", "--tags", "library", "--limit", "5", "--json"]).json();
    assert_eq!(tagged["items"].as_array().unwrap().len(), 1);

    assert_eq!(memory(&place, &dev, &["search", "x", "--kind", "episodic"]).code, Some(2));
    let refused = memory(&place, &dev, &["search", "x", "--weights", "size:1"]).failed(2);
    assert!(refused.contains("weights"), "{refused}");
    let refused = memory(&place, &dev, &["search", "x", "--limit", "0"]).failed(2);
    assert!(refused.contains("limit"), "{refused}");
}

#[test]
fn one_entry_and_the_values_of_a_plan_are_shown() {
    let place = Place::new();
    let dev = place.dev(&[]);
    fill(&dev);
    let found = memory(&place, &dev, &["search", "library hours", "--limit", "1", "--json"]).json();
    let id = found["items"][0]["id"].as_str().unwrap();
    let shown = memory(&place, &dev, &["show", id]).ok();
    for part in
        ["external id  hours", "the library opens at nine", "\"source\": \"door\"", "seen by      its owner"]
    {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    assert_eq!(memory(&place, &dev, &["show", id, "--json"]).json()["externalId"], "hours");
    let found =
        memory(&place, &dev, &["search", "hello", "--kind", "procedural", "--agent", "librarian", "--json"])
            .json();
    let shown = memory(&place, &dev, &["show", found["items"][0]["id"].as_str().unwrap()]).ok();
    assert!(
        shown.contains("used when    somebody says hello") && shown.contains("version      1"),
        "{shown}"
    );

    let keys = memory(&place, &dev, &["show", "working", "p1"]).ok();
    assert!(keys.starts_with("KEY") && keys.contains("seat") && keys.lines().count() == 3, "{keys}");
    let value = memory(&place, &dev, &["show", "working", "p1", "seat"]).ok();
    assert!(value.contains("\"price\": 1.5") && value.contains("revision"), "{value}");
    assert_eq!(memory(&place, &dev, &["show", "working", "p1", "seat", "--json"]).json()["value"]["row"], 3);
    assert_eq!(memory(&place, &dev, &["show", "working", "empty"]).ok(), "the plan has nothing at hand\n");

    let missing = memory(&place, &dev, &["show", "6f2c1f34-6f1b-4a53-9d43-0f6f4f6f0a01"]).failed(3);
    assert!(missing.contains("soorma memory search"), "{missing}");
    assert!(
        memory(&place, &dev, &["show", "working", "p1", "nothing"]).failed(3).contains("show working p1")
    );
    assert!(memory(&place, &dev, &["show", "what"]).failed(2).contains("is no id"));
    assert_eq!(memory(&place, &dev, &["show", "working"]).code, Some(2));
}

/// What a user has, without what the platform gives it anew.
fn all(place: &Place, dev: &Dev, whose: &[&str]) -> Vec<Value> {
    fn bare(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for name in [
                    "id",
                    "userId",
                    "createdAt",
                    "updatedAt",
                    "lastInteraction",
                    "revision",
                    "version",
                    "expiresAt",
                ] {
                    fields.remove(name);
                }
                fields.values_mut().for_each(bare);
            }
            Value::Array(values) => values.iter_mut().for_each(bare),
            _ => {}
        }
    }
    let lines = memory(place, dev, &[&["export"], whose].concat());
    assert_eq!(lines.code, Some(0), "{lines:?}");
    let lines = lines.out.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        bare(&mut line);
        line
    });
    lines.collect()
}

#[test]
fn what_is_exported_and_erased_is_the_same_when_it_is_imported_however_often() {
    let place = Place::new();
    let dev = place.dev(&[]);
    fill(&dev);
    let before = all(&place, &dev, &[]);
    assert_eq!(before.len(), 1 + 2 + 1 + 3 + 2 + 4 + 4, "{before:#?}");
    let said = memory(&place, &dev, &["export", "all.jsonl", "--json"]).json();
    assert_eq!((&said["exported"]["episodic"], &said["exported"]["working"]), (&json!(4), &json!(4)));

    let receipt = memory(&place, &dev, &["erase", "--user", "su_default-user", "--yes", "--json"]).json();
    assert_eq!((&receipt["entries"], &receipt["userId"]), (&json!(17), &json!("su_default-user")));
    assert!(all(&place, &dev, &[]).is_empty());

    // The same, then once more: what is there is there once.
    for n in 0..2 {
        let said = memory(&place, &dev, &["import", "all.jsonl", "--json"]).json();
        let episodes = &said["imported"]["episodic"];
        assert_eq!(*episodes, if n == 0 { json!(4) } else { Value::Null }, "{said}");
        assert_eq!(said["passed"], if n == 0 { 0 } else { 17 }, "{said}");
        let after = all(&place, &dev, &[]);
        assert_eq!(sorted(&before), sorted(&after));
        // What happened is in its order.
        let order = |lines: &[Value]| {
            let episodes = lines.iter().filter(|line| line["kind"] == "episodic");
            episodes.map(|line| line["entry"]["content"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(order(&before), order(&after));
    }
    // By its tags it is found again, and by standard input it goes to somebody else.
    let tagged = memory(&place, &dev, &["search", "cats", "--tags", "hours", "--json"]).json();
    assert_eq!(tagged["items"].as_array().unwrap().len(), 1);
    let text = std::fs::read_to_string(place.path().join("all.jsonl")).unwrap();
    let args = ["memory", "import", "-", "--service-tenant", "other", "--user", "bob", "--url", &dev.url];
    let said = Running::reading(place.command(&args), &text).done().ok();
    // What is public is there for all already.
    assert!(said.starts_with("imported 16 entries: 1 session, 2 plan"), "{said}");
    let theirs = ["--service-tenant", "other", "--user", "bob"];
    let private: Vec<_> = before.iter().filter(|line| line["entry"]["isPublic"] != true).cloned().collect();
    assert_eq!(sorted(&all(&place, &dev, &theirs)), sorted(&private));
}

#[test]
fn what_is_there_stays_as_it_is_when_an_older_state_of_it_is_imported() {
    let place = Place::new();
    let dev = place.dev(&[]);
    fill(&dev);
    memory(&place, &dev, &["export", "old.jsonl"]).ok();
    for (path, body) in [
        ("semantic", json!({"content": "the library opens at ten", "externalId": "hours"})),
        (
            "semantic",
            json!({"content": "cats are not allowed", "isPublic": true, "metadata": {"lang": "de"}}),
        ),
        ("plan-context", json!({"planId": "p1", "goalEvent": "visit.wanted", "state": {"step": 3}})),
        (
            "procedural",
            json!({"agentId": "librarian", "name": "greet", "procedureType": "skill", "content": "wave"}),
        ),
    ] {
        let reply = dev.post(&format!("/v1/memory/{path}"), &body);
        assert!([200, 201].contains(&reply.status), "{path}: {reply:?}");
    }
    for (path, body) in
        [("plans/p2", json!({"status": "paused"})), ("working/p1/seat", json!({"value": {"row": 4}}))]
    {
        assert_eq!(dev.put(&format!("/v1/memory/{path}"), &body).status, 200);
    }
    let newer = all(&place, &dev, &[]);
    let said = memory(&place, &dev, &["import", "old.jsonl", "--json"]).json();
    assert_eq!((&said["imported"], &said["passed"]), (&json!({}), &json!(17)), "{said}");
    assert_eq!(all(&place, &dev, &[]), newer);
    // A plan that was made, and whose status was not yet set, gets it.
    let text = std::fs::read_to_string(place.path().join("old.jsonl")).unwrap();
    memory(&place, &dev, &["erase", "--all", "--yes"]).ok();
    let reply = dev.post("/v1/memory/plans", &json!({"planId": "p2", "goalEvent": "visit.wanted"}));
    assert_eq!(reply.status, 201);
    let args = ["memory", "import", "-", "--url", &dev.url];
    Running::reading(place.command(&args), &text).done().ok();
    let plan = all(&place, &dev, &[]).into_iter().find(|line| line["entry"]["planId"] == "p2").unwrap();
    assert_eq!(plan["entry"]["status"], "completed");
}

#[test]
fn what_others_have_made_public_is_not_exported_and_what_is_left_out_is_said() {
    let place = Place::new();
    let dev = place.dev(&[]);
    fill(&dev);
    let theirs = all(&place, &dev, &["--user", "bob"]);
    assert!(theirs.is_empty(), "{theirs:?}");
    assert_eq!(dev.put("/v1/memory/working/unlisted/k", &json!({"value": 1})).status, 200);
    let task = json!({"taskId": "t1", "eventType": "visit.wanted", "responseTopic": "action-results"});
    let reply = dev.post("/v1/memory/task-context", &task);
    assert!([200, 201].contains(&reply.status), "{reply:?}");
    let said = memory(&place, &dev, &["export", "all.jsonl", "--json"]).json();
    assert_eq!(said["leftOut"], json!({"working": 1, "task_context": 1}), "{said}");
    let said = memory(&place, &dev, &["export", "all.jsonl"]);
    assert!(said.err.contains("not exported: 1 of kind working"), "{said:?}");
}

fn sorted(lines: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    lines.sort();
    lines
}

#[test]
fn a_file_that_cannot_be_read_is_refused_by_its_line_before_anything_is_stored() {
    let place = Place::new();
    let dev = place.dev(&[]);
    fill(&dev);
    memory(&place, &dev, &["export", "all.jsonl"]).ok();
    memory(&place, &dev, &["erase", "--all", "--yes"]).ok();
    let good = std::fs::read_to_string(place.path().join("all.jsonl")).unwrap();
    place.write("bad.jsonl", format!("{good}{{\"kind\":\"dream\",\"entry\":{{}}}}\n"));
    let line = good.lines().count() + 1;
    let refused = memory(&place, &dev, &["import", "bad.jsonl"]).failed(2);
    assert!(refused.contains(&format!("line {line}: unknown variant `dream`")), "{refused}");
    assert!(all(&place, &dev, &[]).is_empty());
    // What the platform refuses is told by its line, and what stands before it is in.
    let wrong = good
        .lines()
        .find(|line| line.contains("\"seat\""))
        .unwrap()
        .replace("\"key\":\"seat\"", "\"key\":\"\"");
    place.write("wrong.jsonl", format!("{good}{wrong}\n"));
    let refused = memory(&place, &dev, &["import", "wrong.jsonl"]);
    assert!(refused.err.contains(&format!("line {line} (working)")), "{refused:?}");
    assert!(refused.err.contains("run it again"), "{refused:?}");
    assert!(memory(&place, &dev, &["import", "nowhere.jsonl"]).failed(2).contains("nowhere.jsonl"));
    let refused = memory(&place, &dev, &["export", "no/such/folder/all.jsonl"]).failed(2);
    assert!(refused.contains("no/such/folder"), "{refused}");
}

#[test]
fn how_much_there_is_is_counted_by_kind_with_how_far_the_vectors_are() {
    let place = Place::new();
    let dev = place.dev(&[]);
    assert!(memory(&place, &dev, &["stats"]).ok().starts_with("nothing is there"));
    fill(&dev);
    let table = memory(&place, &dev, &["stats"]).ok();
    let row = |kind: &str| {
        let row =
            table.lines().find(|row| row.starts_with(kind)).unwrap_or_else(|| panic!("{kind}: {table}"));
        row.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(table.starts_with("KIND"), "{table}");
    assert_eq!((row("semantic")[1].as_str(), row("semantic").last().unwrap().as_str()), ("3", "100%"));
    assert_eq!((row("working")[1].as_str(), row("working").last().unwrap().as_str()), ("4", "-"));
    assert!(table.ends_with("vectors are of hashing-v1/256, whose embedder answers\n"), "{table}");
    let stats = memory(&place, &dev, &["stats", "--json"]).json();
    assert_eq!(stats["embedding"]["generation"], "hashing-v1/256");
    assert!(memory(&place, &dev, &["stats", "--user", "nobody"]).ok().starts_with("nothing is there"));
    let all = memory(&place, &dev, &["stats", "--all", "--json"]).json();
    assert_eq!(all["kinds"], stats["kinds"]);
    let coloured = on_a_terminal(&place, &["memory", "stats", "--url", &dev.url], &[]);
    assert!(coloured.contains("\x1b[32manswers\x1b[0m"), "{coloured:?}");
    let plain = on_a_terminal(&place, &["memory", "stats", "--url", &dev.url], &[("NO_COLOR", "1")]);
    assert!(!plain.contains('\x1b'), "{plain:?}");
}

#[test]
fn vectors_are_made_anew_and_waited_for() {
    let place = Place::new();
    let dev = place.dev(&[]);
    fill(&dev);
    let told = memory(&place, &dev, &["reembed"]).ok();
    assert!(told.contains("texts have vectors of hashing-v1/256"), "{told}");
    let told = memory(&place, &dev, &["reembed", "--no-wait"]).ok();
    assert!(told.contains("vectors are made anew in the background"), "{told}");
    let told = memory(&place, &dev, &["reembed", "--json"]).json();
    assert_eq!(told["texts"], told["embedded"]);
    drop(dev);
    let dev = place.dev(&["--set", "models.embedder=none"]);
    let refused = memory(&place, &dev, &["reembed"]).failed(2);
    assert!(refused.contains("models.embedder"), "{refused}");
    drop(dev);
    // Nobody listens there.
    let nobody =
        ["embedder=openai", "embedder_url=http://127.0.0.1:1", "embedder_model=m", "embedder_dimensions=8"];
    let nobody: Vec<_> = nobody.map(|key| ["--set".to_owned(), format!("models.{key}")]).concat();
    let dev = place.dev(&nobody.iter().map(String::as_str).collect::<Vec<_>>());
    let stuck = memory(&place, &dev, &["reembed", "--patience", "1"]).failed(8);
    assert!(
        stuck.contains("texts have no vector, and none came for 1 s: the embedder does not answer"),
        "{stuck}"
    );
}

#[test]
fn nothing_is_erased_that_is_not_meant_or_not_allowed() {
    let place = Place::new();
    let dev = place.dev(&[]);
    fill(&dev);
    let refused = memory(&place, &dev, &["erase", "--all"]).failed(2);
    assert!(refused.contains("for good; say that it is meant with --yes"), "{refused}");
    assert_eq!(memory(&place, &dev, &["erase"]).code, Some(2));
    assert_eq!(memory(&place, &dev, &["erase", "--all", "--user", "ada"]).code, Some(2));
    memory(&place, &dev, &["erase", "--all", "--yes", "--admin-key", "guessed"]).failed(5);
    memory(&place, &dev, &["stats", "--user", "ada", "--token", "x.y.z"]).failed(2);
    assert_eq!(all(&place, &dev, &[]).len(), 17);
    // Of others nothing goes.
    let reply = dev.post("/v1/memory/semantic", &json!({"content": "the default user's, too"}));
    assert_eq!(reply.status, 201);
    let table = memory(&place, &dev, &["erase", "--user", "ada", "--yes"]).ok();
    let none = table.lines().any(|row| row.split_whitespace().eq(["all", "0", "0"]));
    assert!(table.starts_with("ERASED") && none, "{table}");
    let table = memory(&place, &dev, &["erase", "--service-tenant", "st_default-tenant", "--yes"]).ok();
    assert!(table.lines().any(|row| row.split_whitespace().take(2).eq(["semantic", "4"])), "{table}");
    assert!(all(&place, &dev, &[]).is_empty());
}

#[test]
fn the_key_of_who_erases_is_configured_and_never_that_of_dev_elsewhere() {
    let place = Place::new();
    let mut command: Command = place.command(&["serve", "--json", "--listen", "127.0.0.1:0"]);
    command.env(SECRET_OF_TESTS.0, SECRET_OF_TESTS.1).env("MEMORY_ADMIN_API_KEY", "the key of the house");
    let dev = Dev::started(Running::start(command)).unwrap_or_else(|done| panic!("{done:?}"));
    let token = soorma_testkit::token_of("pt_tests", "ada");
    let run = |args: &[&str]| {
        let all = [&["memory"], args, &["--url", &dev.url]].concat();
        let mut command = place.command(&all);
        command.env("SOORMA_TOKEN", &token);
        Running::start(command).done()
    };
    let erase = ["erase", "--all", "--yes"];
    run(&erase).failed(5);
    for args in [&["stats", "--all"][..], &["reembed"]] {
        run(args).failed(5);
        run(&[args, &["--admin-key", "the key of the house"]].concat()).ok();
    }
    let refused = run(&["erase", "--user", "ada", "--yes"]).failed(2);
    assert!(refused.contains("--service-tenant"), "{refused}");
    let done = run(&[&erase[..], &["--admin-key", "the key of the house"]].concat()).ok();
    assert!(done.starts_with("ERASED"), "{done}");
}
