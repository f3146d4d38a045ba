//! The services, each a process of its own.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use futures::future::try_join_all;

use crate::account::Account;
use crate::error::Result;
use crate::http;
use crate::process::{Ending, Environment, Spec, Stage};
use crate::stack::databases::Database;
use crate::stack::{READY_BOUND, Service, Stack, commands};

/// Longer than a service takes to drain.
const STOP_BOUND: Duration = Duration::from_secs(15);
/// Connections of all processes of a service to one server.
const POOL_BUDGET: u16 = 50;

/// Starts every process of every service and waits until all are ready.
pub(super) async fn start(stack: &Stack, database: &Database) -> Result<()> {
    let phase = stack.plan.options.progress.phase("services");
    commands::make_signing_key(stack).await?;
    for (service, replica) in stack.plan.options.services() {
        stack.supervisor.start(spec(stack, database, service, replica)?)?;
    }
    let ready = stack.plan.options.services().map(|(service, replica)| {
        let port = stack.plan.layout.admin(service, replica);
        let name = name(service, replica);
        async move { stack.supervisor.ready(&name, READY_BOUND, || http::is_ok(port, "/readyz")).await }
    });
    try_join_all(ready).await?;
    phase.done(&format!("{} processes ready", stack.plan.options.services().count()));
    Ok(())
}

/// The name of a process.
pub(super) fn name(service: Service, replica: u16) -> String {
    format!("{service}-{replica}")
}

fn spec(stack: &Stack, database: &Database, service: Service, replica: u16) -> Result<Spec> {
    let mut env = common(stack, service, replica)?;
    if Service::ALL.contains(&service) {
        env.extend(&data(stack, database, service)?);
    }
    env.extend(&own(stack, service, replica)?);
    Ok(Spec {
        name: name(service, replica),
        stage: Stage::Services,
        program: stack.plan.options.executable.clone(),
        args: ["serve", service.name()].map(OsString::from).into(),
        env,
        log: stack.plan.logs()?.join(format!("{}.log", name(service, replica))),
        account: Account::Own,
        ending: Ending::terminate(STOP_BOUND),
    })
}

/// What every service is told.
fn common(stack: &Stack, service: Service, replica: u16) -> Result<Environment> {
    let (layout, options) = (stack.plan.layout, &stack.plan.options);
    let mut env = Environment::default();
    env.set("SIPUP_LISTEN", loopback(layout.grpc(service, replica)))
        .set("SIPUP_ADMIN_LISTEN", loopback(layout.admin(service, replica)))
        .set("SIPUP_REDIS_NODES", stack.plan.redis_nodes()?.join(","))
        // Envoy is gone by the time that a service is stopped; nobody else has to notice first.
        .set("SIPUP_READINESS_DELAY", "0s")
        .set("SIPUP_DRAIN_TIMEOUT", "10s")
        // Without a collector, spans would be made for nobody.
        .set("SIPUP_TRACE_RATIO", if options.otlp_url.is_some() { "1" } else { "0" });
    if let Some(url) = &options.otlp_url {
        env.set("SIPUP_OTLP_URL", url);
    }
    Ok(env)
}

/// What a service is told that has a database and callers with tokens.
fn data(stack: &Stack, database: &Database, service: Service) -> Result<Environment> {
    let (layout, options) = (stack.plan.layout, &stack.plan.options);
    let mut env = Environment::default();
    env.set("SIPUP_DATABASE_URL", database.url_of(service))
        .set("SIPUP_DATABASE_PASSWORD", stack.secrets.role_password(service)?)
        .set("SIPUP_DATABASE_POOL_BUDGET", (POOL_BUDGET / options.replicas(service)).to_string())
        // An idle stack should be small: connections are opened when they are needed.
        .set("SIPUP_DATABASE_POOL_WARM", "2")
        .set("SIPUP_JWKS_URL", format!("http://{}/jwks.json", loopback(layout.jwks(0))));
    Ok(env)
}

/// What only this service is told.
fn own(stack: &Stack, service: Service, replica: u16) -> Result<Environment> {
    let layout = stack.plan.layout;
    let mut env = Environment::default();
    if matches!(service, Service::Catalog | Service::Orders | Service::Jobs) {
        env.set("SIPUP_PAGE_TOKEN_KEY", stack.secrets.key(&format!("{service}-page-token-key"))?);
    }
    match service {
        Service::Catalog => {}
        Service::Orders => {
            env.set("SIPUP_CATALOG_URL", urls(stack, Service::Catalog));
        }
        Service::Auth => {
            env.set("SIPUP_JWKS_LISTEN", loopback(layout.jwks(replica)))
                .set("SIPUP_SIGNING_KEYS", text(&stack.secrets.signing_keys()))
                .set("SIPUP_REFRESH_KEY", stack.secrets.key("refresh-key")?);
            if stack.plan.options.limits.is_some() {
                env.set("SIPUP_LIMITER_URL", urls(stack, Service::Ratelimit));
            }
        }
        Service::Jobs => {
            let mail = stack.plan.folder.inside("mail")?;
            env.set("SIPUP_SMTP_URL", format!("file://{}", text(&mail)));
        }
        Service::Ratelimit => {
            if let Some(rules) = stack.plan.limit_rules()? {
                env.set("SIPUP_RATELIMIT_RULES", text(&rules));
            }
        }
    }
    Ok(env)
}

/// The URLs of all processes of a service.
fn urls(stack: &Stack, service: Service) -> String {
    let (layout, replicas) = (stack.plan.layout, stack.plan.options.replicas(service));
    let urls = (0..replicas).map(|replica| format!("http://{}", loopback(layout.grpc(service, replica))));
    urls.collect::<Vec<_>>().join(",")
}

fn loopback(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
