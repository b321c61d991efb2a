//! A stream without a group: a place in the log that moves on. The connection drives it, so one that is not
//! read costs nothing but that place.

use futures_util::Stream;
use soorma_api::{ConnectionRef, frame as name};
use soorma_core::ErrorCode;
use soorma_ports::{Kinds, Subscriber};

use crate::app::Shared;
use crate::ending::Ending;
use crate::frame;
use crate::pulse::{Beat, Pulse};
use crate::watched::{Moved, Shown, slow};

pub(crate) struct LiveStream {
    pub(crate) app: Shared,
    pub(crate) subscriber: Box<dyn Subscriber>,
    /// The types that it shows; the others are passed over.
    pub(crate) kinds: Option<Kinds>,
    pub(crate) connection: ConnectionRef,
    pub(crate) pulse: Pulse,
    pub(crate) ending: Ending,
    pub(crate) ended: bool,
}

impl LiveStream {
    pub(crate) fn into_stream(self) -> impl Stream<Item = Shown> + Send {
        futures_util::stream::unfold(self, |mut stream| async move {
            let shown = stream.next().await?;
            Some((shown, stream))
        })
    }

    async fn next(&mut self) -> Option<Shown> {
        if self.ended {
            return None;
        }
        loop {
            let next = tokio::select! {
                biased;
                () = self.ending.comes() => return Some(self.end()),
                beat = self.pulse.beat() => return Some(self.beat(beat)),
                next = self.subscriber.next() => next,
            };
            match next {
                Ok(live) if self.kinds.as_ref().is_some_and(|kinds| !kinds.wants(&live.entry.event.kind)) => {
                }
                Ok(live) => {
                    self.pulse.shown();
                    let place = Moved::By(live.entry.event.topic, live.entry.position);
                    return Some(Shown { frame: frame::live(self.subscriber.cursor(), live), place });
                }
                Err(error) if error.code == ErrorCode::NotFound => {
                    // Retention has passed its place; who resumes is told from where.
                    tracing::warn!(%error, connection = self.connection.connection_id, "live stream is too slow");
                    self.ended = true;
                    return Some(Shown::aside(slow(
                        &self.connection,
                        Some(self.subscriber.cursor().clone()),
                    )));
                }
                Err(error) => {
                    tracing::warn!(%error, connection = self.connection.connection_id, "live stream ends");
                    return Some(self.end());
                }
            }
        }
    }

    fn beat(&self, beat: Beat) -> Shown {
        match beat {
            Beat::Ping => Shown::aside(frame::ping(self.app.edge.clock.now())),
            Beat::Heartbeat => {
                let cursor = self.subscriber.cursor();
                let frame = frame::control(name::HEARTBEAT, Some(cursor), &self.connection);
                Shown { frame: frame::Frame::Whole(frame), place: Moved::To(cursor.clone()) }
            }
        }
    }

    /// The client resumes from the last id that it was shown.
    fn end(&mut self) -> Shown {
        self.ended = true;
        Shown::aside(frame::control(name::DISCONNECTED, None, &self.connection))
    }
}
