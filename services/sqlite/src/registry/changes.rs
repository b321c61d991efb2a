//! What has changed, on a reader's connection.

use rusqlite::{Connection, Row};
use serde::de::DeserializeOwned;
use soorma_core::{AgentRecord, EventDefinition, Name, PayloadSchema, TenantId, Timestamp};
use soorma_ports::{ReadFrom, RegistryChange, RegistryPage, RegistryRow, RegistryStoreError, Standing};

use crate::numbers::{signed, topic, unsigned};

/// The one sequence, out of five tables that each have an index in its order: SQLite merges them row by row, so a page costs what it has
/// and not what there is.
const CHANGES: &str = "
    SELECT a.said, 0, t.name, a.id, a.document, h.heard_at, h.status, h.reason, a.registered_at
        FROM registry_agents a INDEXED BY registry_agents_said
        CROSS JOIN registry_heard h ON h.agent = a.key CROSS JOIN tenants t ON t.id = a.tenant WHERE a.said > ?1
    UNION ALL SELECT h.revision, 1, t.name, a.id, NULL, h.heard_at, h.status, h.reason, a.said
        FROM registry_heard h INDEXED BY registry_heard_revision
        CROSS JOIN registry_agents a ON a.key = h.agent CROSS JOIN tenants t ON t.id = a.tenant WHERE h.revision > ?1
    UNION ALL SELECT r.revision, 2, t.name, r.id, NULL, NULL, NULL, NULL, NULL
        FROM registry_removed r INDEXED BY registry_removed_revision
        CROSS JOIN tenants t ON t.id = r.tenant WHERE r.revision > ?1
    UNION ALL SELECT e.revision, 3, t.name, e.name, e.document, NULL, NULL, NULL, e.topic
        FROM registry_events e INDEXED BY registry_events_revision
        CROSS JOIN tenants t ON t.id = e.tenant WHERE e.revision > ?1
    UNION ALL SELECT s.revision, 4, t.name, s.name, s.document, NULL, NULL, NULL, NULL
        FROM registry_schemas s INDEXED BY registry_schemas_revision
        CROSS JOIN tenants t ON t.id = s.tenant WHERE s.revision > ?1
    ORDER BY 1";

/// Why a row cannot be told of.
type Damage = Box<dyn std::error::Error>;

/// Returns a page, or why who asks cannot go on from where he is.
pub(super) fn page(
    connection: &Connection,
    from: ReadFrom,
    limit: usize,
) -> rusqlite::Result<Result<RegistryPage, RegistryStoreError>> {
    let (last, forgotten) = connection
        .prepare_cached("SELECT revision, forgotten FROM registry")?
        .query_row([], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))?;
    let began = match from.admit(last, forgotten) {
        Ok(began) => began,
        Err(gone) => return Ok(Err(gone)),
    };
    let after = from.after;
    let mut page = RegistryPage { changes: Vec::new(), upto: after, more: false, began };
    let mut damaged = Damaged::default();
    let mut select = connection.prepare_cached(CHANGES)?;
    let mut rows = select.query([signed(after)])?;
    let mut read = 0;
    while let Some(row) = rows.next()? {
        let revision = unsigned(row.get(0)?);
        if read >= limit {
            page.more = true;
            damaged.report();
            return Ok(Ok(page));
        }
        read += 1;
        page.upto = revision;
        match change(row, revision, after) {
            Ok(change) => page.changes.extend(change),
            // Left out, since all that comes after it would be held up.
            Err(error) => damaged.note(revision, error),
        }
    }
    page.upto = last;
    damaged.report();
    Ok(Ok(page))
}

/// The rows of a page that cannot be read.
#[derive(Default)]
struct Damaged {
    count: u64,
    first: Option<(u64, Damage)>,
}

impl Damaged {
    fn note(&mut self, revision: u64, error: Damage) {
        self.count += 1;
        self.first.get_or_insert((revision, error));
    }

    fn report(self) {
        if let Some((revision, error)) = self.first {
            tracing::error!(
                %error, revision, count = self.count,
                "rows of the registry cannot be read and are left out; put again they are whole"
            );
        }
    }
}

/// What is told of a row to one who asks after a revision.
fn change(row: &Row<'_>, revision: u64, after: u64) -> Result<Option<RegistryChange>, Damage> {
    let told = match row.get(1)? {
        0 => {
            let registered_at = Timestamp::from_micros(row.get(8)?);
            let agent: Box<AgentRecord> = document(row)?;
            RegistryRow::Agent { agent, standing: standing(row)?, registered_at, heard_at: heard_at(row)? }
        }
        // Else its record stands before in this page, and says how the agent is now.
        1 if unsigned(row.get(8)?) <= after => {
            RegistryRow::Heard { agent: name(row)?, standing: standing(row)?, heard_at: heard_at(row)? }
        }
        1 => return Ok(None),
        // Who begins has not seen it.
        2 if after == 0 => return Ok(None),
        2 => RegistryRow::Removed { agent: name(row)? },
        3 => {
            let event: Box<EventDefinition> = document(row)?;
            RegistryRow::Event(Box::new(EventDefinition { topic: topic(8, row)?, ..*event }))
        }
        _ => RegistryRow::Schema(document::<PayloadSchema>(row)?),
    };
    let tenant = TenantId::new(row.get_ref(2)?.as_str()?)?;
    Ok(Some(RegistryChange { revision, tenant, row: told }))
}

fn name(row: &Row<'_>) -> Result<Name, Damage> {
    Ok(Name::new(row.get_ref(3)?.as_str()?)?)
}

fn document<T: DeserializeOwned>(row: &Row<'_>) -> Result<Box<T>, Damage> {
    Ok(serde_json::from_str(row.get_ref(4)?.as_str()?)?)
}

fn heard_at(row: &Row<'_>) -> rusqlite::Result<Timestamp> {
    row.get(5).map(Timestamp::from_micros)
}

fn standing(row: &Row<'_>) -> Result<Standing, Damage> {
    Ok(Standing { status: row.get_ref(6)?.as_str()?.parse()?, reason: row.get(7)? })
}
