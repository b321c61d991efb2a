//! Ours: sharded children behind bounded addresses.

use std::time::Duration;

use soorma_supervise::{
    Actor, Addr, ChildSpec, Cx, Failure, Intensity, Reply, Root, Sharded, Strategy, SupervisorSpec,
};

use super::{MAILBOX, PATIENCE, Peer};

pub(crate) struct Supervised {
    pub(crate) root: Root,
    sharded: Sharded,
}

pub(crate) struct Agent(u64);

pub(crate) enum Msg {
    Add,
    Get(Reply<u64>),
}

impl Actor for Agent {
    type Args = ();
    type Msg = Msg;

    async fn start((): (), _: &mut Cx<Msg>) -> Result<Self, Failure> {
        Ok(Self(0))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Cx<Msg>) -> Result<(), Failure> {
        match msg {
            Msg::Add => self.0 += 1,
            Msg::Get(reply) => reply.send(self.0),
        }
        Ok(())
    }
}

impl Peer for Supervised {
    const NAME: &'static str = "supervised";
    type Addr = Addr<Msg>;

    async fn start() -> Self {
        let intensity = Intensity::new(5, Duration::from_secs(10));
        let (spec, sharded) = Sharded::new("agents", intensity, 1_000_000);
        let root = Root::start(SupervisorSpec::new("root", Strategy::OneForOne).child(spec)).await.unwrap();
        Self { root, sharded }
    }

    async fn spawn(&self, count: usize) -> Vec<Addr<Msg>> {
        let mut addrs = Vec::with_capacity(count);
        let first = self.sharded.len();
        for n in first..first + count {
            let (spec, addr) = ChildSpec::actor_with_mailbox::<Agent>(n.to_string(), (), MAILBOX);
            self.sharded.start(spec).await.unwrap();
            addrs.push(addr);
        }
        addrs
    }

    fn cast(addr: &Addr<Msg>) {
        addr.cast(Msg::Add).unwrap();
    }

    async fn call(addr: &Addr<Msg>) -> u64 {
        addr.call(PATIENCE, Msg::Get).await.unwrap()
    }

    async fn stop(self, _: Vec<Addr<Msg>>) {
        self.root.stop().await.unwrap();
    }
}
