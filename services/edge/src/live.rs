//! A stream without a group: a place in the log that moves on. The connection drives it, so one that is not
//! read costs nothing.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::body::Bytes;
use futures_util::Stream;
use soorma_api::{ConnectionRef, frame as name};
use soorma_ports::Subscriber;
use tokio::sync::watch;

use crate::app::{Shared, closing};
use crate::frame::{self, Frame};
use crate::pulse::{Beat, Pulse};
use crate::streams::Place;

pub(crate) struct LiveStream {
    pub(crate) app: Shared,
    pub(crate) subscriber: Box<dyn Subscriber>,
    pub(crate) connection: ConnectionRef,
    pub(crate) pulse: Pulse,
    pub(crate) stopping: watch::Receiver<bool>,
    /// What is to be sent before anything else.
    pub(crate) out: VecDeque<Bytes>,
    pub(crate) ended: bool,
    pub(crate) _place: Place,
}

impl LiveStream {
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        futures_util::stream::unfold(self, |mut stream| async move {
            let bytes = stream.next().await?;
            Some((Ok(bytes), stream))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        if let Some(bytes) = self.out.pop_front() {
            return Some(bytes);
        }
        if self.ended {
            return None;
        }
        let next = tokio::select! {
            biased;
            () = closing(&mut self.stopping) => return Some(self.end()),
            beat = self.pulse.beat() => {
                return Some(match beat {
                    Beat::Ping => frame::ping(self.app.edge.clock.now()),
                    Beat::Heartbeat => frame::control(name::HEARTBEAT, Some(self.subscriber.cursor()), &self.connection),
                });
            }
            next = self.subscriber.next() => next,
        };
        match next {
            Ok(live) => {
                self.pulse.shown();
                match frame::live(self.subscriber.cursor(), live) {
                    Frame::Whole(bytes) => Some(bytes),
                    Frame::Parts([head, shared, end]) => {
                        self.out.extend([shared, end]);
                        Some(head)
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, connection = self.connection.connection_id, "live stream ends");
                Some(self.end())
            }
        }
    }

    /// The client resumes from the last id that it was shown.
    fn end(&mut self) -> Bytes {
        self.ended = true;
        frame::control(name::DISCONNECTED, None, &self.connection)
    }
}
