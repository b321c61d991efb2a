//! The published keys of an issuer: read now and then, and early when a token names one that is not known.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use jsonwebtoken::DecodingKey;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::key_set::KeySet;

/// How often keys are read early: who has no key must not be able to have them read without end.
const EARLY_EVERY: Duration = Duration::from_secs(10);
/// How long a request waits for that.
const WAIT: Duration = Duration::from_secs(2);
/// How often keys are asked for that have never been read.
const TRY_EVERY: Duration = Duration::from_secs(5);

/// Where keys are published.
#[async_trait]
pub trait KeySource: Send + Sync + std::fmt::Debug + 'static {
    /// Reads the set (JWKS) as it is now, within a bound of time and size.
    ///
    /// # Errors
    /// Why it cannot be read, and where it is.
    async fn read(&self) -> Result<Vec<u8>, String>;
}

/// See the file's own words. Somebody has to [`run`](Self::run) it.
#[derive(Debug)]
pub struct Keyring {
    source: Box<dyn KeySource>,
    every: Duration,
    keys: RwLock<Option<Arc<KeySet>>>,
    /// How many readings have ended.
    rounds: watch::Sender<u64>,
    asking: Mutex<Asking>,
    wanted: Notify,
}

#[derive(Debug, Default)]
struct Asking {
    /// When it was last asked early, and by which round that is answered.
    early: Option<(Instant, u64)>,
    /// How many readings are under way. They may have begun before a key was published, and so answer nobody who asks for it now.
    under_way: u64,
}

/// A reading that is under way, until it has ended or was given up.
struct Reading<'a>(&'a Keyring);

impl<'a> Reading<'a> {
    fn begin(ring: &'a Keyring) -> Self {
        ring.asking().under_way += 1;
        Self(ring)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut asking = self.0.asking();
        asking.under_way -= 1;
        self.0.rounds.send_modify(|rounds| *rounds += 1);
    }
}

/// What is known of a key.
pub(crate) enum Found {
    Key(DecodingKey),
    /// There is none of that name.
    None,
    /// No keys have been read yet.
    Unread,
}

impl Keyring {
    /// Makes a ring without keys, which are to be read so often.
    pub fn new(source: impl KeySource, every: Duration) -> Arc<Self> {
        Arc::new(Self {
            source: Box::new(source),
            every,
            keys: RwLock::default(),
            rounds: watch::Sender::new(0),
            asking: Mutex::default(),
            wanted: Notify::new(),
        })
    }

    /// Reads the keys. Where that fails, those that are known stay. That none is left is an error only at the start: later it takes away
    /// those that were.
    ///
    /// # Errors
    /// Why it failed.
    pub async fn read(&self) -> Result<(), String> {
        let _reading = Reading::begin(self);
        let bytes = self.source.read().await?;
        self.put(KeySet::read(&bytes)?)
    }

    fn put(&self, keys: KeySet) -> Result<(), String> {
        let mut known = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = keys.emptiness() {
            match known.as_ref().map(|known| known.len()) {
                None => return Err(why),
                Some(0) => {}
                Some(_) => tracing::warn!(why, "the keys for tokens were taken away; no RS256 token counts"),
            }
        }
        *known = Some(Arc::new(keys));
        Ok(())
    }

    /// Keeps the keys fresh, until it is dropped.
    pub async fn run(&self) {
        let mut failing = false;
        loop {
            let every = if self.keys().is_some() { self.every } else { self.every.min(TRY_EVERY) };
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = self.wanted.notified() => {}
            }
            match self.read().await {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!("the keys for tokens can be read again");
                }
                Ok(()) => {}
                Err(error) if failing => tracing::debug!(error, "the keys for tokens still cannot be read"),
                Err(error) => {
                    failing = true;
                    tracing::warn!(
                        error,
                        "the keys for tokens cannot be read; those that are known count on"
                    );
                }
            }
        }
    }

    fn keys(&self) -> Option<Arc<KeySet>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the key that a token names.
    pub(crate) async fn find(&self, kid: Option<&str>) -> Found {
        match self.look(kid) {
            Found::Key(key) => return Found::Key(key),
            // That it names none does not change by reading anew.
            Found::None if kid.is_none() => return Found::None,
            Found::None | Found::Unread => {}
        }
        let answered_by = self.ask();
        let mut rounds = self.rounds.subscribe();
        // Who waits too long is told what is known.
        let _late = tokio::time::timeout(WAIT, rounds.wait_for(|rounds| *rounds >= answered_by)).await;
        self.look(kid)
    }

    fn look(&self, kid: Option<&str>) -> Found {
        match self.keys() {
            None => Found::Unread,
            Some(keys) => keys.get(kid).cloned().map_or(Found::None, Found::Key),
        }
    }

    /// Has the keys read early, unless they were just now; returns by which round that is answered.
    fn ask(&self) -> u64 {
        let mut asking = self.asking();
        let now = Instant::now();
        match asking.early {
            Some((asked, round)) if now.duration_since(asked) < EARLY_EVERY => round,
            _ => {
                let round = *self.rounds.borrow() + asking.under_way + 1;
                asking.early = Some((now, round));
                self.wanted.notify_one();
                round
            }
        }
    }

    fn asking(&self) -> MutexGuard<'_, Asking> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
