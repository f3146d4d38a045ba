//! What keeps the queue going. Every process does it; the database sees to it that no two do the same.

use std::time::Duration;

use opentelemetry::metrics::Meter;
use platform::db::{self, Db};
use tokio::time::MissedTickBehavior;

use crate::{metrics::Metrics, store::Store};

/// How often due jobs are made ready.
const PROMOTE_EVERY: Duration = Duration::from_millis(500);
/// How often jobs are taken from lost workers.
const RESCUE_EVERY: Duration = Duration::from_secs(5);
/// How often partitions are seen to. They are made a week ahead, so that many failures in a row do no harm.
const PARTITIONS_EVERY: Duration = Duration::from_hours(6);
/// Jobs moved by one statement.
const BATCH: i32 = 1_000;

#[derive(Clone, Copy, Debug)]
enum Task {
    Promote,
    Rescue,
    Partitions,
}

/// Promoter, rescuer and partitions.
#[derive(Clone, Debug)]
pub struct Maintenance {
    store: Store,
    metrics: Metrics,
}

impl Maintenance {
    /// Maintains the queue in `db`.
    pub fn new(db: Db, meter: &Meter) -> Self {
        Self { store: Store::new(db), metrics: Metrics::new(meter) }
    }

    /// Does all of it, for ever.
    pub async fn run(&self) {
        tokio::join!(
            self.every(PROMOTE_EVERY, Task::Promote),
            self.every(RESCUE_EVERY, Task::Rescue),
            self.every(PARTITIONS_EVERY, Task::Partitions)
        );
    }

    /// Does `task` at once and then in this interval, whether or not it succeeds.
    async fn every(&self, interval: Duration, task: Task) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let outcome = match task {
                Task::Promote => self.promote().await,
                Task::Rescue => self.rescue().await,
                Task::Partitions => self.ensure_partitions().await,
            };
            if let Err(error) = outcome {
                tracing::warn!(%error, ?task, "maintenance of the queue failed; it comes again");
            }
        }
    }

    /// Makes every job ready that is due.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn promote(&self) -> Result<(), db::Error> {
        loop {
            let promoted = self.store.promote_jobs(BATCH).await?;
            self.metrics.moved("promoted", promoted);
            if promoted < i64::from(BATCH) {
                return Ok(());
            }
        }
    }

    /// Takes every job from workers whose lease has run out: it is ready again, or dead if that was its last attempt.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn rescue(&self) -> Result<(), db::Error> {
        loop {
            let rescued = self.store.rescue_jobs(BATCH).await?;
            if rescued > 0 {
                tracing::warn!(jobs = rescued, "taken from workers that went silent");
            }
            self.metrics.moved("rescued", rescued);
            if rescued < i64::from(BATCH) {
                return Ok(());
            }
        }
    }

    /// Makes the days of history ahead, and drops those that are older than a week.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn ensure_partitions(&self) -> Result<(), db::Error> {
        let made = self.store.ensure_partitions().await?;
        tracing::debug!(made, "partitions of the history are there");
        Ok(())
    }
}
