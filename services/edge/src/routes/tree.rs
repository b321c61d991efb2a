//! The supervision tree, cut to a size that can be shown.

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use soorma_api::TreeQuery;
use soorma_core::Scope;

use crate::access::Pass;
use crate::app::Shared;
use crate::reply::{Refusal, json, query};

const DEPTH: usize = 8;
const MAX_DEPTH: usize = 32;
const LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

pub(crate) async fn show(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Extension(pass): Extension<Pass>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let wanted: TreeQuery = query(&uri)?;
    let depth = wanted.depth.unwrap_or(DEPTH).min(MAX_DEPTH);
    let limit = wanted.limit.unwrap_or(LIMIT).min(MAX_LIMIT);
    let of = if pass.whole { None } else { Some(&scope.tenant) };
    Ok(json(&(app.edge.tree)(of, depth, limit)))
}
