//! `soorma serve` beside a NATS server.

use std::process::Command;

use serde_json::json;
use soorma_testkit::servers::NatsServer;
use soorma_testkit::token_of;

use super::place::{Dev, Place, Running, SECRET_OF_TESTS, event};

/// A platform that knows the secret of the tests, and a token of it.
fn serve(place: &Place, args: &[&str]) -> (Dev, String) {
    let all = [&["serve", "--json", "--listen", "127.0.0.1:0"], args].concat();
    started(place.command(&all))
}

fn started(mut command: Command) -> (Dev, String) {
    command.env(SECRET_OF_TESTS.0, SECRET_OF_TESTS.1);
    let dev = Dev::started(Running::start(command)).unwrap_or_else(|done| panic!("{done:?}"));
    let token = token_of("pt_tests", "ada");
    (dev.with_token(token.clone()), token)
}

#[test]
fn events_outlive_the_platform_on_the_server_and_none_is_kept_in_the_folder() {
    let server = NatsServer::start(&[]);
    let place = Place::new();
    let (dev, token) = serve(&place, &["--nats", server.url()]);
    assert_eq!(dev.publish(&event("kept")).status, 200);
    let health = dev.get("/health").json();
    assert_eq!((&health["adapter"], &health["connected"]), (&json!("nats"), &json!(true)));
    let tree = place.run(&["tree", "--url", &dev.url, "--token", &token]).ok();
    assert!(tree.contains("health (one_for_one)") && tree.contains("nats "), "{tree}");
    let done = dev.stop();
    assert_eq!(done.code, Some(0), "{done:?}");
    let (dev, token) = serve(&place, &["--nats", server.url()]);
    let args = ["events", "replay", "--json", "--url", &dev.url, "--token", &token];
    let shown = place.run(&args).json();
    assert_eq!(shown["event"]["id"], "kept");
    // What no server keeps is there, the registry; the event is not.
    for file in std::fs::read_dir(place.path().join(".soorma")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(14).any(|words| words == b"work.requested"));
    }
}

#[test]
fn without_a_server_it_says_so_goes_on_trying_and_ends_in_order() {
    let place = Place::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (dev, _) = serve(&place, &["--nats", &format!("nats://{free}")]);
    assert_eq!(dev.get("/livez").status, 200);
    // Anybody may ask whether it is ready: where the server is, is for the operator alone.
    for reply in [dev.get("/readyz"), dev.publish(&event("early"))] {
        let problem = reply.problem();
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!((reply.status, &problem["code"]), (503, &json!("unavailable")));
        assert!(detail.contains("the event log's store is away"), "{detail}");
        assert!(!problem.to_string().contains(&free.port().to_string()), "{problem}");
    }
    let done = dev.stop();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("nats does not answer, trying again"), "{done:?}");
    assert!(done.err.contains(&format!("no NATS server answers at nats://{free}")), "{done:?}");
}

#[test]
fn what_will_never_work_ends_the_start_with_a_sentence_and_no_secret() {
    let server = NatsServer::start(&["--user", "soorma", "--pass", "right"]);
    let place = Place::new();
    let command = |args: &[&str]| {
        let mut command = place.command(&[&["serve", "--listen", "127.0.0.1:0"], args].concat());
        command.env(SECRET_OF_TESTS.0, SECRET_OF_TESTS.1);
        command
    };
    let mut wrong = command(&["--nats", server.url()]);
    wrong.env("SOORMA__NATS__USER", "soorma").env("SOORMA__NATS__PASSWORD", "hunter2");
    let said = Running::start(wrong).done().failed(2);
    assert!(said.contains("refuses the credentials") && !said.contains("hunter2"), "{said}");
    let said = Running::start(command(&["--nats", "http://127.0.0.1"])).done().failed(2);
    assert!(said.contains("nats.servers = 'http://127.0.0.1' is no address of NATS servers"), "{said}");
    let mut both = command(&["--nats", server.url()]);
    both.env("SOORMA__NATS__USER", "soorma").env("SOORMA__NATS__TOKEN", "hunter2");
    let said = Running::start(both).done().failed(2);
    assert!(said.contains("exclude one another") && !said.contains("hunter2"), "{said}");

    let mut right = place.command(&["serve", "--json", "--listen", "127.0.0.1:0", "--nats", server.url()]);
    right.env("SOORMA__NATS__USER", "soorma").env("SOORMA__NATS__PASSWORD", "right");
    let (dev, _) = started(right);
    assert_eq!(dev.publish(&event("in")).status, 200);
}
