//! [`Db::tx`] and [`Db::read`]: on which server a closure runs, how often, and how that is seen from outside.

use std::time::{Duration, Instant};

use tracing::{Instrument as _, Span};

use super::{
    Db,
    commit::Written,
    connect::Role,
    error::{Error, Remedy},
    lease::Lease,
    metrics::{Ended, Metrics, Route},
    positions::Wanted,
    replica::Freshness,
    rows::{ReadOnly, Tx},
    run::Run,
};
use crate::{Access, Scope};

/// How often a closure runs at most.
const ATTEMPTS: u32 = 3;
/// The wait before the second attempt is up to this, before the third up to twice as long.
const RETRY_WITHIN: Duration = Duration::from_millis(20);
/// How long a read waits for the replica to reach its caller's position.
const CATCH_UP_WITHIN: Duration = Duration::from_millis(50);
/// How long a read waits for a connection to the replica.
const REPLICA_ACQUIRE_WITHIN: Duration = Duration::from_millis(250);

impl Db {
    /// Runs `work` in a transaction on the primary, and commits if it gives `Ok`.
    ///
    /// It runs up to three times: again after a serialization failure or a deadlock, and after a connection that was lost before
    /// COMMIT. Hence `Clone`, which a closure is that borrows what it needs; one called by reference instead would cost the future
    /// of every caller that borrows its `Send`. The position of the commit goes to the session of `access`.
    ///
    /// # Errors
    ///
    /// What `work` gives, after a rollback; or [`Error`], of which [`Error::OutcomeUnknown`] means that the connection was lost while
    /// committing.
    pub async fn tx<T, E>(
        &self,
        name: &'static str,
        access: &Access,
        work: impl AsyncFnOnce(&Tx<'_>) -> Result<T, E> + Clone,
    ) -> Result<T, E>
    where
        E: From<Error>,
    {
        let span = self.span(name, Role::Primary);
        let mut timer = Timer::start(self.metrics(), name, Role::Primary);
        let mut attempt = 1;
        loop {
            let run = match self.begin_write(name, access).instrument(span.clone()).await {
                Ok(run) => run,
                Err(error) => return timer.end(Ended::Failed, Err(error.into())),
            };
            let outcome = work.clone()(&Tx::new(&run)).instrument(span.clone()).await;
            let (ended, outcome, remedy) = match outcome {
                Ok(value) => match self.commit(run, access).instrument(span.clone()).await {
                    Ok(()) => return timer.end(Ended::Committed, Ok(value)),
                    Err((error, remedy)) => (Ended::of(&error), Err(error.into()), remedy),
                },
                Err(error) => (Ended::RolledBack, Err(error), roll_back(run)),
            };
            if remedy == Remedy::None || attempt == ATTEMPTS {
                return timer.end(ended, outcome);
            }
            self.pause(name, attempt, remedy).await;
            attempt += 1;
        }
    }

    /// Runs `work` where it may only read: on the replica if that has all that the caller has written or seen, else on the primary.
    ///
    /// The caller's position is the session's, or the one that Redis has for its user. The replica is waited for up to 50 ms. If it
    /// fails, the closure runs again on the primary.
    ///
    /// Within a scope other than [`Scope::Public`] the closure sees one snapshot, and the server refuses writes. Public reads skip the
    /// transaction, which costs a point read 5 to 14 % at the server: each statement has a snapshot of its own.
    ///
    /// # Errors
    ///
    /// What `work` gives, or [`Error`].
    pub async fn read<T, E>(
        &self,
        name: &'static str,
        access: &Access,
        work: impl AsyncFnOnce(&ReadOnly<'_>) -> Result<T, E> + Clone,
    ) -> Result<T, E>
    where
        E: From<Error>,
    {
        let route = self.route(access).await;
        self.metrics().read(route);
        let mut role = route.role();
        let mut attempt = 1;
        loop {
            let span = self.span(name, role);
            let mut timer = Timer::start(self.metrics(), name, role);
            let (outcome, remedy) = match self.begin_read(role, name, access).instrument(span.clone()).await {
                Ok(run) => {
                    let outcome = {
                        let ro = ReadOnly::new(&run);
                        let reading = work.clone()(&ro).instrument(span.clone());
                        tokio::select! {
                            outcome = reading => Some(outcome),
                            // A replica that hangs must not keep its readers until their deadlines.
                            () = self.0.follower.gone(), if role == Role::Replica => None,
                        }
                    };
                    if let Some(outcome) = outcome {
                        (outcome, end_read(run))
                    } else {
                        run.lease().set_broken();
                        (Err(Error::unavailable("the replica is gone").into()), Remedy::Reconnect)
                    }
                }
                // The pool has tried for as long as it may. Only another server is worth another attempt.
                Err(error) if role == Role::Primary => return timer.end(Ended::Failed, Err(error.into())),
                Err(error) => (Err(error.into()), Remedy::Reconnect),
            };
            timer.end(if outcome.is_ok() { Ended::Committed } else { Ended::RolledBack }, ());
            if remedy == Remedy::None || attempt == ATTEMPTS {
                return outcome;
            }
            if role == Role::Replica {
                role = Role::Primary;
                self.metrics().read(Route::ReplicaFailed);
                tracing::debug!(transaction = name, ?remedy, "the replica failed; reading from the primary");
            } else {
                self.pause(name, attempt, remedy).await;
                attempt += 1;
            }
        }
    }

    async fn begin_write(&self, name: &'static str, access: &Access) -> Result<Run, Error> {
        let lease = self.0.primary.acquire(self.0.acquire_timeout).await?;
        let opening = opening("BEGIN", access.scope, self.0.service);
        Ok(Run::new(lease, name, Role::Primary, true, Some(opening), self.0.watch.clone()))
    }

    async fn begin_read(&self, role: Role, name: &'static str, access: &Access) -> Result<Run, Error> {
        let lease = match role {
            Role::Primary => self.0.primary.acquire(self.0.acquire_timeout).await?,
            Role::Replica => {
                self.0.replica.acquire(REPLICA_ACQUIRE_WITHIN.min(self.0.acquire_timeout)).await?
            }
        };
        let opening = match access.scope {
            Scope::Public => None,
            scope => Some(opening("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", scope, self.0.service)),
        };
        Ok(Run::new(lease, name, role, false, opening, self.0.watch.clone()))
    }

    /// Commits, gives the connection back, and lets the position be known.
    async fn commit(&self, run: Run, access: &Access) -> Result<(), (Error, Remedy)> {
        let committed = self.0.committer.commit(&run).await;
        if let Err((_, remedy)) = &committed {
            apply(*remedy, run.lease());
        }
        // Others wait for the connection; the position's way to Redis needs it no more.
        drop(run);
        let written = match &committed {
            Ok(written) => *written,
            // Whoever asks whether it was carried out must not be told by a replica that lacks it.
            Err((Error::OutcomeUnknown(_), _)) => Written::Somewhere,
            Err(_) => Written::Unsaid,
        };
        self.0.positions.wrote(&access.session, written, &self.0.follower).await;
        committed.map(drop)
    }

    async fn route(&self, access: &Access) -> Route {
        let follower = &self.0.follower;
        if follower.freshness(None) == Freshness::Out {
            return Route::NoReplica;
        }
        let wanted = match self.0.positions.wanted(&access.session).await {
            Wanted::Known(wanted) => wanted,
            Wanted::Unknown => return Route::PositionUnknown,
        };
        match (follower.freshness(wanted), wanted) {
            (Freshness::Reached, _) => Route::Replica,
            (Freshness::Behind, Some(wanted)) if follower.reached(wanted, CATCH_UP_WITHIN).await => {
                Route::ReplicaAfterWait
            }
            (Freshness::Behind, _) => Route::Behind,
            (Freshness::Out, _) => Route::NoReplica,
        }
    }

    async fn pause(&self, name: &'static str, attempt: u32, remedy: Remedy) {
        self.metrics().retried(name);
        tracing::debug!(transaction = name, attempt, ?remedy, "running again");
        tokio::time::sleep((RETRY_WITHIN * attempt).mul_f64(rand::random())).await;
    }

    fn span(&self, name: &'static str, role: Role) -> Span {
        tracing::info_span!(
            "db",
            otel.name = format!("db.{name}"),
            otel.kind = "client",
            db.system = "postgresql",
            db.namespace = self.0.database,
            db.operation.name = name,
            db.role = role.name(),
        )
    }

    fn metrics(&self) -> &Metrics {
        &self.0.watch.metrics
    }
}

/// Does to the connection and its pool what `remedy` asks for.
fn apply(remedy: Remedy, lease: &Lease) -> Remedy {
    match remedy {
        Remedy::None | Remedy::Repeat => {}
        Remedy::Reconnect => lease.set_broken(),
        Remedy::Leave | Remedy::Reprepare => {
            lease.set_broken();
            lease.leave_pool();
        }
    }
    remedy
}

/// Gives up what `run` did: the lease rolls it back. Answers what to do about the failure, if a failure it was.
fn roll_back(run: Run) -> Remedy {
    let remedy = run.failure().map_or(Remedy::None, |(_, remedy)| remedy);
    let remedy = apply(remedy, run.lease());
    drop(run);
    remedy
}

/// Ends a read without waiting for the server: it has nothing to say that could matter.
fn end_read(run: Run) -> Remedy {
    if run.failure().is_none() && !run.lease().has_given_up() {
        run.lease().end_transaction("COMMIT");
    }
    roll_back(run)
}

/// What begins a transaction. Identifiers and the UUID can't carry SQL.
fn opening(begin: &str, scope: Scope, service: &str) -> String {
    match scope {
        Scope::Public => begin.to_owned(),
        Scope::Company(id) => format!("{begin}; SET LOCAL sipup.company_id = '{id}'"),
        Scope::Seller => format!("{begin}; SET LOCAL ROLE svc_{service}_seller"),
        Scope::System => format!("{begin}; SET LOCAL ROLE svc_{service}_system"),
    }
}

/// Measures a transaction, also one whose caller goes away.
struct Timer<'a> {
    metrics: &'a Metrics,
    name: &'static str,
    role: Role,
    started: Instant,
    ended: Ended,
}

impl<'a> Timer<'a> {
    fn start(metrics: &'a Metrics, name: &'static str, role: Role) -> Self {
        Self { metrics, name, role, started: Instant::now(), ended: Ended::Cancelled }
    }

    fn end<T>(&mut self, ended: Ended, outcome: T) -> T {
        self.ended = ended;
        outcome
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.metrics.ended(self.name, self.role, self.ended, self.started.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_is_set_for_the_transaction_alone() {
        let id = uuid::Uuid::nil();
        assert_eq!(opening("BEGIN", Scope::Public, "orders"), "BEGIN");
        assert_eq!(
            opening("BEGIN", Scope::Company(id), "orders"),
            format!("BEGIN; SET LOCAL sipup.company_id = '{id}'")
        );
        assert_eq!(opening("BEGIN", Scope::Seller, "orders"), "BEGIN; SET LOCAL ROLE svc_orders_seller");
        assert_eq!(opening("BEGIN", Scope::System, "jobs"), "BEGIN; SET LOCAL ROLE svc_jobs_system");
    }
}
