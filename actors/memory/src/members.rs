//! The members of a JSON object, in their order and with all the digits of their numbers.

use std::collections::HashMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON object, a member at a time. Of a name that comes twice, the last counts.
#[derive(Debug, Default)]
pub(crate) struct Members {
    list: Vec<Option<(String, Box<RawValue>)>>,
    places: HashMap<String, usize>,
}

impl Members {
    /// Sets a member: in its place, or at the end.
    pub(crate) fn set(&mut self, name: String, value: Box<RawValue>) {
        if let Some(slot) = self.places.get(&name).and_then(|place| self.list.get_mut(*place)) {
            *slot = Some((name, value));
        } else {
            self.places.insert(name.clone(), self.list.len());
            self.list.push(Some((name, value)));
        }
    }

    /// Removes a member.
    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(slot) = self.places.remove(name).and_then(|place| self.list.get_mut(place)) {
            *slot = None;
        }
    }

    /// Returns the value of a member.
    pub(crate) fn get(&self, name: &str) -> Option<&RawValue> {
        let place = self.places.get(name)?;
        self.list.get(*place)?.as_ref().map(|(_, value)| &**value)
    }

    /// Returns all members.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.list.iter().flatten().map(|(name, value)| (name.as_str(), &**value))
    }

    /// Returns all members, to keep them.
    pub(crate) fn into_members(self) -> impl Iterator<Item = (String, Box<RawValue>)> {
        self.list.into_iter().flatten()
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.set(name, value);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_their_digits() {
        let text = r#"{"b":1.0,"a":12345678901234567890123,"b":2.50,"c":[1, 2]}"#;
        let mut members: Members = serde_json::from_str(text).expect("an object");
        let raw = |text: &str| RawValue::from_string(text.to_owned()).expect("JSON");
        members.set("d".into(), raw("4"));
        members.set("a".into(), raw("7e2"));
        members.remove("c");
        members.remove("none");
        let written = serde_json::to_string(&members).expect("JSON");
        assert_eq!(written, r#"{"b":2.50,"a":7e2,"d":4}"#);
        assert_eq!(members.get("b").map(RawValue::get), Some("2.50"));
        assert!(members.get("c").is_none());
        assert!(serde_json::from_str::<Members>("[]").is_err());
    }
}
