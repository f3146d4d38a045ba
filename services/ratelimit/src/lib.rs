//! The rate limit service: Envoy asks it before each call, services ask it before what only they can see, and the autoscaler asks it how
//! many users are active.
//!
//! Owns the rules, the counters in Redis and the penalties. Keeps nothing in its pods that matters: any of them may answer any call. Never
//! a reason for a call to fail: while Redis is away, each pod grants its share of every limit by itself.
//!
//! In reading order: what is known about a request ([`facts`]), what is admitted ([`rule`], [`rules`]), where it is counted ([`store`],
//! `counter`, `guard`), how it is decided ([`limiter`], [`ticket`], `headers`), what follows ([`penalties`], [`shadow`], [`pulse`]), who is
//! active ([`active`]), and who asks ([`envoy`], [`grpc`]).

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use anyhow::Context as _;
use platform::{Context, Rpc, ServerArgs, redis::RedisArgs};
use proto::{
    envoy::service::ratelimit::v3::rate_limit_service_server::RateLimitServiceServer,
    ratelimit::v1::limit_service_server::LimitServiceServer,
};
use uuid::Uuid;

pub mod active;
mod convert;
mod counter;
pub mod envoy;
pub mod error;
pub mod facts;
pub mod grpc;
mod guard;
mod headers;
pub mod limiter;
mod metrics;
pub mod penalties;
pub mod permissions;
pub mod pulse;
pub mod rule;
pub mod rules;
pub mod shadow;
pub mod store;
pub mod ticket;

pub use metrics::Metrics;

use crate::{
    active::ActiveUsers,
    limiter::{Limiter, Parts},
    penalties::Penalties,
    pulse::Pulse,
    rules::RuleBook,
    shadow::Shadow,
    store::{LocalStore, RedisStore},
};

/// The hash tag of the users' buckets.
const USERS: &str = "users";

/// What the rate limit service is told.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Ports and stop.
    #[command(flatten)]
    pub server: ServerArgs,

    /// Where acts are counted for all pods.
    #[command(flatten)]
    pub redis: RedisArgs,

    /// The YAML file of rules, read again when it changes. Without it, the defaults hold.
    #[arg(long, env = "SIPUP_RATELIMIT_RULES")]
    pub rules: Option<PathBuf>,

    /// How many pods share the limits while Redis is away, until it has told once.
    #[arg(long, env = "SIPUP_RATELIMIT_PODS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub pods: u32,

    /// How long an admitted request makes its user active: 1 m to 1 h.
    #[arg(long, env = "SIPUP_RATELIMIT_ACTIVE_WINDOW", default_value = "5m", value_parser = active_window)]
    pub active_window: Duration,
}

fn active_window(text: &str) -> Result<Duration, String> {
    let window = platform::args::duration(text).map_err(|error| error.to_string())?;
    let allowed = Duration::from_mins(1)..=Duration::from_hours(1);
    allowed.contains(&window).then_some(window).ok_or_else(|| "must be 1m to 1h".to_owned())
}

/// Serves until told to stop.
///
/// # Errors
///
/// The rules are not valid, an argument makes no sense, or a port can't be bound.
pub async fn serve(args: Args, ctx: Context) -> anyhow::Result<()> {
    let redis = ctx.redis(&args.redis).await?;
    let rules = RuleBook::watch(args.rules, ctx.clock.clone(), &ctx.tasks).context("rate limit rules")?;
    let store = redis.clone().map(RedisStore::new);
    let store =
        store.map(|store| store.remembering_denials().gathering(store::CHECK_MANY, &ctx.tasks)).map(Arc::new);
    let (pod, pods) = (Uuid::new_v4().to_string(), Arc::new(AtomicU32::new(args.pods)));

    let penalties = Penalties::new(redis.clone().zip(store.clone()), ctx.clock.clone(), &ctx.tasks);
    let parts = Parts {
        metrics: Metrics::new(&ctx.meter),
        shadow: Shadow::default(),
        penalties: penalties.clone(),
        pod: pod.clone(),
    };
    let shadow = parts.shadow.clone();
    let local = LocalStore::new(ctx.clock.clone(), Arc::clone(&pods));
    let limiter = Limiter::new(rules, store, local, &ctx.tasks, parts);

    let pulse = redis.clone().map(|redis| Pulse::new(redis, pod, pods, shadow, ctx.clock.clone()));
    if let Some(pulse) = pulse.clone() {
        ctx.tasks.spawn_until_stop("pulse", pulse.keep_beating());
    }
    let active = redis.map(|redis| ActiveUsers::new(redis, USERS, args.active_window, ctx.clock.clone()));
    if let Some(active) = active.clone() {
        ctx.tasks.spawn_until_stop("active users", active.keep_sending());
    }

    let envoy = envoy::Envoy::new(limiter.clone(), active.clone());
    let grpc = grpc::Grpc { limiter, penalties, pulse, active };
    let rpc = Rpc::internal(proto::DESCRIPTORS)
        .add(permissions::ENVOY, RateLimitServiceServer::new(envoy))
        .add(permissions::LIMITS, LimitServiceServer::new(grpc));
    ctx.serve(&args.server, rpc).await
}
