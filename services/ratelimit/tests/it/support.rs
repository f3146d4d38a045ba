//! A service of its own for each test, time that passes when told, and a Valkey that may be killed.

mod valkey;

use std::{
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use platform::{
    Clock, Tasks,
    redis::{Argument, Redis, RedisArgs, Script},
    testing::{Running, server_args, start},
};
use proto::{
    envoy::{
        extensions::common::ratelimit::v3::{RateLimitDescriptor, rate_limit_descriptor::Entry},
        service::ratelimit::v3::{
            RateLimitRequest, RateLimitResponse, rate_limit_service_client::RateLimitServiceClient,
        },
    },
    ratelimit::v1::{ExplainRequest, ListPenaltiesRequest, limit_service_client::LimitServiceClient},
};
use ratelimit::{
    Args, Metrics,
    facts::Facts,
    limiter::{Limiter, Parts, Request},
    penalties::Penalties,
    rules::{RuleBook, Rules},
    shadow::Shadow,
    store::{CHECK, CHECK_MANY, LEARN, LocalStore, RedisStore},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use uuid::Uuid;

pub(crate) use self::valkey::Valkey;

/// A running service and its clients.
pub(crate) struct World {
    pub(crate) envoy: RateLimitServiceClient<Channel>,
    pub(crate) limits: LimitServiceClient<Channel>,
    /// The folder of the rules file.
    pub(crate) folder: tempfile::TempDir,
    running: Running,
}

impl World {
    /// A service with `rules` on the Valkey of all tests.
    pub(crate) async fn start(rules: &str) -> Self {
        let redis = redis_args(&local::testing::services().await.redis_nodes());
        Self::start_on(redis, rules).await
    }

    /// A service on a Valkey of its test's own, with the usual patience.
    pub(crate) async fn on(valkey: &Valkey, rules: &str) -> Self {
        Self::start_on(RedisArgs::new(vec![valkey.node().parse().unwrap()]), rules).await
    }

    /// A service that waits for answers of a Valkey of its test's own for longer than any test does.
    pub(crate) async fn waiting_on(valkey: &Valkey, rules: &str) -> Self {
        let mut redis = RedisArgs::new(vec![valkey.node().parse().unwrap()]);
        redis.redis_command_timeout = Duration::from_mins(10);
        Self::start_on(redis, rules).await
    }

    async fn start_on(redis: RedisArgs, rules: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.yaml");
        std::fs::write(&file, rules).unwrap();
        let active_window = Duration::from_mins(5);
        let args = Args { server: server_args(), redis, rules: Some(file), pods: 1, active_window };
        let running = start("ratelimit", Clock::system(), args, ratelimit::serve).await.unwrap();
        let channel = Channel::from_shared(running.url()).unwrap().connect().await.unwrap();
        let (envoy, limits) =
            (RateLimitServiceClient::new(channel.clone()), LimitServiceClient::new(channel));
        Self { envoy, limits, folder, running }
    }

    /// A service whose counters answer, with counters in Redis.
    pub(crate) async fn shared(rules: &str) -> Self {
        let world = Self::start(rules).await;
        world.until_redis_answers().await;
        world
    }

    pub(crate) async fn until_redis_answers(&self) {
        let mut limits = self.limits.clone();
        until("redis answers", async || limits.list_penalties(ListPenaltiesRequest {}).await.is_ok()).await;
    }

    /// What is left for `user` after one more call, by the first rule.
    pub(crate) async fn left(&self, user: &str) -> u32 {
        let facts = [("user".to_owned(), user.to_owned())].into();
        let explained =
            self.limits.clone().explain(ExplainRequest { facts, cost: 0 }).await.unwrap().into_inner();
        explained.limits[0].remaining
    }

    /// Asks as Envoy does, with one descriptor per list of entries.
    pub(crate) async fn ask(&self, descriptors: &[&[(&str, &str)]]) -> RateLimitResponse {
        let request = RateLimitRequest {
            domain: "sipup".into(),
            descriptors: descriptors.iter().map(|entries| descriptor(entries)).collect(),
            hits_addend: 0,
        };
        self.envoy.clone().should_rate_limit(request).await.unwrap().into_inner()
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
    }
}

pub(crate) fn descriptor(entries: &[(&str, &str)]) -> RateLimitDescriptor {
    let entry = |(key, value): &(&str, &str)| Entry { key: (*key).into(), value: (*value).into() };
    RateLimitDescriptor { entries: entries.iter().map(entry).collect(), hits_addend: None }
}

/// One pod's limiter without a server, or several of them.
pub(crate) struct Pod {
    pub(crate) limiter: Limiter,
    pub(crate) penalties: Penalties,
    pub(crate) redis: Redis,
    pub(crate) tasks: Tasks,
    store: Arc<RedisStore>,
    clock: Clock,
    stop: CancellationToken,
}

impl Pod {
    /// A pod with a clock of its own on the Valkey of all tests.
    pub(crate) async fn start(rules: &str, clock: Clock) -> Self {
        Self::with_scripts(rules, clock, [CHECK, LEARN, CHECK_MANY]).await
    }

    async fn with_scripts(rules: &str, clock: Clock, scripts: [&'static str; 3]) -> Self {
        let [check, learn, many] = scripts;
        let (redis, tasks, stop) = connect(local::testing::services().await.redis_nodes()).await;
        let store = RedisStore::with_scripts(redis.clone(), check, learn).gathering(many, &tasks);
        let store = Arc::new(store);
        until("every server answers", async || {
            for key in ["limit:{a}", "limit:{b}", "limit:{c}"] {
                if !store.answers(key).await {
                    return false;
                }
            }
            true
        })
        .await;
        let penalties = Penalties::new(Some((redis.clone(), Arc::clone(&store))), clock.clone(), &tasks);
        let limiter = limiter(rules, &store, &clock, &tasks, penalties.clone());
        Self { limiter, penalties, redis, tasks, store, clock, stop }
    }

    /// Another limiter with the same connections.
    pub(crate) fn limiter_of(&self, rules: &str) -> Limiter {
        self.limiter_at(rules, &self.clock)
    }

    /// Another limiter with the same connections, whose process has another clock.
    pub(crate) fn limiter_at(&self, rules: &str, clock: &Clock) -> Limiter {
        limiter(rules, &self.store, clock, &self.tasks, self.penalties.clone())
    }

    /// A pod whose Redis believes that it is always the time of `at`.
    pub(crate) async fn at(rules: &str, at: &Time) -> Self {
        // The key of the time has each principal's own hash tag, as every key of a script must.
        let time = "cjson.decode(redis.call('GET', string.match(KEYS[1], '^[^}]*}') .. ':now') or '[0,0]')";
        // Keys expire by the server's own clock, which a busy machine lets run ahead of this one.
        let with_time = |script: &str| -> &'static str {
            script
                .replace("redis.call('TIME')", time)
                .replace("call('TIME')", time)
                .replace("'PX', ", "'PX', 600000 + ")
                .leak()
        };
        Self::with_scripts(rules, at.clock.clone(), [CHECK, LEARN, CHECK_MANY].map(with_time)).await
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.tasks.join(Duration::from_secs(5)).await;
    }
}

fn limiter(
    rules: &str,
    store: &Arc<RedisStore>,
    clock: &Clock,
    tasks: &Tasks,
    penalties: Penalties,
) -> Limiter {
    let parts = Parts {
        metrics: Metrics::new(&opentelemetry::global::meter("test")),
        shadow: Shadow::default(),
        penalties,
        pod: Uuid::new_v4().to_string(),
    };
    let book = RuleBook::fixed(Rules::parse(rules).unwrap(), clock.clone());
    let local = LocalStore::new(clock.clone(), Arc::new(AtomicU32::new(1)));
    Limiter::new(book, Some(Arc::clone(store)), local, tasks, parts)
}

/// Time that passes when told, for principals that it was told of.
pub(crate) struct Time {
    pub(crate) clock: Clock,
    set: Script,
}

impl Time {
    pub(crate) fn start() -> Self {
        let clock = Clock::manual("2026-03-01T09:00:00Z".parse().unwrap());
        Self {
            clock,
            set: Script::new("test.time", "redis.call('SET', KEYS[1], ARGV[1], 'EX', 600) return 1"),
        }
    }

    /// Tells the server that has the principal `tag` what time it is.
    pub(crate) async fn tell(&self, redis: &Redis, tag: &str) {
        let now = self.clock.now();
        let text = format!("[{},{}]", now.as_second(), now.subsec_nanosecond() / 1_000);
        let _: i64 = redis
            .run(&self.set, vec![format!("limit:{{{tag}}}:now")], vec![Argument::from(text)])
            .await
            .unwrap();
    }
}

/// A client of the cluster at `nodes`.
pub(crate) async fn connect(nodes: Vec<String>) -> (Redis, Tasks, CancellationToken) {
    let stop = CancellationToken::new();
    let tasks = Tasks::new(stop.clone());
    let meter = opentelemetry::global::meter("test");
    let redis = Redis::connect(&redis_args(&nodes), &tasks, stop.clone(), &meter).unwrap().unwrap();
    (redis, tasks, stop)
}

/// Patient, because a test shares its machine with others.
fn redis_args(nodes: &[String]) -> RedisArgs {
    let mut args = RedisArgs::new(nodes.iter().map(|node| node.parse().unwrap()).collect());
    args.redis_command_timeout = Duration::from_secs(2);
    args
}

pub(crate) fn request<const N: usize>(facts: [(&str, &str); N]) -> Request {
    Request { facts: Facts::from_iter(facts), cost: 1 }
}

/// A value that no other test has.
pub(crate) fn fresh(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::new_v4())
}

/// An address that no other test has.
pub(crate) fn fresh_ip() -> String {
    let text = Uuid::new_v4().simple().to_string();
    format!("2001:db8:{}:{}:{}::1", &text[..4], &text[4..8], &text[8..12])
}

/// Asks again until the answer is `true`; fails after half a minute.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let polled = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), polled)
        .await
        .unwrap_or_else(|_| panic!("not so in time: {what}"));
}
