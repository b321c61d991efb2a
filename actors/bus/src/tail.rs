//! The tail readers: one a topic follows the log and hands each event to the live streams of its tenant.
//!
//! Two positions for each topic make crashes harmless. `sent` says where a restarted reader goes on; an event
//! that is sent again after a crash is behind the stream's place and skipped. `claimed` is never behind what a
//! feed was given, so a stream whose feed has dropped events knows up to where to read.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use soorma_core::{Error, Json, Position, TenantId, Topic};
use soorma_ports::{Entry, EventLog, EventLogError, Follower, Live};
use tokio::sync::broadcast;

use crate::outage::Outage;
use crate::per_topic::PerTopic;

/// After so many events a reader lets others run.
const BURST: usize = 64;
/// How long a reader waits that has found the log away.
const AWAY: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
struct Progress {
    claimed: AtomicU64,
    /// `None` before the first run.
    sent: Mutex<Option<Position>>,
}

#[derive(Debug)]
pub(crate) struct Tails {
    progress: PerTopic<Progress>,
    /// What all streams of one tenant listen to; there is one only while there are streams.
    feeds: DashMap<TenantId, broadcast::Sender<Arc<Live>>>,
    buffer: usize,
    /// Whether the log serves those who read and those who publish.
    pub(crate) outage: Outage,
}

impl Tails {
    pub(crate) fn new(buffer: usize) -> Self {
        let progress = PerTopic::new(|_| Progress::default());
        Self { progress, feeds: DashMap::new(), buffer, outage: Outage::default() }
    }

    /// Opens a tenant's feed. All that the log takes from now on comes through it, or it says that it has dropped
    /// some, or it is closed.
    pub(crate) fn attach(&self, tenant: &TenantId) -> broadcast::Receiver<Arc<Live>> {
        let feed = self.feeds.entry(tenant.clone());
        feed.or_insert_with(|| broadcast::Sender::new(self.buffer)).subscribe()
    }

    /// Closes a tenant's feed if nobody listens any more.
    pub(crate) fn detach(&self, tenant: &TenantId) {
        self.feeds.remove_if(tenant, |_, feed| feed.receiver_count() == 0);
    }

    pub(crate) fn claimed(&self, topic: Topic) -> Position {
        Position(self.progress.of(topic).claimed.load(Ordering::SeqCst))
    }

    /// Returns up to where all has come through the feeds, as long as they are open.
    pub(crate) fn sent(&self, topic: Topic) -> Position {
        let sent = *self.progress.of(topic).sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.unwrap_or_default()
    }

    /// Follows a topic and feeds the streams, however long the log is away; until it fails for good.
    pub(crate) async fn run(&self, log: &dyn EventLog, topic: Topic) -> Result<Infallible, Error> {
        loop {
            let ended = self.read(log, topic).await.inspect_err(|error| self.outage.heard(error));
            match ended.map_err(Error::from) {
                Err(error) if error.code.may_retry() => {
                    tracing::debug!(%topic, "tail reader waits for the log");
                    tokio::time::sleep(AWAY).await;
                }
                ended => return ended,
            }
        }
    }

    async fn read(&self, log: &dyn EventLog, topic: Topic) -> Result<Infallible, EventLogError> {
        let mut follower = self.follow(log, topic).await?;
        loop {
            let mut entries = VecDeque::from(follower.next().await?);
            while !entries.is_empty() {
                for entry in entries.drain(..entries.len().min(BURST)) {
                    self.send(topic, entry);
                }
                tokio::task::yield_now().await;
            }
        }
    }

    async fn follow(&self, log: &dyn EventLog, topic: Topic) -> Result<Box<dyn Follower>, EventLogError> {
        let sent = *self.progress.of(topic).sent.lock().unwrap_or_else(PoisonError::into_inner);
        let after = match sent {
            Some(after) => after,
            None => {
                let head = log.bounds(topic).await?.head;
                self.jump(topic, head);
                head
            }
        };
        match log.follow(topic, after).await {
            Err(EventLogError::Gone { before_first: to, .. } | EventLogError::Beyond { head: to, .. }) => {
                tracing::warn!(%topic, %after, %to, "tail reader cannot go on from its place");
                self.jump(topic, to);
                log.follow(topic, to).await
            }
            followed => followed,
        }
    }

    /// Goes to a place without having sent what lies before it.
    fn jump(&self, topic: Topic, to: Position) {
        let progress = self.progress.of(topic);
        progress.claimed.store(to.0, Ordering::SeqCst);
        // Every stream finds its feed closed, attaches anew, and looks into the log for what it has missed.
        self.feeds.clear();
        // Last: while a feed is open, all up to here has come through it.
        *progress.sent.lock().unwrap_or_else(PoisonError::into_inner) = Some(to);
    }

    fn send(&self, topic: Topic, entry: Entry) {
        let (progress, position) = (self.progress.of(topic), entry.position);
        progress.claimed.store(position.0, Ordering::SeqCst);
        if let Some(feed) = self.feeds.get(&entry.tenant) {
            let json = entry.event.to_json(Json::Snake);
            // That nobody listens is no error: the last stream has just gone.
            let _listeners = feed.send(Arc::new(Live { entry, json }));
        }
        *progress.sent.lock().unwrap_or_else(PoisonError::into_inner) = Some(position);
    }
}

#[cfg(test)]
mod tests {
    use soorma_core::Cursor;
    use soorma_ports::{Subscriber as _, Subscription};
    use soorma_testkit::{MemoryLog, TestClock, event, tenant};
    use tokio::time::timeout;

    use super::*;
    use crate::subscriber::LiveStream;

    const TOPIC: Topic = Topic::ActionRequests;

    /// Where a reader can crash while it has one event in hand.
    #[derive(Debug, Clone, Copy)]
    enum Crash {
        BeforeItLooksForFeeds,
        BeforeItNotesWhatItSent,
    }

    async fn shown_once(crash: Crash, opened_before: bool) {
        let log: Arc<dyn EventLog> = MemoryLog::new(Arc::new(TestClock::new()));
        let tails = Arc::new(Tails::new(4));
        tails.jump(TOPIC, Position(0));
        let (one, at) = (tenant("one"), Cursor::from_iter([(TOPIC, Position(0))]));
        let subscription = Subscription { tenant: one.clone(), topics: [TOPIC].into(), after: Some(at) };
        let open = || LiveStream::open(log.clone(), tails.clone(), subscription.clone());

        let early = if opened_before { Some(open().await.unwrap()) } else { None };
        log.append(&one, vec![Arc::new(event("a", TOPIC))]).await.unwrap();
        let mut followed = log.follow(TOPIC, Position(0)).await.unwrap();
        let entry = followed.next().await.unwrap().remove(0);
        match crash {
            Crash::BeforeItLooksForFeeds => {
                tails.progress.of(TOPIC).claimed.store(entry.position.0, Ordering::SeqCst);
            }
            Crash::BeforeItNotesWhatItSent => {
                tails.send(TOPIC, entry);
                *tails.progress.of(TOPIC).sent.lock().unwrap() = Some(Position(0));
            }
        }
        let mut stream = match early {
            Some(stream) => stream,
            None => open().await.unwrap(),
        };
        let mut ids = Vec::new();
        tokio::select! {
            biased;
            ended = tails.run(&*log, TOPIC) => panic!("{ended:?}"),
            () = async {
                for round in 0..2 {
                    while let Ok(live) = timeout(Duration::from_millis(10), stream.next()).await {
                        ids.push(live.unwrap().entry.event.id.to_string());
                    }
                    if round == 0 {
                        log.append(&one, vec![Arc::new(event("b", TOPIC))]).await.unwrap();
                    }
                }
            } => {}
        }
        assert_eq!(ids, ["a", "b"], "{crash:?}, opened before: {opened_before}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_crashes_with_an_event_in_hand_neither_loses_nor_repeats_it() {
        for crash in [Crash::BeforeItLooksForFeeds, Crash::BeforeItNotesWhatItSent] {
            for opened_before in [true, false] {
                shown_once(crash, opened_before).await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_feed_is_there_only_while_a_stream_is() {
        let log: Arc<dyn EventLog> = MemoryLog::new(Arc::new(TestClock::new()));
        let tails = Arc::new(Tails::new(4));
        let open = |whose: &str| {
            let subscription = Subscription { tenant: tenant(whose), topics: [TOPIC].into(), after: None };
            LiveStream::open(log.clone(), tails.clone(), subscription)
        };
        let (first, second) = (open("one").await.unwrap(), open("one").await.unwrap());
        let other = open("two").await.unwrap();
        assert_eq!(tails.feeds.len(), 2);
        drop((first, other));
        assert_eq!(tails.feeds.len(), 1);
        drop(second);
        assert!(tails.feeds.is_empty());
    }
}
