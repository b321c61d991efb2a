//! Streams.

use std::collections::BTreeSet;
use std::time::Duration;

use soorma_api::{DeliveryFrame, SlowConsumer, StreamQuery, frame, routes};
use soorma_core::{Cursor, Error, Event, PartitionKey, Topic};
use soorma_ports::Start;

use super::Client;
use super::frames::{Frames, wrong};
use crate::sse::Raw;

/// What a stream is to show, and as whom.
#[derive(Debug, Clone, Default)]
pub struct StreamRequest {
    /// Which topics; all where there are none.
    pub topics: BTreeSet<Topic>,
    /// Which event types; all where there are none. `order.*` stands for all that begin with `order.`.
    pub types: BTreeSet<String>,
    /// The name of this instance.
    pub agent_id: String,
    /// The group to join; without one the stream shows every event.
    pub agent_name: Option<String>,
    /// Where to resume from; now where there is nothing. Not for members of groups.
    pub after: Option<Cursor>,
    /// Where the group starts if it is new, or where a live stream begins; now where nothing is said.
    pub start: Option<Start>,
    /// What events of the group that are to stay in order have in common.
    pub key: Option<PartitionKey>,
    /// How many unsettled events it has at most, as a member.
    pub credit: Option<usize>,
    /// Each event is acknowledged by its delivery id.
    pub explicit: Option<Explicit>,
}

/// How events are acknowledged one by one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Explicit {
    /// How long there is for an event before another gets it; the platform's time where nothing is said.
    pub lease: Option<Duration>,
}

/// What a stream says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Frame {
    /// The stream is open.
    Connected,
    /// An event, and the place behind it.
    Message(Box<Event>, Option<Cursor>),
    /// An event that is to be settled.
    Delivery(Box<DeliveryFrame>),
    /// It lives.
    Heartbeat,
    /// The stream was not read for too long and ends; resume there.
    SlowConsumer(Option<Cursor>),
    /// The server closes it.
    Disconnected,
}

/// An open stream.
#[derive(Debug)]
pub struct EventStream {
    frames: Frames,
    cursor: Option<Cursor>,
}

impl StreamRequest {
    fn query(&self) -> StreamQuery {
        let listed = |texts: Vec<&str>| texts.join(",");
        let topics: Vec<&str> = self.topics.iter().map(|topic| topic.as_str()).collect();
        let types: Vec<&str> = self.types.iter().map(String::as_str).collect();
        let start = self.start.as_ref().map(|start| match start {
            Start::Now => "now".to_owned(),
            Start::Earliest => "earliest".to_owned(),
            Start::After(cursor) => cursor.to_string(),
        });
        let lease = self.explicit.and_then(|explicit| explicit.lease);
        StreamQuery {
            topics: Some(if topics.is_empty() { "*".to_owned() } else { listed(topics) }),
            types: Some(listed(types)).filter(|types| !types.is_empty()),
            agent_id: Some(self.agent_id.clone()),
            agent_name: self.agent_name.clone(),
            last_event_id: self.after.as_ref().map(ToString::to_string),
            ack: self.explicit.map(|_| "explicit".to_owned()),
            lease_ms: lease.map(|lease| u64::try_from(lease.as_millis()).unwrap_or(u64::MAX)),
            credit: self.credit,
            start,
            partitionkey: self.key.as_ref().map(ToString::to_string),
        }
    }
}

impl Client {
    /// Opens a stream.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn stream(&self, request: &StreamRequest) -> Result<EventStream, Error> {
        let response = self.answer(self.request_at(routes::STREAM, &request.query())?).await?;
        Ok(EventStream { frames: Frames::new(response), cursor: None })
    }
}

impl EventStream {
    /// Waits for what the stream says next; `None` when it has ended. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the connection is lost, or says what is no event stream. After a frame that cannot be read the stream goes on, with the
    /// frames behind it.
    pub async fn next(&mut self) -> Result<Option<Frame>, Error> {
        loop {
            let Some(raw) = self.frames.next().await? else { return Ok(None) };
            let cursor = raw.id.as_deref().and_then(|id| id.parse().ok());
            self.cursor = cursor.or(self.cursor.take());
            if let Some(frame) = read(raw)? {
                return Ok(Some(frame));
            }
        }
    }

    /// Returns the place behind the last frame that [`next`](Self::next) gave: to resume from.
    pub fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }
}

fn read(raw: Raw) -> Result<Option<Frame>, Error> {
    Ok(Some(match raw.event.as_str() {
        frame::CONNECTED => Frame::Connected,
        frame::HEARTBEAT => Frame::Heartbeat,
        frame::DISCONNECTED => Frame::Disconnected,
        frame::MESSAGE => {
            let event = serde_json::from_str(&raw.data).map_err(wrong)?;
            Frame::Message(Box::new(event), raw.id.and_then(|id| id.parse().ok()))
        }
        frame::DELIVERY => Frame::Delivery(Box::new(serde_json::from_str(&raw.data).map_err(wrong)?)),
        frame::SLOW_CONSUMER => {
            let slow: SlowConsumer = serde_json::from_str(&raw.data).map_err(wrong)?;
            Frame::SlowConsumer(slow.cursor.and_then(|cursor| cursor.parse().ok()))
        }
        // A frame that a later server may send.
        _ => return Ok(None),
    }))
}
