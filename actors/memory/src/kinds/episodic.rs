//! What happened.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use soorma_core::{Data, Episode, Error, MemoryKind, MemoryScope, Role};
use soorma_ports::{
    EpisodeQuery, Episodic, Found, Listed, MemoryAct, MemoryDraft, MemoryEntry, MemoryFilter, MemoryOrder,
    MemoryQuery, MemoryWrite, NewEpisode, Recall, RecallFilter, When, Window,
};
use uuid::Uuid;

use super::labels::{each_once, label, members, of_member, of_metadata};
use super::{body, nothing, read, session, unreadable};
use crate::bounds;
use crate::memories::Memories;
use crate::recall::{self, Mark};
use crate::shared::{Shared, after, unknown, weight};

const KIND: MemoryKind = MemoryKind::EPISODIC;
/// How many episodes are read at once for a window.
const PAGE: usize = 100;
/// About how many bytes a token has: of English with the tokenizers of today, four.
const TOKEN_BYTES: usize = 4;
/// About how many tokens stand around what is said, for who says it.
const AROUND: usize = 4;

#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default)]
struct Body {
    role: String,
    metadata: Option<Data>,
    session: Option<String>,
    /// The content, where it says nothing: it is not searched.
    blank: Option<String>,
}

fn draft(new: NewEpisode, id: Uuid) -> Result<MemoryDraft, Error> {
    let NewEpisode { agent, role, content, metadata, session } = new;
    bounds::agent(&agent)?;
    bounds::content(&content)?;
    bounds::metadata(&metadata)?;
    if let Some(session) = &session {
        bounds::id("sessionId", session)?;
    }
    let mut labels = of_metadata(&members(&metadata)?)?;
    labels.push(label("role", role.as_str()));
    labels.extend(session.iter().map(|session| label("session", session)));
    let text = bounds::said(&content);
    let blank = text.is_none().then_some(content);
    let body = Body { role: role.as_str().to_owned(), metadata: Some(metadata), session, blank };
    Ok(MemoryDraft {
        id,
        kind: KIND,
        group: agent,
        text,
        body: self::body(&body)?,
        labels: each_once(labels),
        ..MemoryDraft::default()
    })
}

fn episode(scope: &MemoryScope, entry: MemoryEntry, mark: Mark) -> Result<Episode, Error> {
    let Body { role, metadata, session, blank } = read(&KIND, &entry.body)?;
    Ok(Episode {
        id: entry.id,
        tenant_id: scope.tenant.clone(),
        user_id: entry.owner.user().to_owned(),
        agent_id: entry.group,
        role: role.parse::<Role>().map_err(|error| unreadable(&KIND, &error))?,
        content: entry.text.or(blank).unwrap_or_default(),
        metadata: metadata.map_or_else(nothing, Ok)?,
        session_id: session,
        created_at: entry.created_at,
        score: mark.score,
        explanation: mark.explanation,
    })
}

fn filter(agent: Option<&str>, of: &RecallFilter) -> Result<MemoryFilter, Error> {
    recall::check_filter(of)?;
    let mut labels: Vec<_> = of.metadata.iter().map(|(name, value)| of_member(name, value)).collect();
    labels.extend(of.role.map(|role| label("role", role.as_str())));
    labels.extend(of.session.iter().map(|session| label("session", session)));
    Ok(recall::filter(KIND, agent, each_once(labels), of))
}

fn page(query: &EpisodeQuery, limit: usize) -> Result<MemoryQuery, Error> {
    Ok(MemoryQuery {
        filter: filter(query.agent.as_deref(), &query.filter)?,
        order: MemoryOrder::Newest,
        after: after(query.after.as_ref()),
        limit,
    })
}

/// Returns about how many tokens something that was said is.
fn tokens(content: &str) -> usize {
    content.len().div_ceil(TOKEN_BYTES).max(1) + AROUND
}

/// Puts an episode, and notes that its session was used now, in one call.
async fn log(shared: &Shared, scope: &MemoryScope, new: NewEpisode) -> Result<MemoryEntry, Error> {
    let session = new.session.clone();
    let mut draft = draft(new, shared.new_id())?;
    let place = shared.tenants.enter_to_add(&scope.tenant, weight(&draft))?;
    let lacks = shared.embed(&mut draft).await;
    let used = match &session {
        Some(session) => session::used(shared, scope, session).await?,
        None => None,
    };
    let at = shared.now();
    let write = |act| MemoryWrite { scope: scope.clone(), at, act };
    let mut writes = vec![write(MemoryAct::Put { draft: Box::new(draft.clone()), when: When::Any })];
    writes.extend(used.map(write));
    // The session's answer does not matter: who was quicker has used it, too.
    let outcome = shared.write(writes).await.into_iter().next().unwrap_or_else(|| Err(unknown()))?;
    let put = outcome.and_then(|done| Shared::put_so(&place, draft, at, done));
    let (entry, _) = put.map_err(super::refused)?;
    shared.embed_later(lacks, entry.id);
    Ok(entry)
}

#[async_trait]
impl Episodic for Memories {
    async fn log_episode(&self, scope: &MemoryScope, new: NewEpisode) -> Result<Episode, Error> {
        let entry = log(&self.shared, scope, new).await?;
        episode(scope, entry, Mark::default())
    }

    async fn episodes(&self, scope: &MemoryScope, query: &EpisodeQuery) -> Result<Listed<Episode>, Error> {
        bounds::limit(query.limit)?;
        let page = page(query, query.limit)?;
        let _held = self.shared.reading(&scope.tenant)?;
        super::listed(self.shared.list(scope, page).await?, |entry| episode(scope, entry, Mark::default()))
    }

    async fn search_episodes(
        &self,
        scope: &MemoryScope,
        agent: Option<&str>,
        recall: &Recall,
    ) -> Result<Found<Episode>, Error> {
        let filter = filter(agent, &recall.filter)?;
        recall::search(&self.shared, scope, filter, recall, |entry, mark| episode(scope, entry, mark)).await
    }

    async fn window(
        &self,
        scope: &MemoryScope,
        query: &EpisodeQuery,
        max_tokens: usize,
    ) -> Result<Window, Error> {
        bounds::limit(query.limit)?;
        let _held = self.shared.reading(&scope.tenant)?;
        let mut page = page(query, query.limit.min(PAGE))?;
        let mut window = Window { episodes: Vec::new(), tokens: 0, cut: false };
        'pages: loop {
            let list = self.shared.list(scope, page.clone()).await?;
            for entry in list.items {
                let Ok(one) = episode(scope, entry, Mark::default()) else { continue };
                let tokens = window.tokens + tokens(&one.content);
                if tokens > max_tokens || window.episodes.len() == query.limit {
                    window.cut = true;
                    break 'pages;
                }
                window.tokens = tokens;
                window.episodes.push(one);
            }
            let Some(next) = list.next else { break };
            page.after = after(Some(&next));
        }
        window.episodes.reverse();
        Ok(window)
    }
}
