//! The server itself: what the tests of others build on.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use soorma_testkit::servers::{PostgresDatabase, PostgresServer};

#[test]
fn a_server_that_was_killed_comes_back_with_its_data() {
    let mut server = PostgresServer::start(&["fsync=on"]);
    let database = PostgresDatabase::on(&server.url());
    database.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)");
    server.restart();
    assert_eq!(database.execute("SELECT n, current_setting('fsync') FROM kept"), "7|on");
}

#[test]
fn a_database_has_vectors_and_is_nobody_elses() {
    let [one, other] = [PostgresDatabase::fresh(), PostgresDatabase::fresh()];
    one.execute("CREATE EXTENSION vector; CREATE TABLE mine (v vector(2))");
    let mine = "SELECT count(*) FROM pg_tables WHERE tablename = 'mine'";
    assert_eq!((one.execute(mine), other.execute(mine)), ("1".into(), "0".into()));
}

#[test]
fn the_server_and_its_folder_go_when_the_test_binary_is_killed() {
    const INSIDE: &str = "SOORMA_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        let server = PostgresServer::start(&[]);
        println!("\n{}", server.url());
        // A parent that kills this process, whenever it has read that.
        drop(std::io::stdin().read_line(&mut String::new()));
        return;
    }
    let name = "it::postgres_server::the_server_and_its_folder_go_when_the_test_binary_is_killed";
    let mut inside = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(inside.stdout.take().unwrap()));
    let url = lines.map(Result::unwrap).find(|line| line.starts_with("postgres://")).unwrap();
    let folder = url.split_once("?host=").unwrap().1.to_owned();
    assert!(std::path::Path::new(&folder).join("data/postmaster.pid").exists());
    inside.kill().unwrap();
    assert_eq!(inside.wait().unwrap().signal(), Some(9));
    let began = tokio::time::Instant::now();
    while std::path::Path::new(&folder).exists() {
        assert!(began.elapsed().as_secs() < 20, "{folder} is still there");
        std::thread::yield_now();
    }
}
