//! The key of who looks after the memory of others.

/// The key of `soorma dev` where no other is configured, as in the published services: such a platform listens on its own machine alone.
pub(crate) const DEV_KEY: &str = "dev-memory-admin";

#[derive(Debug, clap::Args)]
pub(super) struct Admin {
    /// The platform's key for this (memory.admin_key); that of `soorma dev` where nothing is said. Better given by the environment: arguments can be
    /// seen by others on the machine.
    #[arg(long, env = "SOORMA_MEMORY_ADMIN_KEY", hide_env_values = true, value_name = "KEY")]
    admin_key: Option<Key>,
}

/// A key, which is shown to nobody.
#[derive(Clone)]
struct Key(String);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Admin {
    /// What is set to nothing is not set.
    pub(super) fn key(&self) -> &str {
        let given = self.admin_key.as_ref().map(|Key(key)| key.trim()).filter(|key| !key.is_empty());
        given.unwrap_or(DEV_KEY)
    }
}
