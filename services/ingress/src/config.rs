//! What a place must say about itself before Envoy can run there.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use crate::{Access, Backend, Endpoints, rpcs};

/// Envoy's configuration, before it is written in Envoy's words. Start from [`Config::new`] and change fields.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients connect: gRPC, gRPC-Web and REST over HTTP/1.1 and cleartext HTTP/2. Default `0.0.0.0:8080`.
    pub listen: SocketAddr,
    /// TLS for clients, on a port of its own beside the plain one. Default `None`.
    pub tls: Option<Tls>,
    /// `/metrics` (Prometheus) and `/ready`, nothing else. Default `0.0.0.0:9090`.
    pub metrics_listen: SocketAddr,
    /// Envoy's admin port, which can stop Envoy: keep it on loopback. Default `127.0.0.1:9901`.
    pub admin: SocketAddr,
    /// One per area of the contracts.
    pub backends: Vec<Backend>,
    /// How access tokens are checked.
    pub jwt: Jwt,
    /// Origins of web pages that may call, each exactly as a browser sends it (`https://shop.example`). Default none.
    pub cors_origins: Vec<String>,
    /// Calls per client address on this Envoy. `None` lets everything through.
    pub local_limit: Option<LocalLimit>,
    /// The global rate limit service. Default `None`.
    pub limiter: Option<Limiter>,
    /// Sizes and times.
    pub limits: Limits,
    /// Proxies in front of this one whose `x-forwarded-for` entries are believed. Must be their exact number: with one
    /// too many, clients choose their own address. Default 0.
    pub trusted_hops: u32,
    /// File that gets one JSON line per request. Default `/dev/stdout`.
    pub access_log: PathBuf,
    /// Where Envoy finds the contracts for REST. Default inline.
    pub descriptors: Descriptors,
    /// Where spans go. Default `None`: Envoy makes no spans and passes `traceparent` on as it came.
    pub otlp: Option<Otlp>,
}

/// TLS 1.2 and 1.3 for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Where clients connect. Default `0.0.0.0:8443`.
    pub listen: SocketAddr,
    /// The folder with `tls.crt` and `tls.key`, as a Secret of type `kubernetes.io/tls` is mounted.
    pub folder: PathBuf,
}

/// How access tokens are checked at the edge. The services check them again.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// The `iss` that tokens must have. Default `https://sipup.local`.
    pub issuer: String,
    /// The `aud` that tokens must have. Default `sipup`.
    pub audience: String,
    /// Plain HTTP/1.1 ports that serve the key set.
    pub jwks: Endpoints,
    /// Path of the key set on those ports. Default `/jwks.json`.
    pub jwks_path: String,
    /// How long a fetched key set is used. A key must be published at least this long before it signs, because an
    /// unknown key id does not trigger a fetch. Default 5 min.
    pub cache: Duration,
}

/// A token bucket for each client address (for IPv6, each /64), kept by each Envoy for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalLimit {
    /// Calls per second that a bucket gains. Default 200.
    pub per_second: u32,
    /// Calls that a full bucket allows at once. Default 400.
    pub burst: u32,
    /// Addresses remembered at a time; the least recent is forgotten first. Default 10,000.
    pub addresses: u32,
}

/// The global rate limit service, asked before each call. When it does not answer, calls are let through: the local
/// limit still holds.
#[derive(Clone, Debug)]
pub struct Limiter {
    /// Ports that serve `envoy.service.ratelimit.v3.RateLimitService`.
    pub endpoints: Endpoints,
    /// Longest wait for its answer. Default 100 ms.
    pub timeout: Duration,
}

/// Sizes and times that hold for every call.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest time for a unary call, with all retries; a longer `grpc-timeout` is cut to this. Default 60 s.
    pub timeout: Duration,
    /// The same for a call that carries many things ([`Class::is_long`](crate::Class::is_long)). Default 300 s.
    pub long_timeout: Duration,
    /// Longest time for a stream. Default 1 h.
    pub stream_timeout: Duration,
    /// Largest body of a unary call. Default 4 MiB.
    pub unary_bytes: u32,
    /// Largest body of a bulk call. Default 16 MiB.
    pub bulk_bytes: u32,
    /// Client connections at a time; more are closed at once. Default 20,000.
    pub connections: u32,
    /// Requests in flight to each backend; more are answered UNAVAILABLE. Default 4,096.
    pub requests_per_backend: u32,
    /// Streams open to each backend, counted apart from requests; more are answered UNAVAILABLE. Default 20,000.
    pub streams_per_backend: u32,
    /// Heap above which Envoy sheds load, about 80 % of its memory limit. Default `None`: no limit.
    pub heap_bytes: Option<u64>,
    /// Time between two health checks of one backend. Default 3 s.
    pub health_interval: Duration,
}

/// The descriptor set that the REST transcoder reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Descriptors {
    /// Inside the configuration, so the two can't drift apart.
    Inline,
    /// A file that holds `proto::SLIM_DESCRIPTORS`.
    File(PathBuf),
}

/// An OTLP collector, spoken to over gRPC.
#[derive(Clone, Debug)]
pub struct Otlp {
    /// Its ports.
    pub endpoints: Endpoints,
    /// New traces that are recorded, out of a million. A caller's own decision (`traceparent`) is kept. Default all.
    pub per_million: u32,
}

const MILLION: u32 = 1_000_000;

impl Tls {
    /// On port 8443, with the certificate in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { listen: (Ipv4Addr::UNSPECIFIED, 8443).into(), folder: folder.into() }
    }
}

impl Otlp {
    /// Records every trace.
    pub fn new(endpoints: Endpoints) -> Self {
        Self { endpoints, per_million: MILLION }
    }
}

impl Limiter {
    /// Asks there, for at most 100 ms.
    pub fn new(endpoints: Endpoints) -> Self {
        Self { endpoints, timeout: Duration::from_millis(100) }
    }
}

impl Default for LocalLimit {
    fn default() -> Self {
        Self { per_second: 200, burst: 400, addresses: 10_000 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(1),
            long_timeout: Duration::from_mins(5),
            stream_timeout: Duration::from_hours(1),
            unary_bytes: 4 << 20,
            bulk_bytes: 16 << 20,
            connections: 20_000,
            requests_per_backend: 4_096,
            streams_per_backend: 20_000,
            heap_bytes: None,
            health_interval: Duration::from_secs(3),
        }
    }
}

impl Config {
    /// The defaults, for these backends and this key set.
    pub fn new(backends: Vec<Backend>, jwks: Endpoints) -> Self {
        Self {
            listen: (Ipv4Addr::UNSPECIFIED, 8080).into(),
            tls: None,
            metrics_listen: (Ipv4Addr::UNSPECIFIED, 9090).into(),
            admin: (Ipv4Addr::LOCALHOST, 9901).into(),
            backends,
            jwt: Jwt {
                issuer: "https://sipup.local".into(),
                audience: "sipup".into(),
                jwks,
                jwks_path: "/jwks.json".into(),
                cache: Duration::from_mins(5),
            },
            cors_origins: Vec::new(),
            local_limit: Some(LocalLimit::default()),
            limiter: None,
            limits: Limits::default(),
            trusted_hops: 0,
            access_log: "/dev/stdout".into(),
            descriptors: Descriptors::Inline,
            otlp: None,
        }
    }

    /// Envoy's bootstrap configuration with everything in it, as JSON: what `envoy -c` reads.
    ///
    /// # Errors
    /// If a field can't be meant, or an RPC has no class; the error names it.
    pub fn render(&self) -> Result<String, Error> {
        Ok(format!("{:#}", self.bootstrap()?))
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.check_backends()?;
        self.check_limits()?;
        if !self.jwt.jwks_path.starts_with('/') {
            return Err(Error::invalid("jwt.jwks_path", "must start with `/`"));
        }
        if self.otlp.as_ref().is_some_and(|otlp| otlp.per_million > MILLION) {
            return Err(Error::invalid("otlp.per_million", "must be 0 to 1,000,000"));
        }
        for origin in &self.cors_origins {
            let (_, host) = origin.split_once("://").unwrap_or_default();
            if host.is_empty() || host.contains('/') {
                return Err(Error::invalid("cors_origins", "must be like `https://host`, without a path"));
            }
        }
        Ok(())
    }

    fn check_backends(&self) -> Result<(), Error> {
        let reachable = rpcs()?.into_iter().filter(|rpc| rpc.access != Access::Internal);
        let wanted: BTreeSet<String> = reachable.map(|rpc| rpc.area).collect();
        let mut missing = wanted.clone();
        for backend in &self.backends {
            if !wanted.contains(&backend.name) {
                return Err(Error::UnknownBackend { name: backend.name.clone() });
            }
            if !missing.remove(&backend.name) {
                return Err(Error::RepeatedBackend { name: backend.name.clone() });
            }
            if backend.endpoints == Endpoints::Static(Vec::new()) {
                return Err(Error::invalid("backends", "each must have an address"));
            }
        }
        missing.pop_first().map_or(Ok(()), |name| Err(Error::MissingBackend { name }))
    }

    fn check_limits(&self) -> Result<(), Error> {
        let limits = &self.limits;
        let positive = [
            ("limits.timeout", !limits.timeout.is_zero()),
            ("limits.long_timeout", !limits.long_timeout.is_zero()),
            ("limits.stream_timeout", !limits.stream_timeout.is_zero()),
            ("limits.health_interval", !limits.health_interval.is_zero()),
            ("limits.unary_bytes", limits.unary_bytes > 0),
            ("limits.bulk_bytes", limits.bulk_bytes > 0),
            ("limits.connections", limits.connections > 0),
            ("limits.requests_per_backend", limits.requests_per_backend > 0),
            ("limits.streams_per_backend", limits.streams_per_backend > 0),
            ("limits.heap_bytes", limits.heap_bytes != Some(0)),
            ("local_limit.per_second", self.local_limit.is_none_or(|limit| limit.per_second > 0)),
            ("local_limit.burst", self.local_limit.is_none_or(|limit| limit.burst > 0)),
            ("local_limit.addresses", self.local_limit.is_none_or(|limit| limit.addresses > 0)),
            ("limiter.timeout", self.limiter.as_ref().is_none_or(|limiter| !limiter.timeout.is_zero())),
        ];
        match positive.into_iter().find(|(_, fine)| !fine) {
            Some((field, _)) => Err(Error::invalid(field, "must be more than zero")),
            None => Ok(()),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field has a value that can't be meant.
    #[error("{field} {problem}")]
    Invalid {
        /// Path of the field in [`Config`].
        field: &'static str,
        /// What it must be.
        problem: &'static str,
    },
    /// The contracts have an area that no backend serves.
    #[error("no backend named `{name}`, though the contracts have services in sipup.{name}")]
    MissingBackend {
        /// The area.
        name: String,
    },
    /// A backend serves an area that clients can't reach.
    #[error(
        "the contracts have nothing for clients in sipup.{name}, so a backend `{name}` would get no calls"
    )]
    UnknownBackend {
        /// The backend.
        name: String,
    },
    /// Two backends have one name.
    #[error("two backends are named `{name}`")]
    RepeatedBackend {
        /// The name.
        name: String,
    },
    /// The name of an RPC does not say whether it may be sent twice.
    #[error("{rpc} begins with no known verb: rename it, or add its verb to the crate `calls`")]
    Unclassified {
        /// `package.Service/Method`.
        rpc: String,
    },
    /// A service lies outside `sipup.<area>.v<n>`.
    #[error("{service} is not in a package like sipup.<area>.v1")]
    Misplaced {
        /// Full name of the service.
        service: String,
    },
    /// The descriptor set can't be read.
    #[error("the descriptor set is damaged: {0}")]
    Descriptors(#[from] prost::DecodeError),
}

impl Error {
    const fn invalid(field: &'static str, problem: &'static str) -> Self {
        Self::Invalid { field, problem }
    }
}
