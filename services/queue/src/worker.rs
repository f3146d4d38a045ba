//! Works through one queue: claims as many jobs as it has free slots, runs them, and has recorded what became of them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use opentelemetry::metrics::Meter;
use platform::{
    Clock,
    db::{self, Db},
};
use tokio::{
    sync::mpsc::{self, UnboundedSender},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Registry, attempt,
    lease::Leases,
    mark::Mark,
    metrics::{Ending, KIND_UNKNOWN, Metrics},
    pace::Pace,
    record::{Recorder, Report},
    store::{Claimed, Store, Ticket},
};

/// How long a busy worker waits for a quarter of its slots to become free: claiming one job costs as much as claiming many.
const LINGER: Duration = Duration::from_millis(10);

/// How a worker works.
#[derive(Clone, Copy, Debug)]
pub struct WorkerOptions {
    /// Jobs that run at the same time.
    pub slots: usize,
    /// How long a job stays claimed without a sign of life. With the rescuer's 5 s, a lost worker's jobs run again within 30 s.
    pub lease: Duration,
    /// How long running jobs may take to end when the worker is told to stop; the rest is handed back.
    pub drain_timeout: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { slots: 16, lease: Duration::from_secs(20), drain_timeout: Duration::from_secs(25) }
    }
}

/// A worker of one queue. Dropping it while it runs is what a crash is: its leases run out, and its jobs run again elsewhere.
#[derive(Debug)]
pub struct Worker {
    queue: &'static str,
    store: Store,
    registry: Arc<Registry>,
    metrics: Metrics,
    clock: Clock,
    options: WorkerOptions,
}

impl Worker {
    /// A worker of `queue` that runs the kinds of `registry`. Jobs of other kinds that stand in the queue end as dead letters.
    pub fn new(
        queue: &'static str,
        db: Db,
        registry: Arc<Registry>,
        meter: &Meter,
        clock: Clock,
        options: WorkerOptions,
    ) -> Self {
        Self { queue, store: Store::new(db), registry, metrics: Metrics::new(meter), clock, options }
    }

    /// Works until `terminating`; then claims nothing more, lets running jobs end within the drain time-out, and hands the rest back,
    /// their attempt not spent.
    pub async fn run(self, terminating: CancellationToken) {
        let leases = Leases::default();
        let recorder =
            Recorder { queue: self.queue, store: &self.store, leases: &leases, metrics: &self.metrics };
        let (report, reports) = mpsc::unbounded_channel();
        let work = async {
            let mut running = JoinSet::new();
            self.claim_until(&terminating, &mut running, &leases, &report).await;
            drop(report);
            drain(running, self.options.drain_timeout).await;
        };
        tokio::select! {
            ((), ()) = futures::future::join(work, recorder.run(reports)) => {}
            () = leases.keep(&self.store, self.options.lease) => {}
        }
        self.hand_back(&leases.tickets()).await;
    }

    async fn claim_until(
        &self,
        terminating: &CancellationToken,
        running: &mut JoinSet<()>,
        leases: &Leases,
        report: &UnboundedSender<Report>,
    ) {
        let mut mark = Mark::new(tokio::time::Instant::now());
        let mut pace = Pace::default();
        loop {
            let free = terminating
                .run_until_cancelled(free_slots(running, self.options.slots, pace.is_busy()))
                .await;
            // A slot that becomes free in the moment of the stop is not filled again.
            let Some(free) = free.filter(|_| !terminating.is_cancelled()) else { return };
            // Never dropped half-way: jobs that were claimed and not heard of would wait for the rescuer.
            match self.claim(free, &mut mark).await {
                Ok((token, jobs)) => {
                    pace.claimed(jobs.len(), free);
                    for job in jobs {
                        self.start(job, token, terminating.clone(), running, leases, report.clone());
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, queue = self.queue, "no jobs could be claimed");
                    pace.failed();
                }
            }
            if terminating.run_until_cancelled(tokio::time::sleep(pace.delay())).await.is_none() {
                return;
            }
        }
    }

    /// Claims up to `limit` jobs under a token of their own: with one token for all its claims, a worker's own expired run of a job
    /// would complete its second one.
    async fn claim(&self, limit: usize, mark: &mut Mark) -> Result<(Uuid, Vec<Claimed>), db::Error> {
        let token = self.clock.uuid_v7();
        let now = tokio::time::Instant::now();
        let start = mark.next(now);
        let jobs = self.store.claim_jobs(self.queue, limit, token, self.options.lease, start).await?;
        mark.claimed(start, now, jobs.iter().map(|job| job.pos).min());
        let micros = self.clock.now().as_microsecond();
        let lags = jobs.iter().map(|job| Duration::from_micros(u64::try_from(micros - job.pos).unwrap_or(0)));
        self.metrics.claimed(self.queue, lags);
        Ok((token, jobs))
    }

    fn start(
        &self,
        job: Claimed,
        token: Uuid,
        stopping: CancellationToken,
        running: &mut JoinSet<()>,
        leases: &Leases,
        report: UnboundedSender<Report>,
    ) {
        let ticket = Ticket { id: job.id, token };
        let lost = leases.hold(ticket);
        let (registry, metrics, queue) = (Arc::clone(&self.registry), self.metrics.clone(), self.queue);
        running.spawn(async move {
            let kind = registry.get(&job.kind).map_or(KIND_UNKNOWN, |kind| kind.name);
            let begun = Instant::now();
            if let Some(verdict) = lost.run_until_cancelled(attempt::make(job, &registry, stopping)).await {
                metrics.attempted(queue, kind, begun.elapsed());
                // The recorder outlives all attempts.
                let _ = report.send((ticket, verdict));
            }
        });
    }

    async fn hand_back(&self, held: &[Ticket]) {
        if held.is_empty() {
            return;
        }
        match self.store.hand_back_jobs(held).await {
            Ok(count) => {
                tracing::info!(queue = self.queue, jobs = count, "handed back");
                self.metrics.ended(self.queue, Ending::HandedBack, count);
            }
            Err(error) => {
                tracing::warn!(%error, jobs = held.len(), "not handed back: the rescuer will take them");
            }
        }
    }
}

/// Waits until there is a free slot, or, if the worker is `busy`, a little longer for several. Answers how many there are.
async fn free_slots(running: &mut JoinSet<()>, slots: usize, busy: bool) -> usize {
    while running.try_join_next().is_some() {}
    if running.len() >= slots {
        running.join_next().await;
    }
    if busy {
        let several = async {
            while slots - running.len() < slots / 4 {
                running.join_next().await;
            }
        };
        // In time or not: one slot is free.
        let _ = tokio::time::timeout(LINGER, several).await;
    }
    slots - running.len()
}

/// Lets `running` end within `limit`, and ends the rest.
async fn drain(mut running: JoinSet<()>, limit: Duration) {
    let ended = tokio::time::timeout(limit, async { while running.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!(jobs = running.len(), drain_timeout = ?limit, "running jobs were cut off");
        running.shutdown().await;
    }
}
