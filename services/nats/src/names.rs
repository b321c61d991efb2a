//! What streams and subjects are called.
//!
//! | stream | subjects |
//! | --- | --- |
//! | `<prefix>-<topic>` | `<prefix>.events.<topic>.<tenant>.<id>` |
//! | `<prefix>-groups` | `<prefix>.groups.state.<tenant>.<group>`, `….groups.letter.<tenant>.<group>.<topic>.<position>.<nth>`, `….groups.probe` |
//! | `<prefix>-calls` | `<prefix>.calls.<call>.<ordinal>` |
//!
//! What was stored in the first two is said again, without content, below `<prefix>.stored`.

use serde::{Deserialize, Serialize};
use soorma_core::{Name, Position, TenantId, Topic};
use soorma_ports::EventLogError;

use crate::token::{decode, encode};

/// Which dead letter of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LetterKey {
    pub(crate) topic: Topic,
    pub(crate) position: Position,
    /// A number that no other letter of the group has: after a seek an event may be given up again.
    pub(crate) nth: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Result<Self, EventLogError> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(legal) {
            return Err(EventLogError::Invalid(format!(
                "'{prefix}' cannot be the prefix of streams; take 1 to 64 letters, digits, hyphens and underscores"
            )));
        }
        Ok(Self { prefix: prefix.into() })
    }

    pub(crate) fn events_stream(&self, topic: Topic) -> String {
        format!("{}-{topic}", self.prefix)
    }

    pub(crate) fn groups_stream(&self) -> String {
        format!("{}-groups", self.prefix)
    }

    pub(crate) fn calls_stream(&self) -> String {
        format!("{}-calls", self.prefix)
    }

    pub(crate) fn all_events(&self, topic: Topic) -> String {
        format!("{}.events.{topic}.*.*", self.prefix)
    }

    pub(crate) fn events_of(&self, topic: Topic, tenant: &TenantId) -> String {
        format!("{}.events.{topic}.{}.*", self.prefix, encode(tenant.as_str()))
    }

    pub(crate) fn event(&self, topic: Topic, tenant: &TenantId, id: &Name) -> String {
        format!("{}.events.{topic}.{}.{}", self.prefix, encode(tenant.as_str()), encode(id.as_str()))
    }

    /// Returns the tenant and the id that stand in the subject of an event.
    pub(crate) fn whose_event(&self, topic: Topic, subject: &str) -> Option<(TenantId, Name)> {
        let rest = subject.strip_prefix(&self.prefix)?.strip_prefix(".events.")?;
        let (tenant, id) = rest.strip_prefix(topic.as_str())?.strip_prefix('.')?.split_once('.')?;
        Some((TenantId::new(&decode(tenant)?).ok()?, Name::new(decode(id)?).ok()?))
    }

    pub(crate) fn all_groups(&self) -> String {
        format!("{}.groups.>", self.prefix)
    }

    pub(crate) fn probe(&self) -> String {
        format!("{}.groups.probe", self.prefix)
    }

    pub(crate) fn all_states(&self) -> String {
        format!("{}.groups.state.*.*", self.prefix)
    }

    pub(crate) fn states_of(&self, tenant: &TenantId) -> String {
        format!("{}.groups.state.{}.*", self.prefix, encode(tenant.as_str()))
    }

    /// Returns the tenant and the group that a subject of states is about.
    pub(crate) fn whose_state(&self, subject: &str) -> Option<(TenantId, Name)> {
        let rest = subject.strip_prefix(&self.prefix)?.strip_prefix(".groups.state.")?;
        let (tenant, group) = rest.split_once('.')?;
        Some((TenantId::new(&decode(tenant)?).ok()?, Name::new(decode(group)?).ok()?))
    }

    pub(crate) fn state(&self, tenant: &TenantId, group: &Name) -> String {
        format!("{}.groups.state.{}.{}", self.prefix, encode(tenant.as_str()), encode(group.as_str()))
    }

    pub(crate) fn letters(&self, tenant: &TenantId, group: Option<&Name>, topic: Option<Topic>) -> String {
        let group = group.map_or_else(|| "*".to_owned(), |group| encode(group.as_str()));
        let topic = topic.map_or("*", Topic::as_str);
        format!("{}.groups.letter.{}.{group}.{topic}.*.*", self.prefix, encode(tenant.as_str()))
    }

    pub(crate) fn letter(&self, tenant: &TenantId, group: &Name, key: LetterKey) -> String {
        let (tenant, group) = (encode(tenant.as_str()), encode(group.as_str()));
        let LetterKey { topic, position, nth } = key;
        format!("{}.groups.letter.{tenant}.{group}.{topic}.{position}.{nth}", self.prefix)
    }

    /// Returns of which group a dead letter of this tenant is, and which one.
    pub(crate) fn whose_letter(&self, tenant: &TenantId, subject: &str) -> Option<(Name, LetterKey)> {
        let rest = subject.strip_prefix(&self.prefix)?.strip_prefix(".groups.letter.")?;
        let mut tokens = rest.strip_prefix(&encode(tenant.as_str()))?.strip_prefix('.')?.split('.');
        let group = Name::new(decode(tokens.next()?)?).ok()?;
        let (topic, position) = (tokens.next()?.parse().ok()?, Position(tokens.next()?.parse().ok()?));
        Some((group, LetterKey { topic, position, nth: tokens.next()?.parse().ok()? }))
    }

    pub(crate) fn all_calls(&self) -> String {
        format!("{}.calls.*.*", self.prefix)
    }

    pub(crate) fn call(&self, call: &str) -> String {
        format!("{}.calls.{call}.*", self.prefix)
    }

    pub(crate) fn part_of_call(&self, call: &str, ordinal: usize) -> String {
        format!("{}.calls.{call}.{ordinal}", self.prefix)
    }

    /// Returns the call that a subject of the calls belongs to.
    pub(crate) fn whose_part<'a>(&self, subject: &'a str) -> Option<&'a str> {
        Some(subject.strip_prefix(&self.prefix)?.strip_prefix(".calls.")?.split_once('.')?.0)
    }

    /// Where it is said that an event was stored.
    pub(crate) fn stored_events(&self, topic: Topic) -> String {
        format!("{}.stored.events.{topic}.>", self.prefix)
    }

    /// Where it is said that a state of a group of this tenant was stored.
    pub(crate) fn stored_states(&self, tenant: &TenantId) -> String {
        format!("{}.stored.state.{}.*", self.prefix, encode(tenant.as_str()))
    }

    /// Where it is said of the state of one group.
    pub(crate) fn stored_state(&self, tenant: &TenantId, group: &Name) -> String {
        format!("{}.stored.state.{}.{}", self.prefix, encode(tenant.as_str()), encode(group.as_str()))
    }

    /// To where the server says it of all.
    pub(crate) fn republished(&self, what: &str) -> String {
        format!("{}.stored.{what}.{{{{wildcard(1)}}}}.{{{{wildcard(2)}}}}", self.prefix)
    }

    /// Reads where it was said that something was stored.
    pub(crate) fn what_was_stored<'a>(&self, subject: &'a str) -> Option<What<'a>> {
        let mut tokens = subject.strip_prefix(&self.prefix)?.strip_prefix(".stored.")?.split('.');
        match (tokens.next()?, tokens.next()?, tokens.next()?) {
            ("events", topic, tenant) => Some(What::Event { topic: topic.parse().ok()?, tenant }),
            ("state", tenant, group) => Some(What::State { tenant, group }),
            _ => None,
        }
    }
}

/// What was stored, with tenant and group as tokens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What<'a> {
    Event { topic: Topic, tenant: &'a str },
    State { tenant: &'a str, group: &'a str },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_give_back_what_they_were_made_of() {
        let names = Names::new("it").unwrap();
        let (tenant, name) = (TenantId::new("a.b>").unwrap(), Name::new("x *").unwrap());
        let (topic, position) = (Topic::PlanEvents, Position(7));
        let subject = names.event(topic, &tenant, &name);
        assert_eq!(subject, "it.events.plan-events.a=2Eb=3E.x=20=2A");
        assert_eq!(names.whose_event(topic, &subject), Some((tenant.clone(), name.clone())));
        assert_eq!(names.whose_event(Topic::TaskEvents, &subject), None);
        let key = LetterKey { topic, position, nth: 9 };
        let subject = names.letter(&tenant, &name, key);
        assert_eq!(names.whose_letter(&tenant, &subject), Some((name, key)));
        assert_eq!(names.whose_letter(&TenantId::new("a").unwrap(), &subject), None);
        assert_eq!(
            names.whose_state(&names.state(&tenant, &Name::new("g.h").unwrap())),
            Some((tenant, Name::new("g.h").unwrap()))
        );
        assert_eq!(names.whose_part(&names.part_of_call("c1", 2)), Some("c1"));
    }

    #[test]
    fn what_was_stored_is_read() {
        let names = Names::new("it").unwrap();
        let event = What::Event { topic: Topic::TaskEvents, tenant: "acme" };
        assert_eq!(names.what_was_stored("it.stored.events.task-events.acme.e1"), Some(event));
        let state = What::State { tenant: "acme", group: "workers" };
        assert_eq!(names.what_was_stored("it.stored.state.acme.workers"), Some(state));
        for other in
            ["it.stored.events.unheard-of.acme.e1", "it.stored.x.y.z", "it2.stored.state.a.b", "it.stored"]
        {
            assert_eq!(names.what_was_stored(other), None);
        }
    }

    #[test]
    fn a_prefix_that_would_be_several_tokens_is_refused() {
        for prefix in ["", "a.b", "a b", "*", ">", "ä", &"x".repeat(65)] {
            assert!(matches!(Names::new(prefix), Err(EventLogError::Invalid(_))), "{prefix}");
        }
    }
}
