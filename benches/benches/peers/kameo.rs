//! kameo: bounded mailboxes, nobody above.

use kameo::actor::{Actor, ActorRef, Spawn};
use kameo::mailbox;
use kameo::message::{Context, Message};

use super::{MAILBOX, PATIENCE, Peer};

pub(crate) struct Kameo;

pub(crate) struct Agent(u64);

impl Actor for Agent {
    type Args = Self;
    type Error = std::convert::Infallible;

    async fn on_start(agent: Self, _: ActorRef<Self>) -> Result<Self, Self::Error> {
        Ok(agent)
    }
}

pub(crate) struct Add;

pub(crate) struct Get;

impl Message<Add> for Agent {
    type Reply = ();

    async fn handle(&mut self, _: Add, _: &mut Context<Self, ()>) {
        self.0 += 1;
    }
}

impl Message<Get> for Agent {
    type Reply = u64;

    async fn handle(&mut self, _: Get, _: &mut Context<Self, u64>) -> u64 {
        self.0
    }
}

impl Peer for Kameo {
    const NAME: &'static str = "kameo";
    type Addr = ActorRef<Agent>;

    async fn start() -> Self {
        Self
    }

    async fn spawn(&self, count: usize) -> Vec<ActorRef<Agent>> {
        let places = usize::try_from(MAILBOX).unwrap();
        (0..count).map(|_| Agent::spawn_with_mailbox(Agent(0), mailbox::bounded(places))).collect()
    }

    fn cast(addr: &ActorRef<Agent>) {
        addr.tell(Add).try_send().unwrap();
    }

    async fn call(addr: &ActorRef<Agent>) -> u64 {
        addr.ask(Get).reply_timeout(PATIENCE).await.unwrap()
    }

    async fn stop(self, addrs: Vec<ActorRef<Agent>>) {
        for addr in addrs {
            addr.stop_gracefully().await.unwrap();
            addr.wait_for_shutdown().await;
        }
    }
}
