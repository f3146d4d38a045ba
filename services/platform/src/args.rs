//! Groups of flags that more than one command has.

use std::{net::SocketAddr, time::Duration};

use clap::Args;

/// Reads `30s`, `1m 30s`, `250ms`.
pub fn duration(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

/// Where a service listens, and how it stops.
#[derive(Args, Clone, Debug)]
pub struct ServerArgs {
    /// Address for gRPC.
    #[arg(long, env = "SIPUP_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// Address for probes, metrics and the log filter. Never exposed at the ingress.
    #[arg(long, env = "SIPUP_ADMIN_LISTEN", default_value = "0.0.0.0:9090")]
    pub admin_listen: SocketAddr,

    /// How long to go on serving after SIGTERM while load balancers notice: at least their refresh interval.
    #[arg(long, env = "SIPUP_READINESS_DELAY", default_value = "10s", value_parser = duration)]
    pub readiness_delay: Duration,

    /// How long calls and jobs in flight may take to end after that.
    #[arg(long, env = "SIPUP_DRAIN_TIMEOUT", default_value = "25s", value_parser = duration)]
    pub drain_timeout: Duration,

    /// Calls in flight at once; one more is refused with `RESOURCE_EXHAUSTED`.
    #[arg(long, env = "SIPUP_MAX_CALLS", default_value_t = 1_024)]
    pub max_calls: usize,

    /// The longest a call may take, whatever deadline its caller set.
    #[arg(long, env = "SIPUP_MAX_CALL_TIME", default_value = "60s", value_parser = duration)]
    pub max_call_time: Duration,

    /// The longest that a call may take which carries many things: a batch of writes, or an upload of many messages.
    #[arg(long, env = "SIPUP_MAX_LONG_CALL_TIME", default_value = "300s", value_parser = duration)]
    pub max_long_call_time: Duration,

    /// The largest request message, in bytes.
    #[arg(long, env = "SIPUP_MAX_REQUEST_BYTES", default_value_t = 16 << 20)]
    pub max_request_bytes: usize,

    /// Connections are asked to end after this time, so that new pods get their share.
    #[arg(long, env = "SIPUP_MAX_CONNECTION_AGE", default_value = "5m", value_parser = duration)]
    pub max_connection_age: Duration,
}

/// Who is believed.
#[derive(Args, Clone, Debug)]
pub struct AuthArgs {
    /// Where the keys of access tokens are published.
    #[arg(long, env = "SIPUP_JWKS_URL", default_value = "http://auth:8081/jwks.json")]
    pub jwks_url: http::Uri,

    /// The issuer that tokens must name.
    #[arg(long, env = "SIPUP_TOKEN_ISSUER", default_value = "https://sipup.local")]
    pub token_issuer: String,
}

/// What a process tells about itself.
#[derive(Args, Clone, Debug)]
pub struct TelemetryArgs {
    /// Where traces go over OTLP gRPC, for example `http://collector:4317`. Without it none leave the process.
    #[arg(long, env = "SIPUP_OTLP_URL")]
    pub otlp_url: Option<http::Uri>,

    /// The share of traces kept when the caller has not decided: 0 to 1.
    #[arg(long, env = "SIPUP_TRACE_RATIO", default_value_t = 0.05)]
    pub trace_ratio: f64,

    /// What is logged, in the syntax of tracing's `EnvFilter`. Changed at run time by `PUT /log-filter` on the admin port.
    #[arg(
        long,
        env = "SIPUP_LOG",
        default_value = "info,h2=warn,hyper=warn,tower=warn,fred=warn,opentelemetry=warn"
    )]
    pub log: String,
}
