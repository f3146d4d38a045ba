//! A process from its first line to its last: telemetry, signals, serving, and an ordered stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use opentelemetry::metrics::Meter;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Clock, Tasks,
    admin::{Admin, Readiness},
    args::{ServerArgs, TelemetryArgs},
    grpc::{self, Rpc},
    telemetry::Telemetry,
};

/// How long background tasks may take to end once the last call has.
const TASKS_END_WITHIN: Duration = Duration::from_secs(3);
/// How often a process that isn't ready looks again.
const READY_EVERY: Duration = Duration::from_millis(100);

/// Who a process is.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The service's name, for example `catalog`.
    pub service: &'static str,
    /// Version and git hash.
    pub version: &'static str,
}

/// Where a service listens, told to whoever asked for port 0.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// gRPC.
    pub grpc: SocketAddr,
    /// Probes and metrics.
    pub admin: SocketAddr,
}

/// What a service is given to live in.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who this process is.
    pub identity: Identity,
    /// The time.
    pub clock: Clock,
    /// Background tasks.
    pub tasks: Tasks,
    /// Cancelled when the process has been told to stop: take no new work.
    pub terminating: CancellationToken,
    /// Cancelled when the last call has ended: background tasks end.
    pub stop: CancellationToken,
    /// Makes metrics.
    pub meter: Meter,
    /// What must hold before the first call is taken.
    pub readiness: Readiness,
    telemetry: Telemetry,
    config: Arc<str>,
    bound: Option<mpsc::UnboundedSender<Bound>>,
}

/// Runs a service as this process until SIGTERM or SIGINT, or until it fails.
///
/// # Errors
///
/// What kept the service from starting, or made it end by itself.
pub fn run<A: std::fmt::Debug>(
    identity: Identity,
    telemetry: &TelemetryArgs,
    args: A,
    serve: impl AsyncFnOnce(A, Context) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    install_crypto();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    let outcome = runtime.block_on(async {
        let telemetry = Telemetry::start(identity.service, telemetry)?;
        let context = Context::new(identity, Clock::system(), telemetry, format!("{args:#?}"));
        context.tasks.spawn_until_stop("signals", terminate_on_signal(context.terminating.clone())?);
        tracing::info!(version = identity.version, config = %context.config, "starting");
        let outcome = serve(args, context.clone()).await;
        if let Err(error) = &outcome {
            tracing::error!(error = format!("{error:#}"), "ended by itself");
        }
        context.end().await;
        outcome
    });
    runtime.shutdown_timeout(TASKS_END_WITHIN);
    outcome
}

/// Makes the tree's one crypto provider the default. Later calls change nothing.
pub fn install_crypto() {
    // Refused only if it was done before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn terminate_on_signal(terminating: CancellationToken) -> anyhow::Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to stop");
        terminating.cancel();
    })
}

impl Context {
    /// A process of its own, or one of several in a test.
    pub(crate) fn new(identity: Identity, clock: Clock, telemetry: Telemetry, config: String) -> Self {
        let stop = CancellationToken::new();
        Self {
            identity,
            clock,
            tasks: Tasks::new(stop.clone()),
            terminating: CancellationToken::new(),
            stop,
            meter: telemetry.meter(),
            readiness: Readiness::default(),
            telemetry,
            config: config.into(),
            bound: None,
        }
    }

    /// Tells where the service listens through `sender`.
    pub(crate) fn telling(mut self, sender: mpsc::UnboundedSender<Bound>) -> Self {
        self.bound = Some(sender);
        self
    }

    /// Serves until told to stop, then stops in order: not ready, a delay while load balancers notice, no new connections,
    /// calls in flight to their end or the drain time-out.
    ///
    /// # Errors
    ///
    /// A port can't be bound, or the server failed.
    pub async fn serve(&self, args: &ServerArgs, rpc: Rpc) -> anyhow::Result<()> {
        let grpc = bind(args.listen).await?;
        let admin = bind(args.admin_listen).await?;
        let bound = Bound { grpc: grpc.local_addr()?, admin: admin.local_addr()? };

        let mut readiness = self.readiness.clone();
        if let Some(verifier) = rpc.verifier().cloned() {
            readiness.add("tokens", move || std::future::ready(verifier.ready()));
        }
        self.serve_admin(admin, readiness.clone());
        let (health, health_service) = tonic_health::server::health_reporter();
        let names = rpc.names();
        let routes = rpc.into_routes(health_service, args, &self.meter)?;
        set_health(&health, &names, tonic_health::ServingStatus::NotServing).await;
        tracing::info!(grpc = %bound.grpc, admin = %bound.admin, "listening");
        if let Some(sender) = &self.bound {
            // Whoever asked may have lost interest.
            let _ = sender.send(bound);
        }

        let context = self.clone();
        let delay = args.readiness_delay;
        let closing = CancellationToken::new();
        let closed = closing.clone();
        drop(self.tasks.spawn("health", async move {
            if context.terminating.run_until_cancelled(until_ready(&readiness)).await.is_some() {
                set_health(&health, &names, tonic_health::ServingStatus::Serving).await;
                readiness.reach();
                tracing::info!("ready");
                context.terminating.cancelled().await;
                set_health(&health, &names, tonic_health::ServingStatus::NotServing).await;
                tokio::time::sleep(delay).await;
            }
            closing.cancel();
        }));

        let incoming = grpc::accept(grpc, args.max_connection_age);
        let server = grpc::server(args)
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, closed.clone().cancelled_owned());
        tokio::select! {
            outcome = server => outcome.context("serve gRPC")?,
            () = async { closed.cancelled().await; tokio::time::sleep(args.drain_timeout).await } => {
                tracing::warn!(drain_timeout = ?args.drain_timeout, "calls in flight were cut off");
            }
        }
        Ok(())
    }

    fn serve_admin(&self, listener: TcpListener, readiness: Readiness) {
        let admin = Admin {
            telemetry: self.telemetry.clone(),
            readiness,
            terminating: self.terminating.clone(),
            config: Arc::clone(&self.config),
        };
        let stop = self.stop.clone();
        drop(self.tasks.spawn("admin", async move {
            let server =
                axum::serve(listener, admin.into_router()).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(error) = server.await {
                tracing::error!(%error, "admin port failed");
            }
        }));
    }

    /// Ends background tasks, then sends the last telemetry.
    pub(crate) async fn end(self) {
        self.terminating.cancel();
        self.stop.cancel();
        if !self.tasks.join(TASKS_END_WITHIN).await {
            tracing::warn!("background tasks did not end in time");
        }
        tracing::info!("stopped");
        let telemetry = self.telemetry;
        // Fails only if the runtime is going down, and then there is nobody to tell.
        let _ = tokio::task::spawn_blocking(move || telemetry.shut_down()).await;
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))
}

/// A dependency that is late delays this; it does not end the process.
async fn until_ready(readiness: &Readiness) {
    let mut told = Vec::new();
    loop {
        let missing = readiness.missing().await;
        if missing.is_empty() {
            return;
        }
        if missing != told {
            tracing::info!(missing = missing.join("; "), "not ready yet");
            told = missing;
        }
        tokio::time::sleep(READY_EVERY).await;
    }
}

async fn set_health(
    health: &tonic_health::server::HealthReporter,
    names: &[&'static str],
    status: tonic_health::ServingStatus,
) {
    for name in names.iter().chain(&[""]) {
        health.set_service_status(*name, status).await;
    }
}
