//! Agents that run elsewhere: each connection has a proxy in the tree, under `agents/external`.
//!
//! A proxy is a temporary child: when it crashes, the connection ends, the agent connects again, and what it had in hand comes back when
//! the leases run out. All that outlives it is in the log.

mod asked;
mod failed;
mod hand;
mod line;
mod proxy;
mod roster;
mod terms;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use soorma_core::{Cursor, Error, ErrorCode, Event, Name, TenantId};
use soorma_ports::{Connection, DeliveryId, ExternalAgent, ExternalAgents, Publishing, Settle, Ticket};
use soorma_supervise::{ChildSpec, Restart, Sharded, StartError};

use crate::external::hand::Said;
use crate::external::line::FarEnd;
use crate::external::proxy::Proxy;
use crate::external::roster::Roster;
use crate::host::{Agents, escape, name_in};

/// How many connections a node has at most.
pub(crate) const MAX_CONNECTIONS: usize = 100_000;

/// The agents that are connected to a node.
#[derive(Debug, Clone)]
pub(crate) struct External {
    proxies: Sharded,
    roster: Arc<Roster>,
}

impl External {
    pub(crate) fn new(proxies: Sharded) -> Self {
        Self { proxies, roster: Arc::default() }
    }
}

#[async_trait]
impl ExternalAgents for Agents {
    async fn connect(&self, agent: ExternalAgent) -> Result<Box<dyn Connection>, Error> {
        let (tenant, group) = (&agent.group.tenant, &agent.group.group);
        if self.hosts(tenant, group) {
            let message = format!(
                "{group} is an agent that this node hosts, which has its group for itself; connect under another agent_name"
            );
            return Err(Error::new(ErrorCode::Conflict, message));
        }
        let consumer = self.runtime.bus.join(agent.group.clone()).await?;
        let id = format!(
            "{}#{}",
            name_in(group.as_str(), tenant).replace('#', "%23"),
            escape(agent.agent_id.as_str())
        );
        let short = agent.connection_id.chars().rev().take(8).collect::<Vec<_>>();
        let longer = format!("{id}~{}", short.into_iter().rev().collect::<String>());
        let external = &self.external;
        let seat = external.roster.join(agent);
        let line = Arc::clone(&seat.line);
        // From here on, a connection that is gone before it is there ends its proxy.
        let far_end = FarEnd { line: Arc::clone(&line), cursor: Cursor::default() };
        let proxy = Proxy::new(Arc::clone(&self.runtime.bus), Arc::clone(&external.roster), seat, consumer);
        let proxy = Arc::new(Mutex::new(Some(proxy)));
        let child = |id: String| {
            let (proxy, line) = (Arc::clone(&proxy), Arc::clone(&line));
            let run = move |cx| {
                let proxy = proxy.lock().unwrap_or_else(PoisonError::into_inner).take();
                async move {
                    if let Some(proxy) = proxy {
                        proxy.run(cx).await;
                    }
                    Ok(())
                }
            };
            ChildSpec::gauged_task(id, move || line.gauge(), run).restart(Restart::Temporary)
        };
        let started = match external.proxies.start(child(id)).await {
            // Another connection goes by the same agent_id.
            Err(StartError::Exists) => external.proxies.start(child(longer)).await,
            started => started,
        };
        started.map_err(|error| {
            let message = match error {
                StartError::Exists => "a connection of that id is open".to_owned(),
                StartError::Full => {
                    format!("{MAX_CONNECTIONS} agents are connected, which is all this node takes")
                }
            };
            Error::new(ErrorCode::Overloaded, message)
        })?;
        Ok(Box::new(far_end))
    }

    fn publishing(
        &self,
        tenant: &TenantId,
        agent_id: Option<&str>,
        events: &[Event],
    ) -> Option<Box<dyn Publishing>> {
        self.external.roster.publishing(tenant, agent_id, events)
    }

    async fn settle(
        &self,
        tenant: &TenantId,
        settlements: Vec<(Ticket, Settle)>,
    ) -> Result<Vec<bool>, Error> {
        let mut counted = vec![false; settlements.len()];
        let mut by_group: BTreeMap<Name, Vec<(usize, DeliveryId, Settle)>> = BTreeMap::new();
        for (nth, (ticket, settle)) in settlements.into_iter().enumerate() {
            by_group.entry(ticket.group).or_default().push((nth, ticket.delivery, settle));
        }
        for (group, of_group) in by_group {
            let asked = of_group.iter().map(|(_, id, settle)| (*id, settle.clone())).collect();
            let answers = match self.runtime.bus.settle(tenant, &group, asked).await {
                Ok(answers) => answers,
                Err(error) if error.code == ErrorCode::NotFound => continue,
                Err(error) => return Err(error),
            };
            let mut said = Said::default();
            for ((nth, id, settle), answer) in of_group.into_iter().zip(answers) {
                if let Some(counted) = counted.get_mut(nth) {
                    *counted = answer;
                }
                said.note(id, settle, answer);
            }
            self.external.roster.settled(tenant, &group, &said);
        }
        Ok(counted)
    }

    fn connections(&self, tenant: &TenantId, group: &Name) -> usize {
        self.external.roster.lines(tenant, group.as_str()).len()
    }

    fn hosts(&self, tenant: &TenantId, group: &Name) -> bool {
        self.hosted.contains(&name_in(group.as_str(), tenant))
    }
}
