//! Ending a transaction that wrote, and learning where its commit stands.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::future::join;
use tokio_postgres::types::PgLsn;

use super::{
    error::{Cause, Error, Remedy, commit_failed_for_sure, remedy},
    lease::Lease,
    run::Run,
};
use crate::Position;

const SELECT_COMMIT_POSITION: &str = include_str!("../../queries/select_commit_position.sql");

/// How long a database that can't say where a commit stands is not asked: it may be migrated meanwhile.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Commits, and remembers whether the database can say where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Committer {
    failed_at: Arc<Mutex<Option<Instant>>>,
}

impl Committer {
    /// Commits `run`. Answers where the commit stands, if there was anything to commit and the database says so.
    pub(crate) async fn commit(&self, run: &Run) -> Result<Option<Position>, (Error, Remedy)> {
        if let Some(failure) = run.failure() {
            // The closure went on after a failure. The server would answer this COMMIT with a rollback, and call it a success.
            return Err(failure);
        }
        if !run.has_begun() {
            return Ok(None);
        }
        let lease = run.lease();
        if lease.has_given_up() {
            return Err((Error::internal("a statement was given up within its transaction"), Remedy::None));
        }
        let asks = self.asks();
        let position = async { if asks { position(lease).await.map(Some) } else { Ok(None) } };
        let ended = lease.fly(join(lease.client().batch_execute("COMMIT"), position));
        let (committed, position) = ended.await;
        match committed {
            Ok(()) => {
                lease.set_in_transaction(false);
                Ok(self.known(position))
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

    fn known(&self, position: Result<Option<Position>, Error>) -> Option<Position> {
        position.unwrap_or_else(|error| {
            let cause = crate::status::chain(&error);
            tracing::warn!(
                cause,
                "commits have no position: reads after writes are unprotected until it is migrated"
            );
            *self.failed_at() = Some(Instant::now());
            None
        })
    }

    fn failed_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.failed_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Behind the COMMIT, in the same write: a position read inside the transaction lies before its commit record.
async fn position(lease: &Lease) -> Result<Position, Error> {
    let row = async {
        let statement = lease.prepare(SELECT_COMMIT_POSITION).await?;
        lease.client().query_one(&statement, &[]).await
    }
    .await
    .map_err(|error| Error::classify(&error))?;
    position_of(&row)
}

/// Reads the columns `timeline` and `lsn`.
pub(crate) fn position_of(row: &tokio_postgres::Row) -> Result<Position, Error> {
    let columns = || Ok::<_, tokio_postgres::Error>((row.try_get("timeline")?, row.try_get("lsn")?));
    let (timeline, lsn): (i32, PgLsn) = columns().map_err(|error| Error::classify(&error))?;
    let timeline = u32::try_from(timeline).map_err(|_| Error::internal("a timeline is negative"))?;
    Ok(Position { timeline, lsn: lsn.into() })
}
