//! A database handle for one test, an administrator beside it, and a proxy that can fail.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use local::testing::TestDatabase;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use platform::{
    Access, Clock, Scope, Session, Tasks,
    db::{Db, DbArgs, Wiring},
    redis::{Redis, RedisArgs},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_postgres::{Client, NoTls};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Tables and functions that every test here may use.
const SCHEMA: &str = include_str!("db_schema.sql");

/// A handle with everything that it is wired to.
pub(crate) struct Fixture {
    pub(crate) db: Db,
    /// The superuser, for looking and for breaking.
    pub(crate) admin: Client,
    pub(crate) database: TestDatabase,
    pub(crate) figures: Figures,
    pub(crate) tasks: Tasks,
    pub(crate) stop: CancellationToken,
}

impl Fixture {
    /// A pool of up to `budget` connections to the primary, none of them kept warm.
    pub(crate) async fn new(budget: u16) -> Self {
        Self::with(budget, |_| {}).await
    }

    pub(crate) async fn with(budget: u16, change: impl FnOnce(&mut DbArgs)) -> Self {
        let database = database().await;
        let url = database.url("svc_orders");
        Self::on(database, &url, budget, None, change).await
    }

    /// The same to the primary and a replica.
    pub(crate) async fn with_replica(budget: u16, change: impl FnOnce(&mut DbArgs)) -> Self {
        let database = database().await;
        let url = database.url_with_replica("svc_orders").await;
        Self::on(database, &url, budget, None, change).await
    }

    pub(crate) async fn on(
        database: TestDatabase,
        url: &str,
        budget: u16,
        redis: Option<Redis>,
        change: impl FnOnce(&mut DbArgs),
    ) -> Self {
        let admin = connect(&database.admin_url()).await;
        let mut args = DbArgs::new(url.parse().expect("the test's own URL"));
        (args.database_pool_budget, args.database_pool_warm) = (budget, 0);
        change(&mut args);
        let stop = CancellationToken::new();
        let (tasks, figures) = (Tasks::new(stop.clone()), Figures::new());
        let db = handle(&args, &tasks, &stop, &figures, redis).await;
        Self { db, admin, database, figures, tasks, stop }
    }

    /// What the administrator's query answers, as text.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        let messages = self.admin.simple_query(sql).await.expect(sql);
        let row = messages.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        row.unwrap_or_default().to_owned()
    }

    /// How many connections the handle has at the server.
    pub(crate) async fn backends(&self) -> String {
        self.ask("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'svc_orders'")
            .await
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) async fn handle(
    args: &DbArgs,
    tasks: &Tasks,
    stop: &CancellationToken,
    figures: &Figures,
    redis: Option<Redis>,
) -> Db {
    let wiring = Wiring {
        service: "orders",
        clock: Clock::system(),
        tasks: tasks.clone(),
        stop: stop.clone(),
        meter: figures.provider.meter("test"),
        redis,
    };
    Db::connect(args, wiring).await.expect("arguments of the test")
}

/// The cluster of this run.
pub(crate) async fn redis_of(nodes: Vec<String>, command_timeout: Duration) -> (Redis, CancellationToken) {
    let stop = CancellationToken::new();
    let mut args = RedisArgs::new(nodes.iter().map(|node| node.parse().expect("host:port")).collect());
    args.redis_command_timeout = command_timeout;
    let meter = Figures::new().provider.meter("test");
    let redis = Redis::connect(&args, &Tasks::new(stop.clone()), stop.clone(), &meter)
        .expect("arguments of the test");
    (redis.expect("nodes were given"), stop)
}

pub(crate) async fn database() -> TestDatabase {
    let database = local::testing::services().await.database().await;
    connect(&database.admin_url()).await.batch_execute(SCHEMA).await.expect("the tests' own schema");
    database
}

pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the server of the run");
    tokio::spawn(connection);
    client
}

pub(crate) fn public() -> Access {
    Access::new(Scope::Public, Session::default())
}

pub(crate) fn company(id: Uuid) -> Access {
    Access::new(Scope::Company(id), Session::default())
}

/// Waits until `holds` says so. Says `what` was waited for if it never does.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The metrics of a handle.
#[derive(Clone)]
pub(crate) struct Figures {
    registry: prometheus::Registry,
    provider: SdkMeterProvider,
}

impl Figures {
    fn new() -> Self {
        let registry = prometheus::Registry::new();
        let reader =
            opentelemetry_prometheus::exporter().with_registry(registry.clone()).build().expect("a registry");
        Self { registry, provider: SdkMeterProvider::builder().with_reader(reader).build() }
    }

    /// The sum of all series whose name begins with `name` and that have the labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let families = self.registry.gather();
        let named = families.iter().filter(|family| family.name().starts_with(name));
        let series = named.flat_map(prometheus::proto::MetricFamily::get_metric).filter(|metric| {
            let has = |(key, value): &(&str, &str)| {
                metric.get_label().iter().any(|label| label.name() == *key && label.value() == *value)
            };
            labels.iter().all(has)
        });
        series.map(|metric| metric.get_gauge().get_value() + metric.get_counter().get_value()).sum()
    }

    /// A figure of the primary's pool.
    pub(crate) fn primary(&self, name: &str) -> f64 {
        self.sum(&format!("db_pool_{name}"), &[("role", "primary")])
    }

    /// How many reads went there.
    pub(crate) fn reads(&self, role: &str, reason: &str) -> f64 {
        self.sum("db_reads", &[("role", role), ("reason", reason)])
    }
}

/// What stands between a client and a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Open,
    /// Accepts and forwards nothing, and closes nothing.
    Silent,
    /// Closes everything at once.
    Cut,
}

/// A proxy in front of a port on loopback.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    line: watch::Sender<Line>,
}

impl Proxy {
    pub(crate) async fn to(port: u16, line: Line) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (line, state) = watch::channel(line);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, port, state.clone()));
            }
        });
        Self { address, line }
    }

    pub(crate) fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

async fn forward(mut client: TcpStream, port: u16, mut line: watch::Receiver<Line>) {
    let mut server: Option<TcpStream> = None;
    loop {
        let now = *line.borrow_and_update();
        match now {
            Line::Cut => return,
            Line::Silent => {
                if line.changed().await.is_err() {
                    return;
                }
            }
            Line::Open => {
                let mut upstream = match server.take() {
                    Some(upstream) => upstream,
                    None => match TcpStream::connect(("127.0.0.1", port)).await {
                        Ok(upstream) => upstream,
                        Err(_) => return,
                    },
                };
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut upstream) => return,
                    changed = line.changed() => if changed.is_err() { return },
                }
                server = Some(upstream);
            }
        }
    }
}

/// `url` with the proxies in place of its servers.
pub(crate) fn through(url: &str, proxies: &[&Proxy]) -> String {
    let (login, rest) = url.split_once('@').expect("a login");
    let (_, database) = rest.split_once('/').expect("a database");
    let servers: Vec<String> = proxies.iter().map(|proxy| proxy.address.to_string()).collect();
    format!("{login}@{}/{database}", servers.join(","))
}
