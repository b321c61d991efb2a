//! How something is done.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use soorma_core::{Error, MemoryKind, MemoryScope, Skill};
use soorma_ports::{
    Found, Listed, MemoryDraft, MemoryEntry, MemoryOrder, MemoryPlace, MemoryQuery, NewSkill, Procedural,
    Recall, RecallFilter, SkillQuery,
};
use uuid::Uuid;

use super::labels::label;
use super::{body, read};
use crate::bounds;
use crate::memories::Memories;
use crate::recall::{self, Mark};
use crate::shared::after;

const KIND: MemoryKind = MemoryKind::PROCEDURAL;
/// The most bytes of a name.
const NAME_BYTES: usize = 255;
/// The most bytes of a trigger.
const TRIGGER_BYTES: usize = 8 * 1_024;
/// The most bytes of a sort.
const TYPE_BYTES: usize = 64;

#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default)]
struct Body {
    name: Option<String>,
    procedure_type: String,
    content: String,
    version: u32,
    /// The trigger, where it says nothing: it is not searched.
    blank: Option<String>,
}

fn check(new: &NewSkill) -> Result<(), Error> {
    bounds::agent(&new.agent)?;
    if let Some(name) = &new.name {
        bounds::bytes("name", name, NAME_BYTES)?;
        if name.trim().is_empty() {
            return Err(Error::invalid("name: it is blank; leave it out, or say one"));
        }
    }
    bounds::bytes("triggerCondition", new.trigger.as_deref().unwrap_or_default(), TRIGGER_BYTES)?;
    bounds::bytes("procedureType", &new.procedure_type, TYPE_BYTES)?;
    if new.procedure_type.trim().is_empty() {
        return Err(Error::invalid("procedureType: say which sort it is"));
    }
    bounds::content(&new.content)
}

/// Returns the key of a skill: by its name, of which an agent has one; without a name, by its id.
fn key(name: Option<&str>, id: Uuid) -> String {
    name.map_or_else(|| format!("i:{id}"), |name| format!("n:{name}"))
}

/// Returns a skill as it is put: the version after the one that is there.
fn draft(new: &NewSkill, id: Uuid, there: Option<&MemoryEntry>) -> Result<MemoryDraft, Error> {
    let version = match there {
        Some(there) => read::<Body>(&KIND, &there.body)?.version.saturating_add(1),
        None => 1,
    };
    let text = new.trigger.as_deref().and_then(bounds::said);
    let blank = new.trigger.clone().filter(|_| text.is_none());
    let body = Body {
        name: new.name.clone(),
        procedure_type: new.procedure_type.clone(),
        content: new.content.clone(),
        version,
        blank,
    };
    Ok(MemoryDraft {
        id,
        kind: KIND,
        group: new.agent.clone(),
        key: Some(key(new.name.as_deref(), id)),
        text,
        body: self::body(&body)?,
        labels: vec![label("type", &new.procedure_type)],
        ..MemoryDraft::default()
    })
}

fn skill(scope: &MemoryScope, entry: MemoryEntry, mark: Mark) -> Result<Skill, Error> {
    let Body { name, procedure_type, content, version, blank } = read(&KIND, &entry.body)?;
    Ok(Skill {
        id: entry.id,
        tenant_id: scope.tenant.clone(),
        user_id: entry.owner.user().to_owned(),
        agent_id: entry.group,
        name,
        trigger_condition: entry.text.or(blank),
        procedure_type,
        content,
        version: Some(version),
        created_at: entry.created_at,
        updated_at: Some(entry.updated_at),
        score: mark.score,
        explanation: mark.explanation,
    })
}

#[async_trait]
impl Procedural for Memories {
    async fn store_skill(&self, scope: &MemoryScope, new: NewSkill) -> Result<(Skill, bool), Error> {
        check(&new)?;
        let shared = &self.shared;
        let id = shared.new_id();
        let at = MemoryPlace::Key {
            kind: KIND,
            group: new.agent.clone(),
            key: key(new.name.as_deref(), id),
            public: false,
        };
        let put = shared.change(scope, at, |there| draft(&new, id, there).map(Some)).await?;
        let (entry, made) = put.ok_or_else(|| Error::internal("a skill was not put"))?;
        Ok((skill(scope, entry, Mark::default())?, made))
    }

    async fn replace_skill(
        &self,
        scope: &MemoryScope,
        id: Uuid,
        new: NewSkill,
    ) -> Result<Option<Skill>, Error> {
        check(&new)?;
        let put = self.shared.change(scope, MemoryPlace::Id(id), |there| {
            let Some(there) = there.filter(|there| there.kind == KIND) else { return Ok(None) };
            let name = read::<Body>(&KIND, &there.body)?.name;
            if there.group != new.agent {
                return Err(Error::invalid("agentId: a skill stays with its agent; store it for the other"));
            }
            if new.name.is_some() && new.name != name {
                return Err(Error::invalid("name: a skill keeps its name; store it by the other one"));
            }
            draft(&NewSkill { name, ..new.clone() }, id, Some(there)).map(Some)
        });
        put.await?.map(|(entry, _)| skill(scope, entry, Mark::default())).transpose()
    }

    async fn skill(&self, scope: &MemoryScope, id: Uuid) -> Result<Option<Skill>, Error> {
        let _held = self.shared.reading(&scope.tenant)?;
        let entry = self.shared.get(scope, MemoryPlace::Id(id)).await?.filter(|entry| entry.kind == KIND);
        entry.map(|entry| skill(scope, entry, Mark::default())).transpose()
    }

    async fn skills(&self, scope: &MemoryScope, query: &SkillQuery) -> Result<Listed<Skill>, Error> {
        bounds::limit(query.limit)?;
        let labels = query.procedure_type.iter().map(|sort| label("type", sort)).collect();
        let query = MemoryQuery {
            filter: recall::filter(KIND, query.agent.as_deref(), labels, &RecallFilter::default()),
            order: MemoryOrder::Newest,
            after: after(query.after.as_ref()),
            limit: query.limit,
        };
        let _held = self.shared.reading(&scope.tenant)?;
        super::listed(self.shared.list(scope, query).await?, |entry| skill(scope, entry, Mark::default()))
    }

    async fn relevant_skills(
        &self,
        scope: &MemoryScope,
        agent: &str,
        recall: &Recall,
    ) -> Result<Found<Skill>, Error> {
        recall::check_filter(&recall.filter)?;
        let filter = recall::filter(KIND, Some(agent), Vec::new(), &recall.filter);
        recall::search(&self.shared, scope, filter, recall, |entry, mark| skill(scope, entry, mark)).await
    }

    async fn remove_skill(&self, scope: &MemoryScope, id: Uuid) -> Result<bool, Error> {
        super::remove(&self.shared, scope, &KIND, id).await
    }
}
