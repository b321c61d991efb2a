//! Who is let in: what the configuration says of tokens.

use std::net::SocketAddr;
use std::sync::Arc;

use soorma_edge::{Access, Tokens};
use soorma_identity::{Keyring, MIN_SECRET_BYTES, Verifier, VerifierSpec};
use soorma_ports::{Authenticator, Clock};
use soorma_supervise::{ChildSpec, Strategy, SupervisorSpec};

use crate::config::{Config, Jwks};
use crate::jwks::{KeyAddress, KeyFile};
use crate::node::NodeError;

/// Refuses an address that is reached from elsewhere where nobody is asked who they are.
pub(crate) fn may_listen(config: &Config, addr: SocketAddr) -> Result<(), NodeError> {
    if config.auth.tokens == Tokens::Required || addr.ip().is_loopback() {
        return Ok(());
    }
    Err(NodeError::Listen(format!(
        "without tokens a node listens on this machine only, and {addr} is not loopback: use 127.0.0.1:PORT or [::1]:PORT, \
         or ask everybody for a token with auth.tokens = \"required\""
    )))
}

/// Who is let in, and what is to be kept running for it.
pub(crate) struct Auth {
    pub(crate) access: Access,
    keys: Option<Arc<Keyring>>,
}

impl Auth {
    /// Makes what the configuration says. Keys in a file must be there; an address that is away is asked again.
    pub(crate) async fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, NodeError> {
        let own = &config.auth;
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let secret = given(&own.jwt_secret);
        if own.tokens == Tokens::Required && secret.is_none() && own.jwks.is_none() {
            return Err(NodeError::Auth(format!(
                "every request needs a token, and there is nothing to verify one with: give the secret that is shared with who issues them \
                 (auth.jwt_secret, SOORMA__AUTH__JWT_SECRET, at least {MIN_SECRET_BYTES} bytes), or the keys that they publish (auth.jwks, a file or \
                 an address); or listen on this machine only and ask nobody, with auth.tokens = \"optional\""
            )));
        }
        let keys = match &own.jwks {
            None => None,
            Some(jwks) => Some(keyring(config, jwks).await?),
        };
        let authenticator: Option<Arc<dyn Authenticator>> = if secret.is_some() || keys.is_some() {
            let spec = VerifierSpec {
                secret: secret.map(String::into_bytes),
                keys: keys.clone(),
                issuer: given(&own.jwt_issuer),
                audience: given(&own.jwt_audience),
            };
            let verifier = Verifier::new(spec, Arc::clone(clock));
            Some(Arc::new(verifier.map_err(|error| NodeError::Auth(format!("auth.jwt_secret: {error}")))?))
        } else {
            None
        };
        let access = Access {
            tokens: own.tokens,
            loopback: config.edge.listen.ip().is_loopback(),
            authenticator,
            metrics_token: given(&own.metrics_token),
            memory_admin_key: given(&config.memory.admin_key),
        };
        Ok(Self { access, keys })
    }

    /// The branch of the tree that keeps published keys fresh; there is none where there are none.
    pub(crate) fn branch(&self) -> Option<ChildSpec> {
        let keys = Arc::clone(self.keys.as_ref()?);
        let task = ChildSpec::task("keys", move |cx| {
            let keys = Arc::clone(&keys);
            async move {
                tokio::select! {
                    () = keys.run() => {}
                    () = cx.stopping() => {}
                }
                Ok(())
            }
        });
        Some(SupervisorSpec::new("identity", Strategy::OneForOne).child(task).into())
    }
}

async fn keyring(config: &Config, jwks: &Jwks) -> Result<Arc<Keyring>, NodeError> {
    let every = config.auth.jwks_refresh;
    let refused = |why: String| NodeError::Auth(format!("auth.jwks: {why}"));
    match jwks {
        Jwks::File(path) => {
            let keys = Keyring::new(KeyFile(path.clone()), every);
            keys.read().await.map_err(|why| refused(format!("the keys for tokens cannot be used: {why}")))?;
            Ok(keys)
        }
        Jwks::Url(url) => {
            let keys = Keyring::new(KeyAddress::new(url).map_err(refused)?, every);
            if let Err(error) = keys.read().await {
                tracing::warn!(error, "the keys for tokens cannot be read yet, trying again");
            }
            Ok(keys)
        }
    }
}
