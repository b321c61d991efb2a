//! Follows what happens to a plan of working memory: a stream that begins with all that there is.
//!
//! It has no place to go on from: who connects again is shown all anew.

use std::iter::Peekable;
use std::vec::IntoIter;

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use soorma_api::memory::{Watching, WorkingSnapshot};
use soorma_api::{Connection, ConnectionRef, frame as name, media};
use soorma_core::{Error, MemoryScope, Scope, WorkingChange};
use soorma_ports::WorkingWatch;

use super::in_path;
use crate::access::Pass;
use crate::app::Shared;
use crate::ending::Ending;
use crate::frame;
use crate::pulse::{Beat, Pulse};
use crate::reply::Refusal;
use crate::streams::Kind;
use crate::watched::{self, Shown};

/// From how many bytes of values on a snapshot goes on in another frame: a reader must be able to hold one.
const FRAME: usize = 1_024 * 1_024;

type Next = BoxFuture<'static, (Box<dyn WorkingWatch>, Result<Vec<WorkingChange>, Error>)>;

pub(super) async fn open(
    app: Shared,
    scope: &Scope,
    pass: Pass,
    mine: MemoryScope,
    plan_id: String,
) -> Result<Response, Refusal> {
    if *app.stopping.borrow() {
        return Err(Error::unavailable("the node is draining; use another, or wait").into());
    }
    let connection_id = app.new_id().to_string();
    // Others of the tenant see the list of its streams; what a plan is called is not for them.
    let shown = Connection {
        connection_id: connection_id.clone(),
        agent_id: mine.owner.user().to_owned(),
        topics: Vec::new(),
    };
    let place = app.streams.open(scope, Kind::Watch, shown)?;
    let ending = Ending::new(&app, pass.until);
    let watch = app.memory().watch_plan(&mine, &plan_id).await.map_err(in_path)?;
    let connection = ConnectionRef { connection_id: connection_id.clone() };
    let connected = frame::control(name::CONNECTED, None, &Watching { connection_id, plan_id });
    let stream = Watch {
        pulse: Pulse::new(app.config().heartbeat_every),
        app,
        next: next(watch),
        begun: false,
        snapshot: Snapshot::default(),
        ending,
        connection: connection.clone(),
        ended: false,
    };
    let feed = futures_util::stream::iter([connected]).chain(stream.into_stream()).map(Shown::aside);
    let headers = [
        (header::CONTENT_TYPE.as_str(), media::EVENT_STREAM),
        (header::CACHE_CONTROL.as_str(), "no-store"),
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, watched::body(connection, place, None, feed)).into_response())
}

/// Waits for what happens next. It is kept until it comes: to drop it might lose something.
fn next(mut watch: Box<dyn WorkingWatch>) -> Next {
    async move {
        let changes = watch.next().await;
        (watch, changes)
    }
    .boxed()
}

struct Watch {
    app: Shared,
    next: Next,
    /// Whether it was shown all that there was.
    begun: bool,
    snapshot: Snapshot,
    pulse: Pulse,
    ending: Ending,
    connection: ConnectionRef,
    ended: bool,
}

impl Watch {
    fn into_stream(self) -> impl Stream<Item = Bytes> + Send {
        let frames = futures_util::stream::unfold(self, |mut watch| async move {
            let frames = watch.frames().await?;
            Some((futures_util::stream::iter(frames), watch))
        });
        frames.flatten()
    }

    /// Waits for the next frames; `None` behind the last.
    async fn frames(&mut self) -> Option<Vec<Bytes>> {
        if self.ended {
            return None;
        }
        // A frame is written when the one before it is on its way.
        if let Some(frame) = self.snapshot.next() {
            return Some(vec![frame]);
        }
        let (watch, changes) = tokio::select! {
            biased;
            () = self.ending.comes() => return Some(vec![self.end()]),
            beat = self.pulse.beat() => return Some(vec![self.beat(beat)]),
            next = &mut self.next => next,
        };
        match changes {
            Ok(changes) => {
                let was_whole = std::mem::replace(&mut self.begun, watch.has_begun());
                self.next = next(watch);
                self.pulse.shown();
                if was_whole {
                    let frames = changes.iter().map(|change| frame::control(name::CHANGE, None, change));
                    return Some(frames.collect());
                }
                self.snapshot = Snapshot::of(changes, self.begun);
                self.snapshot.next().map(|frame| vec![frame])
            }
            Err(error) => {
                tracing::warn!(%error, connection = self.connection.connection_id, "a watch of working memory ends");
                Some(vec![self.end()])
            }
        }
    }

    fn beat(&self, beat: Beat) -> Bytes {
        match beat {
            Beat::Ping => frame::ping(self.app.edge.clock.now()),
            Beat::Heartbeat => frame::control(name::HEARTBEAT, None, &self.connection),
        }
    }

    fn end(&mut self) -> Bytes {
        self.ended = true;
        frame::control(name::DISCONNECTED, None, &self.connection)
    }
}

/// A piece of what there is, in as many frames as it takes.
#[derive(Default)]
struct Snapshot {
    rest: Option<Peekable<IntoIter<WorkingChange>>>,
    /// Whether no other piece follows.
    is_last: bool,
}

impl Snapshot {
    fn of(changes: Vec<WorkingChange>, is_last: bool) -> Self {
        Self { rest: Some(changes.into_iter().peekable()), is_last }
    }
}

impl Iterator for Snapshot {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let rest = self.rest.as_mut()?;
        let (mut changes, mut bytes) = (Vec::new(), 0);
        let long = |change: &WorkingChange| {
            change.value.as_ref().map_or(0, |value| value.as_str().len()) + change.key.len()
        };
        while let Some(change) = rest.next_if(|next| changes.is_empty() || bytes + long(next) <= FRAME) {
            bytes += long(&change);
            changes.push(change);
        }
        let is_all = rest.peek().is_none();
        if is_all {
            self.rest = None;
        }
        let complete = is_all && self.is_last;
        Some(frame::control(name::SNAPSHOT, None, &WorkingSnapshot { changes, complete }))
    }
}

#[cfg(test)]
mod tests {
    use soorma_core::AnyJson;

    use super::*;

    fn change(key: &str, length: usize) -> WorkingChange {
        let value = AnyJson::from_value(&"x".repeat(length)).expect("JSON");
        WorkingChange { key: key.into(), value: Some(value), deleted: false, revision: 1, updated_at: None }
    }

    #[test]
    fn a_long_snapshot_comes_in_several_frames_and_the_last_says_so() {
        for (values, expect) in [
            (vec![], vec![0]),
            (vec![1, 1], vec![2]),
            (vec![FRAME / 2; 5], vec![1, 1, 1, 1, 1]),
            (vec![FRAME / 3; 5], vec![2, 2, 1]),
            (vec![FRAME * 2], vec![1]),
        ] {
            let changes = values.iter().map(|length| change("k", *length)).collect();
            let frames: Vec<_> = Snapshot::of(changes, true).collect();
            let read: Vec<WorkingSnapshot> = frames
                .iter()
                .map(|frame| {
                    let text = std::str::from_utf8(frame).expect("text");
                    let data = text.strip_prefix("event: snapshot\r\ndata: ").expect("a frame");
                    serde_json::from_str(data.trim_end()).expect("JSON")
                })
                .collect();
            assert_eq!(read.iter().map(|frame| frame.changes.len()).collect::<Vec<_>>(), expect);
            let last = read.len() - 1;
            assert!(read.iter().enumerate().all(|(nth, frame)| frame.complete == (nth == last)));
        }
    }
}
