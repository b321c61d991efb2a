//! How much there is, and how it is looked after.

use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use soorma_api::memory::Reembedding;
use soorma_api::{header, routes::memory as routes};
use soorma_core::{Error, MemoryReceipt, MemoryStats, TenantId};

use super::ClientMemory;
use crate::client::TIMEOUT;

/// How long a whole tenant may take to be erased.
const ERASED_WITHIN: Duration = Duration::from_secs(600);

/// Whose memory is erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryOf {
    /// That of a user of a service tenant.
    User {
        /// The platform tenant.
        tenant: TenantId,
        /// The service tenant.
        service_tenant: String,
        /// The user.
        user: String,
    },
    /// All of a service tenant.
    ServiceTenant {
        /// The platform tenant.
        tenant: TenantId,
        /// The service tenant.
        service_tenant: String,
    },
    /// All of a platform tenant.
    Tenant {
        /// The platform tenant.
        tenant: TenantId,
    },
}

impl ClientMemory<'_> {
    /// Says how much whoever it speaks for has, and how far the vectors of that are.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn stats(&self) -> Result<MemoryStats, Error> {
        self.asked(Method::GET, routes::STATS, &[]).await
    }

    /// Says how much all of the tenant have. Where the platform asks for tokens, its key for this is needed (`memory.admin_key`).
    ///
    /// # Errors
    /// When the key is none; what the platform answered, or that it could not be reached.
    pub async fn tenant_stats(&self, admin_key: Option<&str>) -> Result<MemoryStats, Error> {
        #[derive(Serialize)]
        struct Query {
            of: &'static str,
        }
        let request = self.0.request_at(routes::STATS, &Query { of: "tenant" })?.timeout(TIMEOUT);
        self.0.json(with_key(request, admin_key)?).await
    }

    /// Has the vectors of the tenant made anew, in the background: [`tenant_stats`](Self::tenant_stats) says how far that is. Where the platform asks for
    /// tokens, its key for this is needed.
    ///
    /// # Errors
    /// When the key is none; what the platform answered, or that it could not be reached.
    pub async fn reembed(&self, admin_key: Option<&str>) -> Result<Reembedding, Error> {
        self.0.json(with_key(self.at(Method::POST, routes::REEMBED, &[])?, admin_key)?).await
    }

    /// Erases for good, and says what it was. The platform's key for this is needed (`memory.admin_key`).
    ///
    /// # Errors
    /// When the key is none; what the platform answered, or that it could not be reached.
    pub async fn erase(&self, whose: &MemoryOf, admin_key: &str) -> Result<MemoryReceipt, Error> {
        let request = match whose {
            MemoryOf::User { tenant, service_tenant, user } => {
                self.at(Method::DELETE, routes::ERASE_USER, &[tenant.as_str(), service_tenant, user])?
            }
            MemoryOf::ServiceTenant { tenant, service_tenant } => {
                self.at(Method::DELETE, routes::ERASE_SERVICE_TENANT, &[tenant.as_str(), service_tenant])?
            }
            MemoryOf::Tenant { tenant } => {
                self.at(Method::DELETE, routes::ERASE_TENANT, &[tenant.as_str()])?
            }
        };
        self.0.json(with_key(request, Some(admin_key))?.timeout(ERASED_WITHIN)).await
    }
}

fn with_key(request: RequestBuilder, key: Option<&str>) -> Result<RequestBuilder, Error> {
    let Some(key) = key else { return Ok(request) };
    let mut key =
        HeaderValue::from_str(key.trim()).map_err(|_| Error::invalid("the key has what no key has"))?;
    key.set_sensitive(true);
    Ok(request.header(header::MEMORY_ADMIN_KEY, key))
}
