//! How much there is, and how it is looked after.

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use soorma_api::memory::Reembedding;

use super::in_query;
use super::mine::{Mine, key_shown};
use crate::access::Tokens;
use crate::app::{App, Shared};
use crate::parameters::Parameters;
use crate::reply::{Refusal, json};

pub(super) async fn stats(
    State(app): State<Shared>,
    Mine(mine): Mine,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(&uri)?;
    let whole = match parameters.text("of") {
        None | Some("owner") => false,
        Some("tenant") => true,
        Some(_) => {
            let says = "should be 'owner' or 'tenant'";
            parameters.fault("of", "enum", &format!("Input {says}"), says);
            false
        }
    };
    parameters.end()?;
    if whole {
        looks_after(&app, &headers)?;
    }
    let owner = (!whole).then_some(&mine.owner);
    Ok(json(&app.memory().stats(&mine.tenant, owner).await.map_err(in_query)?))
}

pub(super) async fn reembed(
    State(app): State<Shared>,
    Mine(mine): Mine,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    looks_after(&app, &headers)?;
    Ok(json(&Reembedding { dropped: app.memory().reembed(&mine.tenant).await? }))
}

/// Lets in who looks after the memory of a tenant: who has the key, and everybody on a node that asks for no tokens. What others of the
/// tenant have, and the work of their embedder, is not for any one of them.
fn looks_after(app: &App, headers: &HeaderMap) -> Result<(), Refusal> {
    match app.edge.access.tokens {
        Tokens::Optional => Ok(()),
        Tokens::Required => Ok(key_shown(app, headers)?),
    }
}
