//! Many who start at once.

use soorma_postgres::{Postgres, PostgresConfig};
use soorma_testkit::servers::{PostgresDatabase, PostgresServer};
use tokio::task::JoinSet;

use super::world::{agents, config, put};
use soorma_ports::RegistryStore as _;

#[tokio::test]
async fn nodes_that_start_at_once_on_one_database_all_come_up() {
    let database = PostgresDatabase::fresh();
    let mut tasks = JoinSet::new();
    for nth in 0..6 {
        let config = PostgresConfig { max_connections: 1, ..config(database.url()) };
        tasks.spawn(async move {
            let store = Postgres::open(config).await.unwrap().registry();
            store.write(vec![put("acme", &format!("a{nth}"))]).await.unwrap();
            store
        });
    }
    let stores = tasks.join_all().await;
    assert_eq!(agents(&stores[0]).await, 6);
    assert_eq!(database.execute("SELECT count(*) FROM soorma._sqlx_migrations"), "2");
}

/// A role is of all databases of a server, and each of them would make it.
#[tokio::test]
async fn ten_databases_of_one_server_come_up_at_once() {
    let server = PostgresServer::start(&[]);
    let databases: Vec<_> = (0..10).map(|_| PostgresDatabase::on(&server.url())).collect();
    let name = databases[0].name();
    databases[0].execute("CREATE ROLE app LOGIN");
    let mut tasks = JoinSet::new();
    for database in &databases {
        // Two nodes each, and one login for all, to whom the role is to be given once.
        for _ in 0..2 {
            let config = PostgresConfig {
                owner_url: Some(database.url().into()),
                max_connections: 1,
                ..config(&database.url_of("app", None))
            };
            tasks.spawn(async move {
                let store = Postgres::open(config).await.unwrap().registry();
                store.write(vec![put("acme", "a")]).await.unwrap();
                assert_eq!(agents(&store).await, 1);
            });
        }
    }
    tasks.join_all().await;
    assert_eq!(
        databases[0].execute("SELECT count(*) FROM pg_roles WHERE rolname = 'soorma_node'"),
        "1",
        "{name}"
    );
}

#[tokio::test]
async fn schemas_of_one_database_stand_side_by_side() {
    let database = PostgresDatabase::fresh();
    let of = |schema: &str| PostgresConfig { schema: schema.into(), ..config(database.url()) };
    let one = Postgres::open(of("one")).await.unwrap().registry();
    let user = Postgres::open(of("user")).await.unwrap().registry();
    one.write(vec![put("acme", "a"), put("acme", "b")]).await.unwrap();
    assert_eq!((agents(&one).await, agents(&user).await), (2, 0));
    // As long as a name can be.
    let long = Postgres::open(of(&"s".repeat(63))).await.unwrap().registry();
    long.write(vec![put("acme", "a")]).await.unwrap();
    assert_eq!(agents(&long).await, 1);
}

#[tokio::test]
async fn opening_again_changes_nothing() {
    let database = PostgresDatabase::fresh();
    Postgres::open(config(database.url())).await.unwrap();
    let tables = "SELECT string_agg(c.relname || c.xmin::text || coalesce(c.relacl::text, ''), ',' ORDER BY c.oid) FROM pg_class c \
                  WHERE c.relnamespace = 'soorma'::regnamespace";
    let before = database.execute(tables);
    Postgres::open(config(database.url())).await.unwrap();
    assert_eq!(database.execute(tables), before);
}
