//! One instance of an agent: handles one event at a time, and crashes when the handler panics. It holds nothing that a
//! crash could lose: the event in hand goes back to the log.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use soorma_core::{Error, Event, TenantId};
use soorma_supervise::{Actor, Cx, Failure};
use tokio::sync::mpsc::UnboundedSender;

use crate::agent::Agent;
use crate::ctx::Ctx;
use crate::handler::{Fault, Handler};
use crate::host::Runtime;
use crate::lease::{self, Lease, Seat, Word};
use crate::registrar::Registrar;
use crate::reply::reply;

/// What every instance of an agent has.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) agent: Agent,
    pub(crate) name: Arc<str>,
    /// Its id in the tree.
    pub(crate) id: String,
    pub(crate) runtime: Runtime,
    pub(crate) registrar: Arc<Registrar>,
    pub(crate) words: UnboundedSender<Word>,
}

pub(crate) struct Instance {
    of: Arc<Common>,
    seat: Seat,
}

pub(crate) enum Msg {
    Work(Lease),
    /// Says that it is free, when it is.
    Hello,
}

impl Actor for Instance {
    type Args = (Arc<Common>, Seat);
    type Msg = Msg;

    async fn start((of, seat): Self::Args, _: &mut Cx<Msg>) -> Result<Self, Failure> {
        let instance = Self { of, seat };
        instance.ready();
        Ok(instance)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Cx<Msg>) -> Result<(), Failure> {
        match msg {
            Msg::Work(lease) => self.work(lease).await,
            Msg::Hello => {
                self.ready();
                Ok(())
            }
        }
    }
}

impl Instance {
    fn ready(&self) {
        // The agent outlives its instances.
        drop(self.of.words.send(Word::Ready(self.seat)));
    }

    async fn work(&self, mut lease: Lease) -> Result<(), Failure> {
        lease.begin();
        let Common { agent, .. } = &*self.of;
        let Some(handler) = agent.handler(&lease.event).cloned() else {
            // The dispatcher lets none through that nobody handles.
            lease.settle(lease::Result::Done);
            return Ok(());
        };
        let limits = &agent.limits;
        let ctx = Ctx::new(&self.of, Arc::clone(&lease.event), lease.id.attempt);
        // The call itself may panic as well as the future it gives.
        let work = AssertUnwindSafe(async { handler.call(ctx.clone()).await }).catch_unwind();
        match tokio::time::timeout(limits.handler_timeout, work).await {
            Err(_) => {
                let within = limits.handler_timeout;
                lease.settle(lease::Result::TimedOut(format!("the handler took longer than {within:?}")));
                Ok(())
            }
            Ok(Err(panic)) => {
                let why = format!("the handler panicked: {}", text_of(panic.as_ref()));
                lease.settle(lease::Result::Crashed(why.clone()));
                Err(why.into())
            }
            Ok(Ok(outcome)) => {
                let result = self.finish(&handler, &lease.event, &ctx, outcome).await;
                lease.settle(result);
                Ok(())
            }
        }
    }

    /// Publishes what the handler has to say.
    async fn finish(
        &self,
        handler: &Handler,
        cause: &Event,
        ctx: &Ctx,
        outcome: Result<Option<serde_json::Value>, Fault>,
    ) -> lease::Result {
        let null = serde_json::Value::Null;
        let (mut outbox, answer) = match &outcome {
            Ok(value) => (ctx.take_outbox(), reply(handler, cause, Ok(value.as_ref().unwrap_or(&null)))),
            Err(Fault::Failed(why)) => (Vec::new(), reply(handler, cause, Err(why))),
            Err(fault) => return lease::Result::Fault(fault.clone()),
        };
        match (answer, &outcome) {
            (Err(fault), _) => return lease::Result::Fault(fault),
            // Nobody hears of the failure: it must not be lost.
            (Ok(None), Err(Fault::Failed(why))) => return lease::Result::Fault(Fault::retry(why)),
            (Ok(answer), _) => outbox.extend(answer),
        }
        let Common { agent, name, runtime, .. } = &*self.of;
        let now = runtime.clock.now();
        let tenant = &agent.tenant;
        let events: Vec<Event> = (0..)
            .zip(outbox)
            .map(|(ordinal, emission)| emission.into_event(name, tenant.as_str(), cause, ordinal, now))
            .collect();
        if !events.is_empty()
            && let Err(refused) = publish(runtime, tenant, events).await
        {
            return lease::Result::Fault(Fault::Reject(format!(
                "what the handler published was refused: {refused}"
            )));
        }
        match outcome {
            Err(fault @ Fault::Failed(_)) => lease::Result::Fault(fault),
            _ => lease::Result::Done,
        }
    }
}

/// Publishes however long the log is away or full: the work is done, and is not done again for that. The dispatcher keeps the
/// event in hand meanwhile, and takes it back when the agent stops.
async fn publish(runtime: &Runtime, tenant: &TenantId, events: Vec<Event>) -> Result<(), Error> {
    let mut wait = Duration::from_millis(20);
    loop {
        match runtime.bus.publish(tenant, events.clone()).await {
            Ok(_) => return Ok(()),
            Err(error) if error.code.may_retry() => {
                tracing::debug!(%error, "cannot publish what a handler said; trying again");
                tokio::time::sleep(wait.max(error.retry_after.unwrap_or_default())).await;
                wait = (wait * 2).min(Duration::from_secs(1));
            }
            Err(error) => return Err(error),
        }
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
