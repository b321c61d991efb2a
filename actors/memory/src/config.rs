//! What can be set.

use std::sync::Arc;
use std::time::Duration;

use soorma_ports::Embedder;

/// How memory is run.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who turns texts into vectors; without one, memory is searched by words and time.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// How long a write waits for a vector. What has none by then is stored without, and gets it later.
    pub embed_within: Duration,
    /// How long a search waits for the vector of its question. Where it has none by then, it goes by words and time.
    pub search_within: Duration,
    /// How long a call of the embedder may take before it counts as failed.
    pub embed_call_within: Duration,
    /// How many calls of the embedder are under way at once.
    pub embed_calls: usize,
    /// How many texts wait for the embedder at most: of questions, of writes, and of what gets its vector later, each.
    pub max_embedding: usize,
    /// How many KiB of texts wait for the embedder at most.
    pub max_embedding_kib: usize,
    /// How often all texts without a vector are looked for, whether or not it is known that there are some.
    pub embed_all_every: Duration,
    /// How many writers there are for working memory. Changes of one plan go to the same.
    pub writers: usize,
    /// How many changes of working memory wait for each writer at most.
    pub max_waiting_per_writer: usize,
    /// How many requests are under way at most.
    pub max_waiting: usize,
    /// How many of them are one tenant's.
    pub max_waiting_per_tenant: usize,
    /// How many KiB wait to be written at most.
    pub max_waiting_kib: usize,
    /// How many of them are one tenant's.
    pub max_waiting_kib_per_tenant: usize,
    /// How long a change of working memory waits for its answer.
    pub answer_within: Duration,
    /// How often who watches a plan looks for what other nodes wrote, and for what has expired.
    pub watch_every: Duration,
    /// How many plans are watched in a tenant at most.
    pub max_watchers_per_tenant: usize,
    /// How often what has expired is removed. It is not there for anybody before.
    pub sweep_every: Duration,
    /// How long episodes are kept; for ever, where nothing is said.
    pub keep_episodes_for: Option<Duration>,
    /// How many entries a tenant has at most, about.
    pub max_entries_per_tenant: u64,
    /// How many bytes of texts and bodies a tenant has at most, about.
    pub max_bytes_per_tenant: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            embedder: None,
            embed_within: Duration::from_secs(2),
            search_within: Duration::from_secs(1),
            embed_call_within: Duration::from_secs(60),
            embed_calls: 4,
            max_embedding: 4_096,
            max_embedding_kib: 64 * 1_024,
            embed_all_every: Duration::from_secs(600),
            writers: 8,
            max_waiting_per_writer: 4_096,
            max_waiting: 8_192,
            max_waiting_per_tenant: 4_096,
            max_waiting_kib: 256 * 1_024,
            max_waiting_kib_per_tenant: 64 * 1_024,
            answer_within: Duration::from_secs(10),
            watch_every: Duration::from_secs(1),
            max_watchers_per_tenant: 1_000,
            sweep_every: Duration::from_secs(30),
            keep_episodes_for: None,
            max_entries_per_tenant: 1_000_000,
            max_bytes_per_tenant: 4 * 1_024 * 1_024 * 1_024,
        }
    }
}

impl Config {
    /// A bound of nothing would be no memory.
    pub(crate) fn at_least_one_of_each(self) -> Self {
        let tick = Duration::from_millis(1);
        Self {
            embed_calls: self.embed_calls.max(1),
            max_embedding: self.max_embedding.max(1),
            writers: self.writers.max(1),
            max_waiting_per_writer: self.max_waiting_per_writer.max(1),
            max_waiting: self.max_waiting.max(1),
            max_waiting_per_tenant: self.max_waiting_per_tenant.max(1),
            watch_every: self.watch_every.max(tick),
            sweep_every: self.sweep_every.max(tick),
            embed_all_every: self.embed_all_every.max(tick),
            ..self
        }
    }
}
