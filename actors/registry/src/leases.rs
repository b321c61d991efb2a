//! Leases: who has not been heard for too long is said to be, and after a while forgotten. Whether a lease has run out is found by who
//! reads; nobody waits for this.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use soorma_core::{TenantId, Timestamp};
use soorma_ports::{Bus, RegistryAct};
use soorma_supervise::{Failure, TaskCx};
use tokio::time::MissedTickBehavior;

use crate::announcement::{self, Fate};
use crate::shared::Shared;
use crate::view::row::Row;
use crate::writer::within;

/// How many agents are forgotten at once: what others write has room beside them.
const AT_ONCE: usize = 256;
/// How long it is told that an agent was removed: who follows the store and was away for longer reads all anew.
const TOLD_FOR: Duration = Duration::from_secs(3_600);

/// Looks through leases until it is asked to stop.
pub(crate) async fn run(shared: Arc<Shared>, bus: Arc<dyn Bus>, cx: TaskCx) -> Result<(), Failure> {
    shared.watch_all_leases();
    let mut every = tokio::time::interval(shared.config.sweep_every.max(Duration::from_millis(1)));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = cx.stopping() => return Ok(()),
            _ = every.tick() => {}
        }
        sweep(&shared, &*bus).await;
    }
}

async fn sweep(shared: &Shared, bus: &dyn Bus) {
    if shared.seen().is_none() {
        return;
    }
    let now = shared.now();
    let mut to_announce: BTreeMap<TenantId, Vec<(Arc<Row>, Timestamp)>> = BTreeMap::new();
    let mut to_forget = Vec::new();
    for row in shared.due() {
        let (is_expired, announced, heard_at) = {
            let life = row.life();
            (life.is_expired(now), life.announced, life.heard_at)
        };
        if !is_expired {
            shared.watch_lease(&row);
        } else if announced || !shared.config.announce {
            row.life().announced = true;
            let forgotten_at = heard_at.plus(now.lease).plus(shared.config.forget_after);
            if forgotten_at <= now.wall {
                to_forget.push((row, heard_at));
            } else {
                shared.watch_lease(&row);
            }
        } else {
            to_announce.entry(row.tenant.clone()).or_default().push((row, heard_at));
        }
    }
    let mut is_heard = true;
    for (tenant, rows) in to_announce {
        if is_heard {
            is_heard = announce(shared, bus, &tenant, rows).await;
        } else {
            // The log is away: they come again at the next turn.
            rows.iter().for_each(|(row, _)| shared.watch_lease(row));
        }
    }
    forget(shared, to_forget).await;
    if let Some(before) = earlier(now.wall, TOLD_FOR)
        && let Err(error) = within(shared.store.forget(before)).await
    {
        tracing::debug!(%error, "cannot forget who was removed; later again");
    }
}

/// Says whose leases have run out; returns whether the log took it.
async fn announce(
    shared: &Shared,
    bus: &dyn Bus,
    tenant: &TenantId,
    rows: Vec<(Arc<Row>, Timestamp)>,
) -> bool {
    let lease = shared.config.lease;
    let events = rows
        .iter()
        .map(|(row, heard_at)| announcement::expired(tenant, &row.said.record, *heard_at, lease))
        .collect();
    let fates = announcement::publish(bus, tenant, events).await;
    let (is_heard, count) = (fates.last() != Some(&Fate::Later), rows.len());
    for ((row, heard_at), fate) in rows.into_iter().zip(fates) {
        {
            let mut life = row.life();
            // What the bus will never take is not tried again. Who was heard meanwhile has a new lease.
            life.announced = fate != Fate::Later && life.heard_at == heard_at;
        }
        shared.watch_lease(&row);
    }
    if is_heard {
        tracing::info!(%tenant, count, "agents' leases have run out");
    }
    is_heard
}

/// Has agents removed that nobody has heard for very long.
async fn forget(shared: &Shared, rows: Vec<(Arc<Row>, Timestamp)>) {
    for some in rows.chunks(AT_ONCE) {
        let removals = some.iter().map(|(row, heard_at)| {
            let agent = row.said.record.id.clone();
            let what = RegistryAct::RemoveAgent { agent, unless_heard_after: Some(*heard_at) };
            shared.write(&row.tenant, what)
        });
        for ((row, _), outcome) in some.iter().zip(join_all(removals).await) {
            match outcome {
                Ok(Ok(_)) => {
                    tracing::debug!(tenant = %row.tenant, agent = %row.said.record.id, "an agent is forgotten");
                }
                // It is gone already, or was heard again.
                Ok(Err(_)) => {}
                Err(error) => tracing::debug!(%error, "cannot forget an agent; later again"),
            }
            // One that is gone is not watched any more.
            shared.watch_lease(row);
        }
    }
}

fn earlier(now: Timestamp, by: Duration) -> Option<Timestamp> {
    let by = i64::try_from(by.as_micros()).ok()?;
    now.micros().checked_sub(by).map(Timestamp::from_micros)
}
