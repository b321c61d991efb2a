//! A disk without room: publishing is refused with when to come back, nothing that was answered is lost, and with room it
//! goes on by itself.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::place::{Dev, Place, Running, event, json as line};

/// Ways to a mount of our own, which goes with the process that has it.
const WAYS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];

fn unshare() -> &'static [&'static str] {
    let works = |way: &&&[&str]| {
        let probe = ["sh", "-c", "mount -t tmpfs -o size=1m tmpfs /tmp"];
        let output = Command::new("unshare").args(**way).args(probe).output();
        output.is_ok_and(|output| output.status.success())
    };
    WAYS.iter().find(works).expect(
        "this test mounts a small disk and may not: run it as root, or allow unprivileged user namespaces \
         (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0), \
         and install unshare and mount (util-linux)",
    )
}

/// Starts a platform whose data is on a disk of three megabytes, one of them taken by other things.
fn on_a_small_disk(place: &Place) -> Dev {
    const SCRIPT: &str = r#"
        mount -t tmpfs -o size=3m tmpfs disk &&
        dd if=/dev/zero of=disk/ballast bs=1024 count=1024 2>/dev/null &&
        exec "$0" dev --json --data disk/data --listen 127.0.0.1:0
    "#;
    std::fs::create_dir_all(place.path().join("disk")).unwrap();
    let args = [unshare(), &["sh", "-c", SCRIPT, env!("CARGO_BIN_EXE_soorma")]].concat();
    Dev::started(Running::start(place.program("unshare", &args))).unwrap_or_else(|done| panic!("{done:?}"))
}

/// The disk, as only the process sees it.
fn disk(place: &Place, dev: &Dev) -> PathBuf {
    let folder = place.path().canonicalize().unwrap();
    PathBuf::from(format!("/proc/{}/root{}/disk", dev.running.pid(), folder.display()))
}

fn large(id: &str) -> Value {
    let mut event = event(id);
    event["data"] = json!({ "filler": "x".repeat(8_000) });
    event
}

/// Publishes until there is no room, and looks how that is said.
fn fill(dev: &Dev, prefix: &str, answered: &mut Vec<String>) {
    for n in 0..1_000 {
        let id = format!("{prefix}{n}");
        let reply = dev.publish(&large(&id));
        if reply.status == 200 {
            answered.push(id);
            continue;
        }
        let problem = reply.problem();
        assert_eq!((reply.status, problem["code"].as_str()), (503, Some("unavailable")), "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("has no room") && detail.contains("Free some space"), "{detail}");
        assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
        return;
    }
    panic!("eight megabytes fit on a disk of three");
}

fn read(place: &Place, dev: &Dev, n: usize) -> Vec<String> {
    let count = n.to_string();
    let args =
        ["events", "tail", "--json", "--after", "action-requests=0", "--count", &count, "--url", &dev.url];
    let shown = place.run(&args).ok();
    let id = |one: &str| line(&format!("{one}\n"))["event"]["id"].as_str().unwrap().to_owned();
    shown.lines().map(id).collect()
}

#[test]
fn a_full_disk_refuses_loses_nothing_and_goes_on_when_there_is_room() {
    let place = Place::new();
    let dev = on_a_small_disk(&place);
    let mut answered = Vec::new();
    fill(&dev, "before-", &mut answered);
    assert!(answered.len() > 10, "{} were answered", answered.len());
    let health = dev.get("/health").json();
    assert_eq!((&health["status"], &health["connected"]), (&json!("degraded"), &json!(false)));
    assert_eq!(dev.get("/readyz").status, 503);
    assert_eq!(dev.get("/livez").status, 200);
    assert_eq!(read(&place, &dev, answered.len()), answered, "what was answered is read from the full disk");
    let data = json!({ "filler": "x".repeat(8_000) }).to_string();
    let said = place.run(&["events", "publish", "a.b", "--data", &data, "--url", &dev.url]).failed(7);
    assert!(said.contains("has no room") && said.contains("Free some space"), "{said}");

    // Others free some space; nobody restarts anything.
    std::fs::remove_file(disk(&place, &dev).join("ballast")).unwrap();
    assert_eq!(dev.publish(&event("with-room")).status, 200);
    answered.push("with-room".into());
    assert_eq!(dev.get("/health").json()["status"], "healthy");
    assert_eq!(dev.get("/readyz").status, 200);
    fill(&dev, "after-", &mut answered);
    assert_eq!(read(&place, &dev, answered.len()), answered);

    // What is on the full disk is whole: it opens elsewhere.
    std::fs::create_dir(place.path().join("data")).unwrap();
    dev.running.signal("STOP");
    for file in ["events.db", "events.db-wal"] {
        std::fs::copy(disk(&place, &dev).join("data").join(file), place.path().join("data").join(file))
            .unwrap();
    }
    dev.kill();
    let dev = place.dev(&[]);
    assert_eq!(dev.publish(&event("elsewhere")).status, 200);
    answered.push("elsewhere".into());
    assert_eq!(read(&place, &dev, answered.len()), answered);
}

#[test]
fn a_platform_on_a_full_disk_ends_in_order() {
    let place = Place::new();
    let dev = on_a_small_disk(&place);
    fill(&dev, "e", &mut Vec::new());
    let done = dev.stop();
    assert_eq!(done.code, Some(0), "{done:?}");
}
