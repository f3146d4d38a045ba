//! Redis: what pods share and may lose.
//!
//! A cluster of Redis or Valkey servers that the service can do without. Every command has a time limit of a few dozen milliseconds,
//! and a breaker in front of it: while the cluster is away, a command costs nothing but the answer "not available".

mod args;
mod breaker;
mod layout;
mod positions;
mod script;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use fred::{
    interfaces::{ClientLike as _, EventInterface as _},
    prelude::{Builder, Client, Config, ReconnectPolicy, ServerConfig},
    types::{
        RespVersion,
        config::{ConnectionConfig, TcpConfig, TlsConnector, UnresponsiveConfig},
    },
};
use opentelemetry::{
    KeyValue,
    metrics::{Histogram, Meter},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

pub use args::{InvalidNode, Node, RedisArgs};
pub use layout::{Layout, Losses};
pub use script::{Argument, Script, hash_slot};

use crate::Tasks;
use breaker::Breaker;

/// How long a connection attempt or a command of the client's own may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// A server that leaves a command unanswered for this long is disconnected.
const UNRESPONSIVE_AFTER: Duration = Duration::from_secs(2);
/// The client's longest wait between attempts to connect, in milliseconds.
const LONGEST_BACKOFF_MS: u32 = 2_000;
/// Good-bye at shutdown.
const QUIT_WITHIN: Duration = Duration::from_secs(1);
/// Bounds in seconds: from a healthy answer to a time-out.
const SECONDS: [f64; 10] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1];

/// Redis did not answer in time, or is known not to.
#[derive(Clone, Debug, thiserror::Error)]
#[error("redis is not available")]
pub struct Unavailable(#[source] Option<fred::error::Error>);

/// The arguments make no client.
#[derive(Debug, thiserror::Error)]
#[error("redis: {0}")]
pub struct Misconfigured(String);

/// A cluster of Redis or Valkey servers. Cheap to clone.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    client: Client,
    breaker: Mutex<Breaker>,
    command_timeout: Duration,
    duration: Histogram<f64>,
}

impl Redis {
    /// Begins to connect, and goes on doing so in the background. None if the arguments name no server.
    ///
    /// # Errors
    ///
    /// If the file of authorities can't be read.
    pub fn connect(
        args: &RedisArgs,
        tasks: &Tasks,
        stop: CancellationToken,
        meter: &Meter,
    ) -> Result<Option<Self>, Misconfigured> {
        if args.redis_nodes.is_empty() {
            return Ok(None);
        }
        let client = build(args)?;
        let duration = meter
            .f64_histogram("redis.command.duration")
            .with_unit("s")
            .with_description("One command there and back, or until it was given up, by command and outcome")
            .with_boundaries(SECONDS.to_vec())
            .build();
        let redis = Self(Arc::new(Inner {
            client: client.clone(),
            breaker: Mutex::default(),
            command_timeout: args.redis_command_timeout,
            duration,
        }));
        let open = redis.clone();
        meter
            .u64_observable_gauge("redis.breaker.open")
            .with_description("1 while commands are refused because Redis did not answer")
            .with_callback(move |observer| observer.observe(u64::from(!open.is_available()), &[]))
            .build();
        tasks.spawn_until_stop("redis errors", log_errors(client.clone()));
        drop(tasks.spawn("redis", async move {
            let connection = client.connect();
            stop.cancelled().await;
            // Refused if it never got as far as connecting.
            let _ = tokio::time::timeout(QUIT_WITHIN, client.quit()).await;
            connection.abort();
        }));
        Ok(Some(redis))
    }

    /// Whether commands are tried at all at the moment.
    pub fn is_available(&self) -> bool {
        !self.breaker(|breaker| breaker.is_open())
    }

    /// Runs one command, unless Redis is known not to answer.
    async fn command<T>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, fred::error::Error>>,
    ) -> Result<T, Unavailable> {
        if !self.breaker(|breaker| breaker.may_try(Instant::now())) {
            return Err(Unavailable(None));
        }
        let span = tracing::debug_span!(
            "redis",
            otel.name = format!("redis.{name}"),
            otel.kind = "client",
            db.system = "redis",
            db.operation.name = name,
        );
        let mut attempt = Attempt { redis: self, name, started: Instant::now(), outcome: "cancelled" };
        match tokio::time::timeout(self.0.command_timeout, work).instrument(span).await {
            Ok(Ok(value)) => {
                attempt.outcome = "ok";
                Ok(value)
            }
            Ok(Err(error)) => {
                attempt.outcome = "error";
                tracing::debug!(command = name, %error, "redis failed");
                Err(Unavailable(Some(error)))
            }
            Err(_) => {
                attempt.outcome = "timeout";
                Err(Unavailable(None))
            }
        }
    }

    fn breaker<T>(&self, ask: impl FnOnce(&mut Breaker) -> T) -> T {
        ask(&mut self.0.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("available", &self.is_available()).finish_non_exhaustive()
    }
}

/// One command under way. Measured and judged when it is over, also if its caller went away.
struct Attempt<'a> {
    redis: &'a Redis,
    name: &'static str,
    started: Instant,
    outcome: &'static str,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let labels = [KeyValue::new("command", self.name), KeyValue::new("outcome", self.outcome)];
        self.redis.0.duration.record(self.started.elapsed().as_secs_f64(), &labels);
        let turned = self.redis.breaker(|breaker| match self.outcome {
            "ok" => breaker.succeeded(),
            // Says nothing about Redis.
            "cancelled" => breaker.gave_up(),
            _ => breaker.failed(Instant::now()),
        });
        match turned {
            breaker::Turned::Opened => tracing::warn!("redis does not answer; going on without it"),
            breaker::Turned::Closed => tracing::info!("redis answers again"),
            breaker::Turned::Not => {}
        }
    }
}

fn build(args: &RedisArgs) -> Result<Client, Misconfigured> {
    let nodes: Vec<(String, u16)> =
        args.redis_nodes.iter().map(|node| (node.host.clone(), node.port)).collect();
    let tls = if args.redis_tls {
        let trusted = crate::db::trusted_roots(args.redis_ca_file.as_deref())
            .map_err(|error| Misconfigured(crate::status::chain(&error)))?;
        Some(TlsConnector::from(trusted).into())
    } else {
        None
    };
    let config = Config {
        server: ServerConfig::new_clustered(nodes),
        version: RespVersion::RESP3,
        username: args.redis_username.clone(),
        password: args.redis_password.as_ref().map(|password| password.expose().to_owned()),
        // A cluster that is late is waited for like one that has gone away.
        fail_fast: false,
        tls,
        ..Config::default()
    };
    Builder::from_config(config)
        .with_connection_config(|connection: &mut ConnectionConfig| {
            connection.connection_timeout = CONNECT_WITHIN;
            connection.internal_command_timeout = CONNECT_WITHIN;
            connection.max_command_attempts = 2;
            connection.reconnect_on_auth_error = true;
            connection.tcp = TcpConfig { nodelay: Some(true), ..TcpConfig::default() };
            connection.unresponsive = UnresponsiveConfig {
                max_timeout: Some(UNRESPONSIVE_AFTER),
                interval: UNRESPONSIVE_AFTER / 4,
            };
        })
        // Without it a command waits for as long as the cluster is away.
        .with_performance_config(|performance| {
            performance.default_command_timeout = args.redis_command_timeout;
        })
        .set_policy(ReconnectPolicy::new_exponential(0, 50, LONGEST_BACKOFF_MS, 2))
        .build()
        .map_err(|error| Misconfigured(error.to_string()))
}

async fn log_errors(client: Client) {
    let mut errors = client.error_rx();
    loop {
        match errors.recv().await {
            Ok((error, server)) => tracing::debug!(%error, ?server, "redis connection"),
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        }
    }
}
