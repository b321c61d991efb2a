//! A stream that is a member of a group: hands out what the group gives it, and settles what was dealt with.
//!
//! It runs beside the connection, so that leases are kept and given back whatever the client does. What it has
//! in hand when it crashes comes back to the group when the leases run out.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::Stream;
use futures_util::future::{BoxFuture, OptionFuture};
use soorma_api::{ConnectionRef, frame as name};
use soorma_core::{Cursor, Json};
use soorma_ports::{Consumer, Delivery, DeliveryId, EventLogError, Settle};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::app::{Shared, closing};
use crate::frame;
use crate::groups::Membership;
use crate::in_hand::End;
use crate::pulse::{Beat, Pulse};
use crate::streams::Place;

/// Pieces between this stream and its connection: enough to keep a socket busy.
const PIPE: usize = 16;
/// How many events are asked for at once.
const BATCH: usize = 64;
/// How long the group may let us wait for an event before we ask again.
const WAIT: Duration = Duration::from_secs(30);
/// How long we leave a log alone that has just failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How often we look whether a slow connection has taken what is due.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long the last frame may take to go out.
const LAST_WORD: Duration = Duration::from_secs(1);

type Settlements = Vec<(DeliveryId, Settle)>;
type Settling = BoxFuture<'static, (Settlements, Result<Vec<bool>, EventLogError>)>;
type Asking = BoxFuture<'static, Result<Vec<Delivery>, EventLogError>>;

pub(crate) struct Member {
    app: Shared,
    consumer: Arc<dyn Consumer>,
    membership: Membership,
    connection: ConnectionRef,
    pipe: mpsc::Sender<Bytes>,
    /// How many pieces went into the pipe.
    pushed: u64,
    /// What the ids of its frames say.
    cursor: Cursor,
    pulse: Pulse,
    stopping: watch::Receiver<bool>,
    asking: Option<Asking>,
    settling: Option<Settling>,
    /// Before this, the log is left alone.
    not_before: Instant,
    /// How many pieces the connection had taken when we last looked, and since when it has taken no more.
    taken: u64,
    moved_at: Instant,
    _place: Place,
}

/// What happened while the stream waited.
enum Next {
    Settled(Settlements, Result<Vec<bool>, EventLogError>),
    Asked(Result<Vec<Delivery>, EventLogError>),
    Beat(Beat),
    Room,
    Wake,
}

/// Why the stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    ClientGone,
    Stalled,
    Stopping,
    LogFailed,
}

impl Member {
    /// Makes the stream, and the body that the connection sends.
    pub(crate) fn new(
        app: Shared,
        consumer: Arc<dyn Consumer>,
        membership: Membership,
        connection: ConnectionRef,
        place: Place,
    ) -> (Self, impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static) {
        let (pipe, mut out) = mpsc::channel(PIPE);
        let body = futures_util::stream::poll_fn(move |cx| out.poll_recv(cx).map(|bytes| bytes.map(Ok)));
        let member = Self {
            pulse: Pulse::new(app.config().heartbeat_every),
            stopping: app.stopping.clone(),
            app,
            consumer,
            membership,
            connection,
            pipe,
            pushed: 0,
            cursor: Cursor::default(),
            asking: None,
            settling: None,
            not_before: Instant::now(),
            taken: 0,
            moved_at: Instant::now(),
            _place: place,
        };
        (member, body)
    }

    /// Runs until the stream ends, and gives back what it has in hand.
    pub(crate) async fn run(mut self, connected: Bytes) {
        self.push(connected);
        let why = loop {
            if let Some(why) = self.step().await {
                break why;
            }
        };
        self.end(why).await;
    }

    /// Waits for the next thing to happen, and deals with it.
    async fn step(&mut self) -> Option<Why> {
        let now = Instant::now();
        if self.is_stalled(now) {
            return Some(Why::Stalled);
        }
        self.start_settling(now);
        self.start_asking(now);
        let has_unsent = self.membership.hand().lock().has_unsent();
        let wake = self.wake_at(now);
        let hand = self.membership.hand().clone();
        let next = tokio::select! {
            biased;
            () = closing(&mut self.stopping) => return Some(Why::Stopping),
            () = self.pipe.closed() => return Some(Why::ClientGone),
            Some((settlements, answer)) = OptionFuture::from(self.settling.as_mut()) => {
                Next::Settled(settlements, answer)
            }
            Some(answer) = OptionFuture::from(self.asking.as_mut()) => Next::Asked(answer),
            beat = self.pulse.beat() => Next::Beat(beat),
            room = self.pipe.reserve(), if has_unsent => {
                room.ok()?;
                Next::Room
            }
            () = hand.replied.notified() => Next::Wake,
            () = sleep_until(wake) => Next::Wake,
        };
        self.take(next)
    }

    fn take(&mut self, next: Next) -> Option<Why> {
        match next {
            Next::Settled(settlements, answer) => {
                self.settling = None;
                self.note_settled(&settlements, answer);
            }
            Next::Asked(answer) => {
                self.asking = None;
                match answer {
                    Ok(deliveries) => self.membership.hand().lock().take_over(deliveries, Instant::now()),
                    Err(error) => return self.note_failure(&error),
                }
            }
            Next::Beat(Beat::Ping) => self.push(frame::ping(self.app.edge.clock.now())),
            Next::Beat(Beat::Heartbeat) => self.push(frame::control(name::HEARTBEAT, None, &self.connection)),
            Next::Room => self.send(),
            Next::Wake => {}
        }
        None
    }

    /// Sends what the pipe takes.
    fn send(&mut self) {
        let hand = self.membership.hand().clone();
        while self.pipe.capacity() > 0 {
            let Some(delivery) = hand.lock().send(Instant::now(), self.pushed + 1) else {
                return;
            };
            self.cursor.advance(delivery.id.topic, delivery.id.position);
            self.push(frame::message(&self.cursor, &delivery.event.to_json(Json::Snake)));
            self.pulse.shown();
        }
    }

    /// Puts a piece into the pipe; signs of life that it does not take are not missed.
    fn push(&mut self, piece: Bytes) {
        if self.pipe.try_send(piece).is_ok() {
            self.pushed += 1;
        }
    }

    /// Returns how many pieces the connection has taken out of the pipe.
    fn taken(&self) -> u64 {
        let waiting = self.pipe.max_capacity() - self.pipe.capacity();
        self.pushed.saturating_sub(u64::try_from(waiting).unwrap_or(u64::MAX))
    }

    /// Notes whether the connection takes anything, and says whether it has waited too long for it.
    fn is_stalled(&mut self, now: Instant) -> bool {
        let taken = self.taken();
        if taken != self.taken || taken == self.pushed {
            (self.taken, self.moved_at) = (taken, now);
        }
        now.duration_since(self.moved_at) >= self.app.config().stall_after
    }

    /// An acknowledgement may be late by a lease; a third leaves time to try again.
    fn renew_after(&self) -> Duration {
        self.app.config().ack_within / 3
    }

    fn start_settling(&mut self, now: Instant) {
        if self.settling.is_some() || now < self.not_before {
            return;
        }
        let settlements = {
            let hand = self.membership.hand().lock();
            let done = hand.done(now, self.app.config().settle_after, self.taken());
            let mut old = hand.to_extend(now, self.renew_after());
            old.retain(|id| !done.contains(id));
            let done = done.into_iter().map(|id| (id, Settle::Ack));
            done.chain(old.into_iter().map(|id| (id, Settle::Extend))).collect::<Settlements>()
        };
        if !settlements.is_empty() {
            let consumer = self.consumer.clone();
            self.settling = Some(Box::pin(async move {
                let answer = consumer.settle(settlements.clone()).await;
                (settlements, answer)
            }));
        }
    }

    fn note_settled(&mut self, settlements: &Settlements, answer: Result<Vec<bool>, EventLogError>) {
        match answer {
            Ok(_) => self.membership.hand().lock().settled(settlements, Instant::now()),
            Err(error) => {
                tracing::warn!(%error, connection = self.connection.connection_id, "settling failed; trying again");
                self.not_before = Instant::now() + PAUSE;
            }
        }
    }

    fn note_failure(&mut self, error: &EventLogError) -> Option<Why> {
        tracing::warn!(%error, connection = self.connection.connection_id, "group gives no events");
        match error {
            EventLogError::Unavailable(_) | EventLogError::Full(_) => {
                self.not_before = Instant::now() + PAUSE;
                None
            }
            EventLogError::Gone { .. }
            | EventLogError::Beyond { .. }
            | EventLogError::Invalid(_)
            | EventLogError::Corrupt(_) => Some(Why::LogFailed),
        }
    }

    fn start_asking(&mut self, now: Instant) {
        if self.asking.is_some() || now < self.not_before {
            return;
        }
        let room = self.membership.hand().lock().room(self.app.config().stream_credit.max(1)).min(BATCH);
        if room > 0 {
            let consumer = self.consumer.clone();
            self.asking = Some(Box::pin(async move { consumer.next(room, WAIT).await }));
        }
    }

    /// Returns when to look again if nothing happens.
    fn wake_at(&self, now: Instant) -> Instant {
        let config = self.app.config();
        let mut wake = now + self.renew_after().max(LOOK_AGAIN);
        if let Some(done_at) = self.membership.hand().lock().done_at(config.settle_after) {
            // What is due and was not settled just now waits for the connection, or for the log.
            wake = wake.min(if done_at > now { done_at } else { now + LOOK_AGAIN });
        }
        if self.not_before > now {
            wake = wake.min(self.not_before);
        }
        if self.taken < self.pushed {
            wake = wake.min(self.moved_at + config.stall_after);
        }
        wake
    }

    async fn end(mut self, why: Why) {
        tracing::debug!(?why, connection = self.connection.connection_id, "group stream ends");
        // Nothing may be handed to us any more before we give back what we have.
        self.asking = None;
        if let Some(settling) = self.settling.take() {
            let (settlements, answer) = settling.await;
            self.note_settled(&settlements, answer);
        }
        let end = if matches!(why, Why::Stopping | Why::LogFailed) { End::Server } else { End::Member };
        let back = self.membership.hand().lock().give_back(end);
        if !back.is_empty()
            && let Err(error) = self.consumer.settle(back).await
        {
            tracing::warn!(%error, "events in hand come back to their group when their leases run out");
        }
        if why != Why::ClientGone {
            let last = frame::control(name::DISCONNECTED, None, &self.connection);
            // Whoever does not take it sees the connection end.
            let _sent = timeout(LAST_WORD, self.pipe.send(last)).await;
        }
    }
}
