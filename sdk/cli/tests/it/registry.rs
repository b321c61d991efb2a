//! Agents, events and schemas, as an operator sees them.

use serde_json::{Value, json};

use super::commands::on_a_terminal;
use super::http::send;
use super::place::{Dev, Place, Running, json as line};

fn researcher(id: &str) -> Value {
    json!({
        "agentId": id, "name": "researcher:1.0.0", "description": "Finds sources", "kind": "worker", "capabilities": [{
            "taskName": "web_research", "description": "Searches the web",
            "consumedEvent": {"eventName": "research.requested", "topic": "action-requests", "description": "d"},
            "producedEvents": [{"eventName": "research.completed", "topic": "action-results", "description": "d"}],
        }],
    })
}

fn register(dev: &Dev, agent: &Value) {
    let reply = dev.post("/v1/agents", &json!({ "agent": agent }));
    assert_eq!(reply.status, 200, "{reply:?}");
}

fn beat(dev: &Dev, id: &str, standing: &Value) {
    let reply = dev.post(&format!("/v1/agents/{id}/heartbeat"), standing);
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[test]
fn agents_are_listed_with_how_they_are_and_shown_one_by_one() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let agents = |args: &[&str]| place.run(&[&["agents"], args, &["--url", &dev.url]].concat());
    let empty = agents(&["list"]).ok();
    assert!(
        empty.starts_with("no agents: one is here when it is hosted") && empty.contains("POST /v1/agents")
    );
    register(&dev, &researcher("r-1"));
    register(&dev, &researcher("r-2"));
    let writer = json!({"agentId": "writer", "name": "writer", "description": "", "capabilities": []});
    register(&dev, &writer);
    beat(&dev, "r-2", &json!({"status": "degraded", "reason": "the model answers late"}));

    let table = agents(&["list"]).ok();
    let head: Vec<_> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["NAME", "ID", "KIND", "STATUS", "CAPABILITIES", "CONSUMES", "HEARD"]);
    let rows: Vec<Vec<_>> = table.lines().skip(1).map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 3, "every instance: {table}");
    assert_eq!(
        rows[0][..6],
        ["researcher:1.0.0", "r-1", "worker", "ready", "web_research", "research.requested"]
    );
    assert_eq!((rows[1][1], rows[1][3], rows[2][0]), ("r-2", "degraded", "writer"));
    assert!(table.contains(" s ago") && !table.contains('\x1b'), "{table}");
    for (args, expect) in [
        (&["--capability", "web_research"][..], &["r-1", "r-2"][..]),
        (&["--event", "research.requested"], &["r-1", "r-2"]),
        (&["--topic", "action-results"], &["r-1", "r-2"]),
        (&["--kind", "worker"], &["r-1", "r-2"]),
        (&["--status", "degraded"], &["r-2"]),
        (&["--text", "FINDS sources"], &["r-1", "r-2"]),
        (&["--expired"], &["r-1", "r-2", "writer"]),
        (&["--limit", "1"], &["r-1"]),
    ] {
        let listed = agents(&[&["list", "--json"], args].concat()).json();
        let ids: Vec<_> =
            listed["agents"].as_array().unwrap().iter().map(|agent| &agent["agentId"]).collect();
        assert_eq!(ids, expect, "{args:?}");
    }
    assert!(agents(&["list", "--limit", "1"]).ok().contains("and more: narrow it down"));
    assert!(agents(&["list", "--kind", "planner"]).ok().contains("soorma agents list --expired"));

    let shown = agents(&["show", "r-2"]).ok();
    for words in [
        "name        researcher:1.0.0\n",
        "version     1.0.0\n",
        "status      degraded: the model answers late\n",
        "consumes    research.requested\n",
        "\nFinds sources\n",
    ] {
        assert!(shown.contains(words), "{words:?} is not in\n{shown}");
    }
    let capability = shown.lines().last().unwrap().split_whitespace().take(4).collect::<Vec<_>>();
    assert_eq!(capability, ["web_research", "research.requested", "action-requests", "research.completed"]);
    assert_eq!(agents(&["show", "r-2", "--json"]).json()["reason"], "the model answers late");
    assert_eq!(agents(&["show", "writer", "--json"]).json()["agentId"], "writer");
    // By its name, where that says which.
    let said = agents(&["show", "researcher"]).failed(2);
    assert!(said.contains("2 agents are called researcher") && said.contains("r-1") && said.contains("r-2"));
    let said = agents(&["show", "nobody"]).failed(3);
    assert!(
        said.contains("Agent 'nobody' not found; list those that are here with soorma agents list"),
        "{said}"
    );
    for (args, word) in [
        (&["list", "--kind", "robot"][..], "tool, worker, planner"),
        (&["list", "--status", "asleep"], "quarantined"),
        (&["list", "--topic", "orders"], "action-requests"),
    ] {
        let done = agents(args);
        assert!(done.code == Some(2) && done.err.contains(word), "{done:?}");
    }
}

#[test]
fn an_agent_whose_id_is_a_path_or_none_that_an_address_could_have_is_shown() {
    let place = Place::new();
    let dev = place.dev(&[]);
    for id in ["discover", "..", "a/b.c"] {
        register(&dev, &json!({"agentId": id, "name": id, "description": "", "capabilities": []}));
        let shown = place.run(&["agents", "show", id, "--json", "--url", &dev.url]).json();
        assert_eq!(shown["agentId"], id);
    }
}

#[test]
fn what_agents_write_is_no_command_to_the_terminal() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let run = |args: &[&str]| place.run(&[args, &["--url", &dev.url]].concat());
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}first\nsecond\r\u{1b}[1A";
    let mut agent = researcher("r-1");
    agent["description"] = json!(evil);
    agent["capabilities"][0]["description"] = json!(evil);
    register(&dev, &agent);
    beat(&dev, "r-1", &json!({"status": "degraded", "reason": evil}));
    let event = json!({"eventName": "a.b", "topic": "plan-events", "description": evil,
        "payloadSchema": {"type": "object", "description": evil}});
    assert_eq!(dev.post("/v1/events", &json!({ "event": event })).status, 200);
    let schema =
        json!({"schemaName": "s", "version": "1", "description": evil, "jsonSchema": {"title": evil}});
    assert_eq!(dev.post("/v1/schemas", &json!({ "schema": schema })).status, 200);
    let mut said = super::place::event("e1");
    said["data"] = json!({ "text": evil });
    assert_eq!(dev.publish(&said).status, 200);

    for args in [
        &["agents", "list"][..],
        &["agents", "show", "r-1"],
        &["agents", "watch", "--count", "1"],
        &["agents", "show", evil],
        &["events", "list"],
        &["events", "show", "a.b"],
        &["events", "replay"],
        &["schemas", "list"],
        &["schemas", "show", "s"],
        &["schemas", "show", evil],
        &["tree"],
    ] {
        let done = run(args);
        let printed = format!("{}{}", done.out, done.err);
        let obeyed = printed.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(obeyed, None, "{args:?}: {printed:?}");
    }
    assert!(run(&["agents", "show", "r-1"]).ok().contains("first\nsecond"), "a description has its lines");
    let told = run(&["agents", "watch", "--count", "1"]).ok();
    assert!(told.lines().count() == 1 && told.contains("first second"), "a change is a line: {told:?}");
    assert_eq!(run(&["events", "list"]).ok().lines().count(), 2, "a row is a line");
    // A person who watches sees our colours, and none of others.
    let coloured = on_a_terminal(&place, &["agents", "show", "r-1", "--url", &dev.url], &[]);
    assert!(coloured.contains("\x1b[33mdegraded\x1b[0m"), "{coloured:?}");
    assert!(!coloured.contains("\x1b[2J") && !coloured.contains("\x1b]0") && !coloured.contains('\u{9b}'));
    // Programs are given what was written.
    assert_eq!(run(&["agents", "show", "r-1", "--json"]).json()["reason"], evil);
}

#[test]
fn who_fits_a_sentence_best_is_listed_first_with_its_score() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let agents = |args: &[&str]| place.run(&[&["agents", "list"], args, &["--url", &dev.url]].concat());
    let clerk =
        json!({"agentId": "clerk", "name": "clerk", "description": "Writes bills", "capabilities": []});
    register(&dev, &clerk);
    register(&dev, &researcher("r-1"));
    let asked = ["--query", "who searches the web"];
    let table = agents(&asked).ok();
    let head: Vec<_> = table.lines().next().unwrap().split_whitespace().take(3).collect();
    assert_eq!(head, ["SCORE", "NAME", "ID"], "{table}");
    let rows: Vec<Vec<_>> = table.lines().skip(1).map(|row| row.split_whitespace().collect()).collect();
    assert_eq!((rows.len(), rows[0][2], rows[1][2]), (2, "r-1", "clerk"), "{table}");
    assert!(rows[0][0].parse::<f32>().unwrap() > rows[1][0].parse().unwrap(), "{table}");
    let listed = agents(&[&asked[..], &["--limit", "1", "--json"]].concat()).json();
    assert_eq!((&listed["count"], &listed["ranking"]), (&json!(1), &json!("meaning")));
    assert!(agents(&[&asked[..], &["--kind", "tool"]].concat()).ok().starts_with("no agent is so"));
    assert_eq!(agents(&[&asked[..], &["--expired"]].concat()).code, Some(2));
    drop(dev);
    let dev = place.dev(&["--set", "models.embedder=none"]);
    let said = place.run(&["agents", "list", "--query", "x", "--url", &dev.url]).failed(2);
    assert!(said.contains("set models.embedder"), "{said}");
}

#[test]
fn tables_fit_the_terminal() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let mut wide = researcher(&"an-agent-with-a-long-id-".repeat(4));
    wide["consumedEvents"] = (0..40).map(|n| json!(format!("event.of.a.long.name.{n}"))).collect();
    wide["description"] = json!("word ".repeat(100));
    register(&dev, &wide);
    let event = json!({"eventName": "a.b", "topic": "plan-events", "description": "word ".repeat(100)});
    assert_eq!(dev.post("/v1/events", &json!({ "event": event })).status, 200);
    for args in [&["agents", "list"][..], &["events", "list"]] {
        // The terminal of the tests is 120 columns wide, and a person who watches sees colours.
        let shown = on_a_terminal(&place, &[args, &["--url", &dev.url]].concat(), &[]);
        assert!(shown.lines().count() > 2, "long cells are broken: {shown}");
        for line in shown.lines() {
            let plain = line.replace("\x1b[32m", "").replace("\x1b[0m", "");
            assert!(plain.trim_end().chars().count() <= 120, "{plain:?}");
        }
    }
}

#[test]
fn who_comes_changes_and_leaves_is_told_as_it_happens() {
    let place = Place::new();
    let dev = place.dev(&[]);
    register(&dev, &researcher("there"));
    let watch =
        Running::start(place.command(&["agents", "watch", "--json", "--count", "4", "--url", &dev.url]));
    let told = || {
        let told = watch.json();
        assert!(told["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{told}");
        (told["agentId"].clone(), told["status"].clone(), told["reason"].clone())
    };
    assert_eq!(told(), (json!("there"), json!("ready"), Value::Null), "who is here is told first");
    beat(&dev, "there", &json!({"status": "degraded", "reason": "slow"}));
    assert_eq!(told(), (json!("there"), json!("degraded"), json!("slow")));
    register(&dev, &researcher("new"));
    assert_eq!(told(), (json!("new"), json!("ready"), Value::Null));
    assert_eq!(send(dev.addr, "DELETE", "/v1/agents/new", &[], "").status, 204);
    assert_eq!(told(), (json!("new"), json!("gone"), Value::Null));
    assert_eq!(watch.done().code, Some(0));

    let args = ["agents", "watch", "--count", "1", "--url", &dev.url];
    let text = place.run(&args).ok();
    let words: Vec<_> = text.split_whitespace().skip(1).collect();
    assert_eq!(words, ["researcher:1.0.0", "there", "degraded:", "slow"], "{text}");
}

#[test]
fn events_are_listed_and_shown_with_their_schemas() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let events = |args: &[&str]| place.run(&[&["events"], args, &["--url", &dev.url]].concat());
    assert!(events(&["list"]).ok().starts_with("no events are defined"));
    for event in [
        json!({"eventName": "research.requested", "topic": "action-requests", "description": "Asks for research",
            "payloadSchemaName": "ask", "responseSchemaName": "answer"}),
        json!({"eventName": "publish", "topic": "plan-events", "description": "",
            "payloadSchema": {"type": "object", "required": ["z", "a"]}}),
    ] {
        assert_eq!(dev.post("/v1/events", &json!({ "event": event })).status, 200);
    }
    place.write("ask.json", r#"{"type": "object", "properties": {"z": {}, "a": {}}}"#);
    place.run(&["schemas", "put", "ask.json", "--name", "ask", "--version", "1.0.0", "--url", &dev.url]).ok();

    let table = events(&["list"]).ok();
    let rows: Vec<Vec<_>> = table.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..4], ["EVENT", "TOPIC", "PAYLOAD", "ANSWER"]);
    assert_eq!(rows[1], ["publish", "plan-events", "(its", "own)"]);
    assert_eq!(rows[2][..4], ["research.requested", "action-requests", "ask", "answer"]);
    assert_eq!(events(&["list", "--topic", "plan-events", "--json"]).json()["count"], 1);
    assert!(events(&["list", "--limit", "1"]).ok().contains("and more"));

    let shown = events(&["show", "research.requested"]).ok();
    assert!(shown.contains("payload  ask@1.0.0\n{\n  \"type\": \"object\","), "{shown}");
    assert!(shown.contains("answer   answer, which is not registered\n"), "{shown}");
    let shown = events(&["show", "publish"]).ok();
    assert!(shown.contains("payload  a schema of its own\n") && shown.ends_with("answer   any\n"), "{shown}");
    assert_eq!(events(&["show", "publish", "--json"]).json()["topic"], "plan-events");
    assert!(events(&["show", "nothing"]).failed(3).contains("soorma events list"));
}

const OLD: &str = r#"{"type": "object", "required": ["topic"], "properties": {"topic": {"type": "string"}, "depth": {"type": "integer"}}}"#;
/// A member is required that was not.
const NARROW: &str = r#"{"type": "object", "required": ["topic", "depth"], "properties": {"topic": {"type": "string"}, "depth": {"type": "integer"}}}"#;

#[test]
fn schemas_are_put_listed_shown_and_never_replaced() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let schemas = |args: &[&str]| place.run(&[&["schemas"], args, &["--url", &dev.url]].concat());
    assert!(schemas(&["list"]).ok().contains("soorma schemas put FILE --name NAME --version 1.0.0"));
    place.write("old.json", OLD);
    place.write("narrow.json", NARROW);
    place.write("list.json", "[1]");
    place.write("wrong.json", r#"{"type": "nonsense"}"#);
    let put = ["put", "old.json", "--name", "ask", "--version", "1.0.0", "--description", "What is asked"];
    assert_eq!(schemas(&put).ok(), "Schema 'ask@1.0.0' registered successfully.\n");
    assert!(schemas(&put).failed(4).contains("Schema 'ask@1.0.0' already exists"));
    let piped = ["schemas", "put", "-", "--name", "ask", "--version", "2.0.0", "--json", "--url", &dev.url];
    assert_eq!(Running::reading(place.command(&piped), NARROW).done().json()["version"], "2.0.0");
    for (file, words) in [
        ("nowhere.json", "nowhere.json: "),
        ("list.json", "list.json: is no JSON object"),
        ("wrong.json", "/type"),
    ] {
        let said = schemas(&["put", file, "--name", "w", "--version", "1"]).failed(2);
        assert!(said.contains(words), "{said}");
    }

    let table = schemas(&["list"]).ok();
    let rows: Vec<Vec<_>> = table.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!((rows.len(), &rows[1][..2], &rows[2][..2]), (3, &["ask", "1.0.0"][..], &["ask", "2.0.0"][..]));
    assert!(table.contains("What is asked"), "{table}");
    assert_eq!(schemas(&["list", "--owner", "nobody", "--json"]).json()["count"], 0);
    assert_eq!(schemas(&["show", "ask", "--json"]).json()["version"], "2.0.0", "the one that came last");
    let shown = schemas(&["show", "ask", "--version", "1.0.0"]).ok();
    assert!(
        shown.starts_with("schema      ask@1.0.0\n") && shown.contains("\n  \"type\": \"object\",\n"),
        "{shown}"
    );
    assert!(schemas(&["show", "ask", "--version", "3"]).failed(3).contains("Schema 'ask@3' not found; list"));
}

#[test]
fn a_change_that_breaks_somebody_is_told_and_ends_with_4() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let schemas = |args: &[&str]| place.run(&[&["schemas"], args, &["--url", &dev.url]].concat());
    place.write("old.json", OLD);
    place.write("narrow.json", NARROW);
    place.write("wrong.json", r#"{"type": "nonsense"}"#);
    for (file, version) in [("old.json", "1"), ("old.json", "2"), ("narrow.json", "3")] {
        schemas(&["put", file, "--name", "ask", "--version", version]).ok();
    }
    assert_eq!(schemas(&["diff", "ask", "1", "2"]).ok(), "ask: 1 and 2 mean the same\n");
    assert_eq!(schemas(&["diff", "ask", "3", "--file", "narrow.json"]).code, Some(0));
    let done = schemas(&["diff", "ask", "1", "3"]);
    assert_eq!(done.code, Some(4), "{done:?}");
    assert!(done.out.contains("breaks producers") && done.out.contains("depth"), "{done:?}");
    assert!(done.out.ends_with("\nask from 1 to 3: forward compatible\n"), "{done:?}");
    assert!(done.err.contains("soorma: old payloads may be refused by the new version"), "{done:?}");
    // To the newest where none is named; from the newest to a file.
    assert_eq!(schemas(&["diff", "ask", "1"]).code, Some(4));
    assert_eq!(schemas(&["diff", "ask", "--file", "narrow.json"]).code, Some(0));
    let done = schemas(&["diff", "ask", "--file", "old.json", "--json"]);
    let told = line(&done.out);
    assert_eq!((done.code, &told["old"], &told["new"]), (Some(4), &json!("3"), &json!("old.json")));
    assert_eq!(told["changes"][0]["effect"], "breaks_consumers", "{told}");
    assert!(schemas(&["diff", "ask", "--file", "wrong.json"]).failed(2).contains("wrong.json: #/type"));
    assert!(schemas(&["diff", "ask", "1", "9"]).failed(3).contains("'ask@9' not found"));
    assert_eq!(schemas(&["diff", "ask"]).code, Some(2), "with what is not said");
}
