//! Sessions. When one was used last is when its entry was put last.

use serde::{Deserialize, Serialize};
use soorma_core::{Data, Error, ErrorCode, MemoryKind, MemoryScope, Session};
use soorma_ports::{
    After, Listed, MemoryAct, MemoryDraft, MemoryEntry, MemoryOrder, MemoryQuery, NewSession, RecallFilter,
    When,
};

use super::{body, by_key, nothing, read};
use crate::bounds;
use crate::recall;
use crate::shared::{Shared, after, weight};

pub(crate) const KIND: MemoryKind = MemoryKind::SESSION;
/// The most characters of a name.
const NAME_CHARS: usize = 255;

#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default)]
struct Body {
    name: Option<String>,
    metadata: Option<Data>,
}

fn session(scope: &MemoryScope, entry: MemoryEntry) -> Result<Session, Error> {
    let Body { name, metadata } = read(&KIND, &entry.body)?;
    Ok(Session {
        tenant_id: scope.tenant.clone(),
        user_id: entry.owner.user().to_owned(),
        session_id: entry.key.unwrap_or_default(),
        name,
        metadata: metadata.map_or_else(nothing, Ok)?,
        created_at: entry.created_at,
        last_interaction: entry.updated_at,
    })
}

pub(crate) async fn make(shared: &Shared, scope: &MemoryScope, new: NewSession) -> Result<Session, Error> {
    let NewSession { session_id, name, metadata } = new;
    bounds::id("sessionId", &session_id)?;
    if let Some(name) = &name {
        bounds::chars("name", name, NAME_CHARS)?;
    }
    bounds::metadata(&metadata)?;
    let draft = MemoryDraft {
        id: shared.new_id(),
        kind: KIND,
        key: Some(session_id.clone()),
        body: body(&Body { name, metadata: Some(metadata) })?,
        ..MemoryDraft::default()
    };
    let place = shared.tenants.enter_to_add(&scope.tenant, weight(&draft))?;
    let put = shared.put(&place, scope, draft, When::Absent).await?;
    let (entry, _) = put
        .map_err(|_| Error::new(ErrorCode::AlreadyExists, format!("Session already exists: {session_id}")))?;
    session(scope, entry)
}

pub(crate) async fn get(shared: &Shared, scope: &MemoryScope, id: &str) -> Result<Option<Session>, Error> {
    let _held = shared.reading(&scope.tenant)?;
    let entry = shared.get(scope, by_key(KIND, id)).await?;
    entry.map(|entry| session(scope, entry)).transpose()
}

pub(crate) async fn list(
    shared: &Shared,
    scope: &MemoryScope,
    from: Option<&After>,
    limit: usize,
) -> Result<Listed<Session>, Error> {
    bounds::limit(limit)?;
    let query = MemoryQuery {
        filter: recall::filter(KIND, None, Vec::new(), &RecallFilter::default()),
        order: MemoryOrder::Updated,
        after: after(from),
        limit,
    };
    let _held = shared.reading(&scope.tenant)?;
    super::listed(shared.list(scope, query).await?, |entry| session(scope, entry))
}

/// Returns what is to be written so that a session was used now; nothing where there is none.
pub(super) async fn used(shared: &Shared, scope: &MemoryScope, id: &str) -> Result<Option<MemoryAct>, Error> {
    let Some(there) = shared.get(scope, by_key(KIND, id)).await? else { return Ok(None) };
    let when = When::Revision(there.revision);
    let draft =
        MemoryDraft { id: there.id, kind: KIND, key: there.key, body: there.body, ..MemoryDraft::default() };
    Ok(Some(MemoryAct::Put { draft: Box::new(draft), when }))
}
