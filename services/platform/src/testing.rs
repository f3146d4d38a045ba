//! A service inside a test: the same wiring as a process, on free ports, with a clock of the test's choice, and an issuer of tokens.

mod issuer;

use std::{net::SocketAddr, time::Duration};

use tokio::sync::mpsc;
use tonic_health::pb::health_check_response::ServingStatus;

pub use self::issuer::Issuer;
use crate::{
    Clock, Context, Identity, Secret,
    args::{ServerArgs, TelemetryArgs},
    page::PageArgs,
    run::{Bound, install_crypto},
    telemetry::Telemetry,
};

/// A service that runs inside this test. Stop it with [`Running::stop`] to see its outcome.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub bound: Bound,
    context: Context,
    served: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Tells the service to stop as SIGTERM would, and waits until it has.
    ///
    /// # Errors
    ///
    /// What the service failed with.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.context.terminating.cancel();
        let outcome = self.served.await?;
        self.context.end().await;
        outcome
    }

    /// The URL of the gRPC port.
    pub fn url(&self) -> String {
        format!("http://{}", self.bound.grpc)
    }

    /// The service's own context, for its clock and tasks.
    pub fn context(&self) -> &Context {
        &self.context
    }
}

/// Ports and times for a service in a test: free loopback ports, no readiness delay.
pub fn server_args() -> ServerArgs {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    ServerArgs {
        listen: free,
        admin_listen: free,
        readiness_delay: Duration::ZERO,
        drain_timeout: Duration::from_secs(5),
        max_calls: 1_024,
        max_call_time: Duration::from_mins(1),
        max_long_call_time: Duration::from_mins(5),
        max_request_bytes: 16 << 20,
        max_connection_age: Duration::from_mins(5),
    }
}

/// A key for the page tokens of a service in a test.
pub fn page_args() -> PageArgs {
    PageArgs { page_token_key: Secret::new("a key for tests, long enough to be one") }
}

/// Starts a service and waits until it listens and is ready.
///
/// # Errors
///
/// What kept it from starting.
pub async fn start<A, F>(
    service: &'static str,
    clock: Clock,
    args: A,
    serve: impl FnOnce(A, Context) -> F,
) -> anyhow::Result<Running>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    install_crypto();
    let telemetry = Telemetry::start(
        service,
        &TelemetryArgs { otlp_url: None, trace_ratio: 1.0, log: "warn".to_owned() },
    )?;
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let identity = Identity { service, version: "test" };
    let context = Context::new(identity, clock, telemetry, String::new()).telling(sender);
    let mut served = context.tasks.spawn("serve", serve(args, context.clone()));
    let bound = tokio::select! {
        Some(bound) = receiver.recv() => bound,
        outcome = &mut served => anyhow::bail!("ended before it listened: {:?}", outcome?),
    };
    let running = Running { bound, context, served };
    running.until_ready().await?;
    Ok(running)
}

impl Running {
    /// Waits until the service takes calls, by the same probe that a cluster asks.
    async fn until_ready(&self) -> anyhow::Result<()> {
        let channel = tonic::transport::Endpoint::try_from(self.url())?.connect().await?;
        let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
        let mut states = health.watch(tonic_health::pb::HealthCheckRequest::default()).await?.into_inner();
        let wait = async {
            while let Some(state) = states.message().await? {
                if state.status() == ServingStatus::Serving {
                    return Ok(());
                }
            }
            anyhow::bail!("the service stopped before it was ready")
        };
        tokio::time::timeout(Duration::from_mins(1), wait).await?
    }
}
