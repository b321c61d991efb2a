//! Events and names for tests, in few words.

use soorma_core::{Data, Event, Name, TenantId, Timestamp, Topic};

/// Makes a small event with data.
///
/// # Panics
/// When the id is none.
pub fn event(id: &str, topic: Topic) -> Event {
    let time = Timestamp::from_micros(1_767_225_600_000_000);
    let mut event = Event::new(name(id), "testkit", "test.happened", time, topic);
    event.data = Some(Data::from_value(&serde_json::json!({ "said": id })).expect("an object is data"));
    event
}

/// Makes a name.
///
/// # Panics
/// When the text is none.
pub fn name(text: &str) -> Name {
    Name::new(text).expect("a test gives a good name")
}

/// Makes the id of a tenant.
///
/// # Panics
/// When the text is none.
pub fn tenant(text: &str) -> TenantId {
    TenantId::new(text).expect("a test gives a good tenant id")
}
