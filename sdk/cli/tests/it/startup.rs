//! A platform that cannot start says why and what to do, and harms nothing.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::place::{Place, Running, event};

#[track_caller]
fn says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said:?}");
    }
}

fn dev_on(data: &str) -> [&str; 5] {
    ["dev", "--listen", "127.0.0.1:0", "--data", data]
}

#[test]
fn a_second_platform_on_the_same_data_is_refused_and_names_the_first() {
    let place = Place::new();
    let dev = place.dev(&[]);
    let said = place.run(&dev_on("data")).failed(7);
    says(&said, &["data folder data is in use", &format!("(process {})", dev.running.pid()), "--data DIR"]);
    assert_eq!(dev.publish(&event("e")).status, 200, "the first one goes on");
    dev.stop().ok();
    place.dev(&[]).stop().ok();
}

#[test]
fn a_port_in_use_is_named_before_anything_is_done() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let said = place.run(&["dev", "--data", "data", "--listen", &addr]).failed(7);
    says(&said, &[&format!("{addr} is in use"), "--listen 127.0.0.1:0"]);
    assert!(!place.path().join("data/events.db").exists(), "no log was made");
}

#[test]
fn only_this_machine_is_listened_to() {
    let place = Place::new();
    for addr in ["0.0.0.0:8080", "[::]:8080", "192.0.2.7:8080"] {
        let said = place.run(&["dev", "--listen", addr]).failed(2);
        says(&said, &[addr, "not loopback", "127.0.0.1:PORT"]);
    }
    let said = place.run(&["dev", "--listen", "8080"]).failed(2);
    says(&said, &["edge.listen = '8080'", "127.0.0.1:8080"]);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let place = Place::new();
    place.write("file", "");
    for data in ["file/data", "/proc/soorma"] {
        says(&place.run(&dev_on(data)).failed(7), &[data, "--data DIR"]);
    }
    let readable = place.path().join("readable");
    std::fs::create_dir(&readable).unwrap();
    std::fs::set_permissions(&readable, std::fs::Permissions::from_mode(0o555)).unwrap();
    let soorma = env!("CARGO_BIN_EXE_soorma");
    let command = if std::fs::metadata(&readable).unwrap().uid() == 0 {
        // The mode means nothing to the superuser, but to one without capabilities it does.
        let drop = ["--inh-caps=-all", "--bounding-set=-all", "--", soorma];
        place.program("setpriv", &[&drop[..], &dev_on("readable")].concat())
    } else {
        place.command(&dev_on("readable"))
    };
    says(&Running::start(command).done().failed(7), &["readable", "Permission denied", "--data DIR"]);
}

#[test]
fn a_database_that_is_none_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let garbage = "this is no database, but long enough to be taken for one; ".repeat(1_000);
    place.write("data/events.db", &garbage);
    let said = place.run(&dev_on("data")).failed(1);
    says(&said, &["data/events.db", "damaged", "--data DIR"]);
    assert_eq!(std::fs::read_to_string(place.path().join("data/events.db")).unwrap(), garbage);
    assert!(!place.path().join("data/events.db-wal").exists());
}

#[test]
fn nobody_at_an_address_is_said_with_what_to_do() {
    let place = Place::new();
    // Taken and let go: nobody is there.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    for args in [
        &["tree"][..],
        &["events", "publish", "a.b"],
        &["events", "tail"],
        &["dlq", "list"],
        &["dlq", "show", "1"],
        &["dlq", "redrive", "--all"],
        &["dlq", "discard", "1"],
    ] {
        let said = place.run(&[args, &["--url", &url]].concat()).failed(7);
        says(&said, &[&url, "soorma dev", "--url"]);
    }
    let said = place.run(&["tree", "--json", "--url", &url]);
    assert_eq!((said.code, said.out.as_str()), (Some(7), ""));
    let error = super::place::json(&said.err);
    assert_eq!(error["code"], "unavailable");
    assert!(error["error"].as_str().unwrap().contains("nobody answers"), "{error}");
    for url in ["nonsense", "ftp://127.0.0.1:1", "http://"] {
        says(&place.run(&["tree", "--url", url]).failed(2), &[&format!("'{url}'"), "http://HOST:PORT"]);
    }
}

#[test]
fn an_answer_that_is_cut_is_a_lost_connection_and_one_of_another_program_is_said_to_be() {
    use std::io::{Read as _, Write as _};
    for (answer, code, words) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"id\":",
            7,
            "was lost",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 1, "not understood"),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\nhello", 3, "is it another program?"),
        ("", 7, "was lost"),
    ] {
        let place = Place::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let command = Running::start(place.command(&["tree", "--url", &url]));
        let (mut socket, _) = listener.accept().unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            assert_eq!(socket.read(&mut byte).unwrap(), 1);
            seen.push(byte[0]);
        }
        socket.write_all(answer.as_bytes()).unwrap();
        drop((socket, listener));
        says(&command.done().failed(code), &[&url, words]);
    }
}
