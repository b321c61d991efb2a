use soorma_testkit::servers::PostgresDatabase;

use super::*;

const FIRST: Layout = Layout {
    migrations: &[(
        "first",
        "CREATE TABLE notes (tenant text, note text);
         ALTER TABLE notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
         CREATE POLICY wall ON notes USING (tenant = current_setting('soorma.tenant', true))",
    )],
    tables: &["notes"],
    sequences: &[],
};
const SECOND: Layout = Layout {
    migrations: &[
        FIRST.migrations[0],
        (
            "second",
            "ALTER TABLE notes ADD COLUMN stars int NOT NULL DEFAULT 3;
             CREATE TABLE more (tenant text);
             CREATE SEQUENCE counted;
             ALTER TABLE more ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        ),
    ],
    tables: &["notes", "more"],
    sequences: &["counted"],
};
/// The first two went well, the third does not.
const BROKEN: Layout = Layout {
    migrations: &[
        FIRST.migrations[0],
        SECOND.migrations[1],
        ("third", "CREATE TABLE half (tenant text); SELECT 1 / 0"),
    ],
    tables: &["notes", "more", "half"],
    sequences: &["counted"],
};

async fn up(database: &PostgresDatabase, layout: Layout) -> Result<(), PostgresError> {
    let place = Place::new("the URL", database.url(), std::time::Duration::from_secs(10)).unwrap();
    let (schema, role) =
        (Identifier::new("schema", "soorma").unwrap(), Identifier::new("role", "soorma_node").unwrap());
    bring_up(&place, &place, &schema, &role, layout).await?;
    let mut connection = place.connect().await?;
    roles::admit(&mut connection, &schema, &role, layout.tables).await
}

fn versions(database: &PostgresDatabase) -> String {
    database.execute("SELECT string_agg(version::text, ' ' ORDER BY version) FROM soorma._sqlx_migrations")
}

#[tokio::test]
async fn tables_of_an_older_version_are_brought_up_with_what_is_in_them() {
    let database = PostgresDatabase::fresh();
    up(&database, FIRST).await.unwrap();
    database.execute("INSERT INTO soorma.notes VALUES ('acme', 'kept')");
    // The role may work on what is new, or `admit` would refuse it.
    up(&database, SECOND).await.unwrap();
    assert_eq!(database.execute("SELECT note, stars FROM soorma.notes"), "kept|3");
    assert_eq!(versions(&database), "1 2");
    up(&database, SECOND).await.unwrap();
    // And the older program does not touch what it does not know.
    let said = up(&database, FIRST).await.unwrap_err().to_string();
    assert!(said.contains("newer version (migration 2; this one knows up to 1)"), "{said}");
}

#[tokio::test]
async fn a_registry_of_before_there_was_memory_stays_as_it_was() {
    let before = Layout {
        migrations: LAYOUT.migrations.get(..1).unwrap(),
        tables: LAYOUT.tables.get(..4).unwrap(),
        sequences: &[],
    };
    let database = PostgresDatabase::fresh();
    up(&database, before).await.unwrap();
    database.execute(
        "INSERT INTO soorma.registry_events VALUES ('acme', 'order.placed', 7, 'business-facts', '{}')",
    );
    database.execute("UPDATE soorma.registry_revision SET revision = 7");
    up(&database, LAYOUT).await.unwrap();
    assert_eq!(versions(&database), "1 2");
    assert_eq!(database.execute("SELECT name, revision FROM soorma.registry_events"), "order.placed|7");
    assert_eq!(database.execute("SELECT revision FROM soorma.registry_revision"), "7");
    assert_eq!(database.execute("SELECT count(*) FROM soorma.memory_entries"), "0");
}

#[tokio::test]
async fn a_migration_that_fails_leaves_all_as_it_was() {
    let database = PostgresDatabase::fresh();
    up(&database, SECOND).await.unwrap();
    let said = up(&database, BROKEN).await.unwrap_err().to_string();
    assert!(said.contains("division by zero"), "{said}");
    assert_eq!(versions(&database), "1 2");
    assert_eq!(database.execute("SELECT to_regclass('soorma.half') IS NULL"), "t");
    up(&database, SECOND).await.unwrap();
}

#[test]
fn what_was_carried_out_is_compared_with_what_we_have() {
    let applied = |layout: &Layout| -> Vec<AppliedMigration> {
        let migrations = layout.migrations.iter().enumerate().map(|(nth, one)| migration(nth, one));
        migrations.map(|one| AppliedMigration { version: one.version, checksum: one.checksum }).collect()
    };
    assert_eq!(judge("s", &SECOND, &[]), Ok(2));
    assert_eq!(judge("s", &SECOND, &applied(&FIRST)), Ok(1));
    assert_eq!(judge("s", &SECOND, &applied(&SECOND)), Ok(0));
    for (applied, says) in [
        (applied(&BROKEN), "newer version (migration 3"),
        (vec![AppliedMigration { version: 0, checksum: Cow::Borrowed(&[]) }], "newer version (migration 0"),
        (vec![AppliedMigration { version: 1, checksum: Cow::Borrowed(&[1]) }], "migration 1 (first)"),
    ] {
        let said = judge("s", &SECOND, &applied).unwrap_err().to_string();
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn servers_before_16_are_too_old() {
    for (number, old) in [(150_018, true), (159_999, true), (160_000, false), (180_004, false)] {
        assert_eq!(is_too_old(number), old);
    }
}
