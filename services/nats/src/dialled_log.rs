//! The event log on a server that may not be there yet.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{Name, Position, TenantId, Topic};
use soorma_ports::{
    Appended, Bounds, Clock, Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, DeliveryId, EventLog,
    EventLogError, Follower, GroupCommand, GroupKey, GroupStatus, Page, Reach, Settle,
};

use crate::config::NatsLogConfig;
use crate::log::NatsLog;

/// A server that starts beside us is there in a moment.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Often enough for one that was away for long, and for a refusal that somebody has to do something about.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// An event log that is there at once and works as soon as a server answers: until then every call is answered
/// [`EventLogError::Unavailable`] with the reason.
///
/// Somebody has to [`run`](Self::run) it. Once it is open the connection looks after itself.
#[derive(Debug)]
pub struct DialledLog {
    config: NatsLogConfig,
    clock: Arc<dyn Clock>,
    dialled: Mutex<Dialled>,
    /// Held by who dials.
    dialling: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
enum Dialled {
    NotYet,
    Refused(EventLogError),
    Open(Arc<NatsLog>),
}

impl DialledLog {
    /// Makes a log that has not dialled yet.
    pub fn new(config: NatsLogConfig, clock: Arc<dyn Clock>) -> Arc<Self> {
        let dialled = Mutex::new(Dialled::NotYet);
        Arc::new(Self { config, clock, dialled, dialling: tokio::sync::Mutex::default() })
    }

    /// Dials once. A server that is not there is no error, since it may come.
    ///
    /// # Errors
    /// When it would not help to wait: the configuration is wrong, the credentials are refused, the server is too old, or it has streams
    /// that cannot be changed into ours.
    pub async fn first_try(&self) -> Result<(), EventLogError> {
        match self.dial().await {
            Err(error) if is_for_good(&error) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Dials until the log is open, and then stays; never returns.
    pub async fn run(&self) {
        let mut wait = FIRST_WAIT;
        while let Err(error) = self.dial().await {
            // Somebody may still set it right on the server.
            wait = if is_for_good(&error) { LONGEST_WAIT } else { wait };
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        std::future::pending().await
    }

    async fn dial(&self) -> Result<(), EventLogError> {
        let _dialling = self.dialling.lock().await;
        if matches!(*self.dialled(), Dialled::Open(_)) {
            return Ok(());
        }
        match NatsLog::open(&self.config, self.clock.clone()).await {
            Ok(log) => {
                tracing::info!("the event log on nats is open");
                *self.dialled() = Dialled::Open(log);
                Ok(())
            }
            Err(error) => {
                let before = std::mem::replace(&mut *self.dialled(), Dialled::Refused(error.clone()));
                // Once for each reason, not for each try; a refusal of the first try is for the caller to say.
                match before {
                    Dialled::Refused(before) if before == error => {}
                    Dialled::NotYet if is_for_good(&error) => {}
                    _ if is_for_good(&error) => {
                        tracing::error!(%error, "nats refuses the event log, trying again now and then");
                    }
                    _ => tracing::warn!(%error, "nats does not answer, trying again"),
                }
                Err(error)
            }
        }
    }

    fn dialled(&self) -> std::sync::MutexGuard<'_, Dialled> {
        self.dialled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> Result<Arc<NatsLog>, EventLogError> {
        let reason = match &*self.dialled() {
            Dialled::Open(log) => return Ok(log.clone()),
            Dialled::NotYet => "no NATS server was dialled yet".to_owned(),
            // The reason alone: it is said anew what that means for the caller.
            Dialled::Refused(EventLogError::Unavailable(reason)) => reason.clone(),
            Dialled::Refused(error) => error.to_string(),
        };
        Err(EventLogError::Unavailable(format!("{reason}; trying again")))
    }
}

/// Whether waiting alone does not help.
fn is_for_good(error: &EventLogError) -> bool {
    matches!(error, EventLogError::Invalid(_))
}

#[async_trait]
impl EventLog for DialledLog {
    async fn append(
        &self,
        tenant: &TenantId,
        events: Vec<Arc<soorma_core::Event>>,
    ) -> Result<Vec<Appended>, EventLogError> {
        self.log()?.append(tenant, events).await
    }

    async fn read(
        &self,
        reach: &Reach,
        topic: Topic,
        after: Position,
        limit: usize,
    ) -> Result<Page, EventLogError> {
        self.log()?.read(reach, topic, after, limit).await
    }

    async fn bounds(&self, topic: Topic) -> Result<Bounds, EventLogError> {
        self.log()?.bounds(topic).await
    }

    async fn follow(&self, topic: Topic, after: Position) -> Result<Box<dyn Follower>, EventLogError> {
        self.log()?.follow(topic, after).await
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Arc<dyn Consumer>, EventLogError> {
        self.log()?.consumer(spec).await
    }

    async fn settle(
        &self,
        tenant: &TenantId,
        group: &Name,
        settlements: Vec<(DeliveryId, Settle)>,
    ) -> Result<Option<Vec<bool>>, EventLogError> {
        self.log()?.settle(tenant, group, settlements).await
    }

    async fn groups(
        &self,
        reach: &Reach,
        after: Option<&GroupKey>,
        limit: usize,
    ) -> Result<Vec<GroupStatus>, EventLogError> {
        self.log()?.groups(reach, after, limit).await
    }

    async fn count_groups(&self, tenant: &TenantId) -> Result<u64, EventLogError> {
        self.log()?.count_groups(tenant).await
    }

    async fn group(&self, tenant: &TenantId, group: &Name) -> Result<Option<GroupStatus>, EventLogError> {
        self.log()?.group(tenant, group).await
    }

    async fn command(
        &self,
        tenant: &TenantId,
        group: &Name,
        command: GroupCommand,
    ) -> Result<bool, EventLogError> {
        self.log()?.command(tenant, group, command).await
    }

    async fn expire_groups(&self) -> Result<Vec<GroupKey>, EventLogError> {
        self.log()?.expire_groups().await
    }

    async fn dead_letters(
        &self,
        tenant: &TenantId,
        filter: &DeadLetterFilter,
        after: u64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, EventLogError> {
        self.log()?.dead_letters(tenant, filter, after, limit).await
    }

    async fn dead_letter(&self, tenant: &TenantId, id: u64) -> Result<Option<DeadLetter>, EventLogError> {
        self.log()?.dead_letter(tenant, id).await
    }

    async fn redrive(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError> {
        self.log()?.redrive(tenant, ids).await
    }

    async fn discard(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError> {
        self.log()?.discard(tenant, ids).await
    }

    async fn check(&self) -> Result<(), EventLogError> {
        self.log()?.check().await
    }
}
