//! A live stream: reads from the log what it has missed, and takes from the tail what comes.
//!
//! Positions decide. What comes from the tail and lies behind the place of its topic was seen and is skipped.
//! What may not come from it is read from the log first: when the stream is attached, up to the end of the log,
//! asked for afterwards; when the feed has dropped events, up to what the tail has claimed by then. So it does not
//! matter what the tail dropped, repeated or never sent, and nothing is kept for a slow reader but one page a topic.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use soorma_core::{Cursor, Error, Json, Position, TenantId, Topic};
use soorma_ports::{Bounds, Entry, EventLog, EventLogError, Live, Page, Reach, Subscriber, Subscription};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::tail::Tails;

/// How many events are read from the log at once.
const PAGE: usize = 64;

#[derive(Debug)]
pub(crate) struct LiveStream {
    log: Arc<dyn EventLog>,
    tails: Arc<Tails>,
    tenant: TenantId,
    reach: Reach,
    lanes: Vec<Lane>,
    /// `None` when the tail has closed it: attach anew.
    feed: Option<broadcast::Receiver<Arc<Live>>>,
    cursor: Cursor,
    /// The lane whose turn it is to give or to read.
    turn: usize,
    /// Whether topics that have caught up go before those that have not; changes with every event.
    live_first: bool,
}

/// One topic of a stream.
#[derive(Debug)]
struct Lane {
    topic: Topic,
    /// Up to here the log was looked through.
    place: Position,
    /// Up to here it must be, before what the tail sends can be taken.
    target: Position,
    /// Read, and not given out yet.
    pending: VecDeque<Entry>,
}

impl Lane {
    fn is_behind(&self) -> bool {
        self.place < self.target || !self.pending.is_empty()
    }

    /// Takes what the tail sends, or notes up to where to read.
    fn accept(&mut self, live: Arc<Live>) -> Option<Arc<Live>> {
        let position = live.entry.position;
        if position <= self.place {
            return None;
        }
        if self.is_behind() {
            self.target = self.target.max(position);
            return None;
        }
        self.place = position;
        Some(live)
    }

    fn fill(&mut self, page: Page) {
        let looked = page.entries.last().map_or(page.next, |last| page.next.max(last.position));
        if looked > self.place {
            self.place = looked;
        } else {
            // What can be read ends here, whatever the target: a log does not show a call whose end is on its way. The tail will,
            // to a feed that was there before the end of the log was asked for.
            self.target = self.place;
        }
        self.pending.extend(page.entries);
    }
}

impl LiveStream {
    pub(crate) async fn open(
        log: Arc<dyn EventLog>,
        tails: Arc<Tails>,
        subscription: Subscription,
    ) -> Result<Self, EventLogError> {
        let Subscription { tenant, topics, after } = subscription;
        if topics.is_empty() {
            return Err(EventLogError::Invalid("a stream needs at least one topic".into()));
        }
        let mut stream = Self {
            log,
            tails,
            reach: Reach::Tenant(tenant.clone()),
            tenant,
            lanes: Vec::with_capacity(topics.len()),
            feed: None,
            cursor: Cursor::default(),
            turn: 0,
            live_first: true,
        };
        let feed = stream.tails.attach(&stream.tenant);
        for topic in topics {
            let bounds = stream.log.bounds(topic).await?;
            let place = after.as_ref().and_then(|after| after.get(topic)).unwrap_or(bounds.head);
            within(topic, place, bounds)?;
            stream.lanes.push(Lane { topic, place, target: bounds.head, pending: VecDeque::new() });
            stream.cursor.advance(topic, place);
        }
        stream.feed = Some(feed);
        Ok(stream)
    }

    async fn attach(&mut self) -> Result<(), EventLogError> {
        let feed = self.tails.attach(&self.tenant);
        for lane in &mut self.lanes {
            let bounds = self.log.bounds(lane.topic).await?;
            within(lane.topic, lane.place, bounds)?;
            lane.target = lane.target.max(bounds.head);
        }
        self.feed = Some(feed);
        Ok(())
    }

    fn accept(&mut self, live: Arc<Live>) -> Option<Arc<Live>> {
        let topic = live.entry.event.topic;
        let live = self.lanes.iter_mut().find(|lane| lane.topic == topic)?.accept(live)?;
        self.cursor.advance(topic, live.entry.position);
        Some(live)
    }

    /// Takes what has come from the tail, without waiting.
    fn take_live(&mut self) -> Option<Arc<Live>> {
        loop {
            match self.feed.as_mut()?.try_recv() {
                Ok(live) => {
                    if let Some(live) = self.accept(live) {
                        return Some(live);
                    }
                }
                Err(TryRecvError::Lagged(_)) => self.fall_behind(),
                Err(TryRecvError::Closed) => self.feed = None,
                Err(TryRecvError::Empty) => return None,
            }
        }
    }

    /// Moves on over what is not this tenant's, so that a quiet stream's cursor does not grow old.
    fn pass_over(&mut self) {
        // Asked before looking at the feed: what is sent later is not passed over.
        let sent: Vec<Position> = self.lanes.iter().map(|lane| self.tails.sent(lane.topic)).collect();
        if !self.feed.as_ref().is_some_and(|feed| feed.is_empty() && !feed.is_closed()) {
            return;
        }
        for (lane, sent) in self.lanes.iter_mut().zip(sent) {
            if sent > lane.place && !lane.is_behind() {
                lane.place = sent;
                self.cursor.advance(lane.topic, sent);
            }
        }
    }

    /// The feed has dropped events, all of them behind what the tails have claimed.
    fn fall_behind(&mut self) {
        for lane in &mut self.lanes {
            lane.target = lane.target.max(self.tails.claimed(lane.topic));
        }
    }

    /// Finds a lane, first looking behind the one whose turn it was last.
    fn next_turn(&self, wanted: impl Fn(&Lane) -> bool) -> Option<usize> {
        let (past, coming) = self.lanes.split_at_checked(self.turn)?;
        let later = coming.iter().position(&wanted).map(|nth| nth + past.len());
        later.or_else(|| past.iter().position(&wanted))
    }

    /// Gives what was read, one topic after the other.
    fn take_read(&mut self) -> Option<Arc<Live>> {
        let turn = self.next_turn(|lane| !lane.pending.is_empty())?;
        self.turn = turn + 1;
        let lane = self.lanes.get_mut(turn)?;
        let entry = lane.pending.pop_front()?;
        // After the last one, also what lies behind it was looked through.
        let seen = if lane.pending.is_empty() { lane.place } else { entry.position };
        self.cursor.advance(lane.topic, seen);
        let json = entry.event.to_json(Json::Snake);
        Some(Arc::new(Live { entry, json }))
    }
}

#[async_trait]
impl Subscriber for LiveStream {
    async fn next(&mut self) -> Result<Arc<Live>, Error> {
        loop {
            if self.feed.is_none() {
                self.attach().await.inspect_err(|error| self.tails.outage.heard(error))?;
            }
            if self.live_first {
                self.live_first = false;
                if let Some(live) = self.take_live() {
                    return Ok(live);
                }
            }
            self.live_first = true;
            if let Some(live) = self.take_read() {
                return Ok(live);
            }
            let turn = self.next_turn(Lane::is_behind);
            if let Some(lane) = turn.and_then(|turn| self.lanes.get_mut(turn)) {
                let page = self.log.read(&self.reach, lane.topic, lane.place, PAGE).await;
                lane.fill(page.inspect_err(|error| self.tails.outage.heard(error))?);
                continue;
            }
            self.pass_over();
            let Some(feed) = &mut self.feed else { continue };
            match feed.recv().await {
                Ok(live) => {
                    if let Some(live) = self.accept(live) {
                        return Ok(live);
                    }
                }
                Err(RecvError::Lagged(_)) => self.fall_behind(),
                Err(RecvError::Closed) => self.feed = None,
            }
        }
    }

    fn cursor(&self) -> &Cursor {
        &self.cursor
    }
}

impl Drop for LiveStream {
    fn drop(&mut self) {
        self.feed = None;
        self.tails.detach(&self.tenant);
    }
}

fn within(topic: Topic, place: Position, bounds: Bounds) -> Result<(), EventLogError> {
    if place < bounds.before_first {
        return Err(EventLogError::Gone { topic, after: place, before_first: bounds.before_first });
    }
    if place > bounds.head {
        return Err(EventLogError::Beyond { topic, after: place, head: bounds.head });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use soorma_testkit::{event, tenant};

    use super::*;

    const TOPIC: Topic = Topic::PlanEvents;

    fn live(position: u64) -> Arc<Live> {
        let event = Arc::new(event(&format!("e{position}"), TOPIC));
        let entry = Entry { position: Position(position), tenant: tenant("one"), event };
        Arc::new(Live { json: String::new(), entry })
    }

    #[test]
    fn a_call_that_was_half_stored_when_the_end_was_asked_for_comes_from_the_tail() {
        let mut lane =
            Lane { topic: TOPIC, place: Position(4), target: Position(6), pending: VecDeque::new() };
        assert!(lane.is_behind());
        lane.fill(Page { entries: Vec::new(), next: Position(4) });
        assert!(!lane.is_behind(), "there is nothing to read yet");
        for position in 5..8 {
            assert!(lane.accept(live(position)).is_some(), "{position} is shown");
        }
    }
}
