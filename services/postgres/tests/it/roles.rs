//! Who may be who: the owner of the tables, who logs in, and the role that works.

use soorma_postgres::{Postgres, PostgresConfig};
use soorma_testkit::servers::{PostgresDatabase, PostgresServer};

use super::world::{agents, config, put, refused};
use soorma_ports::{MemoryStore as _, RegistryStore as _};

/// A server of its own: roles are those of all its databases. A superuser has added what only a superuser may.
fn server() -> (PostgresServer, PostgresDatabase) {
    let (server, database) = bare_server();
    database.execute("CREATE EXTENSION vector");
    (server, database)
}

fn bare_server() -> (PostgresServer, PostgresDatabase) {
    let server = PostgresServer::start(&[]);
    let database = PostgresDatabase::on(&server.url());
    (server, database)
}

fn of(database: &PostgresDatabase, user: &str, owner: Option<&str>) -> PostgresConfig {
    PostgresConfig {
        owner_url: owner.map(|owner| database.url_of(owner, None)),
        ..config(&database.url_of(user, None))
    }
}

#[tokio::test]
async fn an_owner_who_may_make_roles_and_schemas_needs_nobody_else() {
    let (_server, database) = server();
    let name = database.name();
    database
        .execute(&format!("CREATE ROLE maker LOGIN CREATEROLE; GRANT CREATE ON DATABASE {name} TO maker"));
    for _ in 0..2 {
        let store = Postgres::open(of(&database, "maker", None)).await.unwrap().registry();
        store.write(vec![put("acme", "a")]).await.unwrap();
        assert_eq!(agents(&store).await, 1);
    }
    let role = "SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolinherit FROM pg_roles WHERE rolname = 'soorma_node'";
    assert_eq!(database.execute(role), "f|f|f|f|f|f");
}

#[tokio::test]
async fn who_works_needs_no_right_but_the_role() {
    let (_server, database) = server();
    let name = database.name();
    database.execute(&format!(
        "CREATE ROLE maker LOGIN CREATEROLE; GRANT CREATE ON DATABASE {name} TO maker; CREATE ROLE app LOGIN"
    ));
    let said = refused(of(&database, "app", None)).await;
    assert!(said.contains("'app' may not make the tables") && said.contains("owner_url"), "{said}");
    let store = Postgres::open(of(&database, "app", Some("maker"))).await.unwrap().registry();
    store.write(vec![put("acme", "a")]).await.unwrap();
    // Once they are there, the owner is not needed.
    let store = Postgres::open(of(&database, "app", None)).await.unwrap().registry();
    store.write(vec![put("acme", "b")]).await.unwrap();
    assert_eq!(agents(&store).await, 2);
    // Nor can who works do by itself what the role cannot.
    let rows = "SELECT has_schema_privilege('app', 'soorma', 'USAGE'), has_schema_privilege('app', 'soorma', 'CREATE')";
    assert_eq!(database.execute(rows), "f|f");
    // Of an older version only the owner can make the newer.
    database.execute("DELETE FROM soorma._sqlx_migrations");
    let said = refused(of(&database, "app", None)).await;
    assert!(said.contains("older version") && said.contains("owner_url"), "{said}");
}

#[tokio::test]
async fn an_owner_who_may_not_make_the_role_is_told_the_statement() {
    let (_server, database) = server();
    let name = database.name();
    database.execute(&format!("CREATE ROLE maker LOGIN; GRANT CREATE ON DATABASE {name} TO maker"));
    let said = refused(of(&database, "maker", None)).await;
    assert!(
        said.contains("CREATE ROLE \"soorma_node\" NOLOGIN NOINHERIT; GRANT \"soorma_node\" TO \"maker\""),
        "{said}"
    );
    database.execute("CREATE ROLE soorma_node NOLOGIN NOINHERIT");
    let said = refused(of(&database, "maker", None)).await;
    assert!(said.contains("GRANT \"soorma_node\" TO \"maker\""), "{said}");
    database.execute("GRANT soorma_node TO maker");
    Postgres::open(of(&database, "maker", None)).await.unwrap();
}

#[tokio::test]
async fn an_owner_who_may_not_add_pgvector_is_told_the_statement() {
    let (_server, database) = bare_server();
    let name = database.name();
    database
        .execute(&format!("CREATE ROLE maker LOGIN CREATEROLE; GRANT CREATE ON DATABASE {name} TO maker"));
    let said = refused(of(&database, "maker", None)).await;
    assert!(said.contains("'maker' may not add it") && said.contains("CREATE EXTENSION vector"), "{said}");
    // Wherever it is put.
    database.execute("CREATE SCHEMA elsewhere; CREATE EXTENSION vector SCHEMA elsewhere; GRANT USAGE ON SCHEMA elsewhere TO PUBLIC");
    let store = Postgres::open(of(&database, "maker", None)).await.unwrap().memory();
    store.check().await.unwrap();
}

#[tokio::test]
async fn an_index_that_is_missing_can_be_made_by_the_owner_alone() {
    let (_server, database) = server();
    let name = database.name();
    database.execute(&format!(
        "CREATE ROLE maker LOGIN CREATEROLE; GRANT CREATE ON DATABASE {name} TO maker; CREATE ROLE app LOGIN"
    ));
    let generation = soorma_ports::Generation::new("roles", 3).unwrap();
    let with_owner = Postgres::open(of(&database, "app", Some("maker"))).await.unwrap();
    let without = Postgres::open(of(&database, "app", None)).await.unwrap();
    let said = without.prepare_vectors(&generation).await.unwrap_err().to_string();
    assert!(said.contains("roles/3") && said.contains("owner_url"), "{said}");
    with_owner.prepare_vectors(&generation).await.unwrap();
    without.prepare_vectors(&generation).await.unwrap();
}

#[tokio::test]
async fn a_role_for_whom_there_are_no_walls_is_refused() {
    let (_server, database) = server();
    let name = database.name();
    database.execute(&format!(
        "CREATE ROLE passes NOLOGIN BYPASSRLS; CREATE ROLE super NOLOGIN SUPERUSER; \
         CREATE ROLE maker LOGIN CREATEROLE; GRANT CREATE ON DATABASE {name} TO maker; \
         CREATE ROLE close NOLOGIN; GRANT maker TO close"
    ));
    let of_role = |role: &str| PostgresConfig { role: role.into(), ..config(database.url()) };
    let said = refused(of_role("super")).await;
    assert!(said.contains("'super' is a superuser"), "{said}");
    let said = refused(of_role("passes")).await;
    assert!(said.contains("'passes' passes the walls"), "{said}");
    // The owner itself, and one who may become the owner.
    for role in ["maker", "close"] {
        let mut config = of_role(role);
        config.schema = "of_maker".into();
        config.owner_url = Some(database.url_of("maker", None));
        let said = refused(config).await;
        assert!(said.contains(&format!("'{role}' owns the tables")), "{said}");
    }
    database.execute(
        "CREATE ROLE maker_of_tables NOLOGIN; CREATE SCHEMA open; GRANT CREATE ON SCHEMA open TO PUBLIC",
    );
    let config = PostgresConfig { schema: "open".into(), ..of_role("maker_of_tables") };
    let said = refused(config).await;
    assert!(said.contains("may make tables") && said.contains("REVOKE CREATE ON SCHEMA open"), "{said}");
}
