//! The admin port: probes, metrics, the log filter and the configuration. Plain HTTP, for the kubelet, Prometheus and operators.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio_util::sync::CancellationToken;

use crate::telemetry::Telemetry;

type Probe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// What must hold before a process takes calls.
#[derive(Clone, Default)]
pub struct Readiness(Vec<(&'static str, Probe)>);

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Readiness {
    /// Adds a condition. The probe answers what is missing, in words for the operator.
    pub fn add<F, R>(&mut self, name: &'static str, probe: F)
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.0.push((name, Arc::new(move || Box::pin(probe()))));
    }

    /// The conditions that don't hold, each as `name: what is missing`. Empty means ready.
    pub async fn missing(&self) -> Vec<String> {
        let checks = self.0.iter().map(|(name, probe)| async move {
            probe().await.err().map(|missing| format!("{name}: {missing}"))
        });
        futures::future::join_all(checks).await.into_iter().flatten().collect()
    }
}

/// What the admin port tells of.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    pub(crate) telemetry: Telemetry,
    pub(crate) readiness: Readiness,
    /// Cancelled from the moment the process has been told to stop.
    pub(crate) terminating: CancellationToken,
    /// The configuration, secrets redacted.
    pub(crate) config: Arc<str>,
}

impl Admin {
    pub(crate) fn into_router(self) -> Router {
        Router::new()
            .route("/livez", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .route("/log-filter", get(log_filter).put(set_log_filter))
            .route("/config", get(async |State(admin): State<Self>| admin.config.to_string()))
            .with_state(self)
    }
}

async fn ready(State(admin): State<Admin>) -> Response {
    if admin.terminating.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "terminating\n").into_response();
    }
    match admin.readiness.missing().await {
        missing if missing.is_empty() => "ok\n".into_response(),
        missing => (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n").into_response(),
    }
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], admin.telemetry.metrics())
}

async fn log_filter(State(admin): State<Admin>) -> Response {
    admin
        .telemetry
        .log_filter()
        .map_or_else(|| StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response)
}

async fn set_log_filter(State(admin): State<Admin>, filter: String) -> Response {
    match admin.telemetry.set_log_filter(filter.trim()) {
        Ok(()) => {
            tracing::info!(filter = filter.trim(), "log filter changed");
            "ok\n".into_response()
        }
        Err(problem) => (StatusCode::BAD_REQUEST, problem + "\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let mut readiness = Readiness::default();
        assert!(readiness.missing().await.is_empty());
        readiness.add("database", async || Err("no connection".into()));
        readiness.add("schema", async || Ok(()));
        assert_eq!(readiness.missing().await, ["database: no connection"]);
    }
}
