//! Ending a transaction that wrote, and learning where its commit stands.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::future::join;
use tokio_postgres::{error::SqlState, types::PgLsn};

use super::{
    error::{Cause, Error, Remedy, commit_failed_for_sure, remedy},
    lease::Lease,
    run::Run,
};
use crate::Position;

const SELECT_COMMIT_POSITION: &str = include_str!("../../queries/select_commit_position.sql");

/// How long a database that can't say where a commit stands is not asked: it may be migrated meanwhile.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Where a transaction that is over has left its writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Nowhere: it had nothing to commit. Or nobody will ever say, because the database has yet to be migrated.
    Unsaid,
    /// Before this position.
    Before(Position),
    /// Nobody knows, because the connection was lost before it was said.
    Somewhere,
}

/// Commits, and remembers whether the database can say where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Committer {
    failed_at: Arc<Mutex<Option<Instant>>>,
}

impl Committer {
    /// Commits `run`, and answers where the commit stands.
    pub(crate) async fn commit(&self, run: &Run) -> Result<Written, (Error, Remedy)> {
        if let Some(failure) = run.failure() {
            // The closure went on after a failure. The server would answer this COMMIT with a rollback, and call it a success.
            return Err(failure);
        }
        if !run.has_begun() {
            return Ok(Written::Unsaid);
        }
        let lease = run.lease();
        if lease.has_given_up() {
            return Err((Error::internal("a statement was given up within its transaction"), Remedy::None));
        }
        let asks = self.asks();
        let position = async { if asks { Some(position(lease).await) } else { None } };
        let ended = lease.fly(join(lease.client().batch_execute("COMMIT"), position));
        let (committed, position) = ended.await;
        match committed {
            Ok(()) => {
                lease.set_in_transaction(false);
                Ok(position.map_or(Written::Unsaid, |position| self.written(position)))
            }
            Err(error) if commit_failed_for_sure(&error) => {
                lease.set_in_transaction(false);
                Err((Error::classify(&error), remedy(&error)))
            }
            Err(error) => {
                lease.set_broken();
                // Nothing that could be done about it is safe to do.
                Err((Error::OutcomeUnknown(Cause::of(&error)), Remedy::None))
            }
        }
    }

    fn asks(&self) -> bool {
        self.failed_at().is_none_or(|at| at.elapsed() > ASK_AGAIN_AFTER)
    }

    /// Of a commit that went well. A connection that was lost behind it says nothing about the next commit; a database that lacks what
    /// was asked for does.
    fn written(&self, position: Result<Position, Unheard>) -> Written {
        match position {
            Ok(position) => Written::Before(position),
            Err(Unheard::ForNow(error)) => {
                tracing::debug!(cause = crate::status::chain(&error), "a commit has no position");
                Written::Somewhere
            }
            Err(Unheard::Unmigrated(error)) => {
                let cause = crate::status::chain(&error);
                tracing::warn!(
                    cause,
                    "commits have no position: reads after writes are unprotected until it is migrated"
                );
                *self.failed_at() = Some(Instant::now());
                Written::Unsaid
            }
        }
    }

    fn failed_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.failed_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no position.
enum Unheard {
    /// This once.
    ForNow(Error),
    /// The database can't say, and won't before it is migrated.
    Unmigrated(Error),
}

/// Behind the COMMIT, in the same write: a position read inside the transaction lies before its commit record.
async fn position(lease: &Lease) -> Result<Position, Unheard> {
    let row = async {
        let statement = lease.prepare(SELECT_COMMIT_POSITION).await?;
        lease.client().query_one(&statement, &[]).await
    }
    .await
    .map_err(|error| {
        let lacks =
            [SqlState::UNDEFINED_FUNCTION, SqlState::INVALID_SCHEMA_NAME, SqlState::INSUFFICIENT_PRIVILEGE];
        let lacking = error.code().is_some_and(|code| lacks.contains(code));
        let error = Error::classify(&error);
        if lacking { Unheard::Unmigrated(error) } else { Unheard::ForNow(error) }
    })?;
    position_of(&row).map_err(Unheard::ForNow)
}

/// Reads the columns `timeline` and `lsn`.
pub(crate) fn position_of(row: &tokio_postgres::Row) -> Result<Position, Error> {
    let columns = || Ok::<_, tokio_postgres::Error>((row.try_get("timeline")?, row.try_get("lsn")?));
    let (timeline, lsn): (i32, PgLsn) = columns().map_err(|error| Error::classify(&error))?;
    let timeline = u32::try_from(timeline).map_err(|_| Error::internal("a timeline is negative"))?;
    Ok(Position { timeline, lsn: lsn.into() })
}
