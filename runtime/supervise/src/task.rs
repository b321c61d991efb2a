//! A future as a supervised child.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use ractor::{ActorCell, ActorProcessingErr, ActorRef};
use tokio_util::sync::CancellationToken;

use crate::actor::Failure;
use crate::slot::{Info, Kind};
use crate::spec::{Child, Shutdown};
use crate::supervisor::Boss;

/// What a task knows of itself.
#[derive(Debug, Clone)]
pub struct TaskCx {
    stop: CancellationToken,
    path: String,
}

impl TaskCx {
    /// Completes when the task is asked to stop: it should end soon, well.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Returns whether the task is asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Returns the task's path in the tree.
    pub fn path(&self) -> &str {
        &self.path
    }
}

type Make = Arc<dyn Fn(TaskCx) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>;
/// How much a task has in hand, and how much more it takes.
pub(crate) type Gauge = Box<dyn Fn() -> (u32, u32) + Send + Sync>;

pub(crate) struct TaskChild {
    info: Info,
    make: Make,
    gauge: Gauge,
    run: Mutex<Option<(ActorCell, CancellationToken)>>,
}

impl TaskChild {
    pub(crate) fn new<F, Fut>(id: Arc<str>, gauge: Gauge, make: F) -> Self
    where
        F: Fn(TaskCx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        Self {
            info: Info::new(id, Kind::Task),
            make: Arc::new(move |cx| Box::pin(make(cx))),
            gauge,
            run: Mutex::new(None),
        }
    }

    fn run(&self) -> std::sync::MutexGuard<'_, Option<(ActorCell, CancellationToken)>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Child for TaskChild {
    fn info(&self) -> &Info {
        &self.info
    }

    fn depth_and_credit(&self) -> (u32, u32) {
        (self.gauge)()
    }

    fn spawn<'a>(&'a self, boss: &'a Boss) -> BoxFuture<'a, Result<ActorCell, String>> {
        Box::pin(async move {
            let stop = CancellationToken::new();
            let cx = TaskCx { stop: stop.clone(), path: format!("{}/{}", boss.path, self.info.id) };
            let (actor, _) = ractor::ActorRuntime::spawn_linked(
                None,
                Runner,
                (Arc::clone(&self.make), cx),
                boss.cell.clone(),
            )
            .await
            .map_err(|error| error.to_string())?;
            *self.run() = Some((actor.get_cell(), stop));
            Ok(actor.get_cell())
        })
    }

    fn ask(&self, _: &ActorCell, _: Option<Shutdown>) {
        if let Some((_, stop)) = &*self.run() {
            stop.cancel();
        }
    }

    fn down(&self) {
        *self.run() = None;
    }

    fn kill(&self) -> bool {
        self.run().as_ref().map(|(cell, _)| cell.kill()).is_some()
    }
}

/// The actor of ractor that runs the future as its one message, so that a kill cuts it off.
struct Runner;

struct Run;

impl ractor::Actor for Runner {
    type Msg = Run;
    type State = Option<(Make, TaskCx)>;
    type Arguments = (Make, TaskCx);

    async fn pre_start(
        &self,
        myself: ActorRef<Run>,
        args: (Make, TaskCx),
    ) -> Result<Option<(Make, TaskCx)>, ActorProcessingErr> {
        myself.send_message(Run)?;
        Ok(Some(args))
    }

    async fn handle(
        &self,
        myself: ActorRef<Run>,
        _: Run,
        state: &mut Option<(Make, TaskCx)>,
    ) -> Result<(), ActorProcessingErr> {
        if let Some((make, cx)) = state.take() {
            make(cx).await?;
        }
        myself.stop(None);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Run>,
        _: ractor::SupervisionEvent,
        _: &mut Option<(Make, TaskCx)>,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}
