//! The pool of connections to one server.
//!
//! Whoever wants a connection takes an idle one or queues. Connections are made by the pool, never by a caller: a caller that gives
//! up leaves no half-made connection behind, and a thousand that queue make no more connections than the pool may have.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    connect::{Connector, Failure, Role},
    connection::Connection,
    error::{Cause, Error},
    lease::Lease,
    metrics::Metrics,
    reaper::Reaper,
    replica::Replica,
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
    state: Mutex<State>,
}

/// Invariant: `open` counts idle, leased and reaped connections; `open + connecting` never grows past `size`.
#[derive(Default)]
struct State {
    /// The last one was used last.
    idle: Vec<Arc<Connection>>,
    /// Who came first is served first.
    waiting: VecDeque<oneshot::Sender<Result<Lease, Error>>>,
    open: usize,
    connecting: usize,
    size: usize,
    warm: usize,
    /// Connections of an older generation are not used again.
    generation: u64,
    /// Attempts to connect that failed since the last one that did not.
    failures: u32,
    last_failure: Option<Cause>,
    closed: bool,
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
    /// An empty pool of no size; [`Pool::resize`] lets it grow.
    pub(crate) fn new(role: Role, connector: Connector, tasks: Tasks, metrics: Metrics) -> Self {
        let reaper = Reaper::new(connector.tls().clone());
        Self(Arc::new(Inner { role, connector, tasks, reaper, metrics, state: Mutex::default() }))
    }

    /// A connection, at once or when it is this caller's turn.
    pub(crate) async fn acquire(&self, within: Duration) -> Result<Lease, Error> {
        let started = Instant::now();
        let outcome = match self.take_or_queue() {
            Ok(lease) => Ok(lease),
            Err(turn) => match tokio::time::timeout(within, turn).await {
                Ok(outcome) => outcome.unwrap_or_else(|_| Err(Error::unavailable("the pool is closed"))),
                Err(_) => Err(self.timed_out(within)),
            },
        };
        self.0.metrics.waited(self.0.role, started.elapsed(), outcome.is_ok());
        outcome
    }

    fn take_or_queue(&self) -> Result<Lease, oneshot::Receiver<Result<Lease, Error>>> {
        let mut state = self.lock();
        let mut dead = Vec::new();
        while let Some(connection) = state.idle.pop() {
            if connection.is_usable() {
                return Ok(Lease::new(self.clone(), connection, state.generation));
            }
            state.open -= 1;
            dead.push(connection);
        }
        let (turn, receiver) = oneshot::channel();
        while state.waiting.front().is_some_and(oneshot::Sender::is_closed) {
            state.waiting.pop_front();
        }
        // A closed pool drops the sender, which the receiver notices.
        if !state.closed {
            state.waiting.push_back(turn);
        }
        self.grow(&mut state);
        Err(receiver)
    }

    /// Takes a connection back, for the next in the queue.
    pub(super) fn put(&self, connection: Arc<Connection>, generation: u64) {
        connection.touch();
        let mut state = self.lock();
        let fits = state.open <= state.size && !state.closed && state.generation == generation;
        if fits && connection.is_usable() {
            self.hand_out(&mut state, connection);
        } else {
            state.open -= 1;
            self.grow(&mut state);
        }
    }

    /// Forgets a connection that nobody may use again.
    pub(super) fn discard(&self, connection: Arc<Connection>) {
        let mut state = self.lock();
        state.open -= 1;
        self.grow(&mut state);
        drop(state);
        drop(connection);
    }

    /// Leaves every connection: those in use when they come back.
    pub(crate) fn leave_all(&self) {
        let mut state = self.lock();
        state.generation += 1;
        let left = std::mem::take(&mut state.idle);
        state.open -= left.len();
        self.grow(&mut state);
        drop(state);
        drop(left);
    }

    /// Sets how many connections there may be, and how many there always are.
    pub(crate) fn resize(&self, size: usize, warm: usize) {
        let mut state = self.lock();
        (state.size, state.warm) = (size, warm.min(size));
        let surplus = state.open.saturating_sub(size).min(state.idle.len());
        let left: Vec<_> = state.idle.drain(..surplus).collect();
        state.open -= left.len();
        self.grow(&mut state);
        drop(state);
        drop(left);
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
        let mut state = self.lock();
        let spare = state.open.saturating_sub(state.warm);
        let count =
            state.idle.iter().take(spare).take_while(|connection| connection.idle_for() > limit).count();
        let left: Vec<_> = state.idle.drain(..count).collect();
        state.open -= left.len();
        drop(state);
        drop(left);
    }

    /// Tries every idle connection without taking it from whoever comes meanwhile, and forgets those that don't answer.
    pub(crate) async fn check(&self) {
        let idle: Vec<_> = self.lock().idle.clone();
        futures::future::join_all(idle.iter().map(|connection| connection.check(CHECK_WITHIN))).await;
        drop(idle);
        let mut state = self.lock();
        let dead: Vec<_> = state.idle.extract_if(.., |connection| !connection.is_usable()).collect();
        state.open -= dead.len();
        self.grow(&mut state);
        drop(state);
        for connection in dead {
            connection.abort();
        }
    }

    /// Serves nobody any more. Connections in use are closed when they come back.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.warm = 0;
        state.waiting.clear();
        drop(state);
        self.leave_all();
    }

    pub(crate) fn status(&self) -> Status {
        let state = self.lock();
        Status { size: state.size, open: state.open, idle: state.idle.len(), waiting: state.waiting.len() }
    }

    pub(super) fn reaper(&self) -> &Reaper {
        &self.0.reaper
    }

    pub(super) fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    /// Gives `connection` to the first in the queue who still waits, or keeps it.
    fn hand_out(&self, state: &mut State, connection: Arc<Connection>) {
        let mut lease = Lease::new(self.clone(), connection, state.generation);
        while let Some(turn) = state.waiting.pop_front() {
            match turn.send(Ok(lease)) {
                Ok(()) => return,
                Err(Ok(refused)) => lease = refused,
                Err(Err(_)) => unreachable!("a lease was sent"),
            }
        }
        // Not by dropping the lease: that would lock the state again.
        state.idle.extend(lease.into_connection());
    }

    /// Starts as many connections as are missed.
    fn grow(&self, state: &mut State) {
        let missed = state.waiting.len().max(state.warm.saturating_sub(state.open));
        // A server that refuses is asked by one at a time.
        let at_once = if state.failures > 0 { 1 } else { CONNECTING_AT_ONCE };
        while !state.closed
            && state.connecting < missed.min(at_once)
            && state.open + state.connecting < state.size
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
        if !state.closed && state.generation == generation && state.open < state.size {
            state.open += 1;
            self.hand_out(&mut state, Arc::new(connection));
        }
        self.grow(&mut state);
    }

    /// How long to wait before the next attempt, if this task is to make it.
    fn failed(&self, failure: &Failure) -> Option<Duration> {
        let mut state = self.lock();
        if state.failures == 0 {
            tracing::warn!(cause = %failure.cause, role = self.0.role.name(), "no connection");
        }
        state.failures += 1;
        state.last_failure = Some(failure.cause.clone());
        if failure.is_final {
            for turn in state.waiting.drain(..) {
                let _ = turn.send(Err(Error::Unavailable(failure.cause.clone())));
            }
        }
        let missed = !state.waiting.is_empty() || state.open < state.warm;
        if state.connecting > 1 || !missed || state.closed || self.0.role == Role::Replica {
            state.connecting -= 1;
            // The replica's callers have the primary: nobody waits for a second attempt.
            if self.0.role == Role::Replica && state.connecting == 0 {
                for turn in state.waiting.drain(..) {
                    let _ = turn.send(Err(Error::Unavailable(failure.cause.clone())));
                }
            }
            return None;
        }
        let doubled = FIRST_BACKOFF.saturating_mul(1 << (state.failures - 1).min(10)).min(LONGEST_BACKOFF);
        Some(doubled.mul_f64(rand::random_range(0.5..1.0)))
    }

    fn timed_out(&self, within: Duration) -> Error {
        let state = self.lock();
        let why = match &state.last_failure {
            Some(cause) => format!("no connection within {within:?}: {cause}"),
            None => format!("no connection became free within {within:?}"),
        };
        Error::unavailable(&why)
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
