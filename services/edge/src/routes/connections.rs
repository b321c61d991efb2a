//! The caller's open streams.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use soorma_core::Scope;

use crate::app::Shared;
use crate::reply::json;

pub(crate) async fn list(State(app): State<Shared>, Extension(scope): Extension<Scope>) -> Response {
    json(&app.streams.of(&scope.tenant))
}
