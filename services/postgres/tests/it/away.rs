//! The server is away, and comes back.

use std::time::Duration;

use soorma_ports::{RegistryStore, RegistryStoreError};
use soorma_postgres::{Postgres, PostgresConfig};
use soorma_testkit::servers::{PostgresDatabase, PostgresServer};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::world::{agents, config, open, put, world};

#[tokio::test]
async fn while_the_server_is_away_calls_fail_fast_and_when_it_is_back_they_do_not() {
    let mut server = PostgresServer::start(&["fsync=on"]);
    let database = PostgresDatabase::on(&server.url());
    let store = open(&database).await;
    store.write(vec![put("acme", "a")]).await.unwrap();
    for round in 0..3 {
        let upto = store.changes(0.into(), 10).await.unwrap().upto;
        server.kill();
        let began = Instant::now();
        for _ in 0..20 {
            let answers = [
                store.write(vec![put("acme", "b")]).await.map(|_| ()),
                store.changes(0.into(), 10).await.map(|_| ()),
                store.changed(upto).await,
                store.check().await,
            ];
            for answer in answers {
                let Err(RegistryStoreError::Unavailable(said)) = answer else { panic!("{answer:?}") };
                assert!(said.contains("Is it up") || said.contains("was lost"), "{said}");
            }
        }
        assert!(began.elapsed() < Duration::from_secs(2), "it was not waited for");
        server.restart();
        // At the first try: what was lost is not used again.
        store.check().await.unwrap();
        store.write(vec![put("acme", &format!("c{round}"))]).await.unwrap();
        assert_eq!(agents(&store).await, 2 + round);
    }
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_and_found_again() {
    let server = PostgresServer::start(&[]);
    let database = PostgresDatabase::on(&server.url());
    let config = PostgresConfig {
        answer_within: Duration::from_millis(500),
        max_connections: 2,
        ..config(database.url())
    };
    let store = Postgres::open(config).await.unwrap().registry();
    server.pause();
    let began = Instant::now();
    let error = store.write(vec![put("acme", "a")]).await.unwrap_err();
    assert!(matches!(error, RegistryStoreError::Unavailable(_)), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
    server.resume();
    store.check().await.unwrap();
    store.write(vec![put("acme", "b")]).await.unwrap();
}

#[tokio::test]
async fn more_callers_than_connections_wait_their_turn() {
    let (database, _store) = world().await;
    let config = PostgresConfig { max_connections: 2, ..config(database.url()) };
    let store = std::sync::Arc::new(Postgres::open(config).await.unwrap().registry());
    let mut tasks = JoinSet::new();
    for nth in 0..50 {
        let store = store.clone();
        tasks.spawn(async move { store.write(vec![put("acme", &format!("a{nth}"))]).await.unwrap() });
    }
    assert_eq!(tasks.join_all().await.len(), 50);
    let open = database.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'soorma' AND pid <> pg_backend_pid()",
    );
    assert!(open.parse::<u32>().unwrap() <= 2, "{open} connections");
}

/// One who holds what all need does not hold it for ever.
#[tokio::test]
async fn who_stands_in_the_way_is_waited_for_as_long_as_was_said() {
    let (database, _store) = world().await;
    let config = PostgresConfig { answer_within: Duration::from_millis(600), ..config(database.url()) };
    let store = Postgres::open(config).await.unwrap().registry();
    let held = database.hold("UPDATE soorma.registry_revision SET revision = revision");
    let error = store.write(vec![put("acme", "a")]).await.unwrap_err();
    assert!(matches!(&error, RegistryStoreError::Unavailable(said) if said.contains("lock")), "{error}");
    // Who only reads needs nothing of it.
    assert_eq!(agents(&store).await, 0);
    drop(held);
    store.write(vec![put("acme", "a")]).await.unwrap();
    assert_eq!(agents(&store).await, 1);
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_not_taken_for_one_that_does() {
    let (database, _store) = world().await;
    let name = database.name();
    let store = open(&database).await;
    database.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    for answer in [store.check().await, store.write(vec![put("acme", "a")]).await.map(|_| ())] {
        let Err(RegistryStoreError::Unavailable(said)) = answer else { panic!("{answer:?}") };
        assert!(said.contains("standby"), "{said}");
    }
    assert_eq!(agents(&store).await, 0, "what is there can be read");
}

/// It let us in when we began. So it is no fault of what is written, and nobody is to try each write for itself.
#[tokio::test]
async fn a_server_that_refuses_us_at_work_is_away() {
    // Roles are those of all databases of a server.
    let server = PostgresServer::start(&[]);
    let database = PostgresDatabase::on(&server.url());
    let name = database.name();
    database.execute("CREATE ROLE app LOGIN");
    let config =
        PostgresConfig { owner_url: Some(database.url().into()), ..config(&database.url_of("app", None)) };
    let store = Postgres::open(config).await.unwrap().registry();
    let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'app'";
    for (refuses, lets_in) in [
        ("ALTER ROLE app NOLOGIN".to_owned(), "ALTER ROLE app LOGIN".to_owned()),
        (
            format!("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"),
            format!("GRANT CONNECT ON DATABASE {name} TO PUBLIC"),
        ),
        ("REVOKE soorma_node FROM app".to_owned(), "GRANT soorma_node TO app".to_owned()),
        (format!("ALTER DATABASE {name} RENAME TO gone"), format!("ALTER DATABASE gone RENAME TO {name}")),
    ] {
        store.write(vec![put("acme", "a")]).await.unwrap();
        let first = PostgresDatabase::on(&server.url());
        first.execute(ended);
        first.execute(&refuses);
        first.execute(ended);
        let answers = [
            store.write(vec![put("acme", "b"), put("acme", "c")]).await.map(|_| ()),
            store.changes(0.into(), 10).await.map(|_| ()),
            store.check().await,
        ];
        for answer in answers {
            assert!(matches!(answer, Err(RegistryStoreError::Unavailable(_))), "{refuses}: {answer:?}");
        }
        first.execute(&lets_in);
        assert_eq!(agents(&store).await, 1);
    }
}
