//! The memory of a node: its branch of the tree, and how it is asked.

use std::sync::Arc;
use std::time::Duration;

use soorma_ports::{Clock, Entropy, MemoryStore};
use soorma_supervise::{Backoff, ChildSpec, Intensity, Strategy, SupervisorSpec};

use crate::config::Config;
use crate::errands::Errands;
use crate::shared::Shared;
use crate::writers::Writers;
use crate::{embedder, janitor};

/// Answers what is asked of memory: [`Memory`](soorma_ports::Memory). What it knows outlives the crashes of its children.
#[derive(Debug)]
pub struct Memories {
    pub(crate) shared: Arc<Shared>,
    pub(crate) writers: Writers,
    pub(crate) errands: Errands,
}

/// A memory that fails again and again is no reason to end the node: events flow, and what is stored can be read.
const BRANCH: Intensity = Intensity::new(10_000, Duration::from_secs(60));

impl Memories {
    /// Makes the memory over a store: the branch `memory` of the tree, and the handle to ask it by.
    #[must_use]
    pub fn new(
        store: Arc<dyn MemoryStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        config: Config,
    ) -> (ChildSpec, Arc<Self>) {
        let shared = Arc::new(Shared::new(store, clock, entropy, config.at_least_one_of_each()));
        let backoff = Backoff::exponential(Duration::from_millis(10), Duration::from_secs(5));
        let branch = |id: &'static str, children: Vec<ChildSpec>| {
            children
                .into_iter()
                .fold(SupervisorSpec::new(id, Strategy::OneForOne).intensity(BRANCH), |branch, child| {
                    branch.child(child.backoff(backoff))
                })
        };

        let (writers, of_writers) = Writers::new(&shared);
        let mut children = vec![branch("writers", of_writers).into()];
        if let Some(embedding) = &shared.embedding {
            let mut workers = Vec::new();
            for number in 0..shared.config.embed_calls {
                let (of, gauged) = (Arc::clone(embedding), Arc::clone(embedding));
                workers.push(ChildSpec::gauged_task(
                    number.to_string(),
                    move || gauged.gauge(),
                    move |cx| embedder::run(Arc::clone(&of), cx),
                ));
            }
            // Half as many for what nobody waits for.
            for number in 0..shared.config.embed_calls.div_ceil(2) {
                let of = Arc::clone(embedding);
                workers.push(ChildSpec::task(format!("later-{number}"), move |cx| {
                    embedder::run_later(Arc::clone(&of), cx)
                }));
            }
            children.push(branch("embedder", workers).into());
        }
        let (errands, of_errands) = Errands::new();
        children.push(of_errands);
        let of = Arc::clone(&shared);
        children.push(ChildSpec::task("janitor", move |cx| janitor::run(Arc::clone(&of), cx)));
        (branch("memory", children).into(), Arc::new(Self { shared, writers, errands }))
    }
}
