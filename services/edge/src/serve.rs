//! Listens, and ends in order.

use std::any::Any;
use std::future::{Future, IntoFuture as _};
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use futures_util::FutureExt as _;
use soorma_api::Problem;
use soorma_core::ErrorCode;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use crate::access::admit;
use crate::app::{App, Edge, Shared};
use crate::body;
use crate::reply::Refusal;
use crate::routes;

/// Group streams that wait to be started; who finds it full waits.
const STARTING: usize = 64;

/// Serves until `stop` resolves; then takes no more connections, ends the streams with a last frame, gives what
/// group streams have in hand back to their groups, and lets requests finish.
///
/// It does not end before its last request does: whoever cannot wait that long drops it. Then what group
/// streams have in hand goes to others when its lease has run out.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    edge: Edge,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, told) = watch::channel(false);
    let (members, mut starting) = mpsc::channel(STARTING);
    let app = App::new(edge, told, members);
    // A frame of a stream is to leave at once, not when the one before it was acknowledged.
    let listener = listener.tap_io(|socket| {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "a connection collects small writes");
        }
    });
    let http = axum::serve(listener, router(app)).with_graceful_shutdown(async move {
        stop.await;
        stopping.send_replace(true);
    });
    let mut http = pin!(http.into_future());
    let mut running = JoinSet::new();
    let served = loop {
        tokio::select! {
            biased;
            Some(ended) = running.join_next(), if !running.is_empty() => note(ended),
            Some(member) = starting.recv() => { running.spawn(member); }
            served = &mut http => break served,
        }
    };
    while let Some(ended) = running.join_next().await {
        note(ended);
    }
    served
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "group stream crashed");
    }
}

fn router(app: Shared) -> Router {
    routes::all()
        .fallback(routes::not_found)
        .method_not_allowed_fallback(routes::method_not_allowed)
        .layer(body::limit(app.config()))
        .layer(from_fn(guard))
        .with_state(app)
}

/// Stands before every route: decides who may ask, and turns a panic into an answer.
async fn guard(mut request: Request, next: Next) -> Response {
    let scope = match admit(request.uri(), request.headers()) {
        Ok(scope) => scope,
        Err(error) => return Refusal::from(error).into_response(),
    };
    request.extensions_mut().insert(scope);
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            tracing::error!(panic = text_of(&*panic), "request handler panicked");
            let detail = "the node failed on this request; the fault is ours and stands in its log";
            Refusal::from(Problem::new(ErrorCode::Internal, detail)).into_response()
        }
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
