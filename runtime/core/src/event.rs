//! The event envelope (CONTRACT 2.6.3; CloudEvents 1.0).

use std::io;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::data::push_escape;
use crate::excerpt::excerpt;
use crate::{Data, EventId, Timestamp, Topic};

/// Defines the envelope once: the struct, both spellings for writing, and all three for reading.
macro_rules! envelope {
    ($( $(#[$doc:meta])* $field:ident : $name:literal $(, $alias:literal)* ; )*) => {
        /// Something that happened, or that is asked for, with all that is needed to route and answer it.
        ///
        /// In JSON the attributes have their snake_case names and absent ones are left out. Reading takes
        /// snake_case, camelCase and the lower-case names of CloudEvents, and drops what it does not know.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Event {
            /// The id: unique in its tenant and topic.
            pub id: EventId,
            /// Who sent it: an agent's name.
            pub source: String,
            /// What it is, such as `order.placed`.
            pub kind: String,
            /// When it happened.
            pub time: Timestamp,
            /// Where it goes.
            pub topic: Topic,
            /// What it carries.
            pub data: Option<Data>,
            $( $(#[$doc])* pub $field: Option<String>, )*
        }

        impl Event {
            /// Makes an event with nothing but what every event has.
            pub fn new(id: EventId, source: impl Into<String>, kind: impl Into<String>, time: Timestamp, topic: Topic) -> Self {
                Self { id, source: source.into(), kind: kind.into(), time, topic, data: None, $( $field: None, )* }
            }

            fn write<S: Serializer>(&self, serializer: S, cloud: bool) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("id", &self.id)?;
                map.serialize_entry("source", &self.source)?;
                map.serialize_entry("specversion", "1.0")?;
                map.serialize_entry("type", &self.kind)?;
                map.serialize_entry("time", &self.time)?;
                map.serialize_entry("topic", &self.topic)?;
                if let Some(data) = &self.data {
                    map.serialize_entry("data", data)?;
                }
                $( if let Some(value) = &self.$field {
                    map.serialize_entry(if cloud { $name } else { stringify!($field) }, value)?;
                } )*
                map.end()
            }
        }

        /// What is read before it is known to be whole.
        #[derive(Deserialize)]
        struct Wire {
            id: EventId,
            source: String,
            #[serde(default)]
            specversion: Option<String>,
            #[serde(rename = "type")]
            kind: String,
            time: Timestamp,
            topic: Topic,
            #[serde(default)]
            data: Option<Data>,
            $( #[serde(default, alias = $name $(, alias = $alias)*)] $field: Option<String>, )*
        }

        impl<'de> Deserialize<'de> for Event {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let wire = Wire::deserialize(deserializer)?;
                if wire.specversion.as_deref().is_some_and(|version| version != "1.0") {
                    return Err(serde::de::Error::custom("specversion must be 1.0"));
                }
                Ok(Self {
                    id: wire.id, source: wire.source, kind: wire.kind, time: wire.time, topic: wire.topic, data: wire.data,
                    $( $field: wire.$field, )*
                })
            }
        }

        /// An event as a client sends it: what it leaves out is filled in, what is wrong is said all at once.
        #[derive(Debug, Clone, Default, Deserialize)]
        pub struct EventDraft {
            /// See [`Event::id`].
            #[serde(default)]
            pub id: Option<String>,
            /// See [`Event::source`].
            #[serde(default)]
            pub source: Option<String>,
            /// The version of CloudEvents: `1.0`.
            #[serde(default)]
            pub specversion: Option<String>,
            /// See [`Event::kind`].
            #[serde(default, rename = "type")]
            pub kind: Option<String>,
            /// See [`Event::time`].
            #[serde(default)]
            pub time: Option<String>,
            /// See [`Event::topic`].
            #[serde(default)]
            pub topic: Option<String>,
            /// See [`Event::data`].
            #[serde(default)]
            pub data: Option<Box<serde_json::value::RawValue>>,
            $( #[doc = concat!("See [`Event::", stringify!($field), "`].")]
               #[serde(default, alias = $name $(, alias = $alias)*)] pub $field: Option<String>, )*
        }

        impl EventDraft {
            fn optional_into(self, event: &mut Event) {
                $( event.$field = self.$field; )*
            }
        }
    };
}

envelope! {
    /// What ties a request and its answers together.
    correlation_id: "correlationid", "correlationId";
    /// What it is about.
    subject: "subject";
    /// The service tenant.
    tenant_id: "tenantid", "tenantId";
    /// The service user.
    user_id: "userid", "userId";
    /// The platform tenant; the edge overwrites it with the authenticated one.
    platform_tenant_id: "platformtenantid", "platformTenantId";
    /// The conversation.
    session_id: "sessionid", "sessionId";
    /// The goal.
    goal_id: "goalid", "goalId";
    /// The plan.
    plan_id: "planid", "planId";
    /// The event type that the answer must have.
    response_event: "responseevent", "responseEvent";
    /// The topic that the answer goes to; `action-results` when absent.
    response_topic: "responsetopic", "responseTopic";
    /// The schema of the answer.
    response_schema_name: "responseschemaname", "responseSchemaName";
    /// The root of the trace.
    trace_id: "traceid", "traceId";
    /// The event that caused this one.
    parent_event_id: "parenteventid", "parentEventId";
    /// The schema of `data`.
    payload_schema_name: "payloadschemaname", "payloadSchemaName";
}

/// What is wrong with one attribute of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The attribute, by its snake_case name.
    pub field: &'static str,
    /// A short name of the rule: `missing`, `enum`, `dict_type`, `value_error`.
    pub rule: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

impl EventDraft {
    /// Makes the event, with `id`, `time` and `correlation_id` filled in where they are absent.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn complete(
        mut self,
        now: Timestamp,
        mut new_id: impl FnMut() -> EventId,
    ) -> Result<Event, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut wrong = |field, rule, message: String| errors.push(FieldError { field, rule, message });
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());

        let source = given(self.source.take());
        if source.is_none() {
            wrong(
                "source",
                "missing",
                "source is required: the name of the agent that sends the event".into(),
            );
        }
        let kind = given(self.kind.take());
        if kind.is_none() {
            wrong("type", "missing", "type is required: the name of the event, such as order.placed".into());
        }
        let topic = match self.topic.take() {
            None => {
                wrong(
                    "topic",
                    "missing",
                    "topic is required: one of the eight topics, such as action-requests".into(),
                );
                None
            }
            Some(text) => text.parse::<Topic>().map_err(|e| wrong("topic", "enum", e.to_string())).ok(),
        };
        if let Some(version) = self.specversion.take().filter(|version| version != "1.0") {
            wrong(
                "specversion",
                "value_error",
                format!("specversion must be 1.0, not '{}'", excerpt(&version)),
            );
        }
        let id = match given(self.id.take()) {
            None => Some(new_id()),
            Some(text) => EventId::new(text).map_err(|e| wrong("id", "value_error", format!("id {e}"))).ok(),
        };
        let time = match given(self.time.take()) {
            None => Some(now),
            Some(text) => text.parse().map_err(|e| wrong("time", "value_error", format!("time {e}"))).ok(),
        };
        let data = match self.data.take() {
            None => None,
            Some(raw) => {
                Data::from_json(raw.get()).map_err(|e| wrong("data", "dict_type", e.to_string())).ok()
            }
        };
        self.correlation_id = given(self.correlation_id.take()).or_else(|| Some(new_id().to_string()));
        match (source, kind, topic, id, time) {
            (Some(source), Some(kind), Some(topic), Some(id), Some(time)) if errors.is_empty() => {
                let mut event = Event::new(id, source, kind, time, topic);
                self.optional_into(&mut event);
                event.data = data;
                Ok(event)
            }
            _ => Err(errors),
        }
    }
}

/// A spelling of the envelope in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Json {
    /// snake_case, as the published clients read it.
    Snake,
    /// `application/cloudevents+json`: extension names are lower-case letters and digits.
    Cloud,
}

impl Event {
    /// Writes the event as one line of ASCII JSON.
    pub fn to_json(&self, spelling: Json) -> String {
        let mut out = Vec::with_capacity(256 + self.data.as_ref().map_or(0, |data| data.as_str().len()));
        let mut writer = serde_json::Serializer::with_formatter(&mut out, Ascii);
        let written = self.write(&mut writer, spelling == Json::Cloud);
        debug_assert!(written.is_ok(), "strings and raw JSON always serialise into memory");
        String::from_utf8(out).unwrap_or_default()
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.write(serializer, false)
    }
}

/// Escapes all that is not ASCII.
struct Ascii;

impl serde_json::ser::Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.is_ascii() {
            return writer.write_all(fragment.as_bytes());
        }
        let mut out = String::with_capacity(fragment.len() * 2);
        for c in fragment.chars() {
            if c.is_ascii() {
                out.push(c);
            } else {
                push_escape(&mut out, c);
            }
        }
        writer.write_all(out.as_bytes())
    }
}
