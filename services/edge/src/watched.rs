//! The body of a stream, and the end of one that nobody reads.
//!
//! A body that hyper does not poll cannot time itself out. So what costs something is held here, where [`Streams`](crate::streams::Streams)
//! can take it away: the place, the subscriber or connection, the frames to come. What is left is a last frame, for a client that reads again.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _};
use soorma_api::{ConnectionRef, SlowConsumer, frame as name};
use soorma_core::{Cursor, Position, Topic};
use tokio::time::Instant;

use crate::frame::{self, Frame};
use crate::streams::Place;

/// What a stream shows next, and where that is.
pub(crate) struct Shown {
    pub(crate) frame: Frame,
    pub(crate) place: Moved,
}

/// What a frame says of the place from which the stream can be resumed.
pub(crate) enum Moved {
    Not,
    By(Topic, Position),
    To(Cursor),
}

impl Shown {
    /// A frame that moves nothing.
    pub(crate) fn aside(bytes: Bytes) -> Self {
        Self { frame: Frame::Whole(bytes), place: Moved::Not }
    }
}

#[derive(Debug)]
pub(crate) struct Watched(Mutex<State>);

struct State {
    connection: ConnectionRef,
    feed: Option<BoxStream<'static, Shown>>,
    place: Option<Place>,
    /// The rest of a frame that was begun.
    out: VecDeque<Bytes>,
    /// From where it can be resumed; nothing for members of groups.
    cursor: Option<Cursor>,
    /// Whether the connection waits for us; else we wait for it, since `moved_at`.
    waits: bool,
    moved_at: Instant,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// Makes the body of a stream.
pub(crate) fn body(
    connection: ConnectionRef,
    place: Place,
    cursor: Option<Cursor>,
    feed: impl Stream<Item = Shown> + Send + 'static,
) -> Body {
    let watched = Arc::new_cyclic(|watched| {
        place.watch(watched.clone());
        Watched(Mutex::new(State {
            connection,
            feed: Some(feed.boxed()),
            place: Some(place),
            out: VecDeque::new(),
            cursor,
            waits: false,
            moved_at: Instant::now(),
        }))
    });
    Body::from_stream(futures_util::stream::poll_fn(move |cx| watched.poll(cx)))
}

impl Watched {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = state.poll(cx);
        state.waits = next.is_pending();
        state.moved_at = Instant::now();
        next.map(|bytes| bytes.map(Ok))
    }

    /// Ends the stream if its connection has taken nothing for so long; says whether it did.
    pub(crate) fn end_if_stalled(&self, now: Instant, stall_after: Duration) -> bool {
        let mut state = match self.0.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // It is being polled.
            Err(TryLockError::WouldBlock) => return false,
        };
        if state.feed.is_none() || state.waits || now.duration_since(state.moved_at) < stall_after {
            return false;
        }
        let taken = (state.feed.take(), state.place.take());
        let cursor = state.cursor.take();
        let last = slow(&state.connection, cursor);
        state.out.push_back(last);
        tracing::debug!(connection = state.connection.connection_id, "stream was not read and is ended");
        drop(state);
        drop(taken);
        true
    }
}

impl State {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(bytes) = self.out.pop_front() {
            return Poll::Ready(Some(bytes));
        }
        let Some(feed) = &mut self.feed else { return Poll::Ready(None) };
        let Some(shown) = std::task::ready!(feed.poll_next_unpin(cx)) else {
            (self.feed, self.place) = (None, None);
            return Poll::Ready(None);
        };
        match (shown.place, &mut self.cursor) {
            (Moved::By(topic, position), Some(cursor)) => cursor.advance(topic, position),
            (Moved::To(place), Some(cursor)) => *cursor = place,
            (Moved::Not, _) | (_, None) => {}
        }
        Poll::Ready(Some(match shown.frame {
            Frame::Whole(bytes) => bytes,
            Frame::Parts([head, shared, end]) => {
                self.out.extend([shared, end]);
                head
            }
        }))
    }
}

/// The last frame of a stream that was not read, or whose place is no longer kept.
pub(crate) fn slow(connection: &ConnectionRef, cursor: Option<Cursor>) -> Bytes {
    let last = SlowConsumer {
        connection_id: connection.connection_id.clone(),
        cursor: cursor.map(|cursor| cursor.to_string()),
    };
    frame::control(name::SLOW_CONSUMER, None, &last)
}
