//! The bus itself: it guards the log's door and says who a published event belongs to.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{Error, ErrorCode, Event, Name, TenantId, Topic, json_bytes};
use soorma_ports::{
    Appended, Bus, Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, DeliveryId, EventLog, EventLogError,
    GroupCommand, GroupKey, GroupStatus, Looked, PayloadCheck, Reach, Settle, Subscriber, Subscription,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::config::Config;
use crate::subscriber::LiveStream;
use crate::tail::Tails;

/// A full bus has room again after a commit or two of the log.
const COME_BACK: Duration = Duration::from_millis(100);

/// How long the events of one publish are looked at where others wait for it.
const AT_ONCE: Duration = Duration::from_millis(5);

/// How often groups are looked through for those that nobody uses.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// What a feed may hold at most, since its places are made at once.
const MAX_TAIL_BUFFER: u32 = 65_536;

/// The bus of a node.
#[derive(Debug)]
pub struct EventBus {
    log: Arc<dyn EventLog>,
    config: Config,
    places: Semaphore,
    tails: Arc<Tails>,
    /// Who looks at payloads stands on the bus itself, so it comes after it.
    check: OnceLock<Arc<dyn PayloadCheck>>,
}

impl EventBus {
    /// Makes the bus over a log.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, config: Config) -> Arc<Self> {
        let config = Config {
            max_in_flight: config.max_in_flight.max(1),
            max_event_bytes: config.max_event_bytes.max(1),
            tail_buffer: config.tail_buffer.clamp(1, MAX_TAIL_BUFFER),
        };
        Arc::new(Self {
            log,
            places: Semaphore::new(to_usize(config.max_in_flight)),
            tails: Arc::new(Tails::new(to_usize(config.tail_buffer))),
            config,
            check: OnceLock::new(),
        })
    }

    /// Has each event looked at before it is published. Only the first call counts: who publishes is not to see the rules change.
    pub fn checked_by(&self, check: Arc<dyn PayloadCheck>) {
        let _first = self.check.get_or_init(|| check);
    }

    /// Reads the tail of a topic for all live streams, and waits while the log is away; dropping it stops it, and
    /// running it again goes on where it was. Streams catch up from the log without it, and then wait for it.
    ///
    /// # Errors
    /// What the log answered that it would not help to wait for.
    pub async fn run_tail(&self, topic: Topic) -> Result<Infallible, Error> {
        self.tails.run(&*self.log, topic).await
    }

    /// Forgets groups that nobody uses, now and then. Never returns; dropping it stops it.
    pub async fn run_janitor(&self) {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            match self.log.expire_groups().await {
                Ok(gone) => {
                    for (tenant, group) in gone {
                        tracing::info!(%tenant, %group, "a group that nobody used is forgotten");
                    }
                }
                Err(error) => tracing::debug!(%error, "cannot look for groups that nobody uses; later again"),
            }
        }
    }

    /// Takes places for so many events on their way into the log.
    fn places(&self, count: u32) -> Result<SemaphorePermit<'_>, Error> {
        self.places.try_acquire_many(count).map_err(|_| {
            let most = self.config.max_in_flight;
            let message =
                format!("{most} events are on their way into the log already; try again in a moment");
            Error::new(ErrorCode::Overloaded, message).retry_after(COME_BACK)
        })
    }

    /// Passes on what the log has answered; why it does not serve is for the operator alone.
    fn said<T>(&self, answer: Result<T, EventLogError>) -> Result<T, Error> {
        Ok(answer.inspect_err(|error| self.tails.outage.heard(error))?)
    }

    /// As [`said`](Self::said), of what shows that the log can be written to.
    fn written<T>(&self, answer: Result<T, EventLogError>) -> Result<T, Error> {
        if answer.is_ok() {
            self.tails.outage.over();
        }
        self.said(answer)
    }

    fn fits(&self, event: &Event) -> Result<(), Error> {
        let (size, most) = (json_bytes(event), to_usize(self.config.max_event_bytes));
        if size <= most {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "event {} has {size} bytes; at most {most} are allowed. Keep large content elsewhere and send where it is",
            event.id
        )))
    }
}

#[async_trait]
impl Bus for EventBus {
    async fn publish(&self, tenant: &TenantId, mut events: Vec<Event>) -> Result<Vec<Appended>, Error> {
        let most = self.config.max_in_flight;
        let count = match u32::try_from(events.len()) {
            Ok(0) => return Ok(Vec::new()),
            Ok(count) if count <= most => count,
            _ => {
                return Err(Error::invalid(format!("at most {most} events can be published at once")));
            }
        };
        let mut _places = self.places(count)?;
        for event in &mut events {
            event.platform_tenant_id = Some(tenant.to_string());
            self.fits(event)?;
        }
        if let Some(check) = self.check.get()
            && let Some(unready) = unready(&**check, tenant, &events)?
        {
            // What others publish is not to wait for what this tenant has to have made ready.
            drop(_places);
            check.check_payloads(tenant, unready).await?;
            _places = self.places(count)?;
        }
        self.written(self.log.append(tenant, events.into_iter().map(Arc::new).collect()).await)
    }

    async fn join(&self, spec: ConsumerSpec) -> Result<Arc<dyn Consumer>, Error> {
        self.said(self.log.consumer(spec).await)
    }

    async fn settle(
        &self,
        tenant: &TenantId,
        group: &Name,
        settlements: Vec<(DeliveryId, Settle)>,
    ) -> Result<Vec<bool>, Error> {
        self.said(self.log.settle(tenant, group, settlements).await)?.ok_or_else(|| no_group(group))
    }

    async fn groups(
        &self,
        reach: &Reach,
        after: Option<&GroupKey>,
        limit: usize,
    ) -> Result<Vec<GroupStatus>, Error> {
        self.said(self.log.groups(reach, after, limit).await)
    }

    async fn count_groups(&self, tenant: &TenantId) -> Result<u64, Error> {
        self.said(self.log.count_groups(tenant).await)
    }

    async fn group(&self, tenant: &TenantId, group: &Name) -> Result<GroupStatus, Error> {
        self.said(self.log.group(tenant, group).await)?.ok_or_else(|| no_group(group))
    }

    async fn command(&self, tenant: &TenantId, group: &Name, command: GroupCommand) -> Result<(), Error> {
        if self.said(self.log.command(tenant, group, command).await)? { Ok(()) } else { Err(no_group(group)) }
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Box<dyn Subscriber>, EventLogError> {
        let stream = LiveStream::open(self.log.clone(), self.tails.clone(), subscription).await;
        Ok(Box::new(stream.inspect_err(|error| self.tails.outage.heard(error))?))
    }

    async fn dead_letters(
        &self,
        tenant: &TenantId,
        filter: &DeadLetterFilter,
        after: u64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, Error> {
        self.said(self.log.dead_letters(tenant, filter, after, limit).await)
    }

    async fn dead_letter(&self, tenant: &TenantId, id: u64) -> Result<DeadLetter, Error> {
        self.said(self.log.dead_letter(tenant, id).await)?
            .ok_or_else(|| Error::not_found(format!("there is no dead letter {id}")))
    }

    async fn redrive(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, Error> {
        self.said(self.log.redrive(tenant, ids).await)
    }

    async fn discard(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, Error> {
        self.said(self.log.discard(tenant, ids).await)
    }

    async fn check(&self) -> Result<(), Error> {
        self.written(self.log.check().await)
    }
}

/// Looks at events one by one; returns those from the first on that cannot be looked at here and now.
fn unready<'e>(
    check: &dyn PayloadCheck,
    tenant: &TenantId,
    events: &'e [Event],
) -> Result<Option<&'e [Event]>, Error> {
    let began = Instant::now();
    for (nth, event) in events.iter().enumerate() {
        // Each takes little, but there may be a thousand, and others wait for this thread.
        let is_late = nth > 0 && began.elapsed() >= AT_ONCE;
        if is_late || check.check_payload(tenant, event)? == Looked::NotReady {
            return Ok(events.get(nth..));
        }
    }
    Ok(None)
}

fn no_group(group: &Name) -> Error {
    Error::not_found(format!("there is no group {group}"))
}

fn to_usize(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
