//! What takes long and is not to be left half done because who asked has gone away: erasing, and dropping vectors.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use soorma_core::{Error, ErrorCode};
use soorma_supervise::{ChildSpec, Failure, TaskCx};
use tokio::sync::{Mutex, mpsc, oneshot};

/// How many are under way at once.
const AT_ONCE: usize = 4;
/// How many wait at most.
const MOST: usize = 64;
/// How soon who is told that too many wait may come back.
const COME_BACK: Duration = Duration::from_secs(1);

type Errand = BoxFuture<'static, ()>;
type Queue = Arc<Mutex<mpsc::Receiver<Errand>>>;

/// Where errands are left.
#[derive(Debug)]
pub(crate) struct Errands(mpsc::Sender<Errand>);

impl Errands {
    /// Makes the queue and the child of the tree that works through it.
    pub(crate) fn new() -> (Self, ChildSpec) {
        let (sender, waiting) = mpsc::channel(MOST);
        let (waiting, gauged) = (Arc::new(Mutex::new(waiting)), sender.clone());
        let gauge = move || {
            let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
            (number(MOST.saturating_sub(gauged.capacity())), number(gauged.capacity()))
        };
        let child = ChildSpec::gauged_task("errands", gauge, move |cx| run(Arc::clone(&waiting), cx));
        (Self(sender), child)
    }

    /// Has something done, and waits for what comes of it. It is done also where nobody waits any more.
    pub(crate) async fn have_done<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let errand = async move { drop(reply.send(work.await)) };
        self.0.try_send(errand.boxed()).map_err(|_| {
            let message = "too much is erased or made anew at once; try again in a moment";
            Error::new(ErrorCode::Overloaded, message).retry_after(COME_BACK)
        })?;
        answer.await.unwrap_or_else(|_| {
            let message = "memory was interrupted before all was done; ask again for what is left";
            Err(Error::unavailable(message).retry_after(COME_BACK))
        })
    }
}

async fn run(queue: Queue, cx: TaskCx) -> Result<(), Failure> {
    let mut queue = queue.lock().await;
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = cx.stopping() => return Ok(()),
            Some(()) = under_way.next() => {}
            errand = queue.recv(), if under_way.len() < AT_ONCE => match errand {
                Some(errand) => under_way.push(errand),
                None => return Ok(()),
            },
        }
    }
}
