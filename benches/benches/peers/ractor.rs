//! ractor as it is: actors linked to a parent that hears of their end and does nothing.

use ractor::{Actor, ActorProcessingErr, ActorRef, ActorRuntime, RpcReplyPort, SupervisionEvent};

use super::{PATIENCE, Peer};

pub(crate) struct Ractor(ActorRef<()>);

struct Parent;

impl Actor for Parent {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

struct Agent;

pub(crate) enum Msg {
    Add,
    Get(RpcReplyPort<u64>),
}

impl Actor for Agent {
    type Msg = Msg;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Msg>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<Msg>, msg: Msg, number: &mut u64) -> Result<(), ActorProcessingErr> {
        match msg {
            Msg::Add => *number += 1,
            // Nobody may be waiting any more.
            Msg::Get(reply) => drop(reply.send(*number)),
        }
        Ok(())
    }
}

impl Peer for Ractor {
    const NAME: &'static str = "ractor";
    type Addr = ActorRef<Msg>;

    async fn start() -> Self {
        Self(ActorRuntime::spawn(None, Parent, ()).await.unwrap().0)
    }

    async fn spawn(&self, count: usize) -> Vec<ActorRef<Msg>> {
        let mut addrs = Vec::with_capacity(count);
        for _ in 0..count {
            addrs.push(ActorRuntime::spawn_linked(None, Agent, (), self.0.get_cell()).await.unwrap().0);
        }
        addrs
    }

    fn cast(addr: &ActorRef<Msg>) {
        addr.send_message(Msg::Add).unwrap();
    }

    async fn call(addr: &ActorRef<Msg>) -> u64 {
        addr.call(Msg::Get, Some(PATIENCE)).await.unwrap().unwrap()
    }

    async fn stop(self, addrs: Vec<ActorRef<Msg>>) {
        for addr in addrs {
            addr.stop_and_wait(None, None).await.unwrap();
        }
        self.0.stop_and_wait(None, None).await.unwrap();
    }
}
