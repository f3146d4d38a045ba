//! The two limiters, with the same rules over the same cluster.

use std::{
    ffi::OsStr,
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
};

use proto::envoy::service::ratelimit::v3::rate_limit_service_client::RateLimitServiceClient;
use tonic::transport::{Channel, Endpoint};

use crate::{
    process::{self, Process},
    rules,
};

/// Connections that a load is spread over, like those of a few workers of Envoy.
const CONNECTIONS: usize = 4;

/// A running limiter.
#[derive(Debug)]
pub(crate) struct Limiter {
    pub(crate) name: &'static str,
    process: Process,
    port: u16,
}

/// What a limiter is started with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) program: &'a Path,
    pub(crate) folder: &'a Path,
    /// The first of three ports.
    pub(crate) port: u16,
    pub(crate) redis: &'a str,
}

impl Limiter {
    /// envoyproxy/ratelimit, as its README advises for clusters: writes are gathered for 150 µs, keys that are over their limit are kept in
    /// memory.
    pub(crate) fn peer(setting: Setting<'_>) -> anyhow::Result<Self> {
        let root = setting.folder.join("peer");
        fs::create_dir_all(root.join("config"))?;
        fs::write(root.join("config/bench.yaml"), rules::of_peer())?;
        let [port, http, debug] = [setting.port, setting.port + 1, setting.port + 2];
        let environment = [
            ("BACKEND_TYPE", "redis".to_owned()),
            ("REDIS_SOCKET_TYPE", "tcp".to_owned()),
            ("REDIS_TYPE", "cluster".to_owned()),
            ("REDIS_URL", setting.redis.to_owned()),
            ("REDIS_PIPELINE_WINDOW", "150us".to_owned()),
            ("LOCAL_CACHE_SIZE_IN_BYTES", (16 << 20).to_string()),
            ("RUNTIME_ROOT", root.display().to_string()),
            ("RUNTIME_SUBDIRECTORY", String::new()),
            ("RUNTIME_WATCH_ROOT", "false".to_owned()),
            ("USE_STATSD", "false".to_owned()),
            ("LOG_LEVEL", "error".to_owned()),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", http.to_string()),
            ("GRPC_HOST", "127.0.0.1".to_owned()),
            ("GRPC_PORT", port.to_string()),
            ("DEBUG_HOST", "127.0.0.1".to_owned()),
            ("DEBUG_PORT", debug.to_string()),
        ];
        Self::start("peer", setting, &[], &environment)
    }

    /// Ours, as it comes.
    pub(crate) fn ours(setting: Setting<'_>) -> anyhow::Result<Self> {
        let file: PathBuf = setting.folder.join("rules.yaml");
        fs::write(&file, rules::of_ours())?;
        let listen = format!("127.0.0.1:{}", setting.port);
        let admin = format!("127.0.0.1:{}", setting.port + 1);
        let arguments = [
            "serve",
            "ratelimit",
            "--listen",
            &listen,
            "--admin-listen",
            &admin,
            "--readiness-delay",
            "0s",
            "--redis-nodes",
            setting.redis,
            "--rules",
        ];
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).chain([file.as_os_str()]).collect();
        Self::start("ours", setting, &arguments, &[])
    }

    fn start(
        name: &'static str,
        setting: Setting<'_>,
        arguments: &[&OsStr],
        environment: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let log = setting.folder.join(format!("{name}.log"));
        let process = Process::start(setting.program, arguments, environment, &log)?;
        let port = setting.port;
        process::until(&format!("{name} listens (see {})", log.display()), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        Ok(Self { name, process, port })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Clients, each with a connection of its own.
    pub(crate) async fn clients(&self) -> anyhow::Result<Vec<RateLimitServiceClient<Channel>>> {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            let endpoint = Endpoint::try_from(format!("http://127.0.0.1:{}", self.port))?.tcp_nodelay(true);
            clients.push(RateLimitServiceClient::new(endpoint.connect().await?));
        }
        Ok(clients)
    }
}
