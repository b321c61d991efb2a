//! Who may import whom: the table of CONTRIBUTING.md, held over `cargo metadata`.
//!
//! Floors import downwards only and rooms of one floor never each other; some rooms see less than all that
//! is below them. What a crate ships with (normal and build dependencies) and what its tests use (dev) are
//! judged by different rules.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// One crate: where it stands and what it may ship with.
struct Room {
    name: &'static str,
    folder: &'static str,
    floor: u8,
    sees: Sees,
}

enum Sees {
    /// Everything on lower floors but the testkit.
    AllBelow,
    /// These alone.
    Only(&'static [&'static str]),
}

const fn room(floor: u8, name: &'static str, folder: &'static str, sees: Sees) -> Room {
    Room { name, folder, floor, sees }
}

const CORE: Sees = Sees::Only(&["soorma-core"]);
const CORE_PORTS: Sees = Sees::Only(&["soorma-core", "soorma-ports"]);
const CORE_PORTS_VECTORS: Sees = Sees::Only(&["soorma-core", "soorma-ports", "soorma-vectors"]);
const CORE_PORTS_API: Sees = Sees::Only(&["soorma-core", "soorma-ports", "soorma-api"]);
const CORE_PORTS_SUPERVISE: Sees = Sees::Only(&["soorma-core", "soorma-ports", "soorma-supervise"]);

/// The house. Rooms of the plan that are not built yet have their row, too.
const ROOMS: &[Room] = &[
    room(0, "soorma-core", "runtime/core", Sees::Only(&[])),
    room(0, "soorma-vectors", "runtime/vectors", Sees::Only(&[])),
    room(1, "soorma-ports", "runtime/ports", CORE),
    room(1, "soorma-supervise", "runtime/supervise", CORE),
    room(1, "soorma-api", "services/api", CORE),
    room(2, TESTKIT, "runtime/testkit", CORE_PORTS_SUPERVISE),
    room(2, "soorma-bus", "actors/bus", CORE_PORTS_SUPERVISE),
    room(2, "soorma-registry", "actors/registry", CORE_PORTS_SUPERVISE),
    room(2, "soorma-memory", "actors/memory", CORE_PORTS_SUPERVISE),
    room(2, "soorma-tracker", "actors/tracker", CORE_PORTS_SUPERVISE),
    room(2, "soorma-identity", "actors/identity", CORE_PORTS_SUPERVISE),
    room(2, "soorma-agents", "actors/agents", CORE_PORTS_SUPERVISE),
    room(3, "soorma-sqlite", "services/sqlite", CORE_PORTS_VECTORS),
    room(3, "soorma-postgres", "services/postgres", CORE_PORTS),
    room(3, "soorma-nats", "services/nats", CORE_PORTS),
    room(3, "soorma-models", "services/models", CORE_PORTS),
    room(3, "soorma-edge", "services/edge", CORE_PORTS_API),
    room(4, "soorma-node", "services/node", Sees::AllBelow),
    room(5, "soorma", "sdk/rust", Sees::AllBelow),
    room(6, "soorma-cli", "sdk/cli", Sees::AllBelow),
    room(6, "soorma-benches", "benches", Sees::AllBelow),
];

/// For tests alone, whatever stands above it.
const TESTKIT: &str = "soorma-testkit";

/// An example is any crate in this folder; it imports `soorma` and nothing else of ours.
const EXAMPLES: &str = "examples/";

/// Libraries of others that stay behind one wall: the crate, who may ship with it, who else may use it in tests.
/// `*` is everybody.
const FENCES: &[(&str, &[&str], &[&str])] = &[
    ("rusqlite", &["soorma-sqlite"], &["soorma-benches"]),
    ("sqlx", &["soorma-postgres"], &["soorma-benches"]),
    ("async-nats", &["soorma-nats"], &["soorma-benches"]),
    ("axum", &["soorma-edge"], &["soorma-benches"]),
    ("tower-http", &["soorma-edge"], &[]),
    ("reqwest", &["soorma-models", "soorma-node", "soorma"], &["soorma-benches"]),
    ("jsonwebtoken", &["soorma-identity", "soorma-testkit"], &[]),
    ("jsonschema", &["soorma-registry"], &[]),
    ("candle-core", &["soorma-models"], &[]),
    ("candle-nn", &["soorma-models"], &[]),
    ("tokenizers", &["soorma-models"], &[]),
    ("schemars", &["soorma-agents"], &["*"]),
    ("fearless_simd", &["soorma-vectors"], &[]),
    ("ractor", &["soorma-supervise"], &["soorma-benches"]),
    ("kameo", &[], &["soorma-benches"]),
    ("clap", &["soorma-cli"], &["soorma-benches"]),
    ("anyhow", &["soorma-cli", EXAMPLES], &["*"]),
];

/// Returns what stands in the metadata and not in the table, a sentence each.
fn violations(metadata: &Value) -> Vec<String> {
    let root = Path::new(metadata["workspace_root"].as_str().unwrap());
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
        let folder = folder.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        let room = ROOMS.iter().find(|room| room.name == name && room.folder == folder);
        if room.is_none() && !folder.starts_with(EXAMPLES) {
            found.push(format!(
                "{name} in {folder} is not in the table; give it a row in ROOMS, and one in CONTRIBUTING.md"
            ));
            continue;
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            let in_tests = dependency["kind"] == "dev";
            let allowed = if dependency["path"].is_string() {
                may_import(room, on, in_tests)
            } else {
                may_use(if room.is_some() { name } else { EXAMPLES }, on, in_tests)
            };
            if !allowed {
                let how = if in_tests { "in its tests" } else { "in what it ships" };
                found.push(format!("{name} may not import {on} {how}"));
            }
        }
    }
    found
}

/// Whether a crate of ours, or an example where there is none, may import another of ours.
fn may_import(room: Option<&Room>, on: &str, in_tests: bool) -> bool {
    let Some(room) = room else {
        return on == "soorma" || (in_tests && on == TESTKIT);
    };
    let Some(target) = ROOMS.iter().find(|room| room.name == on) else {
        return false;
    };
    let ships = target.floor < room.floor
        && match room.sees {
            Sees::AllBelow => on != TESTKIT,
            Sees::Only(names) => names.contains(&on),
        };
    // The core stands alone, also in its tests; rooms with actors and the rooms above them may be tried with real actors.
    // What they stand in comes with them.
    let actors = target.floor == 2 || on == "soorma-supervise";
    let tests = (on == TESTKIT && room.floor >= 1) || (actors && (room.floor == 2 || room.floor == 3));
    ships || (in_tests && tests && on != room.name)
}

/// Whether a crate of ours may use one of somebody else's.
fn may_use(name: &str, on: &str, in_tests: bool) -> bool {
    FENCES.iter().filter(|(fenced, ..)| *fenced == on).all(|(_, ships, tests)| {
        ships.contains(&name) || (in_tests && (tests.contains(&name) || tests.contains(&"*")))
    })
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_import_stands_in_the_table() {
    let metadata = metadata();
    assert!(metadata["packages"].as_array().unwrap().len() >= 10, "the whole workspace is looked at");
    assert_eq!(violations(&metadata), Vec::<String>::new());
}

#[test]
fn the_table_itself_only_looks_down() {
    for room in ROOMS {
        let Sees::Only(names) = room.sees else { continue };
        for name in names {
            let below = ROOMS.iter().find(|other| other.name == *name).expect(name);
            assert!(below.floor < room.floor, "{} sees {name}, which is not below it", room.name);
        }
    }
}

/// A workspace with one package in it.
fn house(name: &str, folder: &str, dependencies: &[Value]) -> Value {
    json!({
        "workspace_root": "/house",
        "packages": [{ "name": name, "manifest_path": format!("/house/{folder}/Cargo.toml"), "dependencies": dependencies }],
    })
}

fn ours(name: &str, kind: Value) -> Value {
    json!({ "name": name, "kind": kind, "path": "/house/somewhere" })
}

fn theirs(name: &str, kind: Value) -> Value {
    json!({ "name": name, "kind": kind })
}

#[test]
fn planted_violations_are_found() {
    let normal = || Value::Null;
    let dev = || json!("dev");
    for (name, folder, dependency, says) in [
        ("soorma-core", "runtime/core", ours("soorma-ports", normal()), "upward"),
        ("soorma-core", "runtime/core", ours(TESTKIT, dev()), "the core is tested alone"),
        ("soorma-vectors", "runtime/vectors", ours("soorma-core", normal()), "sibling of the core"),
        ("soorma-ports", "runtime/ports", ours("soorma-vectors", normal()), "below, but not for the ports"),
        ("soorma-bus", "actors/bus", ours("soorma-registry", normal()), "sibling"),
        ("soorma-bus", "actors/bus", ours("soorma-sqlite", normal()), "upward to a backend"),
        ("soorma-bus", "actors/bus", ours("soorma-sqlite", dev()), "a backend in the tests of actors"),
        ("soorma-bus", "actors/bus", ours(TESTKIT, normal()), "testkit in what ships"),
        ("soorma-bus", "actors/bus", ours(TESTKIT, json!("build")), "testkit in what builds"),
        ("soorma-bus", "actors/bus", ours("soorma-bus", dev()), "itself"),
        ("soorma-sqlite", "services/sqlite", ours("soorma-supervise", normal()), "below, but not for stores"),
        ("soorma-edge", "services/edge", ours("soorma-bus", normal()), "below, but not for the edge"),
        ("soorma-edge", "services/edge", ours("soorma-sqlite", normal()), "sibling"),
        ("soorma-node", "services/node", ours("soorma", normal()), "upward"),
        ("soorma-node", "services/node", ours(TESTKIT, normal()), "testkit in what ships"),
        ("soorma-cli", "sdk/cli", ours("soorma-unheard-of", normal()), "a crate without a row"),
        ("soorma-example-x", "examples/x", ours("soorma-node", normal()), "an example sees soorma alone"),
        ("soorma-bus", "actors/bus", theirs("rusqlite", normal()), "fence"),
        ("soorma-bus", "actors/bus", theirs("ractor", normal()), "fence"),
        ("soorma-node", "services/node", theirs("anyhow", normal()), "fence"),
        ("soorma-node", "services/node", theirs("axum", dev()), "fence, also in tests"),
        ("soorma-sqlite", "services/sqlite", theirs("sqlx", normal()), "fence"),
        ("soorma-cli", "sdk/cli", theirs("reqwest", normal()), "fence"),
        ("soorma-benches", "benches", theirs("kameo", normal()), "fence"),
        ("soorma-example-x", "examples/x", theirs("clap", normal()), "fence"),
    ] {
        let on = dependency["name"].as_str().unwrap().to_owned();
        let found = violations(&house(name, folder, &[dependency]));
        assert_eq!(found.len(), 1, "{says}: {name} imports {on}: {found:?}");
        assert!(found[0].starts_with(&format!("{name} may not import {on}")), "{found:?}");
    }
}

#[test]
fn a_crate_that_is_not_in_the_table_is_found() {
    for (name, folder) in
        [("soorma-extra", "actors/extra"), ("soorma-bus", "services/bus"), ("serde", "vendor/serde")]
    {
        let found = violations(&house(name, folder, &[]));
        assert!(found.len() == 1 && found[0].contains("is not in the table"), "{found:?}");
    }
}

#[test]
fn what_the_table_allows_is_not_reported() {
    let bus = [
        ours("soorma-core", Value::Null),
        ours("soorma-supervise", Value::Null),
        ours(TESTKIT, json!("dev")),
        ours("soorma-agents", json!("dev")),
        theirs("tokio", Value::Null),
        theirs("anyhow", json!("dev")),
    ];
    assert_eq!(violations(&house("soorma-bus", "actors/bus", &bus)), Vec::<String>::new());
    let benches =
        [ours("soorma-sqlite", Value::Null), theirs("ractor", json!("dev")), theirs("kameo", json!("dev"))];
    assert_eq!(violations(&house("soorma-benches", "benches", &benches)), Vec::<String>::new());
    let example = [ours("soorma", Value::Null), theirs("anyhow", Value::Null)];
    assert_eq!(violations(&house("soorma-example-x", "examples/x", &example)), Vec::<String>::new());
}
