//! The open streams: who has how many, and what is shown of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use soorma_api::{Connection, Connections};
use soorma_core::{Error, ErrorCode, TenantId};

/// When a place may be free again, nobody knows; clients should not knock all at once.
const COME_BACK: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Streams {
    max: usize,
    max_per_tenant: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    streams: BTreeMap<u64, (TenantId, Connection)>,
    per_tenant: HashMap<TenantId, usize>,
}

/// The place of one stream; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    streams: Arc<Streams>,
    key: u64,
}

impl Streams {
    pub(crate) fn new(max: usize, max_per_tenant: usize) -> Arc<Self> {
        Arc::new(Self { max, max_per_tenant, open: Mutex::default() })
    }

    pub(crate) fn open(self: &Arc<Self>, tenant: &TenantId, connection: Connection) -> Result<Place, Error> {
        let mut open = self.lock();
        if open.streams.len() >= self.max {
            let message = format!("{} streams are open, which is all this node takes", self.max);
            return Err(Error::new(ErrorCode::Overloaded, message).retry_after(COME_BACK));
        }
        let count = open.per_tenant.entry(tenant.clone()).or_default();
        if *count >= self.max_per_tenant {
            let message = format!(
                "this tenant has {} streams open, which is all it may; close one",
                self.max_per_tenant
            );
            return Err(Error::new(ErrorCode::RateLimited, message).retry_after(COME_BACK));
        }
        *count += 1;
        let key = open.next;
        open.next += 1;
        open.streams.insert(key, (tenant.clone(), connection));
        Ok(Place { streams: self.clone(), key })
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().streams.len()
    }

    pub(crate) fn of(&self, tenant: &TenantId) -> Connections {
        let open = self.lock();
        let theirs = open.streams.values().filter(|(owner, _)| owner == tenant);
        let connections: Vec<_> = theirs.map(|(_, connection)| connection.clone()).collect();
        Connections { count: connections.len(), connections }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        let Some((tenant, _)) = open.streams.remove(&self.key) else {
            return;
        };
        if let Some(count) = open.per_tenant.get_mut(&tenant) {
            *count -= 1;
            if *count == 0 {
                open.per_tenant.remove(&tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(id: &str) -> Connection {
        Connection { connection_id: id.into(), agent_id: "a".into(), topics: vec![] }
    }

    #[test]
    fn a_place_that_is_given_back_can_be_taken_again() {
        let streams = Streams::new(3, 2);
        let (one, two) = (TenantId::new("one").expect("a tenant"), TenantId::new("two").expect("a tenant"));
        let first = streams.open(&one, connection("1")).expect("a place");
        let _second = streams.open(&one, connection("2")).expect("a place");
        let refused = streams.open(&one, connection("3")).expect_err("the tenant is full");
        assert_eq!(refused.code, ErrorCode::RateLimited);
        let _third = streams.open(&two, connection("4")).expect("a place");
        let refused = streams.open(&two, connection("5")).expect_err("the node is full");
        assert_eq!((refused.code, refused.retry_after), (ErrorCode::Overloaded, Some(COME_BACK)));
        drop(first);
        assert_eq!((streams.count(), streams.of(&one).count), (2, 1));
        assert_eq!(streams.of(&one).connections, [connection("2")]);
        assert!(streams.open(&two, connection("6")).is_ok());
        assert_eq!(streams.lock().per_tenant.len(), 2);
    }
}
