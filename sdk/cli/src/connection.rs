//! Where a platform is, and on whose behalf a command speaks.

use soorma::{Client, Scope, TenantId};

/// The platform to speak to.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Connection {
    /// Where the platform listens.
    #[arg(long, env = "SOORMA_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// The platform tenant; the default one where nothing is said.
    #[arg(long, env = "SOORMA_TENANT")]
    pub(crate) tenant: Option<String>,
}

impl Connection {
    pub(crate) fn scope(&self) -> anyhow::Result<Scope> {
        let tenant = match &self.tenant {
            Some(tenant) => TenantId::new(tenant)
                .map_err(|error| soorma::Error::invalid(format!("--tenant '{tenant}' {error}")))?,
            None => TenantId::default(),
        };
        Ok(Scope { tenant, ..Scope::default() })
    }

    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.url)?.scope(self.scope()?))
    }
}
