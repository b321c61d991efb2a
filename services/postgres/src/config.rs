//! Where the database is, and as whom we stand in it.

use std::time::Duration;

/// The connection, and its bounds.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresConfig {
    /// Where the database is and who we are, such as `postgres://user:password@host:5432/database`.
    pub url: String,
    /// The same as the owner of the tables, who makes and changes them when a new version starts; none where `url` is the owner's.
    pub owner_url: Option<String>,
    /// In which schema the tables are.
    pub schema: String,
    /// As which role all work is done: one that can read and write rows and nothing more. The owner makes it where it may.
    pub role: String,
    /// How many connections there are at most, beside one that listens.
    pub max_connections: usize,
    /// How long an answer is waited for. A connection that is seen to be lost is not waited for at all.
    pub answer_within: Duration,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            url: "postgres://localhost/soorma".into(),
            owner_url: None,
            schema: "soorma".into(),
            role: "soorma_node".into(),
            max_connections: 8,
            answer_within: Duration::from_secs(10),
        }
    }
}

impl std::fmt::Debug for PostgresConfig {
    /// Without the URLs, which may have passwords in them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("schema", &self.schema)
            .field("role", &self.role)
            .field("max_connections", &self.max_connections)
            .field("answer_within", &self.answer_within)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let url = "postgres://soorma:hunter2@localhost/soorma";
        let config = PostgresConfig { url: url.into(), owner_url: Some(url.into()), ..Default::default() };
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
