//! Does what the members of a group in this process ask for: as many calls as there are in one replacement of the state.
//!
//! It holds nothing that is not stored, but what it has read already. When another process has replaced the state, it reads it
//! and does the calls anew.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use soorma_core::{Event, Name, Position, TenantId, Timestamp, Topic};
use soorma_ports::{Delivery, DeliveryId, Entry, EventLogError, Reach, Settle};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::letter::Letter;
use super::member::Handed;
use super::state::{Buried, Due, GroupState, MOST_BURIED};
use super::store::Saved;
use crate::core::Core;
use crate::names::LetterKey;
use crate::signals::{EVERY_TOPIC, Hint, bit};
use crate::wire::Put;

/// How many events of a topic are read ahead.
const READ_AHEAD: usize = 256;
/// How often others may be faster before a call is given up.
const MOST_RACES: u32 = 500;
/// How many dead letters are announced at once.
const TOLD_AT_ONCE: usize = 250;
/// How long a mark that a letter is no more stays: longer than anybody reads a list.
pub(crate) const MARK_STAYS: Duration = Duration::from_secs(60);

/// What a member asks for.
#[derive(Debug)]
pub(crate) enum Ask {
    Next {
        max: usize,
        until: Option<Instant>,
        topics: Arc<BTreeSet<Topic>>,
        reply: oneshot::Sender<Result<Handed, EventLogError>>,
    },
    Settle {
        settlements: Vec<(DeliveryId, Settle)>,
        reply: oneshot::Sender<Result<Vec<bool>, EventLogError>>,
    },
}

type Key = (Topic, Position);
type Settlements = (Vec<(DeliveryId, Settle)>, oneshot::Sender<Result<Vec<bool>, EventLogError>>);

#[derive(Debug)]
struct Waiting {
    max: usize,
    until: Option<Instant>,
    /// Whether it is answered after this look, since its time is up.
    is_last: bool,
    topics: Arc<BTreeSet<Topic>>,
    reply: oneshot::Sender<Result<Handed, EventLogError>>,
}

/// What was read of a topic and not handed out yet.
#[derive(Debug, Default)]
struct Ahead {
    looked: Position,
    entries: VecDeque<(Entry, Timestamp)>,
}

/// What one replacement does.
#[derive(Debug)]
struct Step {
    state: GroupState,
    counted: Vec<Vec<bool>>,
    handed: Vec<Vec<DeliveryId>>,
    buried: Vec<Buried>,
    /// Letters that were redriven and are done with.
    done: Vec<LetterKey>,
}

#[derive(Debug)]
pub(crate) struct Worker {
    core: Arc<Core>,
    tenant: TenantId,
    group: Name,
    hint: Arc<Hint>,
    asks: mpsc::Receiver<Ask>,
    held: Option<(GroupState, u64)>,
    /// Whether something may have happened to the streams that nobody has told.
    is_unsure: bool,
    waiting: VecDeque<Waiting>,
    settles: VecDeque<Settlements>,
    untaken: Vec<DeliveryId>,
    ahead: BTreeMap<Topic, Ahead>,
    /// For which places of the group it was read ahead.
    sought: u64,
    contents: BTreeMap<Key, Arc<Event>>,
    /// Open events whose content is nowhere any more.
    gone: Vec<Key>,
    /// Dead letters that were announced, which is not written down yet.
    told: Vec<LetterKey>,
    races: u32,
}

impl Worker {
    pub(crate) fn new(
        core: Arc<Core>,
        tenant: TenantId,
        group: Name,
        hint: Arc<Hint>,
        asks: mpsc::Receiver<Ask>,
    ) -> Self {
        hint.appended(EVERY_TOPIC);
        Self {
            core,
            tenant,
            group,
            hint,
            asks,
            held: None,
            is_unsure: false,
            waiting: VecDeque::new(),
            settles: VecDeque::new(),
            untaken: Vec::new(),
            ahead: BTreeMap::new(),
            sought: 0,
            contents: BTreeMap::new(),
            gone: Vec::new(),
            told: Vec::new(),
            races: 0,
        }
    }

    /// Works until the last member is gone.
    pub(crate) async fn run(mut self) {
        loop {
            let due = self.due();
            let is_over = tokio::select! {
                biased;
                ask = self.asks.recv() => {
                    let is_over = ask.is_none();
                    ask.into_iter().for_each(|ask| self.take(ask));
                    is_over
                },
                () = self.hint.wake.notified() => false,
                () = until(due) => false,
            };
            while let Ok(ask) = self.asks.try_recv() {
                self.take(ask);
            }
            if is_over {
                // They have gone away. What was on its way to them is given back, the others would wait for it until its lease ends.
                self.waiting.clear();
            }
            self.untaken.extend(self.hint.take_untaken());
            self.look_once_more();
            while self.has_work() {
                match self.step().await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => self.fail(&error),
                }
            }
            if is_over {
                return;
            }
        }
    }

    fn take(&mut self, ask: Ask) {
        match ask {
            Ask::Next { max, until, topics, reply } => {
                self.waiting.push_back(Waiting { max, until, is_last: false, topics, reply });
            }
            Ask::Settle { settlements, reply } => self.settles.push_back((settlements, reply)),
        }
    }

    /// Looks at all again before somebody is answered that there is nothing: he may not have waited, and what the server says can get lost.
    fn look_once_more(&mut self) {
        let now = Instant::now();
        let is_over =
            |waiting: &&mut Waiting| !waiting.is_last && waiting.until.is_some_and(|until| until <= now);
        let mut any = false;
        for waiting in self.waiting.iter_mut().filter(is_over) {
            (waiting.is_last, any) = (true, true);
        }
        if any {
            self.held = None;
            self.hint.appended(EVERY_TOPIC);
        }
    }

    fn has_work(&self) -> bool {
        !(self.waiting.is_empty()
            && self.settles.is_empty()
            && self.untaken.is_empty()
            && self.told.is_empty())
    }

    /// The topics that somebody waits for.
    fn wanted(&self) -> BTreeSet<Topic> {
        self.waiting.iter().flat_map(|waiting| waiting.topics.iter().copied()).collect()
    }

    fn fail(&mut self, error: &EventLogError) {
        self.held = None;
        self.is_unsure = true;
        self.races = 0;
        // Who was answered nothing has gone away, or hears it from the closed channel.
        for waiting in self.waiting.drain(..) {
            drop(waiting.reply.send(Err(error.clone())));
        }
        for (_, reply) in self.settles.drain(..) {
            drop(reply.send(Err(error.clone())));
        }
        self.untaken.clear();
        // They are told again under the same ids, by whoever comes next.
        self.told.clear();
    }

    /// When something falls due for those who wait.
    fn due(&self) -> Option<Instant> {
        let deadlines = self.waiting.iter().filter_map(|waiting| waiting.until);
        let held = self.held.as_ref().filter(|_| !self.waiting.is_empty());
        let due = held.and_then(|(state, _)| state.next_due(&self.wanted()));
        deadlines.chain(due.map(|due| self.core.time.instant(due))).min()
    }

    /// Does all that is asked for; says whether there may be more to do at once.
    async fn step(&mut self) -> Result<bool, EventLogError> {
        self.core.time.refresh(&self.core.wire, &self.core.names.groups_stream()).await?;
        let (held, revision) = self.newest().await?;
        if !self.waiting.is_empty() {
            // Also where there is no credit now: what is settled and taken back in this step gives some.
            self.look(&held).await?;
        }
        let now = self.core.now();
        let step = self.work(held.clone(), now);
        if self.find_contents(&held, &step).await? {
            self.held = Some((held, revision));
            return Ok(true);
        }
        let mut saved = revision;
        if step.state != held {
            let letters = step.buried.iter().filter_map(|buried| self.letter(buried)).collect();
            match self.core.save(&self.tenant, &self.group, &step.state, revision, letters).await? {
                Saved::As(revision) => saved = revision,
                Saved::Raced => {
                    self.lost_the_race().await?;
                    return Ok(true);
                }
            }
        }
        self.races = 0;
        self.gone.clear();
        self.untaken.clear();
        self.told.clear();
        for letter in &step.done {
            self.forget_letter(*letter).await;
        }
        if !step.state.untold.is_empty() {
            self.announce(&step.state.untold).await;
        }
        let may_be_more = self.answer(step, saved, now);
        Ok(may_be_more)
    }

    async fn newest(&mut self) -> Result<(GroupState, u64), EventLogError> {
        let known = self.hint.newest();
        if let Some((state, revision)) = self.held.take()
            && known <= revision
        {
            return Ok((state, revision));
        }
        if known == u64::MAX {
            self.hint.forget_newest();
            self.is_unsure = true;
        }
        let (state, revision) = if self.is_unsure {
            self.core.load_in_place(&self.tenant, &self.group).await?
        } else {
            self.core.load(&self.tenant, &self.group).await?
        };
        let missing =
            || EventLogError::Unavailable(format!("the group {} was removed; join it again", self.group));
        let state = state.ok_or_else(missing)?;
        if std::mem::take(&mut self.is_unsure) || self.sought != state.sought {
            self.sought = state.sought;
            self.ahead.clear();
            self.hint.appended(EVERY_TOPIC);
        }
        // Where something else may be taken in.
        self.contents.retain(|key, _| state.is_open(key.0, key.1));
        self.gone.retain(|key| state.is_open(key.0, key.1));
        Ok((state, revision))
    }

    async fn lost_the_race(&mut self) -> Result<(), EventLogError> {
        self.races += 1;
        if self.races > MOST_RACES {
            return Err(EventLogError::Unavailable(format!(
                "other members of the group {} were faster {MOST_RACES} times",
                self.group
            )));
        }
        // Who loses often steps back, up to 20 ms, so that the others get through.
        if self.races > 3 {
            tokio::time::sleep(Duration::from_millis(u64::from(self.races.min(20)))).await;
        }
        Ok(())
    }

    /// Reads ahead, where less is left than is wanted and more may be there.
    async fn look(&mut self, state: &GroupState) -> Result<(), EventLogError> {
        let wanted = self.waiting.iter().fold(0, |sum: usize, waiting| sum.saturating_add(waiting.max));
        let wanted = wanted.min(READ_AHEAD);
        let topics = self.wanted();
        let mut looks = Vec::new();
        for (topic, cursor) in state.cursors.iter().filter(|(topic, _)| topics.contains(topic)) {
            let ahead = self.ahead.entry(*topic).or_default();
            ahead.looked = ahead.looked.max(*cursor);
            while ahead.entries.front().is_some_and(|(entry, _)| entry.position <= *cursor) {
                ahead.entries.pop_front();
            }
            if ahead.entries.len() < wanted && self.hint.is_fresh(*topic) {
                self.hint.looking(*topic);
                looks.push((*topic, ahead.looked));
            }
        }
        let reach = Reach::Tenant(self.tenant.clone());
        let found = looks.iter().map(|(topic, after)| self.core.find(&reach, *topic, *after, READ_AHEAD));
        let found = match try_join_all(found).await {
            Ok(found) => found,
            Err(error) => {
                self.hint.appended(EVERY_TOPIC);
                return Err(error);
            }
        };
        for ((topic, _), found) in looks.into_iter().zip(found) {
            let ahead = self.ahead.entry(topic).or_default();
            ahead.looked = found.looked;
            ahead.entries.extend(found.entries);
            if found.more {
                self.hint.appended(bit(topic));
            }
        }
        Ok(())
    }

    /// What is asked for, done to the state.
    fn work(&self, mut state: GroupState, now: Due) -> Step {
        state.touch(now);
        state.told(&self.told);
        for (topic, position) in &self.gone {
            state.forget(*topic, *position, now);
        }
        for id in &self.untaken {
            state.give_back(*id, now);
        }
        let (mut buried, mut done, mut counted) = (Vec::new(), Vec::new(), Vec::new());
        for (settlements, _) in &self.settles {
            if buried.len() + settlements.len() > MOST_BURIED && !counted.is_empty() {
                break;
            }
            let counts = settlements.iter().map(|(id, settle)| {
                let redriven = state.redriven(id.topic, id.position).filter(|_| *settle == Settle::Ack);
                let (counts, given_up) = state.settle(*id, settle, now);
                done.extend(redriven.filter(|_| counts));
                buried.extend(given_up);
                counts
            });
            counted.push(counts.collect());
        }
        let mut handed = Vec::new();
        if !self.waiting.is_empty() && buried.is_empty() {
            buried = state.expire(now);
        }
        let mut credit = if state.paused { 0 } else { state.credit() };
        let mut due = VecDeque::from(state.due(&self.wanted(), now));
        let mut fresh = self.fresh(&state);
        for waiting in &self.waiting {
            let mut some = Vec::new();
            while some.len() < waiting.max && credit > 0 {
                let next = match due.iter().position(|(topic, _)| waiting.topics.contains(topic)) {
                    Some(nth) => due.remove(nth),
                    None => self.take_fresh(&mut state, &mut fresh, &waiting.topics, now),
                };
                let Some((topic, position)) = next else { break };
                credit -= 1;
                some.extend(state.hand(topic, position, now));
            }
            handed.push(some);
        }
        Step { state, counted, handed, buried, done }
    }

    /// Takes in what was read ahead of these topics, in the order in which it was stored, until there is one that can be handed out.
    fn take_fresh(
        &self,
        state: &mut GroupState,
        fresh: &mut BTreeMap<Topic, VecDeque<(Timestamp, Position)>>,
        topics: &BTreeSet<Topic>,
        now: Due,
    ) -> Option<Key> {
        while state.has_room() {
            let firsts = fresh.iter().filter(|(topic, _)| topics.contains(topic));
            let (_, topic) =
                firsts.filter_map(|(topic, entries)| Some((entries.front()?.0, *topic))).min()?;
            let (_, position) = fresh.get_mut(&topic)?.pop_front()?;
            let key = state.key.clone().and_then(|key| key.of(&*self.ahead_of(topic, position)?));
            if state.take(topic, position, key, now) {
                return Some((topic, position));
            }
        }
        None
    }

    fn ahead_of(&self, topic: Topic, position: Position) -> Option<Arc<Event>> {
        let entries = &self.ahead.get(&topic)?.entries;
        let nth = entries.partition_point(|(entry, _)| entry.position < position);
        entries.get(nth).map(|(entry, _)| entry.event.clone())
    }

    /// What was read ahead and not taken in, by topic, each with when it was stored.
    fn fresh(&self, state: &GroupState) -> BTreeMap<Topic, VecDeque<(Timestamp, Position)>> {
        let mut fresh: BTreeMap<Topic, VecDeque<(Timestamp, Position)>> = BTreeMap::new();
        for (topic, cursor) in &state.cursors {
            let entries = self.ahead.get(topic).into_iter().flat_map(|ahead| &ahead.entries);
            // Within a topic by position, also where the server's clock was set back in between.
            let mut latest = Timestamp::default();
            for (entry, at) in entries.filter(|(entry, _)| entry.position > *cursor) {
                latest = latest.max(*at);
                fresh.entry(*topic).or_default().push_back((latest, entry.position));
            }
        }
        fresh
    }

    /// Reads the content of what is not at hand; says whether something is gone, so that all has to be done without it.
    async fn find_contents(&mut self, held: &GroupState, step: &Step) -> Result<bool, EventLogError> {
        for ahead in self.ahead.values() {
            for (entry, _) in &ahead.entries {
                let key = (entry.event.topic, entry.position);
                if step.state.is_open(key.0, key.1) {
                    self.contents.entry(key).or_insert_with(|| entry.event.clone());
                }
            }
        }
        let handed = step.handed.iter().flatten().map(|id| (id.topic, id.position));
        let buried = step.buried.iter().map(|buried| (buried.key.topic, buried.key.position));
        let missing: Vec<Key> = handed.chain(buried).filter(|key| !self.contents.contains_key(key)).collect();
        let found = missing.iter().map(|key| self.content(*key, held.redriven(key.0, key.1)));
        let found = try_join_all(found).await?;
        let mut is_gone = false;
        for (key, found) in missing.into_iter().zip(found) {
            match found {
                Some(event) => drop(self.contents.insert(key, event)),
                None => {
                    tracing::error!(
                        group = %self.group, topic = %key.0, position = %key.1,
                        "retention has passed an event that was open, the group goes on without it"
                    );
                    self.gone.push(key);
                    is_gone = true;
                }
            }
        }
        Ok(is_gone)
    }

    async fn content(
        &self,
        (topic, position): Key,
        redriven: Option<LetterKey>,
    ) -> Result<Option<Arc<Event>>, EventLogError> {
        let names = &self.core.names;
        if let Some(letter) = redriven {
            let subject = names.letter(&self.tenant, &self.group, letter);
            let letter = self.core.wire.newest(&names.groups_stream(), &subject).await?;
            return Ok(letter
                .and_then(|(_, payload)| Letter::read(&payload))
                .map(|letter| letter.event.into()));
        }
        let found = self.core.wire.at(&names.events_stream(topic), position.0).await?;
        let event = found.and_then(|(subject, payload)| self.core.event(topic, &subject, &payload));
        // Where a stream has lost something, that of another tenant may stand there now.
        Ok(event.filter(|(tenant, _)| *tenant == self.tenant).map(|(_, event)| event.into()))
    }

    fn letter(&self, buried: &Buried) -> Option<Put> {
        let event = self.contents.get(&(buried.key.topic, buried.key.position))?;
        let letter = Letter::new(buried, Event::clone(event));
        let payload = serde_json::to_vec(&letter).ok()?.into();
        let subject = self.core.names.letter(&self.tenant, &self.group, buried.key);
        Some(Put { subject, payload, expected: None, ttl: None })
    }

    /// Tells of dead letters. That they were told is written down with the next replacement; until then they may be told again, under the
    /// same ids, which the log refuses.
    async fn announce(&mut self, letters: &[LetterKey]) {
        for some in letters.chunks(TOLD_AT_ONCE) {
            match self.core.announce(&self.tenant, &self.group, some).await {
                Ok(()) => self.told.extend(some),
                Err(error) => {
                    tracing::warn!(%error, group = %self.group, "dead letters are announced later");
                    return;
                }
            }
        }
    }

    /// Marks a redriven letter as dealt with. When this fails it stays, unseen.
    async fn forget_letter(&self, letter: LetterKey) {
        let subject = self.core.names.letter(&self.tenant, &self.group, letter);
        let mark = Put { subject, payload: bytes::Bytes::new(), expected: None, ttl: Some(MARK_STAYS) };
        if let Err(refused) = self.core.wire.put(mark).await {
            tracing::warn!(error = %refused.into_error(), "content of a redriven dead letter stays");
        }
    }

    /// Answers those who are done with, and says whether there may be more for the others.
    fn answer(&mut self, step: Step, revision: u64, now: Due) -> bool {
        for counted in step.counted {
            if let Some((_, reply)) = self.settles.pop_front() {
                drop(reply.send(Ok(counted)));
            }
        }
        let mut still = VecDeque::new();
        for (waiting, ids) in self.waiting.drain(..).zip(step.handed) {
            let deliveries: Vec<Delivery> = ids
                .into_iter()
                .filter_map(|id| {
                    let event = self.contents.get(&(id.topic, id.position))?.clone();
                    Some(Delivery { id, event })
                })
                .collect();
            if deliveries.is_empty() && !waiting.is_last {
                still.push_back(waiting);
            } else {
                // Who has gone away gives it back by dropping it.
                drop(waiting.reply.send(Ok(Handed { deliveries, hint: self.hint.clone() })));
            }
        }
        self.waiting = still;
        let state = step.state;
        self.contents.retain(|key, _| state.is_open(key.0, key.1));
        let wanted = self.wanted();
        let fresh = wanted.iter().any(|topic| state.takes(*topic) && self.hint.is_fresh(*topic));
        let more_to_hand_out = !state.paused
            && state.credit() > 0
            && ((fresh && state.has_room()) || !state.due(&wanted, now).is_empty());
        let may_be_more = !self.settles.is_empty()
            || !self.told.is_empty()
            || (!self.waiting.is_empty() && (state.has_expired(now) || more_to_hand_out));
        self.held = Some((state, revision));
        may_be_more
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
