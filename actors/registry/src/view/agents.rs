//! The agents of one tenant, and what they are found by.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use soorma_core::AgentRecord;
use soorma_ports::AgentQuery;

use crate::view::place::{ById, Rows};
use crate::view::row::Row;

#[derive(Debug, Default)]
pub(crate) struct Agents {
    ids: HashSet<ById>,
    all: Rows,
    consumes: Index,
    produces: Index,
    capabilities: Index,
    kinds: Index,
}

/// Rows by a word that they have. A word is kept once, however many have it.
#[derive(Debug, Default)]
struct Index(HashMap<Box<str>, Rows>);

/// What a word of a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Consumes,
    Produces,
    Capability,
    Kind,
}

/// Returns the words that a row is found by; one may come twice.
fn words(record: &AgentRecord) -> impl Iterator<Item = (By, &str)> {
    let consumes = record.consumes.iter().map(|event| (By::Consumes, event.as_str()));
    let produces = record.produces.iter().map(|event| (By::Produces, event.as_str()));
    let capabilities = record.capabilities.iter().map(|one| (By::Capability, one.name.as_str()));
    let kind = record.kind.map(|kind| (By::Kind, kind.as_str()));
    consumes.chain(produces).chain(capabilities).chain(kind)
}

impl Index {
    fn put(&mut self, word: &str, row: &Arc<Row>) {
        if let Some(rows) = self.0.get_mut(word) {
            rows.put(row);
        } else {
            self.0.entry(word.into()).or_default().put(row);
        }
    }

    fn take(&mut self, word: &str, row: &Row) {
        if let Some(rows) = self.0.get_mut(word) {
            rows.take(row);
            if rows.is_empty() {
                self.0.remove(word);
            }
        }
    }
}

impl Agents {
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Row>> {
        self.ids.get(id).map(|row| &row.0)
    }

    pub(crate) fn all(&self) -> &Rows {
        &self.all
    }

    /// Returns the fewest rows among which all are that fit a query as far as an index knows, and what all of them are known to fit;
    /// `None` when nobody fits.
    pub(crate) fn candidates(&self, query: &AgentQuery) -> Option<(&Rows, Option<By>)> {
        let asked = [
            (By::Consumes, query.consumes.as_deref()),
            (By::Produces, query.produces.as_deref()),
            (By::Capability, query.capability.as_deref()),
            (By::Kind, query.kind.map(|kind| kind.as_str())),
        ];
        let (mut fewest, mut known) = (&self.all, None);
        for (by, word) in asked {
            let Some(word) = word else { continue };
            let rows = self.index(by).0.get(word)?;
            if rows.len() < fewest.len() || known.is_none() {
                (fewest, known) = (rows, Some(by));
            }
        }
        Some((fewest, known))
    }

    /// Puts a row in; returns the one that was in its place.
    pub(crate) fn put(&mut self, row: &Arc<Row>) -> Option<Arc<Row>> {
        let old = self.remove(row.record().id.as_str());
        self.ids.insert(ById(Arc::clone(row)));
        self.all.put(row);
        for (by, word) in words(row.record()) {
            self.index_mut(by).put(word, row);
        }
        old
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, id: &str) -> Option<Arc<Row>> {
        let ById(row) = self.ids.take(id)?;
        self.all.take(&row);
        for (by, word) in words(row.record()) {
            self.index_mut(by).take(word, &row);
        }
        Some(row)
    }

    fn index(&self, by: By) -> &Index {
        match by {
            By::Consumes => &self.consumes,
            By::Produces => &self.produces,
            By::Capability => &self.capabilities,
            By::Kind => &self.kinds,
        }
    }

    fn index_mut(&mut self, by: By) -> &mut Index {
        match by {
            By::Consumes => &mut self.consumes,
            By::Produces => &mut self.produces,
            By::Capability => &mut self.capabilities,
            By::Kind => &mut self.kinds,
        }
    }
}
