//! One look at a plan, for all who watch it: the store is asked once, however many they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use soorma_core::{Error, WorkingChange};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep_until};

use super::Plan;
use crate::kinds::working;
use crate::shared::Shared;

/// How many keys are read at once.
const KEYS: usize = 1_024;
/// How many values are read for all who watch; who finds none reads them himself, a piece at a time.
const VALUES: usize = 16;
/// How many bytes of them are kept for the others.
const KEPT_BYTES: usize = 1_024 * 1_024;
/// How soon a look may follow another: what is written meanwhile is seen by one.
const APART: Duration = Duration::from_millis(20);
/// Revisions, by keys as they are stored.
pub(super) type States = Arc<BTreeMap<String, u64>>;
/// Values, each with its key as it is stored.
pub(super) type Values = Vec<(String, WorkingChange)>;

/// A plan that is watched.
#[derive(Debug)]
pub(super) struct Watched {
    /// How often somebody was to look at once.
    woken: watch::Sender<u64>,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    look: Option<Look>,
    failed: Option<(Instant, Error)>,
}

/// What there was.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// When it began.
    pub(super) at: Instant,
    /// How often somebody was to look before it.
    wakes: u64,
    pub(super) states: States,
    news: Option<News>,
}

/// What has changed since a look before.
#[derive(Debug, Clone)]
struct News {
    since: States,
    values: Arc<Values>,
}

impl Watched {
    pub(super) fn new() -> Self {
        Self { woken: watch::Sender::new(0), last: Mutex::default() }
    }

    /// Has all who watch look at once.
    pub(super) fn wake(&self) {
        self.woken.send_modify(|wakes| *wakes = wakes.wrapping_add(1));
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.woken.subscribe()
    }

    pub(super) fn is_left(&self) -> bool {
        self.woken.receiver_count() == 0
    }

    /// Returns what there is: as another has just seen it, where nothing has happened since.
    pub(super) async fn look(&self, shared: &Shared, plan: &Plan) -> Result<Look, Error> {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((at, error)) = &last.failed
            && *at >= asked
        {
            return Err(error.clone());
        }
        if let Some(look) = &last.look {
            if look.wakes == *self.woken.borrow() && look.at.elapsed() < shared.config.watch_every {
                return Ok(look.clone());
            }
            sleep_until(look.at + APART).await;
        }
        match self.look_anew(shared, plan, last.look.as_ref()).await {
            Ok(look) => {
                last.look = Some(look.clone());
                Ok(look)
            }
            Err(error) => {
                // Those who wait behind this one are told the same, and do not each wait as long.
                last.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn look_anew(&self, shared: &Shared, plan: &Plan, last: Option<&Look>) -> Result<Look, Error> {
        let _turn = shared.watches.turn().await;
        let (at, mut wakes) = (Instant::now(), *self.woken.borrow());
        let states = Arc::new(states(shared, plan).await?);
        let Some(last) = last else { return Ok(Look { at, wakes, states, news: None }) };
        if last.states == states {
            return Ok(Look { at, wakes, ..last.clone() });
        }
        if wakes == last.wakes {
            // The others do not know of it yet.
            self.wake();
            wakes = wakes.wrapping_add(1);
        }
        let (states, news) = news(shared, plan, &last.states, states).await?;
        Ok(Look { at, wakes, states, news })
    }
}

impl Look {
    /// Returns the values that are new to who has seen just that, if they are kept.
    pub(super) fn values(&self, seen: &States) -> Option<Values> {
        let news = self.news.as_ref().filter(|news| Arc::ptr_eq(&news.since, seen))?;
        Some(news.values.to_vec())
    }

    /// Returns the keys whose values are new to who has seen that.
    pub(super) fn keys(&self, seen: &States) -> Vec<String> {
        new(&self.states, seen).cloned().collect()
    }
}

/// Returns the keys whose values are new. One that was read after the look is newer than it.
fn new<'a>(states: &'a States, seen: &States) -> impl Iterator<Item = &'a String> {
    let is_new = |(key, revision): &(&String, &u64)| seen.get(*key).is_none_or(|seen| seen < *revision);
    states.iter().filter(is_new).map(|(key, _)| key)
}

/// Reads what is new where it is little; returns also what there is, as it is then.
async fn news(
    shared: &Shared,
    plan: &Plan,
    since: &States,
    mut states: States,
) -> Result<(States, Option<News>), Error> {
    let keys: Vec<String> = new(&states, since).take(VALUES + 1).cloned().collect();
    if keys.len() > VALUES {
        return Ok((states, None));
    }
    let values = values(shared, plan, &keys).await?;
    let mut left = values.iter().peekable();
    for key in keys {
        let found = left.next_if(|(found, _)| *found == key).map(|(_, change)| change.revision);
        if found.as_ref() != states.get(&key) {
            let states = Arc::make_mut(&mut states);
            match found {
                Some(revision) => states.insert(key, revision),
                None => states.remove(&key),
            };
        }
    }
    let is_little = values.iter().map(|(_, change)| weight(change)).sum::<usize>() <= KEPT_BYTES;
    let news = News { since: Arc::clone(since), values: Arc::new(values) };
    Ok((states, is_little.then_some(news)))
}

async fn states(shared: &Shared, (scope, plan): &Plan) -> Result<BTreeMap<String, u64>, Error> {
    let (mut states, group) = (BTreeMap::new(), working::group(plan));
    let mut after: Option<String> = None;
    loop {
        let of = (&working::KIND, group.as_str());
        let page = shared.store.states(scope, shared.now(), of, after.as_deref(), KEYS);
        let page = shared.ask(page).await?;
        let is_last = page.len() < KEYS;
        after = page.last().map(|(key, _)| key.clone());
        states.extend(page);
        if is_last {
            return Ok(states);
        }
    }
}

/// Returns the values of these keys, in their order; what is gone is left out.
pub(super) async fn values(shared: &Shared, (scope, plan): &Plan, keys: &[String]) -> Result<Values, Error> {
    if keys.is_empty() {
        return Ok(Values::new());
    }
    let places: Vec<_> = keys.iter().map(|key| working::stored_at(plan, key)).collect();
    let entries = shared.ask(shared.store.get(scope, shared.now(), &places)).await?;
    let mut values = Vec::with_capacity(keys.len());
    for (stored, entry) in keys.iter().zip(entries) {
        let Some(entry) = entry else { continue };
        // One that cannot be read is told where that is found, and keeps nobody from the others.
        let Ok((key, value)) = working::value(&entry) else { continue };
        let (revision, updated_at) = (entry.revision, Some(entry.updated_at));
        let change = WorkingChange { key, value: Some(value), deleted: false, revision, updated_at };
        values.push((stored.clone(), change));
    }
    Ok(values)
}

/// Returns how many bytes of value a change has.
pub(super) fn weight(change: &WorkingChange) -> usize {
    change.value.as_ref().map_or(0, |value| value.as_str().len())
}
