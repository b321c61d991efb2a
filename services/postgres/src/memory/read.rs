//! Entries at places, and lists of them.

use std::collections::BTreeMap;

use soorma_core::{MemoryKind, MemoryScope, Timestamp};
use soorma_ports::{
    MemoryAfter, MemoryEntry, MemoryOrder, MemoryPage, MemoryPlace, MemoryQuery, MemoryStoreError,
};
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::asked::{Asked, NEXT, of_tenant};
use super::entry::{COLUMNS, PUBLIC, entry, private, whose};
use super::unsigned;
use crate::PostgresError;
use crate::connections::Connections;
use crate::error::is_lost;

/// One entry by its key: one statement, which is a transaction of itself.
pub(super) async fn at_key(
    connections: &Connections,
    scope: &MemoryScope,
    place: (&str, &str, &str, bool),
) -> Result<Option<MemoryEntry>, PostgresError> {
    let (kind, group, key, public) = place;
    let statement = format!("SELECT {COLUMNS} FROM memory_at_key($1, $2, $3, $4, $5) AS e");
    loop {
        let mut lent = connections.lend().await?;
        let query = sqlx::query(AssertSqlSafe(statement.clone()))
            .bind(scope.tenant.as_str())
            .bind(whose(scope, public))
            .bind(kind)
            .bind(group)
            .bind(key);
        match query.fetch_optional(&mut *lent).await {
            Ok(row) => {
                lent.give_back();
                return row.as_ref().map(entry).transpose();
            }
            // It was lost while it waited for work, so all are that wait.
            Err(error) if is_lost(&error) && !lent.is_fresh() => connections.forget_idle(),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Entries at places of any sort.
pub(super) async fn at_places(
    connections: &Connections,
    scope: &MemoryScope,
    places: &[MemoryPlace],
) -> Result<Vec<Option<MemoryEntry>>, PostgresError> {
    let mine = private(&scope.owner);
    let mut ids = Vec::new();
    let (mut whoses, mut kinds, mut groups, mut keys) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for place in places {
        match place {
            MemoryPlace::Id(id) => ids.push(*id),
            MemoryPlace::Key { kind, group, key, public } => {
                whoses.push(if *public { PUBLIC } else { mine.as_str() });
                kinds.push(kind.as_str());
                groups.push(group.as_str());
                keys.push(key.as_str());
            }
        }
    }
    let begin = format!("BEGIN READ ONLY; {}", of_tenant(scope.tenant.as_str()));
    let mut transaction = connections.begin_with(begin).await?;
    let mut found: BTreeMap<Uuid, MemoryEntry> = BTreeMap::new();
    if !ids.is_empty() {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM memory_entries e WHERE e.tenant = $1 AND (e.whose = $2 OR e.whose = '') AND e.id = ANY ($3)"
        )));
        let rows = rows.bind(scope.tenant.as_str()).bind(&mine).bind(ids);
        for row in rows.fetch_all(&mut *transaction).await? {
            let entry = entry(&row)?;
            found.insert(entry.id, entry);
        }
    }
    let mut by_key = BTreeMap::new();
    if !keys.is_empty() {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS n (whose, kind, grp, key) \
             CROSS JOIN LATERAL (SELECT * FROM memory_entries e WHERE e.tenant = $1 AND e.whose = n.whose AND e.kind = n.kind \
             AND e.grp = n.grp AND e.key = n.key LIMIT 1) AS e"
        )));
        let rows = rows.bind(scope.tenant.as_str()).bind(whoses).bind(kinds).bind(groups).bind(keys);
        for row in rows.fetch_all(&mut *transaction).await? {
            let entry = entry(&row)?;
            let key = entry.key.clone().unwrap_or_default();
            by_key.insert((entry.public, entry.kind.to_string(), entry.group.clone(), key), entry);
        }
    }
    transaction.commit().await?;
    let at = |place: &MemoryPlace| match place {
        MemoryPlace::Id(id) => found.get(id).cloned(),
        MemoryPlace::Key { kind, group, key, public } => {
            by_key.get(&(*public, kind.to_string(), group.clone(), key.clone())).cloned()
        }
    };
    Ok(places.iter().map(at).collect())
}

/// How many bytes an entry has.
const BYTES: &str = "(coalesce(octet_length(e.text), 0) + octet_length(e.body))";
/// How many entries were found, in a row of a page.
const FOUND: &str = "found";

/// By what an order orders, and the parts of which an index has each in order: with what stands in them after a place, and what orders them. The place is in two
/// parameters, and nothing where there is none.
fn ordering(order: MemoryOrder) -> (&'static str, Vec<(String, &'static str)>) {
    let (place, id) = (NEXT, NEXT + 1);
    let after = |what: String| format!("(${id}::uuid IS NULL OR {what})");
    let by_time = |by, columns: &str, is: &str| {
        (by, vec![(after(format!("({columns}) {is} (${place}::bigint, ${id})")), by)])
    };
    match order {
        MemoryOrder::Newest => by_time("e.created_at DESC, e.id DESC", "e.created_at, e.id", "<"),
        MemoryOrder::Oldest => by_time("e.created_at, e.id", "e.created_at, e.id", ">"),
        MemoryOrder::Updated => by_time("e.updated_at DESC, e.id DESC", "e.updated_at, e.id", "<"),
        MemoryOrder::Key => {
            let without = after(format!("${place}::text = '' AND e.id > ${id}"));
            let with = after(format!("(e.key, e.id) > (${place}::text, ${id})"));
            let parts = vec![
                (format!("e.key IS NULL AND {without}"), "e.id"),
                (format!("e.key IS NOT NULL AND {with}"), "e.key, e.id"),
            ];
            ("coalesce(e.key, ''), e.id", parts)
        }
    }
}

pub(super) async fn list(
    connections: &Connections,
    scope: &MemoryScope,
    now: Timestamp,
    query: &MemoryQuery,
) -> Result<MemoryPage, MemoryStoreError> {
    let asked = Asked::new(scope, now, &query.filter);
    let (by, parts) = ordering(query.order);
    // What a page has no room for does not leave the server.
    let statement = format!(
        "SELECT {COLUMNS}, e.found FROM (SELECT e.*, count(*) OVER () AS found, sum({BYTES}) OVER (ORDER BY {by}) - {BYTES} AS before \
         FROM ({}) AS e) AS e WHERE e.before < {} ORDER BY {by}",
        asked.first("e.*", &parts, by, NEXT + 2),
        MemoryPage::MOST_BYTES
    );
    let select = asked.bind(sqlx::query(AssertSqlSafe(statement)));
    let is_by_key = query.order == MemoryOrder::Key;
    let select = match &query.after {
        None if is_by_key => select.bind(None::<&str>).bind(None::<Uuid>),
        None => select.bind(None::<i64>).bind(None::<Uuid>),
        Some(MemoryAfter::Key(key, id)) if is_by_key => select.bind(Some(key.as_str())).bind(Some(*id)),
        Some(MemoryAfter::At(time, id)) if !is_by_key => select.bind(Some(time.micros())).bind(Some(*id)),
        Some(_) => return Err(MemoryStoreError::Invalid("this is no place in that order".into())),
    };
    let one_more = i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut transaction = connections.begin_with(asked.begin()).await?;
    let rows = select.bind(one_more).fetch_all(&mut *transaction).await.map_err(PostgresError::from)?;
    transaction.commit().await?;
    let found: i64 = match rows.first() {
        Some(row) => row.try_get(FOUND).map_err(PostgresError::from)?,
        None => 0,
    };
    let entries = rows.iter().take(query.limit).map(entry).collect::<Result<Vec<_>, _>>()?;
    let more = unsigned(found) > super::count(entries.len());
    Ok(MemoryPage { entries, more })
}

/// Keys and revisions of one group, as the index of keys has them.
pub(super) async fn states(
    connections: &Connections,
    scope: &MemoryScope,
    now: Timestamp,
    (kind, group): (&MemoryKind, &str),
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, u64)>, PostgresError> {
    let begin = format!(
        "BEGIN READ ONLY; SET LOCAL plan_cache_mode = force_custom_plan; {}",
        of_tenant(scope.tenant.as_str())
    );
    let mut transaction = connections.begin_with(begin).await?;
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT key, revision FROM memory_entries WHERE tenant = $1 AND whose = $2 AND kind = $3 AND grp = $4 AND key IS NOT NULL \
         AND ($5::text IS NULL OR key > $5) AND (expires_at IS NULL OR expires_at > $6) ORDER BY key LIMIT $7",
    )
    .bind(scope.tenant.as_str())
    .bind(private(&scope.owner))
    .bind(kind.as_str())
    .bind(group)
    .bind(after)
    .bind(now.micros())
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(rows.into_iter().map(|(key, revision)| (key, unsigned(revision))).collect())
}
