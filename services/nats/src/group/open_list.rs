//! What a group has open, as JSON: a list of events instead of a map, whose keys would have to be texts.

use std::collections::BTreeMap;

use serde::{Deserialize as _, Deserializer, Serializer};
use soorma_core::{Position, Topic};

use super::state::Open;

pub(super) type OpenEvents = BTreeMap<(Topic, Position), Open>;

pub(super) fn serialize<S: Serializer>(open: &OpenEvents, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(open.iter().map(|((topic, position), open)| (topic.number(), position, open)))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OpenEvents, D::Error> {
    let list = Vec::<(u8, Position, Open)>::deserialize(deserializer)?;
    let known = list.into_iter().map(|(topic, position, open)| {
        let topic = Topic::from_number(topic).ok_or_else(|| serde::de::Error::custom("unknown topic"))?;
        Ok(((topic, position), open))
    });
    known.collect()
}
