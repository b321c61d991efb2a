//! What is known.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use soorma_core::{Data, Error, Fact, MemoryKind, MemoryScope, Timestamp};
use soorma_ports::{
    Found, ListQuery, Listed, MemoryDraft, MemoryEntry, MemoryFilter, MemoryOrder, MemoryPlace, MemoryQuery,
    NewFact, Recall, RecallFilter, Seen, Semantic, When,
};
use uuid::Uuid;

use super::labels::{each_once, label, members, of_member, of_metadata, scalar};
use super::{body, nothing, read};
use crate::bounds::{self, KEY_BYTES};
use crate::members::Members;
use crate::memories::Memories;
use crate::recall::{self, Mark};
use crate::shared::{after, weight};

const KIND: MemoryKind = MemoryKind::SEMANTIC;
/// The most characters of an external id.
const EXTERNAL_ID_CHARS: usize = 255;
/// The most bytes of a tag.
const TAG_BYTES: usize = 128;
/// The most bytes of a source.
const SOURCE_BYTES: usize = 255;

#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default)]
struct Body {
    external_id: Option<String>,
    metadata: Option<Data>,
    episode: Option<Uuid>,
    /// The content, where it says nothing: it is not searched.
    blank: Option<String>,
}

fn check(new: &NewFact) -> Result<(), Error> {
    bounds::content(&new.content)?;
    if let Some(id) = &new.external_id {
        bounds::chars("externalId", id, EXTERNAL_ID_CHARS)?;
    }
    bounds::metadata(&new.metadata)?;
    let tags = new.tags.as_deref().unwrap_or_default();
    bounds::at_most("tags", tags.len(), NewFact::MAX_TAGS, "tags")?;
    tags.iter().try_for_each(|tag| bounds::bytes("tags", tag, TAG_BYTES))?;
    if let Some(source) = &new.source {
        bounds::bytes("source", source, SOURCE_BYTES)?;
    }
    match (new.valid_from, new.valid_to) {
        (Some(from), Some(to)) if to <= from => {
            Err(Error::invalid("validTo: it must be later than validFrom"))
        }
        _ => Ok(()),
    }
}

/// Returns a fact as it is put. What is the same without an id of its own is the same fact.
fn draft(new: NewFact, id: Uuid) -> Result<MemoryDraft, Error> {
    check(&new)?;
    let NewFact { content, external_id, public, mut metadata, tags, source, .. } = new;
    // An id that says nothing would be the same for all who have none.
    let external_id = external_id.filter(|id| !id.is_empty());
    let mut members = members(&metadata)?;
    let folded = [
        tags.filter(|tags| !tags.is_empty()).map(|tags| ("tags", raw(&tags))),
        source.filter(|source| !source.is_empty()).map(|source| ("source", raw(&source))),
    ];
    for (name, value) in folded.into_iter().flatten() {
        members.set(name.to_owned(), value?);
        metadata =
            Data::from_value(&members).map_err(|error| Error::invalid(format!("metadata: {error}")))?;
    }
    let key = match &external_id {
        Some(external) => bounds::stored(&format!("e:{external}"), KEY_BYTES).into_owned(),
        None => format!("h:{}", bounds::hash(&content)),
    };
    let labels = labels(&members)?;
    let text = bounds::said(&content);
    let blank = text.is_none().then_some(content);
    let body = body(&Body { external_id, metadata: Some(metadata), episode: new.episode, blank })?;
    Ok(MemoryDraft {
        id,
        kind: KIND,
        key: Some(key),
        public,
        text,
        body,
        labels,
        valid_from: new.valid_from,
        valid_until: new.valid_to,
        ..MemoryDraft::default()
    })
}

fn raw<T: Serialize>(value: &T) -> Result<Box<RawValue>, Error> {
    serde_json::value::to_raw_value(value).map_err(|error| Error::invalid(error.to_string()))
}

/// Tags and the source count wherever they were said: beside the metadata, or in it.
fn labels(members: &Members) -> Result<Vec<String>, Error> {
    let mut labels = of_metadata(members)?;
    let tags = members.get("tags").and_then(|tags| serde_json::from_str::<Vec<String>>(tags.get()).ok());
    let tags = tags.filter(|tags| tags.len() <= NewFact::MAX_TAGS).unwrap_or_default();
    labels.extend(tags.iter().map(|tag| label("tag", tag)));
    labels.extend(members.get("source").and_then(scalar).map(|source| label("src", &source)));
    Ok(each_once(labels))
}

fn fact(scope: &MemoryScope, entry: MemoryEntry, mark: Mark) -> Result<Fact, Error> {
    let Body { external_id, metadata, episode, blank } = read(&KIND, &entry.body)?;
    Ok(Fact {
        id: entry.id,
        tenant_id: scope.tenant.clone(),
        user_id: entry.owner.user().to_owned(),
        content: entry.text.or(blank).unwrap_or_default(),
        external_id,
        is_public: entry.public,
        metadata: metadata.map_or_else(nothing, Ok)?,
        created_at: entry.created_at,
        updated_at: entry.updated_at,
        valid_from: entry.valid_from,
        valid_to: entry.valid_until,
        episode_id: episode,
        score: mark.score,
        explanation: mark.explanation,
    })
}

fn filter(of: &RecallFilter, now: Timestamp) -> Result<MemoryFilter, Error> {
    recall::check_filter(of)?;
    let mut labels: Vec<_> = of.tags.iter().map(|tag| label("tag", tag)).collect();
    labels.extend(of.metadata.iter().map(|(name, value)| of_member(name, value)));
    labels.extend(of.source.iter().map(|source| label("src", source)));
    Ok(MemoryFilter {
        reach: if of.public { Seen::Both } else { Seen::Private },
        valid_at: (!of.also_invalid).then(|| of.valid_at.unwrap_or(now)),
        ..recall::filter(KIND, None, each_once(labels), of)
    })
}

#[async_trait]
impl Semantic for Memories {
    async fn store_fact(&self, scope: &MemoryScope, new: NewFact) -> Result<(Fact, bool), Error> {
        let shared = &self.shared;
        let mut draft = draft(new, shared.new_id())?;
        let (key, public) = (draft.key.clone().unwrap_or_default(), draft.public);
        let at = || MemoryPlace::Key { kind: KIND, group: String::new(), key, public };
        let place = shared.enter_to_put(scope, at, weight(&draft), false).await?;
        let lacks = shared.embed(&mut draft).await;
        let (entry, made) = shared.put(&place, scope, draft, When::Any).await?.map_err(super::refused)?;
        shared.embed_later(lacks, entry.id);
        Ok((fact(scope, entry, Mark::default())?, made))
    }

    async fn search_facts(&self, scope: &MemoryScope, recall: &Recall) -> Result<Found<Fact>, Error> {
        let filter = filter(&recall.filter, self.shared.now())?;
        recall::search(&self.shared, scope, filter, recall, |entry, mark| fact(scope, entry, mark)).await
    }

    async fn fact(&self, scope: &MemoryScope, id: Uuid) -> Result<Option<Fact>, Error> {
        let _held = self.shared.reading(&scope.tenant)?;
        let entry = self.shared.get(scope, MemoryPlace::Id(id)).await?.filter(|entry| entry.kind == KIND);
        entry.map(|entry| fact(scope, entry, Mark::default())).transpose()
    }

    async fn facts(&self, scope: &MemoryScope, query: &ListQuery) -> Result<Listed<Fact>, Error> {
        bounds::limit(query.limit)?;
        let filter = filter(&query.filter, self.shared.now())?;
        let _held = self.shared.reading(&scope.tenant)?;
        let query = MemoryQuery {
            filter,
            order: MemoryOrder::Newest,
            after: after(query.after.as_ref()),
            limit: query.limit,
        };
        super::listed(self.shared.list(scope, query).await?, |entry| fact(scope, entry, Mark::default()))
    }

    async fn remove_fact(&self, scope: &MemoryScope, id: Uuid) -> Result<bool, Error> {
        super::remove(&self.shared, scope, &KIND, id).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(metadata: &str) -> NewFact {
        NewFact {
            content: "c".into(),
            external_id: None,
            public: false,
            metadata: Data::from_json(metadata).expect("an object"),
            tags: None,
            source: None,
            valid_from: None,
            valid_to: None,
            episode: None,
        }
    }

    #[test]
    fn tags_and_source_stand_in_the_metadata_in_their_place() {
        let of = |new: NewFact| {
            let draft = draft(new, Uuid::nil()).expect("a draft");
            let Body { metadata, .. } = read(&KIND, &draft.body).expect("a body");
            (metadata.expect("metadata").as_str().to_owned(), draft.labels)
        };
        let tagged = NewFact {
            tags: Some(vec!["x".into(), "y".into(), "x".into()]),
            source: Some("s".into()),
            ..new(r#"{"source":"other","n":1}"#)
        };
        let (metadata, labels) = of(tagged);
        assert_eq!(metadata, r#"{"source":"s","n":1,"tags":["x","y","x"]}"#);
        assert_eq!(labels, ["meta:1:n=1", "meta:6:source=s", "src:s", "tag:x", "tag:y"]);
        let (metadata, labels) = of(new(r#"{"tags":["z"],"source":"there"}"#));
        assert_eq!(metadata, r#"{"tags":["z"],"source":"there"}"#);
        assert_eq!(labels, ["meta:6:source=there", "src:there", "tag:z"]);
    }

    #[test]
    fn the_same_text_has_the_same_key_and_an_external_id_its_own() {
        let key = |new: NewFact| draft(new, Uuid::nil()).expect("a draft").key.expect("a key");
        assert_eq!(key(new("{}")), key(new(r#"{"a":1}"#)));
        assert!(key(new("{}")).starts_with("h:2e7d2c03a9507ae265ecf5b5356885a5"), "SHA-256");
        let named = |id: &str| NewFact { external_id: Some(id.into()), ..new("{}") };
        assert_eq!(key(named("id")), "e:id");
        assert_eq!(key(named("")), key(new("{}")));
        assert!(key(named(&"🦀".repeat(255))).len() <= KEY_BYTES);
    }

    #[test]
    fn what_is_beyond_a_bound_is_refused_with_its_name() {
        let text = |bytes: usize| "x".repeat(bytes);
        let long = format!(r#"{{"a":"{}"}}"#, text(NewFact::MAX_METADATA_BYTES));
        for (field, new) in [
            ("content", NewFact { content: text(NewFact::MAX_CONTENT_BYTES + 1), ..new("{}") }),
            ("content", NewFact { content: "a\0b".into(), ..new("{}") }),
            ("externalId", NewFact { external_id: Some("ü".repeat(256)), ..new("{}") }),
            ("metadata", new(&long)),
            ("tags", NewFact { tags: Some(vec![text(1); 101]), ..new("{}") }),
            ("tags", NewFact { tags: Some(vec![text(129)]), ..new("{}") }),
            ("tags", NewFact { tags: Some(vec!["\0".into()]), ..new("{}") }),
            ("source", NewFact { source: Some(text(256)), ..new("{}") }),
            (
                "validTo",
                NewFact {
                    valid_from: Some(Timestamp::from_micros(2)),
                    valid_to: Some(Timestamp::from_micros(2)),
                    ..new("{}")
                },
            ),
        ] {
            let refused = draft(new, Uuid::nil()).expect_err(field);
            assert!(refused.message.starts_with(&format!("{field}: ")), "{refused}");
        }
    }
}
