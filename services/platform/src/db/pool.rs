//! The pool of connections to one server.
//!
//! Whoever wants a connection takes an idle one or queues. Connections are made by the pool, never by a caller: a caller that gives
//! up leaves no half-made connection behind, and a thousand that queue make no more connections than the pool may have. They are
//! held by [`Holder`], which is deadpool.

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{TryStreamExt as _, future};
use tokio::{
    sync::{Notify, Semaphore},
    time::timeout,
};

use super::{
    connect::{Connector, Failure, Role},
    connection::Connection,
    error::{Cause, Error},
    holder::{Facts, Held, Holder},
    lease::Lease,
    metrics::Metrics,
    reaper::Reaper,
    replica::{Replica, Waiter},
};
use crate::Tasks;

/// Logins at once. Each costs the server a process and a password check.
const CONNECTING_AT_ONCE: usize = 4;
/// Wait before the second attempt to connect; each further one waits twice as long.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// The longest wait between attempts.
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// How long a check of an idle connection may take.
const CHECK_WITHIN: Duration = Duration::from_secs(2);

/// Connections to one server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    role: Role,
    connector: Connector,
    tasks: Tasks,
    reaper: Reaper,
    metrics: Metrics,
    holder: Holder,
    /// The queue: a permit for each idle connection, in the order of asking. One too many wakes somebody in vain, no more. Closed
    /// with the pool.
    idle: Semaphore,
    /// Tells those who queue that waiting won't help.
    refused: Notify,
    waiting: AtomicUsize,
    state: Mutex<State>,
}

/// Invariant: open connections and those being made are never more than `size`.
#[derive(Default)]
struct State {
    connecting: usize,
    size: usize,
    warm: usize,
    /// Connections of an older generation are not used again.
    generation: u64,
    /// Attempts to connect that failed since the last one that did not.
    failures: u32,
    last_failure: Option<Cause>,
    /// The only address that connections may go to. The primary's pool finds its own.
    replica: Option<Replica>,
}

/// Figures of a pool at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) size: usize,
    pub(crate) open: usize,
    pub(crate) idle: usize,
    pub(crate) waiting: usize,
}

impl Pool {
    /// An empty pool of no size; [`Pool::resize`] lets it grow up to `limit`.
    pub(crate) fn new(
        role: Role,
        limit: usize,
        connector: Connector,
        tasks: Tasks,
        metrics: Metrics,
    ) -> Self {
        let reaper = Reaper::new(connector.tls().clone());
        let (holder, idle) = (Holder::new(limit), Semaphore::new(0));
        let (refused, waiting, state) = (Notify::new(), AtomicUsize::new(0), Mutex::default());
        Self(Arc::new(Inner {
            role,
            connector,
            tasks,
            reaper,
            metrics,
            holder,
            idle,
            refused,
            waiting,
            state,
        }))
    }

    /// A connection, at once or when it is this caller's turn.
    pub(crate) async fn acquire(&self, within: Duration) -> Result<Lease, Error> {
        let started = Instant::now();
        let outcome = timeout(within, self.queue()).await.unwrap_or_else(|_| Err(self.timed_out(within)));
        self.0.metrics.waited(self.0.role, started.elapsed(), outcome.is_ok());
        outcome
    }

    async fn queue(&self) -> Result<Lease, Error> {
        let mut refused = pin!(self.0.refused.notified());
        let _waiter = Waiter::new(&self.0.waiting);
        loop {
            self.grow(&mut self.lock());
            tokio::select! {
                biased;
                permit = self.0.idle.acquire() => {
                    permit.map_err(|_| Error::unavailable("the pool is closed"))?.forget();
                }
                () = &mut refused => return Err(self.refusal()),
            }
            let _alone = self.lock();
            if let Some(held) = self.0.holder.take() {
                return Ok(Lease::new(self.clone(), held));
            }
        }
    }

    /// Takes a connection back, for the next in the queue, or closes it.
    pub(super) fn put(&self, held: Held, in_order: bool) {
        let mut state = self.lock();
        let fits = self.0.holder.open() <= state.size && state.generation == held.facts.generation;
        let keep = in_order && fits && !held.client.is_closed() && !self.is_closed();
        self.0.holder.put(held, keep);
        self.0.idle.add_permits(usize::from(keep));
        self.grow(&mut state);
    }

    /// Leaves every connection: those in use when they come back.
    pub(crate) fn leave_all(&self) {
        let mut state = self.lock();
        state.generation += 1;
        self.close_idle(usize::MAX, |_| true);
        self.grow(&mut state);
    }

    /// Sets how many connections there may be, and how many there always are.
    pub(crate) fn resize(&self, size: usize, warm: usize) {
        let mut state = self.lock();
        (state.size, state.warm) = (size, warm.min(size));
        self.close_idle(self.0.holder.open().saturating_sub(size), |_| true);
        self.grow(&mut state);
    }

    /// Names the replica that connections go to. Those to another are left.
    pub(crate) fn aim(&self, replica: Option<Replica>) {
        let mut state = self.lock();
        if state.replica == replica {
            return;
        }
        state.replica = replica;
        drop(state);
        self.leave_all();
    }

    /// Closes what was idle for longer than `limit`, longest first, down to the warm number.
    pub(crate) fn retire(&self, limit: Duration) {
        let state = self.lock();
        let spare = self.0.holder.open().saturating_sub(state.warm);
        self.close_idle(spare, |facts| facts.idle_for() > limit);
    }

    /// Tries every idle connection without taking it from whoever comes meanwhile, and closes those that don't answer.
    pub(crate) async fn check(&self) {
        let alone = self.lock();
        let asked = self.0.holder.ask_idle();
        drop(alone);
        let silent = future::join_all(asked.into_iter().map(async |(facts, answer)| {
            let end = async { answer?.try_for_each(|_| future::ready(Ok(()))).await.ok() };
            let answered = timeout(CHECK_WITHIN, end).await.is_ok_and(|end| end.is_some());
            (!answered).then_some(facts)
        }));
        let silent: Vec<_> = silent.await.into_iter().flatten().collect();
        let mut state = self.lock();
        self.close_idle(usize::MAX, |facts| {
            let is_silent = silent.iter().any(|silent| Arc::ptr_eq(silent, facts));
            if is_silent {
                facts.abort();
            }
            is_silent
        });
        self.grow(&mut state);
    }

    /// Serves nobody any more. Connections in use are closed when they come back.
    pub(crate) fn close(&self) {
        self.0.idle.close();
        self.leave_all();
    }

    pub(crate) fn status(&self) -> Status {
        let (state, holder) = (self.lock(), &self.0.holder);
        let waiting = self.0.waiting.load(Ordering::Acquire);
        Status { size: state.size, open: holder.open(), idle: holder.idle(), waiting }
    }

    pub(super) fn reaper(&self) -> &Reaper {
        &self.0.reaper
    }

    pub(super) fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    fn close_idle(&self, most: usize, leave: impl Fn(&Arc<Facts>) -> bool) {
        self.0.idle.forget_permits(self.0.holder.close_idle(most, leave));
    }

    /// Starts as many connections as are missed.
    fn grow(&self, state: &mut State) {
        let missed = self.missed(state);
        // A server that refuses is asked by one at a time.
        let at_once = if state.failures > 0 { 1 } else { CONNECTING_AT_ONCE };
        while !self.is_closed()
            && state.connecting < missed.min(at_once)
            && self.0.holder.open() + state.connecting < state.size
        {
            state.connecting += 1;
            let pool = self.clone();
            self.0.tasks.spawn_until_stop("connect", async move { pool.connect().await });
        }
    }

    async fn connect(&self) {
        loop {
            let (generation, replica) = {
                let state = self.lock();
                (state.generation, state.replica.clone())
            };
            let outcome = match (self.0.role, &replica) {
                (Role::Primary, _) => self.0.connector.connect(Role::Primary).await,
                (Role::Replica, Some(replica)) => replica.connect(&self.0.connector).await,
                (Role::Replica, None) => Err(Cause::new("no replica is known").into()),
            };
            let delay = match outcome {
                Ok(connection) => return self.connected(connection, generation),
                Err(failure) => self.failed(&failure),
            };
            let Some(delay) = delay else { return };
            tokio::time::sleep(delay).await;
        }
    }

    fn connected(&self, connection: Connection, generation: u64) {
        let mut state = self.lock();
        state.connecting -= 1;
        (state.failures, state.last_failure) = (0, None);
        if !self.is_closed() && state.generation == generation && self.0.holder.open() < state.size {
            self.0.holder.add(connection, generation);
            self.0.idle.add_permits(1);
        }
        self.grow(&mut state);
    }

    /// Connections without which somebody waits, or the pool is not warm.
    fn missed(&self, state: &State) -> usize {
        let waiting = self.0.waiting.load(Ordering::Acquire);
        waiting.saturating_sub(self.0.holder.idle()).max(self.cold(state))
    }

    fn cold(&self, state: &State) -> usize {
        state.warm.saturating_sub(self.0.holder.open())
    }

    /// How long to wait before the next attempt, if this task is to make it.
    fn failed(&self, failure: &Failure) -> Option<Duration> {
        let mut state = self.lock();
        if state.failures == 0 {
            tracing::warn!(cause = %failure.cause, role = self.0.role.name(), "no connection");
        }
        state.failures += 1;
        state.last_failure = Some(failure.cause.clone());
        // The replica's callers have the primary: nobody waits for a second attempt.
        let is_replica = self.0.role == Role::Replica;
        let refuses = failure.is_final || (is_replica && state.connecting == 1);
        if refuses {
            self.0.refused.notify_waiters();
        }
        let missed = if refuses { self.cold(&state) } else { self.missed(&state) };
        if state.connecting > 1 || missed == 0 || self.is_closed() || is_replica {
            state.connecting -= 1;
            return None;
        }
        let doubled = FIRST_BACKOFF.saturating_mul(1 << (state.failures - 1).min(10)).min(LONGEST_BACKOFF);
        Some(doubled.mul_f64(rand::random_range(0.5..1.0)))
    }

    fn refusal(&self) -> Error {
        let cause = self.lock().last_failure.clone();
        Error::Unavailable(cause.unwrap_or_else(|| Cause::new("no connection could be made")))
    }

    fn timed_out(&self, within: Duration) -> Error {
        let why = match &self.lock().last_failure {
            Some(cause) => format!("no connection within {within:?}: {cause}"),
            None => format!("no connection became free within {within:?}"),
        };
        Error::unavailable(&why)
    }

    fn is_closed(&self) -> bool {
        self.0.idle.is_closed()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("role", &self.0.role)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
