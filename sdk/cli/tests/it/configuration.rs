//! Configuration as a user meets it: which value holds and why, and all that is wrong at once.

use serde_json::{Value, json};

use super::place::{Dev, Place, Running};

fn row<'a>(rows: &'a Value, key: &str) -> (&'a str, &'a str) {
    let row = rows.as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
    (row["value"].as_str().unwrap(), row["source"].as_str().unwrap())
}

#[test]
fn each_value_is_shown_with_where_it_comes_from() {
    let place = Place::new();
    place.write(
        "soorma.toml",
        "[bus]\nack_within = \"20s\"\nmax_attempts = 7\n\n[edge]\nheartbeat = \"1s\"\n",
    );
    let mut command = place.command(&["config", "show", "--json", "--set", "edge.heartbeat=2s"]);
    command.env("SOORMA__BUS__MAX_ATTEMPTS", "9").env("SOORMA__EDGE__HEARTBEAT", "3s");
    let rows = Running::start(command).done().json();
    assert_eq!(row(&rows, "log.retain_for"), ("7d", "default"));
    assert_eq!(row(&rows, "bus.ack_within"), ("20s", "soorma.toml:2"));
    assert_eq!(row(&rows, "bus.max_attempts"), ("9", "SOORMA__BUS__MAX_ATTEMPTS"));
    assert_eq!(row(&rows, "edge.heartbeat"), ("2s", "command line"));

    let table = place.run(&["config", "show"]).ok();
    assert!(table.starts_with("KEY  ") && !table.contains('\x1b'), "{table}");
    let shown = table.lines().find(|line| line.starts_with("bus.ack_within")).unwrap();
    assert!(shown.contains("20s") && shown.contains("soorma.toml:2"), "{shown}");
    assert_eq!(table.lines().count(), 1 + rows.as_array().unwrap().len());
}

#[test]
fn dev_works_on_no_server_that_is_configured_for_serve() {
    let place = Place::new();
    // Nobody is there: whoever went to them would not be ready.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    place.write(
        "soorma.toml",
        format!(
            "[nats]\nservers = \"nats://{nobody}\"\n[postgres]\nurl = \"postgres://ada:hunter2@{nobody}/soorma\"\n\
             owner_url = \"postgres://owner:hunter2@{nobody}/soorma\"\n"
        ),
    );
    let dev = place.dev(&[]);
    assert_eq!(dev.get("/readyz").status, 200);
    let agent = json!({"agentId": "a", "name": "a", "description": "", "capabilities": []});
    assert_eq!(dev.post("/v1/agents", &json!({ "agent": agent })).status, 200);
    assert!(place.path().join("data").exists(), "it is kept in the folder");
    // An owner alone, which no registry goes with, is no reason not to start either.
    dev.stop();
    let owner = format!("postgres.owner_url=postgres://{nobody}/soorma");
    let args = [
        "dev",
        "--json",
        "--data",
        "other",
        "--listen",
        "127.0.0.1:0",
        "--config",
        "none.toml",
        "--set",
        &owner,
    ];
    place.write("none.toml", "");
    Dev::started(Running::start(place.command(&args))).unwrap_or_else(|done| panic!("{done:?}"));
}

#[test]
fn the_reference_is_a_configuration_and_changes_nothing() {
    let (place, bare) = (Place::new(), Place::new());
    let reference = bare.run(&["config", "reference"]).ok();
    assert_eq!(bare.run(&["config", "reference", "--json"]).json()["toml"], *reference);
    place.write("soorma.toml", &reference);
    let rows = place.run(&["config", "show", "--json"]).json();
    let defaults = bare.run(&["config", "show", "--json"]).json();
    for (row, default) in rows.as_array().unwrap().iter().zip(defaults.as_array().unwrap()) {
        assert_eq!((&row["key"], &row["value"]), (&default["key"], &default["value"]));
        assert!(row["source"].as_str().unwrap().starts_with("soorma.toml:"), "{row}");
    }
    place.dev(&[]).stop().ok();
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let place = Place::new();
    place.write(
        "wrong.toml",
        "[bus]\nack_withn = \"30s\"\nmax_attempts = 0\n[edge]\nheartbeat = 15\n[node]\ndata = [1]\n",
    );
    for command in [&["dev"][..], &["config", "show"]] {
        let mut command =
            place.command(&[command, &["--config", "wrong.toml", "--set", "log.max_bytes=much"]].concat());
        command.env("SOORMA__TELEMETRY__FORMAT", "xml");
        let said = Running::start(command).done().failed(2);
        for words in [
            "wrong in several places",
            "wrong.toml:2: bus.ack_withn is no key; did you mean bus.ack_within?",
            "wrong.toml:3: bus.max_attempts = '0' is too small; write at least 1",
            "wrong.toml:5: edge.heartbeat = '15' is no duration; write",
            "wrong.toml:7: node.data is a list where one value belongs; write",
            "SOORMA__TELEMETRY__FORMAT: telemetry.format = 'xml' is no log format; write text or json",
            "command line: log.max_bytes = 'much' is no size; write",
        ] {
            assert!(said.contains(words), "{words:?} is not in {said}");
        }
        assert_eq!(said.lines().count(), 7, "{said}");
    }
    let said = place.run(&["dev", "--config", "nowhere.toml"]).failed(2);
    assert!(said.contains("cannot read the configuration file nowhere.toml"), "{said}");
    place.write("broken.toml", "[bus\nack_within = 30s\n");
    let said = place.run(&["config", "show", "--config", "broken.toml"]).failed(2);
    assert!(said.contains("broken.toml:1: is no TOML"), "{said}");
    let said = place.run(&["config", "show", "--set", "bus.ack_within"]).failed(2);
    assert!(said.contains("KEY=VALUE"), "{said}");
    assert!(!place.path().join(".soorma").exists(), "nothing was made");
}
