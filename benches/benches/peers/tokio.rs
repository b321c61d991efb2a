//! No library: a task and a bounded channel.

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::{MAILBOX, PATIENCE, Peer};

pub(crate) struct Tokio;

pub(crate) enum Msg {
    Add,
    Get(oneshot::Sender<u64>),
}

impl Peer for Tokio {
    const NAME: &'static str = "tokio";
    type Addr = mpsc::Sender<Msg>;

    async fn start() -> Self {
        Self
    }

    async fn spawn(&self, count: usize) -> Vec<mpsc::Sender<Msg>> {
        let agent = |_| {
            let (sender, mut mailbox) = mpsc::channel(usize::try_from(MAILBOX).unwrap());
            tokio::spawn(async move {
                let mut number = 0;
                while let Some(msg) = mailbox.recv().await {
                    match msg {
                        Msg::Add => number += 1,
                        // Nobody may be waiting any more.
                        Msg::Get(reply) => drop(reply.send(number)),
                    }
                }
            });
            sender
        };
        (0..count).map(agent).collect()
    }

    fn cast(addr: &mpsc::Sender<Msg>) {
        addr.try_send(Msg::Add).map_err(drop).unwrap();
    }

    async fn call(addr: &mpsc::Sender<Msg>) -> u64 {
        let (reply, answer) = oneshot::channel();
        addr.send(Msg::Get(reply)).await.map_err(drop).unwrap();
        timeout(PATIENCE, answer).await.unwrap().unwrap()
    }

    async fn stop(self, addrs: Vec<mpsc::Sender<Msg>>) {
        let ends: Vec<_> = addrs.iter().map(mpsc::Sender::downgrade).collect();
        drop(addrs);
        for end in ends {
            while end.upgrade().is_some() {
                tokio::task::yield_now().await;
            }
        }
    }
}
