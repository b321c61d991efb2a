//! Rows in the order in which they are shown: by name, then by id.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::ops::Bound;
use std::sync::Arc;

use crate::view::row::Row;

/// Where a row stands in that order. A set of rows can be asked for a place without a row that stands there.
trait Place {
    /// Returns name and id.
    fn place(&self) -> (&str, &str);
}

impl Place for (&str, &str) {
    fn place(&self) -> (&str, &str) {
        *self
    }
}

impl PartialEq for dyn Place + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for dyn Place + '_ {}

impl PartialOrd for dyn Place + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Place + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

/// A row, ordered by its place.
#[derive(Debug)]
struct ByPlace(Arc<Row>);

impl Place for ByPlace {
    fn place(&self) -> (&str, &str) {
        let record = self.0.record();
        (record.name.as_str(), record.id.as_str())
    }
}

impl<'a> Borrow<dyn Place + 'a> for ByPlace {
    fn borrow(&self) -> &(dyn Place + 'a) {
        self
    }
}

impl PartialEq for ByPlace {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for ByPlace {}

impl PartialOrd for ByPlace {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByPlace {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

/// A row, found by its id.
#[derive(Debug)]
pub(crate) struct ById(pub(crate) Arc<Row>);

impl ById {
    fn id(&self) -> &str {
        self.0.record().id.as_str()
    }
}

impl Borrow<str> for ById {
    fn borrow(&self) -> &str {
        self.id()
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

/// Some rows in order. What orders them does not change, though how they are does.
#[derive(Debug, Default)]
pub(crate) struct Rows(BTreeSet<ByPlace>);

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn put(&mut self, row: &Arc<Row>) {
        self.0.insert(ByPlace(Arc::clone(row)));
    }

    pub(crate) fn take(&mut self, row: &Row) {
        let record = row.record();
        let place = (record.name.as_str(), record.id.as_str());
        self.0.remove(&place as &dyn Place);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.0.iter().map(|row| &row.0)
    }

    /// Returns the rows that stand after a place.
    pub(crate) fn after<'a>(
        &'a self,
        place: Option<(&str, &str)>,
    ) -> impl Iterator<Item = &'a Arc<Row>> + use<'a> {
        let from = match &place {
            Some(place) => Bound::Excluded(place as &dyn Place),
            None => Bound::Unbounded,
        };
        self.0.range::<dyn Place, _>((from, Bound::Unbounded)).map(|row| &row.0)
    }
}
