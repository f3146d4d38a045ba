//! `sipup ingress`: Envoy's configuration on standard output or for the chart, or Envoy's opinion of it.

use std::{
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use ingress::{Backend, Config, Descriptors, Endpoints, Limiter, LocalLimit, Otlp, validate};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Write Envoy's configuration to standard output, as JSON.
    Render {
        /// Write the files of the Helm chart into this folder instead; no other option matters then.
        #[arg(long, value_name = "FOLDER")]
        chart: Option<PathBuf>,
        #[command(flatten)]
        options: Box<Options>,
    },
    /// Let Envoy check the configuration without opening a port.
    Validate {
        /// The Envoy to ask.
        #[arg(long, env = "SIPUP_ENVOY_BIN", default_value = "envoy")]
        envoy_bin: PathBuf,
        #[command(flatten)]
        options: Box<Options>,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where clients connect.
    #[arg(long, env = "SIPUP_INGRESS_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Where /metrics and /ready are.
    #[arg(long, env = "SIPUP_INGRESS_METRICS_LISTEN", default_value = "0.0.0.0:9090")]
    metrics_listen: SocketAddr,
    /// Envoy's admin port; keep it on loopback.
    #[arg(long, env = "SIPUP_INGRESS_ADMIN_LISTEN", default_value = "127.0.0.1:9901")]
    admin_listen: SocketAddr,
    /// The gRPC ports of a service: `name=ip:port[,ip:port…]` or `name=host:port`; one for each service.
    #[arg(
        long = "backend",
        env = "SIPUP_INGRESS_BACKENDS",
        value_delimiter = ' ',
        default_values = ["catalog=catalog:8080", "orders=orders:8080", "auth=auth:8080", "jobs=jobs:8080"]
    )]
    backends: Vec<Backend>,
    /// The ports of auth that serve the key set over HTTP/1.1.
    #[arg(long, env = "SIPUP_INGRESS_JWKS", default_value = "auth:8081")]
    jwks: Endpoints,
    /// Issuer that access tokens must have.
    #[arg(long, env = "SIPUP_ISSUER", default_value = "https://sipup.local")]
    issuer: String,
    /// Origins of web pages that may call, like `https://shop.example`.
    #[arg(long = "cors-origin", env = "SIPUP_INGRESS_CORS_ORIGINS", value_delimiter = ',')]
    cors_origins: Vec<String>,
    /// Calls per second from one address; 0 lets everything through.
    #[arg(long, env = "SIPUP_INGRESS_LOCAL_RATE", default_value_t = 200)]
    local_rate: u32,
    /// Calls at once from one address.
    #[arg(long, env = "SIPUP_INGRESS_LOCAL_BURST", default_value_t = 400)]
    local_burst: u32,
    /// The global rate limit service.
    #[arg(long, env = "SIPUP_INGRESS_LIMITER")]
    limiter: Option<Endpoints>,
    /// The OTLP collector (gRPC) that gets Envoy's spans.
    #[arg(long, env = "SIPUP_INGRESS_OTLP")]
    otlp: Option<Endpoints>,
    /// Share of new traces that are recorded, in percent.
    #[arg(long, env = "SIPUP_INGRESS_TRACE_PERCENT", default_value_t = 100)]
    trace_percent: u32,
    /// Proxies in front of this one: their exact number.
    #[arg(long, env = "SIPUP_INGRESS_TRUSTED_HOPS", default_value_t = 0)]
    trusted_hops: u32,
    /// Longest time for a unary call.
    #[arg(long, env = "SIPUP_INGRESS_TIMEOUT", default_value = "60s", value_parser = platform::args::duration)]
    timeout: Duration,
    /// Longest time for a call that carries many things.
    #[arg(long, env = "SIPUP_INGRESS_LONG_TIMEOUT", default_value = "300s", value_parser = platform::args::duration)]
    long_timeout: Duration,
    /// Heap above which Envoy sheds load, in bytes: about 80 % of its memory limit.
    #[arg(long, env = "SIPUP_INGRESS_HEAP_BYTES")]
    heap_bytes: Option<u64>,
    /// File for one JSON line per request.
    #[arg(long, env = "SIPUP_INGRESS_ACCESS_LOG", default_value = "/dev/stdout")]
    access_log: PathBuf,
    /// Descriptor set beside the configuration, instead of inside it.
    #[arg(long, env = "SIPUP_INGRESS_DESCRIPTORS")]
    descriptors: Option<PathBuf>,
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Render { chart: Some(folder), .. } => write_chart(&folder),
            Self::Render { chart: None, options } => print(&options.into_config().render()?),
            Self::Validate { envoy_bin, options } => {
                let text = options.into_config().render()?;
                let warnings = tokio::task::spawn_blocking(move || validate(&envoy_bin, &text)).await??;
                print(if warnings.is_empty() { "Envoy accepts the configuration" } else { &warnings })
            }
        }
    }
}

/// Replaces the generated files in `folder`, those included that have another name now.
fn write_chart(folder: &Path) -> anyhow::Result<()> {
    let files = ingress::chart()?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "binpb") {
            fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    for file in files {
        let path = folder.join(file.name);
        fs::write(&path, file.content).with_context(|| format!("write {}", path.display()))?;
        print(&path.display().to_string())?;
    }
    Ok(())
}

fn print(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{text}").context("standard output is closed")
}

impl Options {
    fn into_config(self: Box<Self>) -> Config {
        let mut config = Config::new(self.backends, self.jwks);
        config.listen = self.listen;
        config.metrics_listen = self.metrics_listen;
        config.admin = self.admin_listen;
        config.jwt.issuer = self.issuer;
        config.cors_origins = self.cors_origins;
        config.local_limit = (self.local_rate > 0).then(|| LocalLimit {
            per_second: self.local_rate,
            burst: self.local_burst,
            ..LocalLimit::default()
        });
        config.limiter = self.limiter.map(Limiter::new);
        config.otlp = self
            .otlp
            .map(|endpoints| Otlp { per_million: self.trace_percent * 10_000, ..Otlp::new(endpoints) });
        config.trusted_hops = self.trusted_hops;
        config.limits.timeout = self.timeout;
        config.limits.long_timeout = self.long_timeout;
        config.limits.heap_bytes = self.heap_bytes;
        config.access_log = self.access_log;
        config.descriptors = self.descriptors.map_or(Descriptors::Inline, Descriptors::File);
        config
    }
}
