//! The published keys, on a port of their own: plain HTTP/1.1, as Envoy and every service fetch them.

use axum::{Json, Router, extract::State, http::header, response::IntoResponse, routing::get};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::keys::{CACHE_PERIOD, Keys};

/// Where the keys are.
pub const PATH: &str = "/jwks.json";

/// Serves `keys` on `listener` until `stop`.
pub(crate) async fn serve(listener: TcpListener, keys: Keys, stop: CancellationToken) {
    let router = Router::new().route(PATH, get(published)).with_state(keys);
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::error!(%error, "key set port failed");
    }
}

async fn published(State(keys): State<Keys>) -> impl IntoResponse {
    let cache = format!("public, max-age={}", CACHE_PERIOD.as_secs());
    ([(header::CACHE_CONTROL, cache)], Json(keys.published()))
}
