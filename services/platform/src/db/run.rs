//! One run of a transaction's closure on one connection: what it has sent, and what went wrong.

use std::{
    fmt,
    pin::{Pin, pin},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::future::{join, join3};
use tokio_postgres::{Row, types::ToSql};

use super::{
    connect::Role,
    error::{Cause, Error, Remedy, remedy},
    lease::Lease,
    metrics::Metrics,
};

/// Parameters of a statement, in the order of its placeholders.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

type PgError = tokio_postgres::Error;

/// What all runs of a [`super::Db`] share.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) metrics: Metrics,
    pub(crate) slow: Duration,
}

/// A run. The transaction begins with its first statement, in the same message to the server.
pub struct Run {
    lease: Lease,
    name: &'static str,
    role: Role,
    writes: bool,
    watch: Watch,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What begins the transaction, until it has been sent.
    opening: Option<String>,
    failure: Option<(Error, Remedy)>,
}

impl Run {
    pub(crate) fn new(
        lease: Lease,
        name: &'static str,
        role: Role,
        writes: bool,
        opening: Option<String>,
        watch: Watch,
    ) -> Self {
        Self { lease, name, role, writes, watch, state: Mutex::new(State { opening, failure: None }) }
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The first failure of a statement, and what to do about it.
    pub(crate) fn failure(&self) -> Option<(Error, Remedy)> {
        self.lock().failure.clone()
    }

    /// Whether anything was sent.
    pub(crate) fn has_begun(&self) -> bool {
        self.lock().opening.is_none()
    }

    pub(crate) async fn query(&self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, Error> {
        let work = pin!(async {
            let statement = self.lease.prepare(sql).await?;
            self.lease.client().query(&statement, params).await
        });
        self.send(sql, work).await
    }

    pub(crate) async fn execute(&self, sql: &'static str, params: Params<'_>) -> Result<u64, Error> {
        let work = pin!(async {
            let statement = self.lease.prepare(sql).await?;
            self.lease.client().execute(&statement, params).await
        });
        self.send(sql, work).await
    }

    /// As [`Run::execute`], but waits for locks no longer than `wait`. All in one message, once the statement is prepared.
    pub(crate) async fn execute_within(
        &self,
        wait: Duration,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<u64, Error> {
        self.refuse_after_failure()?;
        let timer = StatementTimer::start(self, sql);
        let client = self.lease.client();
        let outcome = self
            .lease
            .fly(async {
                // Before anything is sent: the reset below must come behind the statement, not behind its preparation.
                let statement = self.lease.prepare(sql).await?;
                let limit = format!("SET LOCAL lock_timeout = {}", wait.as_millis());
                let before = self.open().map_or(limit.clone(), |opening| format!("{opening}; {limit}"));
                let (limited, outcome, _) = join3(
                    client.batch_execute(&before),
                    client.execute(&statement, params),
                    client.batch_execute("SET LOCAL lock_timeout TO DEFAULT"),
                )
                .await;
                limited?;
                outcome
            })
            .await;
        drop(timer);
        self.note(sql, outcome)
    }

    /// Sends one statement. It comes pinned, because each function that it is moved through would add its size to the caller's future.
    async fn send<T>(
        &self,
        sql: &'static str,
        work: Pin<&mut impl Future<Output = Result<T, PgError>>>,
    ) -> Result<T, Error> {
        self.refuse_after_failure()?;
        let timer = StatementTimer::start(self, sql);
        let opened = async {
            match self.open() {
                Some(opening) => self.lease.client().batch_execute(&opening).await,
                None => Ok(()),
            }
        };
        // Polled in this order, so sent in this order. If the opening fails, the server refuses what follows.
        let (opened, outcome) = self.lease.fly(join(opened, work)).await;
        drop(timer);
        self.note(sql, opened.and(outcome))
    }

    /// What begins the transaction, for the first statement. The caller sends it before it yields.
    fn open(&self) -> Option<String> {
        let opening = self.lock().opening.take();
        if opening.is_some() {
            self.lease.set_in_transaction(true);
        }
        opening
    }

    /// After a failure the server refuses every statement of the transaction; the first failure says why.
    fn refuse_after_failure(&self) -> Result<(), Error> {
        match &self.lock().failure {
            Some((error, _)) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn note<T>(&self, sql: &'static str, outcome: Result<T, PgError>) -> Result<T, Error> {
        outcome.map_err(|error| {
            let (error, remedy) = self.classify(&error);
            tracing::debug!(transaction = self.name, statement = headline(sql), ?error, "statement failed");
            self.lock().failure.get_or_insert((error.clone(), remedy));
            error
        })
    }

    fn classify(&self, error: &PgError) -> (Error, Remedy) {
        match remedy(error) {
            // A read that writes is our mistake, not a server that was demoted.
            Remedy::Leave if !self.writes => (Error::Internal(Cause::of(error)), Remedy::None),
            remedy => (Error::classify(error), remedy),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// Measures a statement, also one whose caller goes away before it ends.
struct StatementTimer<'a> {
    run: &'a Run,
    sql: &'static str,
    started: Instant,
}

impl<'a> StatementTimer<'a> {
    fn start(run: &'a Run, sql: &'static str) -> Self {
        Self { run, sql, started: Instant::now() }
    }
}

impl Drop for StatementTimer<'_> {
    fn drop(&mut self) {
        let Run { name, role, watch, .. } = self.run;
        let took = self.started.elapsed();
        watch.metrics.statement(name, *role, took);
        if took > watch.slow {
            watch.metrics.slow(name);
            tracing::warn!(
                transaction = name,
                statement = headline(self.sql),
                role = role.name(),
                elapsed_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                "slow statement"
            );
        }
    }
}

/// What a statement says it does: its first line, a comment.
fn headline(sql: &'static str) -> &'static str {
    sql.trim_start().lines().next().unwrap_or_default().trim_start_matches("--").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_called_by_its_first_comment() {
        assert_eq!(headline("-- Inserts an order.\n-- $1 id\nINSERT"), "Inserts an order.");
        assert_eq!(headline(""), "");
    }
}
