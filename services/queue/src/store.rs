//! The rows of the queue, as the system sees them: of every company.

use std::time::Duration;

use jiff::Timestamp;
use platform::{
    Access,
    db::{self, Db, Row, Rows as _, Tx},
};
use serde_json::Value;
use uuid::Uuid;

use crate::mark::{LONGEST_WRITE, Start};

const CLAIM_JOBS: &str = include_str!("../queries/claim_jobs.sql");
const COMPLETE_JOBS: &str = include_str!("../queries/complete_jobs.sql");
const ENSURE_PARTITIONS: &str = include_str!("../queries/ensure_partitions.sql");
const EXTEND_LEASES: &str = include_str!("../queries/extend_leases.sql");
const FAIL_JOBS: &str = include_str!("../queries/fail_jobs.sql");
const HAND_BACK_JOBS: &str = include_str!("../queries/hand_back_jobs.sql");
const PROMOTE_JOBS: &str = include_str!("../queries/promote_jobs.sql");
const RESCUE_JOBS: &str = include_str!("../queries/rescue_jobs.sql");
const SNOOZE_JOBS: &str = include_str!("../queries/snooze_jobs.sql");

/// A job of a claim: the token tells this claim from every other one of the same job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ticket {
    pub(crate) id: Uuid,
    pub(crate) token: Uuid,
}

/// A job that was claimed.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) id: Uuid,
    pub(crate) company_id: Option<Uuid>,
    pub(crate) kind: String,
    pub(crate) arguments: Value,
    pub(crate) attempt: i16,
    pub(crate) max_attempts: i16,
    pub(crate) traceparent: Option<String>,
    pub(crate) pos: i64,
    pub(crate) enqueued_at: Timestamp,
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) why: String,
    /// When the next attempt comes; none: after the backoff.
    pub(crate) delay: Option<Duration>,
    /// No further attempt can help.
    pub(crate) is_final: bool,
}

/// What is to be recorded of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    Failed(Failure),
    Snoozed(Duration),
}

/// What was recorded of a batch. Jobs that were not ours any more are in none of the figures.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) completed: usize,
    pub(crate) failed: Vec<Failed>,
    pub(crate) snoozed: usize,
}

/// What became of a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    Retried,
    Dead,
    /// The lease had run out and somebody else has the job.
    Stale,
}

/// The queue's tables.
#[derive(Clone, Debug)]
pub(crate) struct Store(Db);

impl Store {
    pub(crate) fn new(db: Db) -> Self {
        Self(db)
    }

    /// Claims up to `limit` due jobs of `queue` under `token`.
    pub(crate) async fn claim_jobs(
        &self,
        queue: &str,
        limit: usize,
        token: Uuid,
        lease: Duration,
        from: Start,
    ) -> Result<Vec<Claimed>, db::Error> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let pos = match from {
            Start::Beginning => Some(0),
            Start::Recent => None,
            Start::Pos(pos) => Some(pos),
        };
        let look_back = i64::try_from(LONGEST_WRITE.as_micros()).unwrap_or(i64::MAX);
        self.0
            .tx("jobs.claim", &Access::system(), async |tx| {
                let rows = tx
                    .query(CLAIM_JOBS, &[&queue, &limit, &token, &lease.as_secs_f64(), &pos, &look_back])
                    .await?;
                Ok(rows.iter().map(Claimed::from).collect())
            })
            .await
    }

    /// Records what became of jobs, all of it or nothing.
    pub(crate) async fn record_jobs(&self, reports: &[(Ticket, Verdict)]) -> Result<Recorded, db::Error> {
        let batch = Batch::of(reports);
        self.0
            .tx("jobs.record", &Access::system(), async |tx| {
                Ok(Recorded {
                    completed: complete_jobs(tx, &batch.done).await?,
                    failed: fail_jobs(tx, &batch.failed).await?,
                    snoozed: snooze_jobs(tx, &batch.snoozed).await?,
                })
            })
            .await
    }

    /// Extends leases; the jobs that are still ours.
    pub(crate) async fn extend_leases(
        &self,
        held: &[Ticket],
        lease: Duration,
    ) -> Result<Vec<Ticket>, db::Error> {
        let (ids, tokens) = columns(held);
        self.0
            .tx("jobs.extend", &Access::system(), async |tx| {
                let rows = tx.query(EXTEND_LEASES, &[&ids, &tokens, &lease.as_secs_f64()]).await?;
                Ok(rows.iter().map(|row| Ticket { id: row.get("id"), token: row.get("token") }).collect())
            })
            .await
    }

    /// Makes claimed jobs ready again, their attempt not spent; how many were still ours.
    pub(crate) async fn hand_back_jobs(&self, held: &[Ticket]) -> Result<usize, db::Error> {
        let (ids, tokens) = columns(held);
        self.0
            .tx("jobs.hand_back", &Access::system(), async |tx| {
                let row = tx.query_one(HAND_BACK_JOBS, &[&ids, &tokens]).await?;
                Ok(usize::try_from(row.get::<_, i64>("handed_back")).unwrap_or(0))
            })
            .await
    }

    /// Makes up to `limit` due jobs ready; how many.
    pub(crate) async fn promote_jobs(&self, limit: i32) -> Result<i64, db::Error> {
        self.0
            .tx("jobs.promote", &Access::system(), async |tx| {
                Ok(tx.query_one(PROMOTE_JOBS, &[&limit]).await?.get("promoted"))
            })
            .await
    }

    /// Takes up to `limit` jobs from workers that went silent; how many.
    pub(crate) async fn rescue_jobs(&self, limit: i32) -> Result<i64, db::Error> {
        self.0
            .tx("jobs.rescue", &Access::system(), async |tx| {
                Ok(tx.query_one(RESCUE_JOBS, &[&limit]).await?.get("rescued"))
            })
            .await
    }

    /// Makes the days of history ahead and drops the old ones; how many were made.
    pub(crate) async fn ensure_partitions(&self) -> Result<i32, db::Error> {
        self.0
            .tx("jobs.partitions", &Access::system(), async |tx| {
                Ok(tx.query_one(ENSURE_PARTITIONS, &[]).await?.get("made"))
            })
            .await
    }
}

/// Verdicts by what they ask for.
#[derive(Default)]
struct Batch<'a> {
    done: Vec<Ticket>,
    failed: Vec<(Ticket, &'a Failure)>,
    snoozed: Vec<(Ticket, Duration)>,
}

impl<'a> Batch<'a> {
    fn of(reports: &'a [(Ticket, Verdict)]) -> Self {
        let mut batch = Self::default();
        for (ticket, verdict) in reports {
            match verdict {
                Verdict::Done => batch.done.push(*ticket),
                Verdict::Failed(failure) => batch.failed.push((*ticket, failure)),
                Verdict::Snoozed(delay) => batch.snoozed.push((*ticket, *delay)),
            }
        }
        batch
    }
}

async fn complete_jobs(tx: &Tx<'_>, done: &[Ticket]) -> Result<usize, db::Error> {
    if done.is_empty() {
        return Ok(0);
    }
    let (ids, tokens) = columns(done);
    let row = tx.query_one(COMPLETE_JOBS, &[&ids, &tokens]).await?;
    Ok(usize::try_from(row.get::<_, i64>("completed")).unwrap_or(0))
}

async fn fail_jobs(tx: &Tx<'_>, failed: &[(Ticket, &Failure)]) -> Result<Vec<Failed>, db::Error> {
    if failed.is_empty() {
        return Ok(Vec::new());
    }
    let (ids, tokens) = columns(failed.iter().map(|(ticket, _)| ticket));
    let whys: Vec<&str> = failed.iter().map(|(_, failure)| failure.why.as_str()).collect();
    let delays: Vec<Option<f64>> =
        failed.iter().map(|(_, failure)| failure.delay.map(|delay| delay.as_secs_f64())).collect();
    let finals: Vec<bool> = failed.iter().map(|(_, failure)| failure.is_final).collect();
    let rows = tx.query(FAIL_JOBS, &[&ids, &tokens, &whys, &delays, &finals]).await?;
    Ok(rows.iter().map(|row| Failed::of(row.get("outcome"))).collect())
}

async fn snooze_jobs(tx: &Tx<'_>, snoozed: &[(Ticket, Duration)]) -> Result<usize, db::Error> {
    if snoozed.is_empty() {
        return Ok(0);
    }
    let (ids, tokens) = columns(snoozed.iter().map(|(ticket, _)| ticket));
    let delays: Vec<f64> = snoozed.iter().map(|(_, delay)| delay.as_secs_f64()).collect();
    let rows = tx.query(SNOOZE_JOBS, &[&ids, &tokens, &delays]).await?;
    Ok(rows.iter().filter(|row| row.get("snoozed")).count())
}

impl From<&Row> for Claimed {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            company_id: row.get("company_id"),
            kind: row.get("kind"),
            arguments: row.get("args"),
            attempt: row.get("attempt"),
            max_attempts: row.get("max_attempts"),
            traceparent: row.get("trace"),
            pos: row.get("pos"),
            enqueued_at: row.get("created_at"),
        }
    }
}

impl Failed {
    fn of(outcome: &str) -> Self {
        match outcome {
            "retry" => Self::Retried,
            "dead" => Self::Dead,
            _ => Self::Stale,
        }
    }
}

fn columns<'a>(tickets: impl IntoIterator<Item = &'a Ticket>) -> (Vec<Uuid>, Vec<Uuid>) {
    tickets.into_iter().map(|ticket| (ticket.id, ticket.token)).unzip()
}
