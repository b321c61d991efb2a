//! Plain pgvector: one table, one index, and the tenant is looked at after the scan.

use std::time::Duration;

use soorma_testkit::servers::PostgresDatabase;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
use tokio::time::Instant;
use uuid::Uuid;

use crate::tenants::{Asked, K};

/// A table with the same vectors as ours, and its index.
pub(crate) struct Plain {
    connection: PgConnection,
    pub(crate) built: Duration,
}

impl Plain {
    /// Makes the table of what ours have but for one tenant.
    pub(crate) async fn of_ours(database: &PostgresDatabase, but: &str) -> Self {
        database.execute(&format!(
            "CREATE TABLE plain AS SELECT id, tenant, embedding::vector(384) AS embedding FROM soorma.memory_vectors WHERE tenant <> '{but}'"
        ));
        let begun = Instant::now();
        database.execute("CREATE INDEX plain_near ON plain USING hnsw (embedding vector_ip_ops)");
        let built = begun.elapsed();
        database.execute("VACUUM ANALYZE plain");
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        // More candidates than the 40 that are usual, and by the index in any case.
        connection.execute("SET hnsw.ef_search = 100; SET enable_seqscan = off").await.unwrap();
        Self { connection, built }
    }

    /// Has the index go on until it has found enough, or not.
    pub(crate) async fn go_on(&mut self, goes_on: bool) {
        let how = if goes_on { "relaxed_order" } else { "off" };
        self.connection.execute(AssertSqlSafe(format!("SET hnsw.iterative_scan = {how}"))).await.unwrap();
    }

    pub(crate) async fn find(&mut self, asked: &Asked) -> Vec<Uuid> {
        let numbers: Vec<String> = asked.vector.iter().map(ToString::to_string).collect();
        let statement =
            format!("SELECT id FROM plain WHERE tenant = $1 ORDER BY embedding <#> $2::vector LIMIT {K}");
        let query = sqlx::query(AssertSqlSafe(statement))
            .bind(asked.scope.tenant.as_str())
            .bind(format!("[{}]", numbers.join(",")));
        let rows = query.fetch_all(&mut self.connection).await.unwrap();
        rows.iter().map(|row: &PgRow| row.get(0)).collect()
    }
}
