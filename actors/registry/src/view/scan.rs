//! Finding the agents that fit, piece by piece: between two pieces others may change what is looked through.

use std::sync::Arc;

use soorma_core::{AgentStatus, Error, Topic};
use soorma_ports::{AgentQuery, Registered};

use crate::meaning::Candidate;
use crate::view::agents::{Agents, By};
use crate::view::definitions::Definitions;
use crate::view::place::Rows;
use crate::view::row::{Moment, Row};
use crate::view::words::Words;

/// What is kept of a row that fits.
pub(crate) trait Kept {
    fn of(row: &Arc<Row>, agent: Registered) -> Self;
    fn agent(&self) -> &Registered;
}

impl Kept for Registered {
    fn of(_: &Arc<Row>, agent: Registered) -> Self {
        agent
    }

    fn agent(&self) -> &Registered {
        self
    }
}

impl Kept for Candidate {
    fn of(row: &Arc<Row>, agent: Registered) -> Self {
        Self { row: Arc::clone(row), agent, vector: None }
    }

    fn agent(&self) -> &Registered {
        &self.agent
    }
}

/// How often what a row takes counts for a word that is looked for in it, which is done letter by letter.
const EACH_WORD: usize = 4;

/// How much is looked at in one piece: so many rows, or fewer when there is much to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    pub(crate) rows: usize,
    /// What rows take, more often for each word that is looked for in them.
    pub(crate) bytes: usize,
}

/// A query on its way.
#[derive(Debug)]
pub(crate) struct Scan<'a, K> {
    query: &'a AgentQuery,
    words: Words,
    now: Moment,
    /// The row that was looked at last.
    last: Option<Arc<Row>>,
    found: Vec<K>,
    /// Of the row that was found last.
    name_hash: u64,
    more: bool,
}

impl<'a, K: Kept> Scan<'a, K> {
    pub(crate) fn new(query: &'a AgentQuery, now: Moment) -> Result<Self, Error> {
        let words = Words::new(query.text.as_deref().unwrap_or_default())?;
        Ok(Self { query, words, now, last: None, found: Vec::new(), name_hash: 0, more: false })
    }

    /// Looks at a piece more; says whether it is at its end.
    pub(crate) fn go_on(&mut self, agents: &Agents, definitions: &Definitions, most: Piece) -> bool {
        if let Some(id) = &self.query.id {
            if let Some(row) = agents.get(id.as_str())
                && let Some(found) = self.look_at(row, None, definitions)
            {
                self.take(row, found);
            }
            return true;
        }
        let Some((rows, known)) = agents.candidates(self.query) else { return true };
        let before = self.last.take();
        let given = self.query.after.as_ref().map(|(name, id)| (name.as_str(), id.as_str()));
        let place =
            before.as_deref().map(|row| (row.record().name.as_str(), row.record().id.as_str())).or(given);
        let (mut looked_at, mut read) = (0, 0);
        for row in with_name(rows, self.query.name.as_deref(), place) {
            if let Some(found) = self.look_at(row, known, definitions)
                && !self.take(row, found)
            {
                return true;
            }
            looked_at += 1;
            read += row.bytes * (1 + EACH_WORD * self.words.count());
            if looked_at >= most.rows || read >= most.bytes {
                self.last = Some(Arc::clone(row));
                return false;
            }
        }
        true
    }

    /// Returns what was found, and whether there is more.
    pub(crate) fn found(self) -> (Vec<K>, bool) {
        (self.found, self.more)
    }

    /// Returns a row as it is now, if it fits.
    fn look_at(&self, row: &Row, known: Option<By>, definitions: &Definitions) -> Option<Registered> {
        if !self.is_after(row) || !self.fits(row, known, definitions) {
            return None;
        }
        // Locked once: what it is found by and what is shown of it are of one moment.
        let found = row.registered(self.now);
        let is = found.standing.status;
        let wanted = match self.query.status {
            Some(status) => is == status,
            None => self.query.expired || is != AgentStatus::Expired,
        };
        wanted.then_some(found)
    }

    /// Whether a row is not among what earlier pages have shown.
    fn is_after(&self, row: &Row) -> bool {
        let Some((name, id)) = &self.query.after else { return true };
        let record = row.record();
        match self.query.one_of_each_name {
            true => record.name > *name,
            false => (&record.name, &record.id) > (name, id),
        }
    }

    /// Takes a row that fits; says whether there is room for one more.
    fn take(&mut self, row: &Arc<Row>, found: Registered) -> bool {
        if self.query.one_of_each_name
            && self.name_hash == row.name_hash
            && let Some(last) = self.found.last_mut()
            && last.agent().said.record.name == found.said.record.name
        {
            if found.heard_at > last.agent().heard_at {
                *last = K::of(row, found);
            }
            return true;
        }
        if self.found.len() >= self.query.limit {
            self.more = true;
            return false;
        }
        self.name_hash = row.name_hash;
        self.found.push(K::of(row, found));
        true
    }

    /// Whether a row fits but for its status; what is known of it already is not looked up again.
    fn fits(&self, row: &Row, known: Option<By>, definitions: &Definitions) -> bool {
        let (query, record) = (self.query, row.record());
        let has =
            |events: &[soorma_core::Name], event: &str| events.iter().any(|name| name.as_str() == event);
        query.name.as_deref().is_none_or(|name| record.name.as_str() == name || record.bare_name() == name)
            && (known == Some(By::Kind) || query.kind.is_none_or(|kind| record.kind == Some(kind)))
            && (known == Some(By::Consumes)
                || query.consumes.as_deref().is_none_or(|event| has(&record.consumes, event)))
            && (known == Some(By::Produces)
                || query.produces.as_deref().is_none_or(|event| has(&record.produces, event)))
            && (known == Some(By::Capability)
                || query
                    .capability
                    .as_deref()
                    .is_none_or(|name| record.capabilities.iter().any(|one| one.name.as_str() == name)))
            && query.topic.is_none_or(|topic| is_on(row, topic, definitions))
            && self.words.are_in(record)
    }
}

/// Whether an agent consumes or produces something on a topic.
fn is_on(row: &Row, topic: Topic, definitions: &Definitions) -> bool {
    let record = row.record();
    let said = record
        .capabilities
        .iter()
        .flat_map(|one| one.produces.iter().chain([&one.consumes]))
        .any(|event| event.topic == Some(topic));
    let mut events = record.consumes.iter().chain(&record.produces);
    said || events.any(|event| definitions.flows_on(event.as_str(), topic))
}

/// Returns rows in order after a place; of one name, with or without a version folded into it, where one is given.
fn with_name<'a>(
    rows: &'a Rows,
    name: Option<&str>,
    place: Option<(&str, &str)>,
) -> Box<dyn Iterator<Item = &'a Arc<Row>> + 'a> {
    let Some(name) = name else { return Box::new(rows.after(place)) };
    let (plain, folded) = (name.to_owned(), format!("{name}:"));
    // No id is empty: these places are before all rows of the name.
    let alone = rows.after(place.max(Some((&plain, ""))));
    let versions = rows.after(place.max(Some((&folded, ""))));
    Box::new(
        alone
            .take_while(move |row| row.record().name.as_str() == plain)
            .chain(versions.take_while(move |row| row.record().name.as_str().starts_with(&folded))),
    )
}
