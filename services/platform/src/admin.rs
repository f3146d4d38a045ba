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

/// What must hold before a process takes calls.
///
/// Most of it is asked for once: what can be missing later, a database for one, is missing to all pods at once. Were they to leave
/// together, nobody would be left to answer from a replica, or to say what is wrong.
#[derive(Clone, Default)]
pub struct Readiness {
    conditions: Vec<Condition>,
    reached: Arc<AtomicBool>,
}

/// One of these.
#[derive(Clone)]
pub struct Condition {
    name: &'static str,
    lasting: bool,
    probe: Probe,
}

impl Condition {
    /// Makes it one for every call: something of this process alone, which others have when it has not.
    pub fn lasting(&mut self) {
        self.lasting = true;
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.conditions).finish()
    }
}

impl Readiness {
    /// Adds a condition for the first call. The probe answers what is missing, in words for the operator.
    pub fn add<F, R>(&mut self, name: &'static str, probe: F) -> &mut Condition
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.conditions.push_mut(Condition {
            name,
            lasting: false,
            probe: Arc::new(move || Box::pin(probe())),
        })
    }

    /// The conditions that don't hold now, each as `name: what is missing`.
    pub async fn missing(&self) -> Vec<String> {
        self.unmet().await.into_iter().map(|(_, missing)| missing).collect()
    }

    async fn unmet(&self) -> Vec<(bool, String)> {
        let checks = self.conditions.iter().map(|Condition { name, lasting, probe }| async move {
            probe().await.err().map(|missing| (*lasting, format!("{name}: {missing}")))
        });
        futures::future::join_all(checks).await.into_iter().flatten().collect()
    }

    /// Says that all conditions have held, for this and every clone of it.
    pub(crate) fn reach(&self) {
        self.reached.store(true, Ordering::Release);
    }

    /// What a probe is told: ready or not, and below that what is missing in either case.
    async fn answer(&self) -> (StatusCode, String) {
        let (reached, unmet) = (self.reached.load(Ordering::Acquire), self.unmet().await);
        let (status, word) = if !reached {
            (StatusCode::SERVICE_UNAVAILABLE, "starting")
        } else if unmet.iter().any(|(lasting, _)| *lasting) {
            (StatusCode::SERVICE_UNAVAILABLE, "not ready")
        } else if unmet.is_empty() {
            (StatusCode::OK, "ok")
        } else {
            (StatusCode::OK, "degraded")
        };
        let lines = std::iter::once(word).chain(unmet.iter().map(|(_, missing)| missing.as_str()));
        (status, lines.collect::<Vec<_>>().join("\n") + "\n")
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

    #[tokio::test]
    async fn what_one_pod_alone_has_lost_takes_it_out() {
        let mut readiness = Readiness::default();
        readiness.add("certificate", async || Err("it has ended".into())).lasting();
        readiness.reach();
        let (status, body) = readiness.answer().await;
        assert_eq!((status.as_u16(), body.as_str()), (503, "not ready\ncertificate: it has ended\n"));
    }
}
