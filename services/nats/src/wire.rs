//! Requests to JetStream, as the log needs them: publish with a condition, atomic batch, read a range, look at a stream.
//!
//! By hand where the client library has no such call (batches, ranges), or hides what the server says (which message was
//! there before).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::{Client, HeaderMap, Message, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use soorma_core::Timestamp;
use soorma_ports::EventLogError;
use tokio::sync::Semaphore;

use crate::config::NatsLogConfig;
use crate::error::{ApiError, Refused, away, corrupt, request_error};
use crate::link::Link;

/// The most messages of an atomic batch.
pub(crate) const MOST_IN_BATCH: usize = 1_000;
/// The most bytes of one range: what a reader keeps of it in memory.
const RANGE_BYTES: usize = 4 << 20;
/// How many batches are open at once; the server takes 50 of a stream, from all processes together.
const BATCHES_AT_ONCE: usize = 16;

const BATCH_ID: &str = "Nats-Batch-Id";
const BATCH_SEQUENCE: &str = "Nats-Batch-Sequence";
const BATCH_COMMIT: &str = "Nats-Batch-Commit";
/// Ours: the next message belongs to the same call. A batch may be several calls.
const GOES_ON: &str = "Soorma-Goes-On";
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";
const TTL: &str = "Nats-TTL";

/// A message to be stored.
#[derive(Debug, Clone)]
pub(crate) struct Put {
    pub(crate) subject: String,
    pub(crate) payload: Bytes,
    /// The sequence that the last message of this subject has to have, 0 for none; nothing is said where it does not matter.
    pub(crate) expected: Option<u64>,
    /// After what time the server drops it.
    pub(crate) ttl: Option<Duration>,
}

impl Put {
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(expected) = self.expected {
            headers.insert(EXPECTED, expected.to_string());
        }
        if let Some(ttl) = self.ttl {
            headers.insert(TTL, ttl.as_secs().max(1).to_string());
        }
        headers
    }
}

/// A stored message.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    pub(crate) subject: String,
    pub(crate) payload: Bytes,
    pub(crate) at: Timestamp,
    /// Whether the next message belongs to the same call.
    goes_on: bool,
}

/// A part of a stream.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) messages: Vec<Stored>,
    /// Whether there was more to be read.
    pub(crate) more: bool,
    /// How many more.
    pub(crate) pending: u64,
    /// Up to where a message that is not to be seen yet stands, if one was left out.
    pub(crate) cut_after: Option<u64>,
}

impl Range {
    /// Leaves out a call at the end whose own end is not stored yet: nobody sees half of it.
    ///
    /// Only for subjects that a call is not wider than.
    pub(crate) fn whole(mut self) -> Self {
        if !self.more && self.messages.last().is_some_and(|last| last.goes_on) {
            let whole = self.messages.iter().rposition(|message| !message.goes_on);
            let cut = self.messages.split_off(whole.map_or(0, |nth| nth + 1));
            self.cut_after = cut.first().map(|first| first.sequence.saturating_sub(1));
        }
        self
    }
}

/// The ends of a stream, and the server's time.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) at: Option<Timestamp>,
}

#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) client: Client,
    pub(crate) jetstream: Context,
    link: Arc<Link>,
    unanswered: Semaphore,
    batches: Semaphore,
    /// Whether one server of several may lag behind, so that what it does not find may still be there.
    replicated: bool,
}

#[derive(Deserialize)]
struct Answer<T> {
    error: Option<ApiError>,
    #[serde(flatten)]
    rest: Option<T>,
}

#[derive(Deserialize)]
struct PubAck {
    seq: u64,
}

#[derive(Deserialize)]
struct Info {
    state: StateOf,
    ts: Option<Timestamp>,
}

#[derive(Deserialize)]
struct StateOf {
    first_seq: u64,
    last_seq: u64,
}

#[derive(Deserialize)]
struct Purged {
    purged: u64,
}

#[derive(Deserialize)]
struct SubjectsInfo {
    #[serde(default)]
    total: usize,
    state: Subjects,
}

#[derive(Deserialize)]
struct Subjects {
    #[serde(default)]
    subjects: std::collections::BTreeMap<String, u64>,
}

impl Wire {
    pub(crate) fn new(client: Client, link: Arc<Link>, config: &NatsLogConfig) -> Arc<Self> {
        let mut jetstream = async_nats::jetstream::new(client.clone());
        jetstream.set_timeout(config.answer_within);
        Arc::new(Self {
            client,
            jetstream,
            link,
            unanswered: Semaphore::new(config.max_unanswered.clamp(1, Semaphore::MAX_PERMITS)),
            batches: Semaphore::new(BATCHES_AT_ONCE),
            replicated: config.replicas > 1,
        })
    }

    /// Waits for an answer, as long as there is a connection, and not longer than an answer may take.
    pub(crate) async fn answer<T, E: From<EventLogError>>(
        &self,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.link.answer(&self.client, answer).await
    }

    /// Waits until a connection that was lost is made anew, or was since the last time; for one who waits.
    pub(crate) async fn connected(&self) {
        self.link.connected().await;
    }

    /// Stores what belongs to one call, side by side, or nothing of it; answers the sequence of the last one.
    pub(crate) async fn store(&self, call: &[Put]) -> Result<u64, Refused> {
        match call {
            [one] => self.put(one.clone()).await,
            several => self.put_all(&[several]).await,
        }
    }

    /// Stores one message; answers its sequence.
    pub(crate) async fn put(&self, put: Put) -> Result<u64, Refused> {
        let stored = async {
            let _permit = self.unanswered.acquire().await.map_err(away)?;
            let headers = put.headers();
            let answer = self.client.request_with_headers(put.subject, headers, put.payload).await;
            stored(&answer.map_err(|error| request_error(&error))?)
        };
        self.answer(stored).await
    }

    /// Stores all messages of these calls, side by side, or none; answers the sequence of the last one.
    pub(crate) async fn put_all(&self, calls: &[&[Put]]) -> Result<u64, Refused> {
        let count: usize = calls.iter().map(|call| call.len()).sum();
        if count > MOST_IN_BATCH {
            return Err(EventLogError::Invalid(format!(
                "{count} at once are too many; at most {MOST_IN_BATCH} can be stored together"
            ))
            .into());
        }
        self.answer(self.batch(calls, count)).await
    }

    async fn batch(&self, calls: &[&[Put]], count: usize) -> Result<u64, Refused> {
        let _batch = self.batches.acquire().await.map_err(away)?;
        let batch = self.client.new_inbox();
        let batch = batch.rsplit('.').next().unwrap_or_default();
        let mut sent = 0;
        for call in calls {
            for (nth, put) in call.iter().enumerate() {
                sent += 1;
                let mut headers = put.headers();
                headers.insert(BATCH_ID, batch);
                headers.insert(BATCH_SEQUENCE, sent.to_string());
                if nth + 1 < call.len() {
                    headers.insert(GOES_ON, "1");
                }
                let (subject, payload) = (put.subject.clone(), put.payload.clone());
                if sent < count {
                    self.client.publish_with_headers(subject, headers, payload).await.map_err(away)?;
                } else {
                    headers.insert(BATCH_COMMIT, "1");
                    let answer = self.client.request_with_headers(subject, headers, payload).await;
                    return stored(&answer.map_err(|error| request_error(&error))?);
                }
            }
        }
        Err(EventLogError::Invalid("there is nothing to store".into()).into())
    }

    /// Reads what stands after a sequence, at most so many messages of the subjects that match.
    pub(crate) async fn range(
        &self,
        stream: &str,
        after: u64,
        filter: Option<&str>,
        limit: usize,
    ) -> Result<Range, EventLogError> {
        let mut request = json!({ "seq": after.saturating_add(1), "batch": limit, "max_bytes": RANGE_BYTES });
        if let (Some(filter), Some(request)) = (filter, request.as_object_mut()) {
            request.insert("next_by_subj".into(), filter.into());
        }
        let mut range = self.answer(self.ask_range(stream, &request)).await?;
        if self.replicated && !range.more {
            // The server that answered may not have all yet; its leader has.
            let last = range.messages.last().map_or(after, |last| last.sequence);
            range.more = self.leader_has_more(stream, last, filter).await?;
        }
        Ok(range)
    }

    async fn ask_range(&self, stream: &str, request: &serde_json::Value) -> Result<Range, EventLogError> {
        let inbox = self.client.new_inbox();
        let mut answers = self.client.subscribe(inbox.clone()).await.map_err(away)?;
        let subject = format!("$JS.API.DIRECT.GET.{stream}");
        self.client.publish_with_reply(subject, inbox, request.to_string().into()).await.map_err(away)?;
        let mut messages = Vec::new();
        loop {
            let message = answers.next().await;
            let message =
                message.ok_or_else(|| EventLogError::Unavailable("the connection was closed".into()))?;
            match message.status.map(|status| status.as_u16()) {
                None => messages.push(read(message)?),
                // The end of the range.
                Some(204) => {
                    let pending = header(&message, "Nats-Num-Pending").unwrap_or(0);
                    return Ok(Range { messages, more: pending > 0, pending, cut_after: None });
                }
                Some(404) => return Ok(Range { messages, more: false, pending: 0, cut_after: None }),
                Some(status) => {
                    let said = message.description.unwrap_or_default();
                    return Err(EventLogError::Unavailable(
                        if message.status == Some(StatusCode::NO_RESPONDERS) {
                            format!("nobody answers for the stream {stream}")
                        } else {
                            format!("reading {stream}: {said} ({status})")
                        },
                    ));
                }
            }
        }
    }

    async fn leader_has_more(
        &self,
        stream: &str,
        after: u64,
        filter: Option<&str>,
    ) -> Result<bool, EventLogError> {
        let request = json!({ "seq": after.saturating_add(1), "next_by_subj": filter.unwrap_or(">") });
        let found: Result<serde_json::Value, ApiError> =
            self.api(&format!("STREAM.MSG.GET.{stream}"), Some(request)).await?;
        match found {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.log_error()),
        }
    }

    /// Returns the last message of each of these subjects that has one.
    pub(crate) async fn last_of(
        &self,
        stream: &str,
        subjects: &[String],
    ) -> Result<Vec<Stored>, EventLogError> {
        // The server takes at most 1,024 subjects, whose names are not to be more than a request holds.
        let mut found = Vec::new();
        for some in subjects.chunks(250) {
            let request = json!({ "multi_last": some, "batch": some.len() });
            found.extend(self.answer(self.ask_range(stream, &request)).await?.messages);
        }
        Ok(found)
    }

    /// Returns the last message of a subject, as the leader of the stream knows it: its sequence and content.
    pub(crate) async fn newest(
        &self,
        stream: &str,
        subject: &str,
    ) -> Result<Option<(u64, Bytes)>, EventLogError> {
        let newest = async {
            let stream = self.jetstream.get_stream_no_info(stream).await.map_err(away)?;
            match stream.get_last_raw_message_by_subject(subject).await {
                Ok(message) => Ok(Some((message.sequence, message.payload))),
                Err(error) => match error.kind() {
                    async_nats::jetstream::stream::LastRawMessageErrorKind::NoMessageFound => Ok(None),
                    _ => Err(away(error)),
                },
            }
        };
        self.answer(newest).await
    }

    /// Returns the message at a sequence, as the leader of the stream knows it: its subject and content.
    pub(crate) async fn at(
        &self,
        stream: &str,
        sequence: u64,
    ) -> Result<Option<(String, Bytes)>, EventLogError> {
        if sequence == 0 {
            return Ok(None);
        }
        let found = async {
            let stream = self.jetstream.get_stream_no_info(stream).await.map_err(away)?;
            match stream.get_raw_message(sequence).await {
                Ok(message) => Ok(Some((message.subject.to_string(), message.payload))),
                Err(error) => match error.kind() {
                    async_nats::jetstream::stream::RawMessageErrorKind::NoMessageFound => Ok(None),
                    _ => Err(away(error)),
                },
            }
        };
        self.answer(found).await
    }

    pub(crate) async fn ends(&self, stream: &str) -> Result<Ends, EventLogError> {
        let info: Info =
            self.api(&format!("STREAM.INFO.{stream}"), None).await?.map_err(|error| error.log_error())?;
        Ok(Ends { first: info.state.first_seq, last: info.state.last_seq, at: info.ts })
    }

    /// Drops all messages of the subjects that match.
    pub(crate) async fn purge(&self, stream: &str, filter: &str) -> Result<(), EventLogError> {
        self.purge_up_to(stream, filter, u64::MAX).await.map(drop)
    }

    /// Drops the messages of the subjects that match, up to a sequence; answers how many there were.
    pub(crate) async fn purge_up_to(
        &self,
        stream: &str,
        filter: &str,
        sequence: u64,
    ) -> Result<u64, EventLogError> {
        let mut request = json!({ "filter": filter });
        if let (Some(before), Some(request)) = (sequence.checked_add(1), request.as_object_mut()) {
            request.insert("seq".into(), before.into());
        }
        let purged: Result<Purged, ApiError> =
            self.api(&format!("STREAM.PURGE.{stream}"), Some(request)).await?;
        purged.map(|purged| purged.purged).map_err(|error| error.log_error())
    }

    /// Returns the subjects that match and have messages.
    pub(crate) async fn subjects(&self, stream: &str, filter: &str) -> Result<Vec<String>, EventLogError> {
        let mut subjects = Vec::new();
        loop {
            let request = json!({ "subjects_filter": filter, "offset": subjects.len() });
            let info: SubjectsInfo = self
                .api(&format!("STREAM.INFO.{stream}"), Some(request))
                .await?
                .map_err(|error| error.log_error())?;
            let some = info.state.subjects.len();
            subjects.extend(info.state.subjects.into_keys());
            // The server gives 100,000 at once.
            if some == 0 || subjects.len() >= info.total {
                return Ok(subjects);
            }
        }
    }

    async fn api<T: DeserializeOwned>(
        &self,
        what: &str,
        request: Option<serde_json::Value>,
    ) -> Result<Result<T, ApiError>, EventLogError> {
        let payload = request.map(|request| Bytes::from(request.to_string())).unwrap_or_default();
        let answer = async {
            let answer = self.client.request(format!("$JS.API.{what}"), payload).await;
            answer.map_err(|error| request_error(&error))
        };
        read_answer(&self.answer(answer).await?.payload)
    }
}

fn read_answer<T: DeserializeOwned>(payload: &[u8]) -> Result<Result<T, ApiError>, EventLogError> {
    let wrong =
        |error: &dyn std::fmt::Display| away(format!("an answer of JetStream cannot be read: {error}"));
    let answer: Answer<T> = serde_json::from_slice(payload).map_err(|error| wrong(&error))?;
    match (answer.error, answer.rest) {
        (Some(error), _) => Ok(Err(error)),
        (None, Some(rest)) => Ok(Ok(rest)),
        (None, None) => Err(wrong(&"something is missing")),
    }
}

fn stored(answer: &Message) -> Result<u64, Refused> {
    match read_answer::<PubAck>(&answer.payload)? {
        Ok(ack) => Ok(ack.seq),
        Err(error) => Err(error.refused()),
    }
}

fn text<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.headers.as_ref()?.get(name).map(async_nats::HeaderValue::as_str)
}

fn header<T: std::str::FromStr>(message: &Message, name: &str) -> Option<T> {
    text(message, name)?.parse().ok()
}

fn read(message: Message) -> Result<Stored, EventLogError> {
    let missing = |name: &str| corrupt("a stored message", format!("it has no header {name}"));
    let sequence = header(&message, "Nats-Sequence").ok_or_else(|| missing("Nats-Sequence"))?;
    let subject = text(&message, "Nats-Subject").ok_or_else(|| missing("Nats-Subject"))?.to_owned();
    let at = header(&message, "Nats-Time-Stamp").unwrap_or_default();
    let goes_on = text(&message, GOES_ON).is_some();
    Ok(Stored { sequence, subject, payload: message.payload, at, goes_on })
}
