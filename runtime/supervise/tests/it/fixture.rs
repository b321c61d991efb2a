//! An actor that does as it is told, and a diary of what happened to it and its siblings.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use soorma_core::{ChildState, TreeNode};
use soorma_supervise::{
    Actor, Addr, Backoff, ChildSpec, Cx, Failure, Intensity, Reply, Root, Strategy, SupervisorSpec,
};

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(crate) fn write(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    /// Returns what was written since the last look.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// How an incarnation starts.
#[derive(Clone, Default)]
pub(crate) enum Start {
    #[default]
    Well,
    /// The first `n` starts fail.
    FailFirst(u32, Arc<Mutex<u32>>),
    /// Each start takes that long.
    Slow(Duration),
}

#[derive(Clone)]
pub(crate) struct Args {
    pub(crate) name: &'static str,
    pub(crate) diary: Diary,
    pub(crate) start: Start,
}

pub(crate) enum Msg {
    Panic,
    Fail,
    Finish,
    /// Works for that long, then writes a line.
    Work(Duration, &'static str),
    /// Never comes back.
    Hang,
    Count(Reply<u32>),
    Add,
}

pub(crate) struct Probe {
    args: Args,
    count: u32,
}

impl Actor for Probe {
    type Args = Args;
    type Msg = Msg;

    async fn start(args: Args, _: &mut Cx<Msg>) -> Result<Self, Failure> {
        match &args.start {
            Start::Well => {}
            Start::FailFirst(n, tried) => {
                let mut tried = tried.lock().unwrap();
                *tried += 1;
                if *tried <= *n {
                    args.diary.write(format!("{} cannot start", args.name));
                    return Err("not yet".into());
                }
            }
            Start::Slow(time) => tokio::time::sleep(*time).await,
        }
        args.diary.write(format!("{} up", args.name));
        Ok(Self { args, count: 0 })
    }

    async fn handle(&mut self, msg: Msg, cx: &mut Cx<Msg>) -> Result<(), Failure> {
        match msg {
            Msg::Panic => panic!("told to"),
            Msg::Fail => return Err("told to".into()),
            Msg::Finish => cx.stop(),
            Msg::Work(time, line) => {
                tokio::time::sleep(time).await;
                self.args.diary.write(line);
            }
            Msg::Hang => std::future::pending().await,
            Msg::Count(reply) => reply.send(self.count),
            Msg::Add => self.count += 1,
        }
        Ok(())
    }

    async fn stop(&mut self, _: &mut Cx<Msg>) {
        self.args.diary.write(format!("{} down", self.args.name));
    }
}

pub(crate) fn probe(name: &'static str, diary: &Diary) -> (ChildSpec, Addr<Msg>) {
    probe_that(name, diary, Start::Well)
}

pub(crate) fn probe_that(name: &'static str, diary: &Diary, start: Start) -> (ChildSpec, Addr<Msg>) {
    let (spec, addr) = ChildSpec::actor::<Probe>(name, Args { name, diary: diary.clone(), start });
    (spec.backoff(Backoff::NONE), addr)
}

/// A supervisor that lets its children fail as often as they like.
pub(crate) fn patient(id: &'static str, strategy: Strategy) -> SupervisorSpec {
    SupervisorSpec::new(id, strategy).intensity(Intensity::new(1_000_000, Duration::from_secs(1)))
}

/// Lets all that can happen now happen: under paused time, time moves when nobody can run.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

pub(crate) fn find<'a>(tree: &'a TreeNode, path: &str) -> &'a TreeNode {
    path.split('/').fold(tree, |node, id| {
        node.children.iter().find(|child| child.id == id).unwrap_or_else(|| panic!("no {id} in {node:#?}"))
    })
}

pub(crate) fn state(root: &Root, path: &str) -> ChildState {
    find(&root.tree(), path).state
}

pub(crate) async fn count(addr: &Addr<Msg>) -> u32 {
    addr.call(Duration::from_secs(1), Msg::Count).await.unwrap()
}
