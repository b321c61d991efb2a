//! How the node is, and what it is.

use axum::extract::State;
use axum::response::Response;
use soorma_api::{About, Health, HealthStatus, Ready, Version, routes};
use soorma_core::Error;

use crate::access::Tokens;
use crate::app::Shared;
use crate::reply::{Refusal, json};

const SERVICE: &str = "soorma";
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) async fn health(State(app): State<Shared>) -> Response {
    let (log, memory) = futures_util::join!(app.check(), app.check_memory());
    let (connected, memory) = (log.is_ok(), memory.is_ok());
    json(&Health {
        status: if connected && memory { HealthStatus::Healthy } else { HealthStatus::Degraded },
        adapter: app.edge.adapter.clone(),
        connected,
        // Anybody may ask, and the streams are those of all tenants.
        active_streams: match app.edge.access.tokens {
            Tokens::Required => 0,
            Tokens::Optional => app.streams.count(),
        },
        memory,
        embedder: app.edge.embedder.clone(),
        service: SERVICE.into(),
        version: VERSION.into(),
    })
}

pub(crate) async fn livez() -> Response {
    json(&Ready { status: "alive".into() })
}

pub(crate) async fn readyz(State(app): State<Shared>) -> Result<Response, Refusal> {
    if *app.stopping.borrow() || !(app.edge.ready)() {
        return Err(Error::unavailable("the node is starting or draining; use another, or wait").into());
    }
    app.check().await?;
    app.check_directory().await?;
    app.check_memory().await?;
    Ok(json(&Ready { status: "ready".into() }))
}

pub(crate) async fn version() -> Response {
    json(&Version { service: SERVICE.into(), version: VERSION.into() })
}

pub(crate) async fn about() -> Response {
    let routes = routes::ALL.iter().map(|(method, path)| format!("{method} {path}")).collect();
    json(&About { service: SERVICE.into(), version: VERSION.into(), routes })
}
