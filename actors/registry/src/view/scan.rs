//! Finding the agents that fit, piece by piece: between two pieces others may change what is looked through.

use std::sync::Arc;

use soorma_core::{AgentStatus, Error, Topic};
use soorma_ports::{AgentPage, AgentQuery};

use crate::view::agents::Agents;
use crate::view::definitions::Definitions;
use crate::view::place::Rows;
use crate::view::row::{Moment, Row};
use crate::view::words::Words;

/// A query on its way.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    query: &'a AgentQuery,
    words: Words,
    now: Moment,
    /// The row that was looked at last.
    last: Option<Arc<Row>>,
    found: Vec<Arc<Row>>,
    more: bool,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(query: &'a AgentQuery, now: Moment) -> Result<Self, Error> {
        let words = Words::new(query.text.as_deref().unwrap_or_default())?;
        Ok(Self { query, words, now, last: None, found: Vec::new(), more: false })
    }

    /// Looks at so many more rows; says whether it is at its end.
    pub(crate) fn go_on(&mut self, agents: &Agents, definitions: &Definitions, most: usize) -> bool {
        if let Some(id) = &self.query.id {
            let row = agents.get(id.as_str()).filter(|row| self.is_after(row) && self.fits(row, definitions));
            if let Some(row) = row {
                self.take(row);
            }
            return true;
        }
        let Some(rows) = agents.candidates(self.query) else { return true };
        let before = self.last.take();
        let given = self.query.after.as_ref().map(|(name, id)| (name.as_str(), id.as_str()));
        let place =
            before.as_deref().map(|row| (row.record().name.as_str(), row.record().id.as_str())).or(given);
        let mut looked_at = 0;
        for row in with_name(rows, self.query.name.as_deref(), place) {
            if self.is_after(row) && self.fits(row, definitions) && !self.take(row) {
                return true;
            }
            looked_at += 1;
            if looked_at == most {
                self.last = Some(Arc::clone(row));
                return false;
            }
        }
        true
    }

    pub(crate) fn page(self) -> AgentPage {
        let now = self.now;
        AgentPage { agents: self.found.iter().map(|row| row.registered(now)).collect(), more: self.more }
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
    fn take(&mut self, row: &Arc<Row>) -> bool {
        if self.query.one_of_each_name
            && let Some(last) = self.found.last_mut()
            && last.record().name == row.record().name
        {
            let heard_at = last.life().heard_at;
            if row.life().heard_at > heard_at {
                *last = Arc::clone(row);
            }
            return true;
        }
        if self.found.len() >= self.query.limit {
            self.more = true;
            return false;
        }
        self.found.push(Arc::clone(row));
        true
    }

    fn fits(&self, row: &Row, definitions: &Definitions) -> bool {
        let (query, record) = (self.query, row.record());
        let has =
            |events: &[soorma_core::Name], event: &str| events.iter().any(|name| name.as_str() == event);
        query.name.as_deref().is_none_or(|name| record.name.as_str() == name || record.bare_name() == name)
            && query.kind.is_none_or(|kind| record.kind == Some(kind))
            && query.consumes.as_deref().is_none_or(|event| has(&record.consumes, event))
            && query.produces.as_deref().is_none_or(|event| has(&record.produces, event))
            && query
                .capability
                .as_deref()
                .is_none_or(|name| record.capabilities.iter().any(|one| one.name.as_str() == name))
            && self.has_status(row)
            && query.topic.is_none_or(|topic| is_on(row, topic, definitions))
            && self.words.are_in(record)
    }

    fn has_status(&self, row: &Row) -> bool {
        let is = row.status(self.now);
        match self.query.status {
            Some(status) => is == status,
            None => self.query.expired || is != AgentStatus::Expired,
        }
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
