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
    /// A token that says who you are, for a platform that asks for one; it names the tenant, too. Better given by the environment:
    /// arguments can be seen by others on the machine.
    #[arg(long, env = "SOORMA_TOKEN", hide_env_values = true)]
    token: Option<Token>,
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
    pub(crate) fn scope(&self) -> anyhow::Result<Scope> {
        let tenant = match &self.tenant {
            Some(tenant) => TenantId::new(tenant)
                .map_err(|error| soorma::Error::invalid(format!("--tenant '{tenant}' {error}")))?,
            None => TenantId::default(),
        };
        Ok(Scope { tenant, ..Scope::default() })
    }

    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let client = Client::new(&self.url)?.scope(self.scope()?);
        match self.given() {
            Some(token) => Ok(client.token(token)?),
            None => Ok(client),
        }
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
