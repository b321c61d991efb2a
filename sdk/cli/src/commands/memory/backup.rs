//! The lines of an export: a kind, and an entry as the platform shows it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use soorma::{Episode, Fact, Plan, PlanContext, Session, Skill, Uuid, WorkingValue};

/// What an entry is of, in the order in which entries are written: what others hang on comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Session,
    Plan,
    PlanContext,
    Semantic,
    Procedural,
    Working,
    Episodic,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Plan => "plan",
            Self::PlanContext => "plan_context",
            Self::Semantic => "semantic",
            Self::Procedural => "procedural",
            Self::Working => "working",
            Self::Episodic => "episodic",
        }
    }

    /// Whether they were written newest first, and are to be stored from the last line on, so that they are in the same order again.
    pub(super) const fn newest_first(self) -> bool {
        matches!(self, Self::Semantic | Self::Procedural | Self::Episodic)
    }
}

/// An entry, read.
#[derive(Debug)]
pub(super) enum Entry {
    Session(Session),
    Plan(Plan),
    PlanContext(PlanContext),
    Semantic(Fact),
    Procedural(Skill),
    Working(WorkingValue),
    Episodic(Episode),
}

impl Entry {
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Session(_) => Kind::Session,
            Self::Plan(_) => Kind::Plan,
            Self::PlanContext(_) => Kind::PlanContext,
            Self::Semantic(_) => Kind::Semantic,
            Self::Procedural(_) => Kind::Procedural,
            Self::Working(_) => Kind::Working,
            Self::Episodic(_) => Kind::Episodic,
        }
    }
}

/// Writes a line.
pub(super) fn write<T: Serialize>(out: &mut Vec<u8>, kind: Kind, entry: &T) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Line<'a, T> {
        kind: Kind,
        entry: &'a T,
    }
    serde_json::to_writer(&mut *out, &Line { kind, entry })?;
    out.push(b'\n');
    Ok(())
}

/// Reads a line.
pub(super) fn read(line: &str) -> Result<Entry, serde_json::Error> {
    #[derive(Deserialize)]
    struct Line<'a> {
        kind: Kind,
        #[serde(borrow)]
        entry: &'a RawValue,
    }
    fn of<T: DeserializeOwned>(entry: &RawValue, make: fn(T) -> Entry) -> Result<Entry, serde_json::Error> {
        serde_json::from_str(entry.get()).map(make)
    }
    let Line { kind, entry } = serde_json::from_str(line)?;
    match kind {
        Kind::Session => of(entry, Entry::Session),
        Kind::Plan => of(entry, Entry::Plan),
        Kind::PlanContext => of(entry, Entry::PlanContext),
        Kind::Semantic => of(entry, Entry::Semantic),
        Kind::Procedural => of(entry, Entry::Procedural),
        Kind::Working => of(entry, Entry::Working),
        Kind::Episodic => of(entry, Entry::Episodic),
    }
}

/// What makes two episodes the same to who imports one: all but what the platform gives it.
pub(super) fn same_episode(episode: &Episode) -> Uuid {
    let Episode { agent_id, role, content, session_id, metadata, .. } = episode;
    named(&(agent_id, role, content, session_id, metadata))
}

/// What makes two skills the same to who imports one: a name that the agent has once, or all that it says.
pub(super) fn same_skill(skill: &Skill) -> Uuid {
    let Skill { agent_id, name, trigger_condition, procedure_type, content, .. } = skill;
    match name {
        Some(name) => named(&(agent_id, name)),
        None => named(&(agent_id, trigger_condition, procedure_type, content)),
    }
}

/// What makes two pieces of knowledge the same to who imports one: what it is called, or what it says.
pub(super) fn same_fact(fact: &Fact) -> Uuid {
    let Fact { is_public, external_id, content, .. } = fact;
    match external_id.as_ref().filter(|id| !id.is_empty()) {
        Some(id) => named(&(is_public, true, id)),
        None => named(&(is_public, false, content)),
    }
}

fn named<T: Serialize>(parts: &T) -> Uuid {
    // Texts and an object as JSON: there is nothing in them that could not be written.
    let text = serde_json::to_vec(parts).unwrap_or_default();
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPISODE: &str = r#"{"id":"6f2c1f34-6f1b-4a53-9d43-0f6f4f6f0a01","tenantId":"t","userId":"u","agentId":"a","role":"user",
        "content":"hello","metadata":{"n":1.50},"createdAt":"2026-11-23T06:18:01.296763","score":null}"#;

    #[test]
    fn what_is_written_is_read_with_all_its_digits() {
        let episode: Episode = serde_json::from_str(EPISODE).unwrap();
        let mut out = Vec::new();
        write(&mut out, Kind::Episodic, &episode).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert!(line.starts_with(r#"{"kind":"episodic","entry":{"#) && line.contains("1.50"), "{line}");
        let Entry::Episodic(again) = read(&line).unwrap() else { panic!("an episode") };
        assert_eq!(again.metadata.as_str(), r#"{"n":1.50}"#);
        assert_eq!(same_episode(&again), same_episode(&episode));
    }

    #[test]
    fn a_line_that_is_none_says_why() {
        for (line, says) in [
            ("", "EOF"),
            (r#"{"kind":"dream","entry":{}}"#, "unknown variant `dream`"),
            (r#"{"kind":"plan"}"#, "missing field `entry`"),
            (r#"{"kind":"plan","entry":{}}"#, "missing field `tenantId`"),
        ] {
            let error = read(line).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn kinds_are_named_as_they_are_written() {
        for kind in [Kind::Session, Kind::PlanContext, Kind::Semantic, Kind::Episodic] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
