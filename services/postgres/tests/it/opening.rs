//! What is refused, each with a sentence that says what to do.

use std::time::Duration;

use soorma_ports::RegistryStore as _;
use soorma_postgres::{Postgres, PostgresConfig, PostgresError};
use soorma_testkit::servers::{PostgresDatabase, PostgresServer};

use super::world::{config, open, refused};

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_showing_its_password() {
    for url in ["", "localhost", "mysql://soorma:hunter2@h/d", "postgres://soorma:hunter2@h:port/d"] {
        let said = refused(config(url)).await;
        assert!(!said.contains("hunter2"), "{said}");
        assert!(said.contains("postgres://user:password@host:5432/database"), "{url}: {said}");
    }
}

#[tokio::test]
async fn names_that_are_none_are_refused() {
    let database = PostgresDatabase::fresh();
    let of = |schema: &str, role: &str| PostgresConfig {
        schema: schema.into(),
        role: role.into(),
        ..config(database.url())
    };
    let said = refused(of("so;orma", "soorma_node")).await;
    assert!(said.contains("'so;orma' is no name for a schema"), "{said}");
    let said = refused(of("soorma", "Node")).await;
    assert!(said.contains("'Node' is no name for a role"), "{said}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_named() {
    let database = PostgresDatabase::fresh();
    let url = database.url().replace(database.name(), "nowhere");
    let said = refused(config(&url)).await;
    assert!(said.contains("no database 'nowhere'") && said.contains("CREATE DATABASE nowhere"), "{said}");
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_shown() {
    // A server of its own: how it lets people in is changed.
    let server = PostgresServer::start(&[]);
    let database = PostgresDatabase::on(&server.url());
    database.execute("CREATE ROLE ada LOGIN SUPERUSER PASSWORD 'right'");
    let hba = database.execute("SHOW hba_file");
    database.execute(&format!(
        "COPY (VALUES ('local all postgres trust'), ('local all all scram-sha-256')) TO '{hba}'"
    ));
    database.execute("SELECT pg_reload_conf()");
    let said = refused(config(&database.url_of("ada", Some("hunter2")))).await;
    assert!(said.contains("does not let 'ada' in") && said.contains("password"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    let said = refused(config(&database.url_of("bob", Some("hunter2")))).await;
    assert!(said.contains("does not let 'bob' in"), "{said}");
    Postgres::open(config(&database.url_of("ada", Some("right")))).await.unwrap();
}

#[tokio::test]
async fn where_nobody_answers_it_is_said_at_once() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let began = tokio::time::Instant::now();
    let error = Postgres::open(config(&format!("postgres://ada@{free}/d"))).await.unwrap_err();
    assert!(
        matches!(&error, PostgresError::Unavailable(said) if said.contains(&free.to_string())),
        "{error}"
    );
    assert!(began.elapsed() < Duration::from_secs(5), "it was not waited for");
}

#[tokio::test]
async fn who_answers_nothing_is_waited_for_as_long_as_was_said() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://ada@{}/d", silent.local_addr().unwrap());
    let config = PostgresConfig { answer_within: Duration::from_millis(200), ..config(&url) };
    let error = Postgres::open(config).await.unwrap_err();
    assert!(matches!(&error, PostgresError::Unavailable(said) if said.contains("200ms")), "{error}");
}

#[tokio::test]
async fn tables_of_a_newer_version_are_refused() {
    let database = PostgresDatabase::fresh();
    open(&database).await;
    database.execute(
        "INSERT INTO soorma._sqlx_migrations VALUES (9999, 'of the future', now(), true, '\\x00', 0)",
    );
    let said = refused(config(database.url())).await;
    assert!(said.contains("newer version") && said.contains("9999") && said.contains("'soorma'"), "{said}");
    // Another schema is another matter.
    let other = PostgresConfig { schema: "other".into(), ..config(database.url()) };
    Postgres::open(other).await.unwrap();
}

#[tokio::test]
async fn a_migration_that_was_changed_is_refused() {
    let database = PostgresDatabase::fresh();
    open(&database).await;
    database.execute("UPDATE soorma._sqlx_migrations SET checksum = '\\x00' WHERE version = 1");
    let said = refused(config(database.url())).await;
    assert!(said.contains("migration 1 (registry)") && said.contains("not the one"), "{said}");
}

#[tokio::test]
async fn walls_that_were_taken_down_are_noticed_at_the_door() {
    for taken in ["DISABLE", "NO FORCE"] {
        let database = PostgresDatabase::fresh();
        open(&database).await;
        database.execute(&format!("ALTER TABLE soorma.registry_events {taken} ROW LEVEL SECURITY"));
        let error = Postgres::open(config(database.url())).await.unwrap_err();
        assert!(matches!(&error, PostgresError::Corrupt(said) if said.contains("row security")), "{error}");
    }
}

#[tokio::test]
async fn walls_of_a_part_that_were_taken_down_are_noticed_too() {
    let database = PostgresDatabase::fresh();
    open(&database).await;
    database.execute("ALTER TABLE soorma.memory_vectors_7 NO FORCE ROW LEVEL SECURITY");
    let error = Postgres::open(config(database.url())).await.unwrap_err();
    assert!(matches!(&error, PostgresError::Corrupt(said) if said.contains("row security")), "{error}");
}

#[tokio::test]
async fn a_server_without_pgvector_is_refused_with_what_to_install() {
    let server = PostgresServer::start(&["extension_control_path=/nowhere"]);
    let database = PostgresDatabase::on(&server.url());
    let said = refused(config(database.url())).await;
    assert!(said.contains("no pgvector") && said.contains("Install it"), "{said}");
}

#[tokio::test]
async fn what_stands_on_the_database_does_not_show_the_password() {
    let database = PostgresDatabase::fresh();
    let config = PostgresConfig {
        owner_url: Some(database.url().into()),
        ..config(&database.url_of("postgres", Some("hunter2")))
    };
    let postgres = Postgres::open(config).await.unwrap();
    let store = postgres.registry();
    store.check().await.unwrap();
    for shown in [format!("{postgres:?}"), format!("{store:?}")] {
        assert!(shown.contains("postgres") && !shown.contains("hunter2"), "{shown}");
    }
}
