//! What is answered where; one file a resource.

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use soorma_api::{Problem, routes as path};
use soorma_core::ErrorCode;

use crate::app::Shared;
use crate::body;
use crate::config::Config;
use crate::reply::Refusal;

mod agents;
mod connections;
mod dead_letters;
mod deliveries;
mod events;
mod groups;
mod health;
mod memory;
mod metrics;
mod publish;
mod schemas;
mod stream;
mod tree;

pub(crate) fn all(config: &Config) -> Router<Shared> {
    Router::new()
        .route(path::PUBLISH, post(publish::publish))
        .route(path::BATCH, post(publish::publish_all).layer(body::limit(config.max_batch_bytes)))
        .route(path::STREAM, get(stream::open))
        .route(path::ACK, post(deliveries::ack))
        .route(path::NACK, post(deliveries::nack))
        .route(path::EXTEND, post(deliveries::extend))
        .route(path::DELIVERY, post(deliveries::one))
        .route(path::GROUPS, get(groups::list))
        .route(path::GROUP, get(groups::show).delete(groups::remove).post(groups::command))
        .route(path::CONNECTIONS, get(connections::list))
        .route(path::DEAD_LETTERS, get(dead_letters::list))
        .route(path::DEAD_LETTER, get(dead_letters::show))
        .route(path::REDRIVE, post(dead_letters::redrive))
        .route(path::DISCARD, post(dead_letters::discard))
        .route(path::AGENTS, post(agents::register).get(agents::list))
        .route(path::DISCOVER, get(agents::discover).delete(agents::remove_discover))
        .route(path::AGENT, get(agents::show).delete(agents::remove))
        .route(path::HEARTBEAT, put(agents::heartbeat).post(agents::heartbeat))
        .route(path::EVENTS, post(events::define).get(events::list))
        .route(path::EVENT, get(events::show))
        .route(path::SCHEMAS, post(schemas::register).get(schemas::list))
        .route(path::SCHEMA, get(schemas::newest))
        .route(path::SCHEMA_VERSIONS, get(schemas::versions))
        .route(path::SCHEMA_VERSION, get(schemas::show))
        .merge(memory::all())
        .route(path::TREE, get(tree::show))
        .route(path::HEALTH, get(health::health))
        .route(path::LIVEZ, get(health::livez))
        .route(path::READYZ, get(health::readyz))
        .route(path::VERSION, get(health::version))
        .route(path::METRICS, get(metrics::show))
        .route(path::ROOT, get(health::about))
}

pub(crate) async fn not_found() -> Response {
    let detail = "Not Found. GET / lists what there is";
    Refusal::from(Problem::new(ErrorCode::NotFound, detail)).into_response()
}

pub(crate) async fn method_not_allowed(request: Request) -> Response {
    let detail = format!(
        "Method Not Allowed: {} is not for this path; the allow header says what is",
        request.method()
    );
    Refusal::from(Problem::new(ErrorCode::Invalid, detail).with_status(405)).into_response()
}
