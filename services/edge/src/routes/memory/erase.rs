//! Erases what a tenant, a service tenant or a user has (CONTRACT 2.8, M31), for who has the key, and says what it was.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use soorma_api::Problem;
use soorma_core::{Error, ErrorCode, Owner, Scope, TenantId};
use soorma_ports::Erased;

use super::in_path;
use super::mine::key_shown;
use crate::access::Tokens;
use crate::app::{App, Shared};
use crate::reply::{Named, NamedTwice, Refusal, json};

pub(super) async fn tenant(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    headers: HeaderMap,
    Named(tenant): Named,
) -> Result<Response, Refusal> {
    erased(&app, &scope, &headers, &tenant, || Ok(Erased::Tenant)).await
}

pub(super) async fn service_tenant(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    headers: HeaderMap,
    NamedTwice(tenant, service_tenant): NamedTwice,
) -> Result<Response, Refusal> {
    // What holds of a service tenant's id holds of a user's.
    let whose = || owner(&service_tenant, &service_tenant);
    erased(&app, &scope, &headers, &tenant, || {
        Ok(Erased::ServiceTenant(whose()?.service_tenant().to_owned()))
    })
    .await
}

pub(super) async fn user(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    headers: HeaderMap,
    path: Result<Path<(String, String, String)>, axum::extract::rejection::PathRejection>,
) -> Result<Response, Refusal> {
    let Path((tenant, service_tenant, user)) =
        path.map_err(|rejection| Problem::new(ErrorCode::Invalid, rejection.body_text()))?;
    erased(&app, &scope, &headers, &tenant, || Ok(Erased::Owner(owner(&service_tenant, &user)?))).await
}

async fn erased(
    app: &App,
    scope: &Scope,
    headers: &HeaderMap,
    tenant: &str,
    whose: impl FnOnce() -> Result<Erased, Error>,
) -> Result<Response, Refusal> {
    key_shown(app, headers)?;
    let tenant = TenantId::new(tenant).map_err(|error| Error::invalid(format!("the tenant {error}")))?;
    // The key is the node's; a token is one tenant's.
    if tenant != scope.tenant && app.edge.access.tokens == Tokens::Required {
        return Err(Error::new(ErrorCode::Forbidden, "the token is of another tenant").into());
    }
    let whose = whose()?;
    let receipt = app.memory().erase(&tenant, &whose).await.map_err(in_path)?;
    tracing::info!(%tenant, entries = receipt.entries, vectors = receipt.vectors, "memory was erased");
    Ok(json(&receipt))
}

fn owner(service_tenant: &str, user: &str) -> Result<Owner, Error> {
    Owner::new(service_tenant, user).map_err(|error| Error::invalid(error.to_string()))
}
