//! What changed after a revision.

use serde::de::DeserializeOwned;
use soorma_core::{EventDefinition, Name, TenantId, Timestamp};
use soorma_ports::{RegistryChange, RegistryPage, RegistryRow, Standing};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{FromRow as _, Row as _};

use super::unsigned;
use crate::PostgresError;

/// What was asked for, and how things stand.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) after: u64,
    pub(super) began: u64,
    pub(super) limit: usize,
    pub(super) revision: u64,
}

/// Place, tenant, kind, name, what is said, topic, status, reason, when registered, when heard.
type Told = (
    i64,
    String,
    i16,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
);

/// An agent is told at the place where its record was said, with all that is known of it now. At the place where it was heard since,
/// it is told to who has passed the first: others find it there. `$1` is after what, `$2` how many.
const TOLD: &str = "SELECT * FROM ( \
    (SELECT said AS place, tenant, 0::smallint, id, record, NULL::text, status, reason, registered_at, heard_at \
     FROM registry_agents WHERE removed_at IS NULL AND said > $1 ORDER BY said LIMIT $2) \
    UNION ALL \
    (SELECT revision, tenant, (CASE WHEN removed_at IS NULL THEN 1 ELSE 2 END)::smallint, id, '', NULL, status, reason, \
     registered_at, heard_at \
     FROM registry_agents WHERE $1 > 0 AND revision > $1 AND (removed_at IS NOT NULL OR (revision > said AND said <= $1)) \
     ORDER BY revision LIMIT $2) \
    UNION ALL \
    (SELECT revision, tenant, 3::smallint, name, definition, topic, NULL, NULL, NULL, NULL \
     FROM registry_events WHERE revision > $1 ORDER BY revision LIMIT $2) \
    UNION ALL \
    (SELECT revision, tenant, 4::smallint, name, schema, NULL, NULL, NULL, NULL, NULL \
     FROM registry_schemas WHERE revision > $1 ORDER BY revision LIMIT $2) \
    ) AS told ORDER BY place LIMIT $2";

/// Reads a page.
pub(super) async fn read(
    transaction: &mut PgConnection,
    asked: &Asked,
) -> Result<RegistryPage, PostgresError> {
    let after = i64::try_from(asked.after).unwrap_or(i64::MAX);
    let one_more = i64::try_from(asked.limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows = sqlx::query(TOLD).bind(after).bind(one_more).fetch_all(transaction).await?;
    let more = rows.len() > asked.limit;
    rows.truncate(asked.limit);
    let upto = match rows.last() {
        Some(last) if more => unsigned(last.try_get(0)?),
        None if more => asked.after,
        _ => asked.revision,
    };
    let (mut changes, mut damaged) = (Vec::with_capacity(rows.len()), Damaged::default());
    for row in &rows {
        match change(row) {
            Ok(change) => changes.push(change),
            // Left out, since all that comes after it would be held up.
            Err(error) => damaged.note(error),
        }
    }
    damaged.report();
    Ok(RegistryPage { changes, upto, more, began: asked.began })
}

/// The rows of a page that cannot be read.
#[derive(Default)]
struct Damaged {
    count: u64,
    first: Option<PostgresError>,
}

impl Damaged {
    fn note(&mut self, error: PostgresError) {
        self.count += 1;
        self.first.get_or_insert(error);
    }

    fn report(self) {
        if let Some(error) = self.first {
            tracing::error!(
                %error, count = self.count,
                "rows of the registry cannot be read and are left out; put again they are whole"
            );
        }
    }
}

fn change(row: &PgRow) -> Result<RegistryChange, PostgresError> {
    let (place, tenant, kind, name, said, topic, status, reason, registered_at, heard_at) =
        Told::from_row(row)?;
    let broken = |what: String| {
        PostgresError::Corrupt(format!("'{name}' of tenant '{tenant}' (revision {place}) {what}"))
    };
    let standing = || -> Result<Standing, PostgresError> {
        let status = status.as_deref().unwrap_or_default();
        let status = status.parse().map_err(|error| broken(format!("has a status that is none: {error}")))?;
        let reason = reason.as_deref().map(|reason| json(reason, &broken)).transpose()?;
        Ok(Standing { status, reason })
    };
    let agent = || Name::new(name.as_str()).map_err(|error| broken(format!("has a name that {error}")));
    let time = |micros: Option<i64>| Timestamp::from_micros(micros.unwrap_or_default());
    let row = match kind {
        0 => RegistryRow::Agent {
            agent: Box::new(json(&said, &broken)?),
            standing: standing()?,
            registered_at: time(registered_at),
            heard_at: time(heard_at),
        },
        1 => RegistryRow::Heard { agent: agent()?, standing: standing()?, heard_at: time(heard_at) },
        2 => RegistryRow::Removed { agent: agent()? },
        3 => {
            let topic = topic.as_deref().unwrap_or_default().parse();
            let topic = topic.map_err(|error| broken(format!("has a topic that is none: {error}")))?;
            RegistryRow::Event(Box::new(EventDefinition { topic, ..json(&said, &broken)? }))
        }
        _ => RegistryRow::Schema(Box::new(json(&said, &broken)?)),
    };
    let tenant = TenantId::new(&tenant).map_err(|error| broken(format!("has a tenant that {error}")))?;
    Ok(RegistryChange { revision: unsigned(place), tenant, row })
}

fn json<T: DeserializeOwned>(
    text: &str,
    broken: &impl Fn(String) -> PostgresError,
) -> Result<T, PostgresError> {
    serde_json::from_str(text).map_err(|error| broken(format!("cannot be read: {error}")))
}
