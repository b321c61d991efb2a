//! Rows in the order in which they are shown: by name, then by id.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::ops::Bound;
use std::sync::Arc;

use crate::view::row::Row;

/// Where a row stands in that order. A set of rows can be asked for a place without a row that stands there.
pub(crate) trait Place {
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
#[derive(Debug, Clone)]
pub(crate) struct ByPlace(pub(crate) Arc<Row>);

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

/// Some rows in order.
pub(crate) type Rows = BTreeSet<ByPlace>;

/// Returns the rows that stand after a place.
pub(crate) fn after<'a>(
    rows: &'a Rows,
    place: Option<(&str, &str)>,
) -> impl Iterator<Item = &'a Arc<Row>> + use<'a> {
    let from = match &place {
        Some(place) => Bound::Excluded(place as &dyn Place),
        None => Bound::Unbounded,
    };
    rows.range::<dyn Place, _>((from, Bound::Unbounded)).map(|row| &row.0)
}
