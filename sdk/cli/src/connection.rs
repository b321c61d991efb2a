//! Where a platform is, and on whose behalf a command speaks.

use soorma::{Client, Error, Scope, TenantId};

/// The platform to speak to.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Connection {
    /// Where the platform listens.
    #[arg(long, env = "SOORMA_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// The platform tenant; that of the environment (SOORMA_TENANT) where nothing is said, or the default one. Not beside a token, which
    /// names it.
    // Not by `env`: what stands in the environment may stay there beside a token, what is said of this command may not.
    #[arg(long)]
    tenant: Option<String>,
    /// A token that says who you are, for a platform that asks for one; it names the tenant, too. Better given by the environment:
    /// arguments can be seen by others on the machine.
    #[arg(long, env = "SOORMA_TOKEN", hide_env_values = true)]
    token: Option<Token>,
}

/// Whose memory it is, in a tenant.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Whose {
    /// The service tenant; that of the token, or the default one.
    #[arg(long, value_name = "ID")]
    pub(crate) service_tenant: Option<String>,
    /// The user; that of the token, or the default one.
    #[arg(long, value_name = "ID")]
    pub(crate) user: Option<String>,
}

/// A token, which is shown to nobody.
#[derive(Clone)]
struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl From<&str> for Token {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Connection {
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let client = Client::new(&self.url)?;
        let Some(token) = self.given() else { return Ok(client.scope(self.scope()?)) };
        if let Some(tenant) = &self.tenant {
            return Err(Error::invalid(format!(
                "--tenant {tenant} does not go with a token, which names its tenant itself: leave out one of them (the token may be that of SOORMA_TOKEN)"
            ))
            .into());
        }
        Ok(client.token(token)?)
    }

    /// A client that speaks for a user of a service tenant, where they are named.
    pub(crate) fn client_of(&self, of: &Whose) -> anyhow::Result<Client> {
        let client = self.client()?;
        let named = [("--service-tenant", &of.service_tenant), ("--user", &of.user)];
        let Some((flag, _)) = named.into_iter().find(|(_, name)| name.is_some()) else { return Ok(client) };
        if self.has_token() {
            return Err(Error::invalid(format!(
                "{flag} does not go with a token, which says whose memory it is: leave out one of them (the token may be that of SOORMA_TOKEN)"
            ))
            .into());
        }
        let Whose { service_tenant, user } = of.clone();
        Ok(client.scope(Scope { service_tenant, user, ..self.scope()? }))
    }

    /// On whose behalf it speaks where no token says it.
    fn scope(&self) -> Result<Scope, Error> {
        let in_environment =
            || std::env::var("SOORMA_TENANT").ok().filter(|tenant| !tenant.trim().is_empty());
        let (from, tenant) = match (&self.tenant, in_environment()) {
            (Some(tenant), _) => ("--tenant", tenant.clone()),
            (None, Some(tenant)) => ("SOORMA_TENANT", tenant),
            (None, None) => return Ok(Scope::default()),
        };
        let tenant =
            TenantId::new(&tenant).map_err(|error| Error::invalid(format!("{from} '{tenant}' {error}")))?;
        Ok(Scope { tenant, ..Scope::default() })
    }

    /// Whether a token says who it is.
    pub(crate) fn has_token(&self) -> bool {
        self.given().is_some()
    }

    /// What is set to nothing is not set.
    fn given(&self) -> Option<&str> {
        self.token.as_ref().map(|Token(text)| text.trim()).filter(|text| !text.is_empty())
    }
}
