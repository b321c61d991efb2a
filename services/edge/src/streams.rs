//! The open streams: who has how many, what is shown of them, and which of them nobody reads.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use soorma_api::{Connection, Connections};
use soorma_core::{Error, ErrorCode, Scope, TenantId};
use tokio::time::Instant;

use crate::config::Config;
use crate::watched::Watched;

/// When a place may be free again, nobody knows; clients should not knock all at once.
const COME_BACK: Duration = Duration::from_secs(5);

/// What kind of stream it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A place in the log.
    Live,
    /// A member of a group that settles by answers and time.
    Member,
    /// A member that acknowledges.
    Explicit,
    /// What happens to a plan of working memory.
    Watch,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Live, Self::Member, Self::Explicit, Self::Watch];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Member => "member",
            Self::Explicit => "explicit",
            Self::Watch => "watch",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Streams {
    max: usize,
    max_per_tenant: usize,
    max_per_principal: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    streams: BTreeMap<u64, One>,
    /// Under a tenant alone stands the whole tenant; under one with what the caller says, that principal.
    counts: HashMap<(TenantId, Option<Principal>), usize>,
}

type Principal = (Option<String>, Option<String>);

#[derive(Debug)]
struct One {
    tenant: TenantId,
    principal: Principal,
    kind: Kind,
    connection: Connection,
    watched: Weak<Watched>,
}

/// The place of one stream; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    streams: Arc<Streams>,
    key: u64,
}

impl Streams {
    pub(crate) fn new(config: &Config) -> Arc<Self> {
        Arc::new(Self {
            max: config.max_streams,
            max_per_tenant: config.max_streams_per_tenant,
            max_per_principal: config.max_streams_per_principal,
            open: Mutex::default(),
        })
    }

    pub(crate) fn open(
        self: &Arc<Self>,
        scope: &Scope,
        kind: Kind,
        connection: Connection,
    ) -> Result<Place, Error> {
        let mut open = self.lock();
        if open.streams.len() >= self.max {
            let message = format!("{} streams are open, which is all this node takes", self.max);
            return Err(Error::new(ErrorCode::Overloaded, message).retry_after(COME_BACK));
        }
        let tenant = scope.tenant.clone();
        let principal = (scope.service_tenant.clone(), scope.user.clone());
        let (all, own) = ((tenant.clone(), None), (tenant.clone(), Some(principal.clone())));
        for (who, key, most) in
            [("tenant", &all, self.max_per_tenant), ("principal", &own, self.max_per_principal)]
        {
            if open.counts.get(key).is_some_and(|count| *count >= most) || most == 0 {
                let message = format!("this {who} has {most} streams open, which is all it may; close one");
                return Err(Error::new(ErrorCode::RateLimited, message).retry_after(COME_BACK));
            }
        }
        for key in [all, own] {
            *open.counts.entry(key).or_default() += 1;
        }
        let key = open.next;
        open.next += 1;
        open.streams.insert(key, One { tenant, principal, kind, connection, watched: Weak::new() });
        Ok(Place { streams: self.clone(), key })
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().streams.len()
    }

    /// How many of a kind are open, of one tenant or of all.
    pub(crate) fn count_of(&self, kind: Kind, of: Option<&TenantId>) -> usize {
        let open = self.lock();
        let theirs = open.streams.values().filter(|one| of.is_none_or(|tenant| one.tenant == *tenant));
        theirs.filter(|one| one.kind == kind).count()
    }

    pub(crate) fn of(&self, tenant: &TenantId) -> Connections {
        let open = self.lock();
        let theirs = open.streams.values().filter(|one| one.tenant == *tenant);
        let connections: Vec<_> = theirs.map(|one| one.connection.clone()).collect();
        Connections { count: connections.len(), connections }
    }

    /// Ends the streams whose connections have taken nothing for so long; returns how many.
    pub(crate) fn end_stalled(&self, stall_after: Duration) -> usize {
        let watched: Vec<_> = self.lock().streams.values().filter_map(|one| one.watched.upgrade()).collect();
        let now = Instant::now();
        watched.iter().filter(|watched| watched.end_if_stalled(now, stall_after)).count()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Has the stream ended when nobody reads it.
    pub(crate) fn watch(&self, watched: Weak<Watched>) {
        if let Some(one) = self.streams.lock().streams.get_mut(&self.key) {
            one.watched = watched;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        let Some(One { tenant, principal, .. }) = open.streams.remove(&self.key) else {
            return;
        };
        for key in [(tenant.clone(), None), (tenant, Some(principal))] {
            if let Some(count) = open.counts.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    open.counts.remove(&key);
                }
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

    fn who(tenant: &str, user: Option<&str>) -> Scope {
        let tenant = TenantId::new(tenant).expect("a tenant");
        Scope { tenant, user: user.map(str::to_owned), ..Scope::default() }
    }

    fn streams(max: usize, tenant: usize, principal: usize) -> Arc<Streams> {
        Streams::new(&Config {
            max_streams: max,
            max_streams_per_tenant: tenant,
            max_streams_per_principal: principal,
            ..Config::default()
        })
    }

    #[test]
    fn a_place_that_is_given_back_can_be_taken_again() {
        let streams = streams(3, 2, 2);
        let (one, two) = (who("one", None), who("two", None));
        let open = |who, id| streams.open(who, Kind::Live, connection(id));
        let first = open(&one, "1").expect("a place");
        let _second = streams.open(&one, Kind::Explicit, connection("2")).expect("a place");
        let refused = open(&one, "3").expect_err("the tenant is full");
        assert_eq!(refused.code, ErrorCode::RateLimited);
        let _third = open(&two, "4").expect("a place");
        let refused = open(&two, "5").expect_err("the node is full");
        assert_eq!((refused.code, refused.retry_after), (ErrorCode::Overloaded, Some(COME_BACK)));
        drop(first);
        assert_eq!((streams.count(), streams.of(&one.tenant).count), (2, 1));
        assert_eq!(Kind::ALL.map(|kind| streams.count_of(kind, None)), [1, 0, 1, 0]);
        assert_eq!(Kind::ALL.map(|kind| streams.count_of(kind, Some(&one.tenant))), [0, 0, 1, 0]);
        assert_eq!(streams.of(&one.tenant).connections, [connection("2")]);
        assert!(open(&two, "6").is_ok());
        assert_eq!(streams.lock().counts.len(), 4);
    }

    #[test]
    fn a_principal_has_a_bound_of_its_own_within_its_tenant() {
        let streams = streams(10, 3, 1);
        let open = |who: &Scope| streams.open(who, Kind::Live, connection("c"));
        let (ann, bob) = (who("one", Some("ann")), who("one", Some("bob")));
        let first = open(&ann).expect("a place");
        let refused = open(&ann).expect_err("she has one");
        assert_eq!((refused.code, refused.retry_after), (ErrorCode::RateLimited, Some(COME_BACK)));
        assert!(refused.message.contains("principal"), "{refused}");
        let _other = open(&bob).expect("he has none");
        let _elsewhere = open(&who("two", Some("ann"))).expect("another ann");
        drop(first);
        assert!(open(&ann).is_ok());
    }
}
