//! The walls of the memory's tables, as those of the registry's.

use soorma_core::{MemoryScope, Owner, Timestamp};
use soorma_ports::{
    Embedded, Erased, Generation, MemoryAct, MemoryDraft, MemoryFilter, MemoryQuery, MemoryStore,
    MemoryWrite, RankQuery, When,
};
use soorma_postgres::PostgresMemory;
use soorma_testkit::servers::PostgresDatabase;
use soorma_testkit::tenant;
use uuid::Uuid;

use super::walls::{ALL, as_role, check, refused_to_role, tenant_is};
use super::world::open_memory;

const TABLES: [&str; 3] = ["memory_entries", "memory_words", "memory_vectors"];
/// What all entries have among their words.
const WORDS: &str = "SET LOCAL soorma.words = ''':''';";
const NOW: Timestamp = Timestamp::MIN;

async fn memory() -> (PostgresDatabase, PostgresMemory) {
    let database = PostgresDatabase::fresh();
    let store = open_memory(&database).await;
    (database, store)
}

fn scope(whose: &str) -> MemoryScope {
    MemoryScope { tenant: tenant(whose), owner: Owner::new("shop", "ada").unwrap() }
}

fn put(whose: &str, nth: u128, with_vector: bool) -> MemoryWrite {
    let generation = Generation::new("walls", 2).unwrap();
    let vector = with_vector.then(|| Embedded { vector: generation.nothing(), generation });
    let (id, text) = (Uuid::from_u128(nth), Some("said in confidence".to_owned()));
    let labels = vec!["secret".to_owned()];
    let draft =
        MemoryDraft { id, key: Some(nth.to_string()), text, labels, vector, ..MemoryDraft::default() };
    MemoryWrite {
        scope: scope(whose),
        at: NOW,
        act: MemoryAct::Put { draft: Box::new(draft), when: When::Any },
    }
}

async fn fill(store: &dyn MemoryStore) -> Result<(), String> {
    let writes = ["acme", "globex"].into_iter().flat_map(|whose| [put(whose, 1, true), put(whose, 2, true)]);
    let answers = store.write(writes.collect()).await.map_err(|error| error.to_string())?;
    answers.into_iter().try_for_each(|answer| answer.map(|_| ()).map_err(|refused| refused.to_string()))
}

/// What the walls let through and what not; the first that is otherwise.
async fn walls(database: &PostgresDatabase, store: &dyn MemoryStore) -> Result<(), String> {
    fill(store).await?;
    let said = |error: soorma_ports::MemoryStoreError| error.to_string();
    for table in TABLES {
        let is_words = table == "memory_words";
        let count = |says: &str| as_role(database, says, &format!("SELECT count(*) FROM {table}"));
        check("nothing to nobody", count(WORDS), Ok("0".to_owned()))?;
        let own = if is_words { "0" } else { "2" };
        check("its own to a tenant", count(&tenant_is("acme")), Ok(own.to_owned()))?;
        check("and words to who says some", count(&(tenant_is("acme") + WORDS)), Ok("2".to_owned()))?;
        let other = tenant_is("acme") + "SET LOCAL soorma.words = '''confidence'' & !'':''';";
        check("and those alone", count(&other), Ok(own.to_owned()))?;
        check("nothing to a stranger", count(&(tenant_is("initech") + WORDS)), Ok("0".to_owned()))?;
        let all = if is_words { "0" } else { "4" };
        check("all to the node", count(&(ALL.to_owned() + WORDS)), Ok(all.to_owned()))?;
        for says in [String::new(), tenant_is("initech"), ALL.to_owned()] {
            let says = says + WORDS;
            let changed = format!(
                "WITH changed AS (UPDATE {table} SET tenant = tenant RETURNING 1) SELECT count(*) FROM changed"
            );
            check("nothing changed by others", as_role(database, &says, &changed), Ok("0".to_owned()))?;
            let removed = format!("WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT count(*) FROM gone");
            check("nothing removed by others", as_role(database, &says, &removed), Ok("0".to_owned()))?;
        }
    }
    let generation = Generation::new("walls", 2).unwrap();
    check(
        "generations are known",
        as_role(database, "", "SELECT count(*) FROM memory_generations"),
        Ok("1".into()),
    )?;
    let other = Generation::new("walls", 3).unwrap();
    let missing = store.unembedded(&other, None, 10).await.map_err(said)?;
    check("told of all tenants", missing.len(), 4)?;
    check("all have vectors", store.unembedded(&generation, None, 10).await.map_err(said)?, vec![])?;
    check("nothing was too old", store.expire(Timestamp::MAX, 10).await.map_err(said)?, 0)?;
    let query = RankQuery {
        filter: MemoryFilter { labels: vec!["secret".into()], ..MemoryFilter::default() },
        meaning: Some(Embedded { vector: generation.nothing(), generation }),
        words: Some("confidence".into()),
        time: true,
        depth: 10,
    };
    let ranked = store.rank(&scope("acme"), NOW, &query).await.map_err(said)?;
    check("found", (ranked.meaning.len(), ranked.words.len(), ranked.time.len()), (2, 2, 2))?;
    check("dropped", store.drop_vectors(None, None).await.map_err(said)?, 4)?;
    let erased = store.erase(&tenant("acme"), &Erased::Tenant).await.map_err(said)?;
    check("erased", erased.iter().map(|line| line.entries).sum::<u64>(), 2)?;
    let query = MemoryQuery { limit: 10, ..MemoryQuery::default() };
    check("of no other", store.list(&scope("globex"), NOW, &query).await.map_err(said)?.entries.len(), 2)
}

#[tokio::test]
async fn an_entry_and_what_belongs_to_it_is_seen_and_changed_by_its_own_tenant_alone() {
    let (database, store) = memory().await;
    assert_eq!(walls(&database, &store).await, Ok(()));
}

/// A policy that nothing notices is one that nothing tries.
#[tokio::test]
async fn no_policy_of_memory_can_be_taken_away_unnoticed() {
    let (first, _store) = memory().await;
    let policies = "SELECT policyname || ' ON soorma.' || tablename FROM pg_policies WHERE schemaname = 'soorma' \
                    AND tablename LIKE 'memory%' ORDER BY 1";
    let policies = first.execute(policies);
    assert_eq!(policies.lines().count(), 7, "{policies}");
    for policy in policies.lines() {
        let (database, store) = memory().await;
        database.execute(&format!("DROP POLICY {policy}"));
        assert!(walls(&database, &store).await.is_err(), "without {policy} all is as before");
    }
}

#[tokio::test]
async fn a_policy_of_memory_that_lets_others_through_is_noticed() {
    for table in TABLES {
        for (kind, lets) in
            [("SELECT", "USING (true)"), ("UPDATE", "USING (true)"), ("DELETE", "USING (true)")]
        {
            let (database, store) = memory().await;
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
async fn an_entry_cannot_be_written_for_another_tenant() {
    let (database, store) = memory().await;
    fill(&store).await.unwrap();
    let id = Uuid::from_u128(9);
    for statement in [
        format!(
            "INSERT INTO memory_entries (tenant, id, service_tenant, owner, public, kind, grp, body, labels, created_at, updated_at, \
             revision) VALUES ('globex', '{id}', 's', 'o', false, 'semantic', '', '', '{{}}', 0, 0, 99)"
        ),
        format!("INSERT INTO memory_words VALUES ('globex', '{id}', ''':''')"),
        format!(
            "INSERT INTO memory_vectors VALUES ('globex', '{id}', 1, '', 'semantic', '', 0, NULL, '[1]')"
        ),
        "UPDATE memory_entries SET tenant = 'globex', id = gen_random_uuid()".to_owned(),
        "UPDATE memory_words SET tenant = 'globex', id = gen_random_uuid()".to_owned(),
        "UPDATE memory_vectors SET tenant = 'globex'".to_owned(),
    ] {
        for says in ["".to_owned(), tenant_is("acme"), ALL.to_owned()] {
            if statement.starts_with("UPDATE") && says != tenant_is("acme") {
                continue;
            }
            let said = refused_to_role(&database, &(says.clone() + WORDS), &statement);
            assert!(said.contains("row-level security"), "{says} {statement}: {said}");
        }
    }
}

#[tokio::test]
async fn nobody_goes_past_the_table_to_its_parts() {
    let (database, store) = memory().await;
    fill(&store).await.unwrap();
    for part in 0..16 {
        let said = refused_to_role(
            &database,
            &tenant_is("acme"),
            &format!("SELECT count(*) FROM memory_vectors_{part}"),
        );
        assert!(said.contains("permission denied"), "{said}");
        // And with a right to it, there is no policy that shows anything.
        database.execute(&format!("GRANT ALL ON soorma.memory_vectors_{part} TO soorma_node"));
        let seen =
            as_role(&database, &tenant_is("acme"), &format!("SELECT count(*) FROM memory_vectors_{part}"));
        assert_eq!(seen, Ok("0".into()));
    }
}

#[tokio::test]
async fn the_role_that_works_can_neither_change_generations_nor_make_indexes_nor_set_the_count_back() {
    let (database, store) = memory().await;
    fill(&store).await.unwrap();
    for gone in ["UPDATE memory_generations SET model = 'x'", "DELETE FROM memory_generations"] {
        let done = format!("WITH done AS ({gone} RETURNING 1) SELECT count(*) FROM done");
        assert_eq!(as_role(&database, "", &done), Ok("0".into()));
    }
    for statement in [
        "SELECT setval('memory_revision', 1)",
        "CREATE INDEX i ON memory_vectors (kind)",
        "DROP TABLE memory_vectors_0",
        "ALTER TABLE memory_words DISABLE ROW LEVEL SECURITY",
        "DROP EXTENSION vector",
    ] {
        let said = refused_to_role(&database, &tenant_is("acme"), statement);
        assert!(said.contains("permission denied") || said.contains("must be owner"), "{statement}: {said}");
    }
}
