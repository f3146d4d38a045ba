//! The admin port: probes, metrics, the log filter and the configuration. Plain HTTP, for the kubelet, Prometheus and operators.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

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

/// What must hold before a process takes its first call.
///
/// Once it has held, the process stays ready until it is told to stop. What can be missing later, a database for one, is missing to all
/// pods at once: were they to leave together, nobody would be left to answer from a replica, or to say what is wrong.
#[derive(Clone, Default)]
pub struct Readiness {
    conditions: Vec<(&'static str, Probe)>,
    reached: Arc<AtomicBool>,
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.conditions.iter().map(|(name, _)| name)).finish()
    }
}

impl Readiness {
    /// Adds a condition. The probe answers what is missing, in words for the operator.
    pub fn add<F, R>(&mut self, name: &'static str, probe: F)
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.conditions.push((name, Arc::new(move || Box::pin(probe()))));
    }

    /// The conditions that don't hold now, each as `name: what is missing`.
    pub async fn missing(&self) -> Vec<String> {
        let checks = self.conditions.iter().map(|(name, probe)| async move {
            probe().await.err().map(|missing| format!("{name}: {missing}"))
        });
        futures::future::join_all(checks).await.into_iter().flatten().collect()
    }

    /// Says that all conditions have held, for this and every clone of it.
    pub(crate) fn reach(&self) {
        self.reached.store(true, Ordering::Release);
    }

    /// What a probe is told: ready or not, and what is missing in either case.
    async fn answer(&self) -> (StatusCode, String) {
        let missing = self.missing().await;
        let (status, word) = match (self.reached.load(Ordering::Acquire), missing.is_empty()) {
            (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
            (true, true) => (StatusCode::OK, "ok"),
            (true, false) => (StatusCode::OK, "degraded"),
        };
        (status, [&[word.to_owned()], missing.as_slice()].concat().join("\n") + "\n")
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
    admin.readiness.answer().await.into_response()
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

    #[tokio::test]
    async fn a_database_that_goes_away_later_takes_no_pod_out() {
        let (gone, mut readiness) = (Arc::new(AtomicBool::new(true)), Readiness::default());
        let probed = Arc::clone(&gone);
        readiness.add("database", move || {
            let answer = if probed.load(Ordering::Relaxed) { Err("no connection".into()) } else { Ok(()) };
            std::future::ready(answer)
        });
        assert_eq!(
            readiness.answer().await,
            (StatusCode::SERVICE_UNAVAILABLE, "starting\ndatabase: no connection\n".into())
        );
        gone.store(false, Ordering::Relaxed);
        readiness.reach();
        assert_eq!(readiness.answer().await, (StatusCode::OK, "ok\n".into()));
        gone.store(true, Ordering::Relaxed);
        assert_eq!(readiness.answer().await, (StatusCode::OK, "degraded\ndatabase: no connection\n".into()));
    }
}
