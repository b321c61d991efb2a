//! The frames of a stream (CONTRACT 2.6.2), with CRLF line ends.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde::Serialize;
use soorma_api::frame;
use soorma_core::{Cursor, Event, Json, Timestamp};
use soorma_ports::{Live, Ticket};

/// From this size on, all streams send the same bytes of an event; below, to copy them is cheaper than to write
/// three chunks.
const SHARE_FROM: usize = 4_096;

const END: &[u8] = b"\r\n\r\n";

/// A frame: one piece, or three around the shared bytes of a large event.
pub(crate) enum Frame {
    Whole(Bytes),
    Parts([Bytes; 3]),
}

pub(crate) fn live(cursor: &Cursor, live: Arc<Live>) -> Frame {
    if live.json.len() < SHARE_FROM {
        return Frame::Whole(message(cursor, &live.json));
    }
    let shared = Bytes::from_owner(Shared(live));
    Frame::Parts([Bytes::from(head(cursor, 0)), shared, Bytes::from_static(END)])
}

pub(crate) fn message(cursor: &Cursor, json: &str) -> Bytes {
    debug_assert!(!json.contains(['\r', '\n']), "an event is one line");
    let mut text = head(cursor, json.len() + END.len());
    text.push_str(json);
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(END);
    bytes.into()
}

fn head(cursor: &Cursor, room: usize) -> String {
    let mut text = String::with_capacity(64 + room);
    text.push_str("event: ");
    text.push_str(frame::MESSAGE);
    text.push_str("\r\nid: ");
    text.push_str(&cursor.to_string());
    text.push_str("\r\ndata: ");
    text
}

/// An event that is to be acknowledged: a [`DeliveryFrame`](soorma_api::DeliveryFrame) in one line of ASCII. It has no id: its place is
/// the group's.
pub(crate) fn delivery(ticket: &Ticket, lease: Duration, event: &Event) -> Bytes {
    let id = serde_json::Value::from(ticket.to_string()).to_string();
    let id = ascii(&id);
    let (attempt, lease_ms) = (ticket.delivery.attempt, lease.as_millis());
    let event = event.to_json(Json::Snake);
    format!(
        "event: {}\r\ndata: {{\"delivery_id\":{id},\"attempt\":{attempt},\"lease_ms\":{lease_ms},\"event\":{event}}}\r\n\r\n",
        frame::DELIVERY
    )
    .into()
}

/// Escapes what is not ASCII in JSON text: some clients break lines at U+2028 and U+0085.
fn ascii(json: &str) -> Cow<'_, str> {
    if json.is_ascii() {
        return json.into();
    }
    let mut out = String::with_capacity(json.len() * 2);
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out.into()
}

/// A frame of the stream itself; its `id` keeps a quiet client's position fresh.
pub(crate) fn control<T: Serialize>(name: &str, id: Option<&Cursor>, data: &T) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "{}".to_owned());
    let data = ascii(&data);
    let id = id.map(|cursor| format!("id: {cursor}\r\n")).unwrap_or_default();
    format!("event: {name}\r\n{id}data: {data}\r\n\r\n").into()
}

pub(crate) fn ping(now: Timestamp) -> Bytes {
    let now = now.to_string().replace('T', " ").replace('Z', "+00:00");
    format!(": ping - {now}\r\n\r\n").into()
}

struct Shared(Arc<Live>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.json.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use soorma_api::DeliveryFrame;
    use soorma_core::{Data, EventId, Name, Position, TenantId, Topic};
    use soorma_ports::{DeliveryId, Entry};

    use super::*;

    fn live_of(text: &str) -> Arc<Live> {
        let id = EventId::new("e").expect("a name");
        let mut event = Event::new(id, "s", "a.b", Timestamp::default(), Topic::PlanEvents);
        event.data = Some(Data::from_value(&serde_json::json!({ "text": text })).expect("data"));
        let json = event.to_json(Json::Snake);
        let entry = Entry { position: Position(7), tenant: TenantId::default(), event: Arc::new(event) };
        Arc::new(Live { entry, json })
    }

    fn text_of(frame: Frame) -> String {
        let bytes = match frame {
            Frame::Whole(bytes) => bytes.to_vec(),
            Frame::Parts(parts) => parts.concat(),
        };
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_large_event_looks_like_a_small_one() {
        let cursor = Cursor::from_iter([(Topic::PlanEvents, Position(7))]);
        for text in [String::from("a\u{2028}b"), "x".repeat(SHARE_FROM)] {
            let event = live_of(&text);
            let expect = format!("event: message\r\nid: plan-events=7\r\ndata: {}\r\n\r\n", event.json);
            assert_eq!(text_of(live(&cursor, event)), expect);
        }
    }

    #[test]
    fn a_delivery_is_one_line_of_ascii_whatever_its_group_is_called() {
        let event = live_of("a\u{2028}b").entry.event.clone();
        let delivery_id = DeliveryId { topic: Topic::PlanEvents, position: Position(7), attempt: 2 };
        let ticket =
            Ticket { group: Name::new("\"w\u{2028}\u{1f600}:x").expect("a name"), delivery: delivery_id };
        let text =
            String::from_utf8(delivery(&ticket, Duration::from_secs(3), &event).to_vec()).expect("text");
        assert!(text.is_ascii());
        let data =
            text.strip_prefix("event: delivery\r\ndata: ").and_then(|rest| rest.strip_suffix("\r\n\r\n"));
        let read: DeliveryFrame = serde_json::from_str(data.expect("one line of data")).expect("reads");
        assert_eq!(
            read,
            DeliveryFrame {
                delivery_id: ticket.to_string(),
                attempt: 2,
                lease_ms: 3_000,
                event: (*event).clone()
            }
        );
    }

    #[test]
    fn a_ping_shows_the_time_as_the_published_service_does() {
        let now = Timestamp::from_micros(1_795_413_465_067_403);
        assert_eq!(ping(now), ": ping - 2026-11-23 05:57:45.067403+00:00\r\n\r\n");
    }
}
