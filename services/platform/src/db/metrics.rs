//! Figures of the database: names, units and labels in one place.

use std::{sync::Arc, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter},
};

use super::{connect::Role, error::Error, pool::Pool};

/// Bounds in seconds: a statement takes from a tenth of a millisecond to the limit of a minute.
const SECONDS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
    60.0,
];

/// How a transaction ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ended {
    Committed,
    RolledBack,
    Unknown,
    Failed,
    /// Its caller went away.
    Cancelled,
}

/// Which server a read went to, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The replica: there was nothing to wait for, or it had it already.
    Replica,
    /// The replica, after it caught up.
    ReplicaAfterWait,
    /// The primary: there is no replica, or it is too far behind.
    NoReplica,
    /// The primary: the replica did not reach the caller's position in time.
    Behind,
    /// The primary: nobody could say what the caller wrote last.
    PositionUnknown,
    /// The primary, after the replica failed.
    ReplicaFailed,
}

/// Name, description, and what a pool says.
type Gauge = (&'static str, &'static str, fn(&Pool) -> usize);

/// The instruments. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(Arc<Instruments>);

#[derive(Debug)]
struct Instruments {
    meter: Meter,
    transaction: Histogram<f64>,
    statement: Histogram<f64>,
    wait: Histogram<f64>,
    acquire_timeouts: Counter<u64>,
    retries: Counter<u64>,
    reads: Counter<u64>,
    slow: Counter<u64>,
}

impl Metrics {
    pub(crate) fn new(meter: Meter) -> Self {
        let seconds = |name: &'static str, description: &'static str| {
            meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(description)
                .with_boundaries(SECONDS.to_vec())
                .build()
        };
        let count = |name: &'static str, description: &'static str| {
            meter.u64_counter(name).with_description(description).build()
        };
        let instruments = Instruments {
            transaction: seconds(
                "db.transaction.duration",
                "From the first wait for a connection to the end, by transaction",
            ),
            statement: seconds("db.statement.duration", "One statement there and back, by transaction"),
            wait: seconds("db.pool.wait", "Wait for a connection"),
            acquire_timeouts: count("db.pool.timeouts", "Callers that got no connection in time"),
            retries: count("db.retries", "Transactions run again, by transaction"),
            reads: count("db.reads", "Reads, by the server they went to and the reason"),
            slow: count("db.slow_statements", "Statements over the limit for slow ones, by transaction"),
            meter,
        };
        Self(Arc::new(instruments))
    }

    /// Reports `pool` for as long as the meter lives.
    pub(crate) fn watch(&self, pool: &Pool, role: Role) {
        let gauges: [Gauge; 4] = [
            ("db.pool.size", "Connections that the pool may have", |pool| pool.status().size),
            ("db.pool.open", "Connections that the pool has", |pool| pool.status().open),
            ("db.pool.idle", "Connections that nobody uses", |pool| pool.status().idle),
            ("db.pool.waiting", "Callers waiting for a connection", |pool| pool.status().waiting),
        ];
        for (name, description, figure) in gauges {
            let pool = pool.clone();
            self.0
                .meter
                .u64_observable_gauge(name)
                .with_description(description)
                .with_callback(move |observer| {
                    observer.observe(figure(&pool) as u64, &[KeyValue::new("role", role.name())]);
                })
                .build();
        }
    }

    /// Reports how far the replica is behind; nothing while there is none.
    pub(crate) fn watch_lag(&self, lag: impl Fn() -> Option<Duration> + Send + Sync + 'static) {
        self.0
            .meter
            .f64_observable_gauge("db.replica.lag")
            .with_unit("s")
            .with_description("How far the replica is behind")
            .with_callback(move |observer| {
                if let Some(lag) = lag() {
                    observer.observe(lag.as_secs_f64(), &[]);
                }
            })
            .build();
    }

    pub(crate) fn ended(&self, name: &'static str, role: Role, ended: Ended, took: Duration) {
        let labels = [
            KeyValue::new("transaction", name),
            KeyValue::new("role", role.name()),
            KeyValue::new("ended", ended.name()),
        ];
        self.0.transaction.record(took.as_secs_f64(), &labels);
    }

    pub(crate) fn statement(&self, name: &'static str, role: Role, took: Duration) {
        let labels = [KeyValue::new("transaction", name), KeyValue::new("role", role.name())];
        self.0.statement.record(took.as_secs_f64(), &labels);
    }

    pub(crate) fn waited(&self, role: Role, took: Duration, served: bool) {
        let labels = [KeyValue::new("role", role.name())];
        self.0.wait.record(took.as_secs_f64(), &labels);
        if !served {
            self.0.acquire_timeouts.add(1, &labels);
        }
    }

    pub(crate) fn retried(&self, name: &'static str) {
        self.0.retries.add(1, &[KeyValue::new("transaction", name)]);
    }

    pub(crate) fn read(&self, route: Route) {
        let (role, reason) = route.labels();
        self.0.reads.add(1, &[KeyValue::new("role", role.name()), KeyValue::new("reason", reason)]);
    }

    pub(crate) fn slow(&self, name: &'static str) {
        self.0.slow.add(1, &[KeyValue::new("transaction", name)]);
    }
}

impl Role {
    /// The label and the span's field.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        }
    }
}

impl Ended {
    /// How a transaction ended that failed with `error` at its end.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::OutcomeUnknown(_) => Self::Unknown,
            _ => Self::RolledBack,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::RolledBack => "rolled_back",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Route {
    fn labels(self) -> (Role, &'static str) {
        match self {
            Self::Replica => (Role::Replica, "fresh"),
            Self::ReplicaAfterWait => (Role::Replica, "waited"),
            Self::NoReplica => (Role::Primary, "no_replica"),
            Self::Behind => (Role::Primary, "behind"),
            Self::PositionUnknown => (Role::Primary, "position_unknown"),
            Self::ReplicaFailed => (Role::Primary, "replica_failed"),
        }
    }

    pub(crate) fn role(self) -> Role {
        self.labels().0
    }
}
