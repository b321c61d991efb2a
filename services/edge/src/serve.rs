//! Listens, and ends in order.

use std::any::Any;
use std::convert::Infallible;
use std::future::{Future, IntoFuture as _};
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use futures_util::FutureExt as _;
use soorma_api::Problem;
use soorma_core::ErrorCode;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::access::admit;
use crate::app::{App, Edge, Shared, closing};
use crate::body;
use crate::reply::Refusal;
use crate::routes;

/// How often a stream is looked at before it counts as one that nobody reads.
const LOOKS: u32 = 8;

/// Serves until `stop` resolves; then takes no more connections, ends the streams with a last frame, gives what
/// group streams have in hand back to their groups, and lets requests finish.
///
/// It does not end before its last request does: whoever cannot wait that long drops it.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    edge: Edge,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, mut told) = watch::channel(false);
    let app = App::new(edge, told.clone());
    let stall_after = app.config().stall_after;
    let listener = listener.tap_io(move |socket| {
        // A frame of a stream is to leave at once, not when the one before it was acknowledged.
        let prepared = socket.set_nodelay(true).and_then(|()| cut_off(socket, stall_after));
        if let Err(error) = prepared {
            tracing::debug!(%error, "a connection is not set up as it should be");
        }
    });
    // A `Router` as it stands would be copied, with all its routes, for each connection: 12 KiB.
    let http = axum::serve(listener, router(Arc::clone(&app)).into_make_service())
        .with_graceful_shutdown(async move { closing(&mut told).await });
    // Connections are tasks of their own. What tells them to end is here: it goes with us if we crash, so none of them is left
    // that nobody counts and watches over.
    let told_to_stop = async {
        stop.await;
        stopping.send_replace(true);
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        served = http.into_future() => served,
        never = told_to_stop => match never {},
        never = watch_over(&app, stall_after) => match never {},
    }
}

/// How long a peer that takes nothing is kept at least: who reads again in time learns why its stream has ended.
#[cfg(target_os = "linux")]
const CUT_OFF_AFTER: Duration = Duration::from_secs(10);

/// Has the kernel cut a connection whose peer takes nothing, at twice the time after which we give up on it.
#[cfg(target_os = "linux")]
fn cut_off(socket: &TcpStream, stall_after: Duration) -> io::Result<()> {
    socket2::SockRef::from(socket)
        .set_tcp_user_timeout(Some(stall_after.saturating_mul(2).max(CUT_OFF_AFTER)))
}

/// Elsewhere a connection whose peer takes nothing stays until the peer is gone; it costs the node a socket.
#[cfg(not(target_os = "linux"))]
fn cut_off(_: &TcpStream, _: Duration) -> io::Result<()> {
    Ok(())
}

/// Ends streams that nobody reads.
async fn watch_over(app: &App, stall_after: Duration) -> Infallible {
    let every = (stall_after / LOOKS).clamp(Duration::from_millis(5), Duration::from_secs(5));
    loop {
        tokio::time::sleep(every).await;
        let ended = app.streams.end_stalled(stall_after);
        if ended > 0 {
            app.counters.slow.add(ended);
            tracing::info!(ended, "streams were not read and are ended");
        }
    }
}

fn router(app: Shared) -> Router {
    routes::all(app.config())
        .fallback(routes::not_found)
        .method_not_allowed_fallback(routes::method_not_allowed)
        .layer(body::limit(app.config().max_body_bytes))
        .layer(from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}

/// Stands before every route: decides who may ask, and turns a panic into an answer.
async fn guard(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let (scope, pass) = match admit(&app.edge.access, request.uri(), request.headers()).await {
        Ok(admitted) => admitted,
        Err(error) => return Refusal::from(error).into_response(),
    };
    request.extensions_mut().insert(scope);
    request.extensions_mut().insert(pass);
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
