//! The walls in the database: what a query that forgot whose rows it wants would see.

use soorma_ports::RegistryStore;
use soorma_testkit::servers::PostgresDatabase;

use super::world::{agents, define, open, put, schema, world};

const TABLES: [&str; 3] = ["registry_agents", "registry_events", "registry_schemas"];

/// What a statement answers to who has taken the role, and has said this much.
pub(super) fn as_role(database: &PostgresDatabase, says: &str, statement: &str) -> Result<String, String> {
    database.try_execute(&format!(
        "BEGIN; SET LOCAL ROLE soorma_node; SET LOCAL search_path TO soorma; {says} {statement}; COMMIT"
    ))
}

/// As [`as_role`], where the statement is refused: what the server said.
pub(super) fn refused_to_role(database: &PostgresDatabase, says: &str, statement: &str) -> String {
    as_role(database, says, statement).expect_err(&format!("{says} {statement} is refused"))
}

pub(super) fn tenant_is(whose: &str) -> String {
    format!("SET LOCAL soorma.tenant = '{whose}';")
}

pub(super) const ALL: &str = "SET LOCAL soorma.reach = 'every tenant';";

async fn fill(store: &dyn RegistryStore) -> Result<(), String> {
    let writes = ["acme", "globex"]
        .into_iter()
        .flat_map(|whose| [put(whose, "a"), put(whose, "b"), define(whose, "e"), schema(whose, "s")]);
    let answers = store.write(writes.collect()).await.map_err(|error| error.to_string())?;
    answers.into_iter().try_for_each(|answer| answer.map(|_| ()).map_err(|refused| refused.to_string()))
}

/// What the walls let through and what not; the first that is otherwise.
async fn walls(database: &PostgresDatabase, store: &dyn RegistryStore) -> Result<(), String> {
    fill(store).await?;
    let told = store.changes(0.into(), 100).await.map_err(|error| error.to_string())?.changes.len();
    check("told of all tenants", told, 8)?;
    for (table, each) in TABLES.into_iter().zip([2, 1, 1]) {
        let count = |says: &str| as_role(database, says, &format!("SELECT count(*) FROM {table}"));
        check("nothing to nobody", count(""), Ok("0".to_owned()))?;
        check("its own to a tenant", count(&tenant_is("acme")), Ok(each.to_string()))?;
        check("nothing to a stranger", count(&tenant_is("initech")), Ok("0".to_owned()))?;
        check("all to the node", count(ALL), Ok((2 * each).to_string()))?;
        for says in [String::new(), tenant_is("initech"), ALL.to_owned()] {
            let changed = format!(
                "WITH changed AS (UPDATE {table} SET tenant = tenant RETURNING 1) SELECT count(*) FROM changed"
            );
            check("nothing changed by others", as_role(database, &says, &changed), Ok("0".to_owned()))?;
            let removed = format!("WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT count(*) FROM gone");
            check("nothing removed by others", as_role(database, &says, &removed), Ok("0".to_owned()))?;
        }
    }
    let forgotten = store.forget(soorma_core::Timestamp::MAX).await.map_err(|error| error.to_string())?;
    check("nothing was removed", forgotten, 0)
}

pub(super) fn check<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} and not {expected:?}")) }
}

#[tokio::test]
async fn a_row_is_seen_and_changed_by_its_own_tenant_alone() {
    let (database, store) = world().await;
    assert_eq!(walls(&database, &store).await, Ok(()));
}

/// A policy that nothing notices is one that nothing tries.
#[tokio::test]
async fn no_policy_can_be_taken_away_unnoticed() {
    let (first, _store) = world().await;
    let policies = "SELECT policyname || ' ON soorma.' || tablename FROM pg_policies WHERE schemaname = 'soorma' \
                    AND tablename LIKE 'registry%' ORDER BY 1";
    let policies = first.execute(policies);
    assert_eq!(policies.lines().count(), 8, "{policies}");
    for policy in policies.lines() {
        let (database, store) = world().await;
        database.execute(&format!("DROP POLICY {policy}"));
        assert!(walls(&database, &store).await.is_err(), "without {policy} all is as before");
    }
}

#[tokio::test]
async fn a_policy_that_lets_others_through_is_noticed() {
    for table in TABLES {
        for (kind, lets) in
            [("SELECT", "USING (true)"), ("UPDATE", "USING (true)"), ("DELETE", "USING (true)")]
        {
            let (database, store) = world().await;
            database.execute(&format!("CREATE POLICY hole ON soorma.{table} FOR {kind} {lets}"));
            if kind != "SELECT" {
                // To change rows they have to be seen.
                database.execute(&format!("CREATE POLICY seen ON soorma.{table} FOR SELECT USING (true)"));
            }
            assert!(walls(&database, &store).await.is_err(), "{kind} on {table}");
        }
    }
}

#[tokio::test]
async fn a_row_cannot_be_written_for_another_tenant() {
    let (database, store) = world().await;
    fill(&store).await.unwrap();
    for statement in [
        "INSERT INTO registry_agents VALUES ('globex', 'c', 99, 99, '{}', 'ready', NULL, 0, 0, NULL)",
        "INSERT INTO registry_events VALUES ('globex', 'f', 99, 'business-facts', '{}')",
        "INSERT INTO registry_schemas VALUES ('globex', 't', '1', 99, '{}')",
        "UPDATE registry_agents SET tenant = 'globex'",
        "UPDATE registry_events SET tenant = 'globex'",
        "UPDATE registry_schemas SET tenant = 'globex'",
    ] {
        for says in ["".to_owned(), tenant_is("acme"), ALL.to_owned()] {
            if statement.starts_with("UPDATE") && says != tenant_is("acme") {
                continue;
            }
            let said = refused_to_role(&database, &says, statement);
            assert!(said.contains("row-level security"), "{says} {statement}: {said}");
        }
    }
    assert_eq!(agents(&store).await, 8);
}

#[tokio::test]
async fn every_table_has_its_wall_and_it_stands_for_the_owner_too() {
    let (database, _store) = world().await;
    let tables = database.execute(
        "SELECT relname || ' ' || relrowsecurity || ' ' || relforcerowsecurity FROM pg_class \
         WHERE relnamespace = 'soorma'::regnamespace AND relkind IN ('r', 'p') AND relname <> '_sqlx_migrations' ORDER BY 1",
    );
    // Four of the registry, four of memory, and the parts of one.
    assert_eq!(tables.lines().count(), 8 + 16, "{tables}");
    for table in tables.lines() {
        assert!(table.ends_with(" true true"), "{table}");
    }
}

#[tokio::test]
async fn the_role_that_works_can_do_no_more_than_work() {
    let (database, store) = world().await;
    fill(&store).await.unwrap();
    for statement in [
        "CREATE TABLE mine (n int)",
        "CREATE SCHEMA mine",
        "DROP TABLE registry_agents",
        "ALTER TABLE registry_agents DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE registry_agents NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE registry_agents ADD COLUMN n int",
        "CREATE POLICY hole ON registry_agents USING (true)",
        "DROP POLICY wall ON registry_agents",
        "TRUNCATE registry_agents",
        "CREATE INDEX i ON registry_agents (status)",
        "CREATE ROLE more",
        "ALTER ROLE soorma_node BYPASSRLS",
        "INSERT INTO _sqlx_migrations VALUES (99, 'x', now(), true, '', 0)",
        "DELETE FROM _sqlx_migrations",
    ] {
        let said = refused_to_role(&database, &tenant_is("acme"), statement);
        let refused = ["permission denied", "must be owner", "must be able", "must have", "not permitted"];
        assert!(refused.iter().any(|words| said.contains(words)), "{statement}: {said}");
    }
    // To give away what is not one's own is no error, and gives nothing.
    let rights = "SELECT relacl FROM pg_class WHERE oid = 'soorma.registry_agents'::regclass";
    let before = database.execute(rights);
    as_role(&database, "", "GRANT SELECT ON registry_agents TO PUBLIC").unwrap();
    assert_eq!(database.execute(rights), before);
    // With security off, a query that would pass a wall fails instead of passing it.
    let said =
        refused_to_role(&database, "SET LOCAL row_security = off;", "SELECT count(*) FROM registry_agents");
    assert!(said.contains("row-level security"), "{said}");
    assert_eq!(
        as_role(&database, "", "UPDATE registry_revision SET revision = revision; SELECT 1"),
        Ok("1".into())
    );
    let said = refused_to_role(&database, "", "INSERT INTO registry_revision VALUES (false, 0, 0)");
    assert!(said.contains("row-level security") || said.contains("check"), "{said}");
    let gone = "WITH gone AS (DELETE FROM registry_revision RETURNING 1) SELECT count(*) FROM gone";
    assert_eq!(as_role(&database, "", gone), Ok("0".into()));
}

#[tokio::test]
async fn what_a_transaction_has_said_is_forgotten_with_it() {
    let (database, store) = world().await;
    fill(&store).await.unwrap();
    let said = database.execute(
        "SET ROLE soorma_node; BEGIN; SET LOCAL soorma.tenant = 'acme'; COMMIT; SELECT count(*) FROM soorma.registry_agents",
    );
    assert_eq!(said, "0");
    // The store itself leaves nothing on the connections that others use next.
    let second = open(&database).await;
    for _ in 0..20 {
        assert_eq!(agents(&second).await, 8);
        fill(&second).await.unwrap_err();
    }
}
