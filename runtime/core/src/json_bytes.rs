//! How long something is in JSON, without writing it anywhere.

use std::io;

use serde::Serialize;

/// Returns how many bytes a value has as JSON; the most there are where it cannot be written.
pub fn json_bytes<T: Serialize + ?Sized>(value: &T) -> usize {
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        // What cannot be written must not pass as small.
        Err(_) => usize::MAX,
    }
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, EventId, Json, Timestamp, Topic};

    #[test]
    fn an_event_in_ascii_counts_as_long_as_its_json() {
        let id = EventId::new("e-1").expect("a name");
        let mut event = Event::new(id, "source", "a.b", Timestamp::default(), Topic::ActionRequests);
        event.subject = Some("with \"quotes\"".into());
        assert_eq!(json_bytes(&event), event.to_json(Json::Snake).len());
    }
}
