//! Envoy, the door for all clients.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ::ingress::{Backend, Config, Endpoints, Limiter, LocalLimit, Otlp};

use crate::account::Account;
use crate::error::{Error, Result};
use crate::process::{Ending, Environment, Spec, Stage};
use crate::stack::{Programs, READY_BOUND, Service, Stack};
use crate::{files, http};

/// Its work ends at once when it is asked to.
const STOP_BOUND: Duration = Duration::from_secs(5);
/// A service that was restarted gets calls again this soon.
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);

/// Where pages under development are served from.
const PAGES: [&str; 4] =
    ["http://localhost:3000", "http://127.0.0.1:3000", "http://localhost:5173", "http://127.0.0.1:5173"];

/// Starts Envoy in front of the services, which must be ready: its first look at them decides whether they get calls.
pub(super) async fn start(stack: &Stack, programs: &Programs) -> Result<()> {
    let phase = stack.plan.options.progress.phase("Envoy");
    let folder = stack.plan.folder.inside("envoy")?;
    let file = folder.join("envoy.json");
    let text = config(stack)?.render().map_err(Error::hook("write Envoy's configuration"))?;
    files::write_whole(&file, text.as_bytes())?;
    let fixed = [
        "--disable-hot-restart",
        "--concurrency",
        "2",
        "--log-level",
        "warning",
        "--file-flush-interval-msec",
        "500",
    ];
    let mut args: Vec<_> = fixed.into_iter().map(Into::into).collect();
    args.extend(["-c".into(), file.into()]);
    stack.supervisor.start(Spec {
        name: "envoy".to_owned(),
        stage: Stage::Ingress,
        program: programs.envoy.clone(),
        args,
        env: Environment::default(),
        log: stack.plan.logs()?.join("envoy.log"),
        account: Account::Own,
        ending: Ending::terminate(STOP_BOUND),
    })?;
    let (metrics, door) = (stack.plan.layout.ingress_metrics(), stack.plan.layout.ingress());
    let is_ready =
        || async move { http::is_ok(metrics, "/ready").await && http::is_ok(door, "/healthz").await };
    stack.supervisor.ready("envoy", READY_BOUND, is_ready).await?;
    phase.done("takes calls");
    Ok(())
}

fn config(stack: &Stack) -> Result<Config> {
    let (layout, options) = (stack.plan.layout, &stack.plan.options);
    let backends = Service::ALL.map(|service| {
        let ports = (0..options.replicas(service)).map(|replica| loopback(layout.grpc(service, replica)));
        Backend::new(service.name(), Endpoints::Static(ports.collect()))
    });
    let jwks = (0..options.replicas(Service::Auth)).map(|replica| loopback(layout.jwks(replica)));
    let mut config = Config::new(backends.into(), Endpoints::Static(jwks.collect()));
    config.listen = loopback(layout.ingress());
    config.metrics_listen = loopback(layout.ingress_metrics());
    config.admin = loopback(layout.ingress_admin());
    config.limits.health_interval = HEALTH_INTERVAL;
    config.cors_origins = PAGES.map(str::to_owned).into();
    config.access_log = stack.plan.logs()?.join("envoy-access.jsonl");
    config.local_limit = options.local_limit.map(|per_second| LocalLimit {
        per_second,
        burst: per_second,
        ..LocalLimit::default()
    });
    config.limiter = options.limits.as_ref().map(|_| {
        let ports = (0..options.replicas(Service::Ratelimit))
            .map(|replica| loopback(layout.grpc(Service::Ratelimit, replica)));
        Limiter::new(Endpoints::Static(ports.collect()))
    });
    config.otlp = options.otlp_url.as_deref().map(collector).transpose()?;
    Ok(config)
}

/// Envoy wants the address without the scheme.
fn collector(url: &str) -> Result<Otlp> {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let endpoints = address.parse().map_err(|_| Error::Option {
        option: "--otlp-url",
        problem: "write it as `http://host:4317`".to_owned(),
    })?;
    Ok(Otlp::new(endpoints))
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
