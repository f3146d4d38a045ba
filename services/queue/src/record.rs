//! Recording what became of jobs: in batches, as many as ended while the batch before was written.

use std::time::Duration;

use platform::{Code, db, status};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    lease::Leases,
    metrics::{Ending, Metrics},
    store::{Failed, Recorded, Store, Ticket, Verdict},
};

/// Verdicts written at once at most.
const BATCH: usize = 1_000;
/// How long to wait before a batch that the database could not take is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// An attempt that has ended.
pub(crate) type Report = (Ticket, Verdict);

/// Writes the verdicts of one worker.
#[derive(Debug)]
pub(crate) struct Recorder<'a> {
    pub(crate) queue: &'static str,
    pub(crate) store: &'a Store,
    pub(crate) leases: &'a Leases,
    pub(crate) metrics: &'a Metrics,
}

impl Recorder<'_> {
    /// Records what comes, until nobody is left to report and all is recorded.
    pub(crate) async fn run(&self, mut reports: UnboundedReceiver<Report>) {
        let mut batch = Vec::new();
        while reports.recv_many(&mut batch, BATCH).await > 0 {
            for (ticket, _) in &batch {
                self.leases.end(*ticket);
            }
            self.record(&batch).await;
            for (ticket, _) in batch.drain(..) {
                self.leases.release(ticket);
            }
        }
    }

    /// A batch that is refused is written one by one, so that one bad row spoils no other. What is refused even so is left to the
    /// rescuer.
    async fn record(&self, batch: &[Report]) {
        if self.write(batch).await.is_ok() {
            return;
        }
        for report in batch.chunks(1) {
            if let Err(error) = self.write(report).await {
                let error = status::chain(&error);
                tracing::error!(error, job.id = %report[0].0.id, "what became of a job can't be recorded");
            }
        }
    }

    /// Repeats until the database has accepted or refused it: the leases are kept meanwhile, and a repeat of what was written after
    /// all finds nothing to do.
    async fn write(&self, batch: &[Report]) -> Result<(), db::Error> {
        loop {
            match self.store.record_jobs(batch).await {
                Ok(recorded) => {
                    self.count(&recorded, batch.len());
                    return Ok(());
                }
                Err(error) if is_passing(error.code()) => {
                    tracing::warn!(%error, jobs = batch.len(), "not recorded yet");
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn count(&self, recorded: &Recorded, of: usize) {
        let failed = |what| recorded.failed.iter().filter(|failed| **failed == what).count();
        let endings = [
            (Ending::Done, recorded.completed),
            (Ending::Retried, failed(Failed::Retried)),
            (Ending::Dead, failed(Failed::Dead)),
            (Ending::Snoozed, recorded.snoozed),
        ];
        let ours: usize = endings.iter().map(|(_, count)| count).sum();
        for (ending, count) in endings {
            self.metrics.ended(self.queue, ending, count);
        }
        self.metrics.ended(self.queue, Ending::Stale, of.saturating_sub(ours));
    }
}

fn is_passing(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::Conflict | Code::DeadlineExceeded | Code::ResourceExhausted)
}
