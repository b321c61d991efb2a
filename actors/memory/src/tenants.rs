//! What each tenant has under way, and about how much it has in the store: bounds that keep one from crowding out the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use soorma_core::{Error, ErrorCode, TenantId};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::config::Config;

/// Of the queue of a writer, a tenant has one part of so many.
const SHARES: usize = 4;
/// From how many tenants on those are forgotten that have nothing under way.
const MOST: usize = 10_000;
/// For how long a count is good: what expires and what other nodes write is not counted here.
const GOOD_FOR: Duration = Duration::from_secs(600);
/// How soon a tenant that is full is counted again: it may have removed something.
const AGAIN: Duration = Duration::from_secs(1);
/// How soon who is told that there is too much may come back.
const COME_BACK: Duration = Duration::from_millis(100);
/// How soon who has no room may come back: something must be removed first.
const FULL: Duration = Duration::from_secs(60);

/// All tenants that are heard of.
#[derive(Debug)]
pub(crate) struct Tenants {
    all: Mutex<HashMap<TenantId, Arc<Tenant>>>,
    waiting: Arc<Semaphore>,
    kib: Arc<Semaphore>,
    limits: Limits,
    /// Some tenant is to be counted.
    pub(crate) to_count: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    waiting: usize,
    kib: u32,
    writers: usize,
    changes: usize,
    watchers: usize,
    entries: u64,
    bytes: u64,
}

/// One tenant.
#[derive(Debug)]
pub(crate) struct Tenant {
    waiting: Arc<Semaphore>,
    kib: Arc<Semaphore>,
    /// Its share of the queue of each writer.
    changes: Vec<Arc<Semaphore>>,
    watchers: Arc<Semaphore>,
    usage: Mutex<Usage>,
}

/// About how much a tenant has.
#[derive(Debug, Default)]
struct Usage {
    entries: u64,
    bytes: u64,
    /// How many bytes were put in the place of others since it was counted; how many those had is not known.
    replaced: u64,
    /// When it was counted last; before that, only what was added since is known.
    counted: Option<Instant>,
    to_count: bool,
}

/// A request that is under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    tenant: Arc<Tenant>,
    _waiting: (OwnedSemaphorePermit, OwnedSemaphorePermit),
    _kib: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl Tenants {
    pub(crate) fn new(config: &Config) -> Self {
        let kib = config.max_waiting_kib.clamp(1, Semaphore::MAX_PERMITS);
        let kib_of_one = config.max_waiting_kib_per_tenant.clamp(1, kib);
        Self {
            all: Mutex::default(),
            waiting: Arc::new(Semaphore::new(config.max_waiting.min(Semaphore::MAX_PERMITS))),
            kib: Arc::new(Semaphore::new(kib)),
            limits: Limits {
                waiting: config.max_waiting_per_tenant.min(Semaphore::MAX_PERMITS),
                kib: u32::try_from(kib_of_one).unwrap_or(u32::MAX),
                writers: config.writers,
                changes: config.max_waiting_per_writer.div_ceil(SHARES).min(Semaphore::MAX_PERMITS),
                watchers: config.max_watchers_per_tenant.min(Semaphore::MAX_PERMITS),
                entries: config.max_entries_per_tenant,
                bytes: config.max_bytes_per_tenant,
            },
            to_count: Notify::new(),
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Tenant>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, tenant: &TenantId) -> Arc<Tenant> {
        let mut all = self.all();
        if let Some(there) = all.get(tenant) {
            return Arc::clone(there);
        }
        if all.len() >= MOST {
            // Who has something under way holds its own; who watches holds its places alone.
            all.retain(|_, tenant| Arc::strong_count(tenant) > 1 || Arc::strong_count(&tenant.watchers) > 1);
        }
        let new = Arc::new(Tenant {
            waiting: Arc::new(Semaphore::new(self.limits.waiting)),
            kib: Arc::new(Semaphore::new(usize::try_from(self.limits.kib).unwrap_or(usize::MAX))),
            changes: (0..self.limits.writers)
                .map(|_| Arc::new(Semaphore::new(self.limits.changes)))
                .collect(),
            watchers: Arc::new(Semaphore::new(self.limits.watchers)),
            usage: Mutex::default(),
        });
        all.insert(tenant.clone(), Arc::clone(&new));
        new
    }

    /// Begins a request that has so many KiB to be written, if any.
    ///
    /// # Errors
    /// `overloaded` when too much is under way.
    pub(crate) fn enter(&self, tenant: &TenantId, kib: u32) -> Result<Place, Error> {
        let tenant = self.of(tenant);
        let full = |_| {
            let message = "too much is asked of memory at once; try again in a moment";
            Error::new(ErrorCode::Overloaded, message).retry_after(COME_BACK)
        };
        let own = Arc::clone(&tenant.waiting).try_acquire_owned().map_err(full)?;
        let all = Arc::clone(&self.waiting).try_acquire_owned().map_err(full)?;
        let kib = match kib {
            0 => None,
            kib => {
                // What is larger than all that a tenant may have under way goes alone.
                let kib = kib.min(self.limits.kib);
                let own = Arc::clone(&tenant.kib).try_acquire_many_owned(kib).map_err(full)?;
                Some((own, Arc::clone(&self.kib).try_acquire_many_owned(kib).map_err(full)?))
            }
        };
        Ok(Place { tenant, _waiting: (own, all), _kib: kib })
    }

    /// Begins a request that adds an entry of so many bytes.
    ///
    /// # Errors
    /// `overloaded` when too much is under way, `rate_limited` when the tenant has no room for more.
    pub(crate) fn enter_to_add(&self, tenant: &TenantId, bytes: usize) -> Result<Place, Error> {
        self.enter_to_put(tenant, bytes, None)
    }

    /// The same where an entry of so many bytes is there already, if one is given: who is full may still change what there is, but not make it longer.
    pub(crate) fn enter_to_put(
        &self,
        tenant: &TenantId,
        bytes: usize,
        there: Option<usize>,
    ) -> Result<Place, Error> {
        let place = self.enter(tenant, crate::bounds::kib(bytes))?;
        self.room(&place, bytes, there)?;
        Ok(place)
    }

    /// Says whether there is room for an entry of so many bytes, where one of so many is there already.
    pub(crate) fn room(&self, place: &Place, bytes: usize, there: Option<usize>) -> Result<(), Error> {
        let (mut usage, now) = (place.tenant.usage(), Instant::now());
        let Limits { entries, bytes: most, .. } = self.limits;
        let adding = u64::try_from(bytes.saturating_sub(there.unwrap_or(0))).unwrap_or(u64::MAX);
        let too_many = there.is_none() && usage.entries >= entries;
        let full = too_many || (adding > 0 && usage.bytes.saturating_add(adding) > most);
        let may_be_full = usage.bytes.saturating_add(usage.replaced).saturating_add(adding) > most;
        let good_for = if full || may_be_full { AGAIN } else { GOOD_FOR };
        if !usage.to_count && usage.counted.is_none_or(|at| now.duration_since(at) >= good_for) {
            usage.to_count = true;
            self.to_count.notify_one();
        }
        if !full {
            return Ok(());
        }
        let message = format!(
            "there is no room: the tenant has {} entries of at most {entries}, and {} bytes of at most {most}. Remove some",
            usage.entries, usage.bytes
        );
        Err(Error::new(ErrorCode::RateLimited, message).retry_after(FULL))
    }

    /// Begins to watch; nothing where a tenant watches too much.
    pub(crate) fn watcher(&self, tenant: &TenantId) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.of(tenant).watchers).try_acquire_owned().ok()
    }

    /// Returns the tenants that are to be counted, in the order of their ids.
    pub(crate) fn due(&self) -> Vec<TenantId> {
        let all = self.all();
        let due = all.iter().filter(|(_, tenant)| tenant.usage().to_count);
        let mut due: Vec<_> = due.map(|(id, _)| id.clone()).collect();
        due.sort();
        due
    }

    /// Says what a tenant has.
    pub(crate) fn counted(&self, tenant: &TenantId, entries: u64, bytes: u64) {
        *self.of(tenant).usage() =
            Usage { entries, bytes, replaced: 0, counted: Some(Instant::now()), to_count: false };
    }

    /// Says that so much of a tenant is gone that it is to be counted anew.
    pub(crate) fn count_again(&self, tenant: &TenantId) {
        self.of(tenant).usage().to_count = true;
        self.to_count.notify_one();
    }
}

impl Tenant {
    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Takes one of the tenant's places in the queue of a writer; nothing where its share is taken.
    pub(crate) fn waits_for(&self, writer: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(self.tenant.changes.get(writer)?).try_acquire_owned().ok()
    }

    /// Says that an entry of so many bytes was made.
    pub(crate) fn added(&self, bytes: usize) {
        let mut usage = self.tenant.usage();
        usage.entries = usage.entries.saturating_add(1);
        usage.bytes = usage.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Says that so many bytes were put in the place of others.
    pub(crate) fn replaced(&self, bytes: usize) {
        let mut usage = self.tenant.usage();
        usage.replaced = usage.replaced.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Says that so many entries were removed; how long they were is found out when the tenant is counted.
    pub(crate) fn removed(&self, entries: u64) {
        let mut usage = self.tenant.usage();
        usage.entries = usage.entries.saturating_sub(entries);
    }
}

#[cfg(test)]
mod tests {
    use soorma_testkit::tenant;

    use super::*;

    fn tenants(config: Config) -> Tenants {
        Tenants::new(&config)
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_has_so_much_under_way_and_all_together_so_much() {
        let tenants = tenants(Config {
            max_waiting: 3,
            max_waiting_per_tenant: 2,
            max_waiting_kib: 10,
            max_waiting_kib_per_tenant: 6,
            ..Config::default()
        });
        let (a, b) = (tenant("a"), tenant("b"));
        let first = tenants.enter(&a, 5).expect("room");
        assert!(tenants.enter(&a, 2).is_err(), "six KiB of a tenant");
        let _second = tenants.enter(&a, 0).expect("room");
        let refused = tenants.enter(&a, 0).expect_err("two of a tenant");
        assert_eq!((refused.code, refused.retry_after), (ErrorCode::Overloaded, Some(COME_BACK)));
        assert!(tenants.enter(&b, 6).is_err(), "ten KiB of all");
        let third = tenants.enter(&b, 5).expect("room");
        assert!(tenants.enter(&b, 0).is_err(), "three of all");
        drop((first, third));
        let _alone = tenants.enter(&a, 1_000).expect("what is larger than all is alone");
        assert!(tenants.enter(&b, 4).is_ok(), "and leaves room for others");
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_that_is_full_is_told_so_and_counted_again() {
        let limits = Config { max_entries_per_tenant: 2, max_bytes_per_tenant: 100, ..Config::default() };
        let tenants = tenants(limits);
        let a = tenant("a");
        tenants.enter_to_add(&a, 10).expect("room").added(10);
        assert_eq!(tenants.due(), std::slice::from_ref(&a), "what was there before is not known");
        tenants.counted(&a, 1, 10);
        assert!(tenants.enter_to_add(&a, 91).is_err(), "too many bytes");
        tenants.enter_to_add(&a, 90).expect("room").added(90);
        let refused = tenants.enter_to_add(&a, 1).expect_err("no room");
        assert_eq!(refused.code, ErrorCode::RateLimited);
        assert!(tenants.due().is_empty(), "it was counted a moment ago");
        tokio::time::advance(AGAIN).await;
        assert!(tenants.enter_to_add(&a, 1).is_err() && tenants.due() == [a.clone()]);
        tenants.counted(&a, 1, 10);
        tenants.enter_to_add(&a, 1).expect("room").removed(1);
        // What was put in the place of something may have made it longer: that is found out in time.
        tokio::time::advance(AGAIN).await;
        tenants.enter_to_add(&a, 1).expect("room").replaced(90);
        assert!(tenants.due().is_empty());
        assert!(tenants.enter_to_add(&a, 1).is_ok() && tenants.due() == [a.clone()]);
        assert!(tenants.enter_to_add(&tenant("b"), 1).is_ok(), "another tenant has its own");
        tenants.counted(&a, 2, 100);
        assert!(tenants.enter_to_put(&a, 10, Some(10)).is_ok(), "what is there may be changed");
        assert!(tenants.enter_to_put(&a, 11, Some(10)).is_err(), "but not made longer");
    }

    #[tokio::test(start_paused = true)]
    async fn tenants_with_nothing_under_way_are_forgotten() {
        let limits = Config { max_waiting_per_tenant: 1, max_watchers_per_tenant: 1, ..Config::default() };
        let tenants = tenants(limits);
        let _watching = tenants.watcher(&tenant("watching")).expect("room");
        let _held = tenants.enter(&tenant("held"), 0).expect("room");
        for n in 0..2 * MOST {
            assert!(tenants.enter(&tenant(&format!("t{n}")), 0).is_ok());
        }
        assert!(tenants.all().len() <= MOST + 2);
        assert!(tenants.watcher(&tenant("watching")).is_none(), "it still counts");
        assert!(tenants.enter(&tenant("held"), 0).is_err(), "it still counts");
    }
}
