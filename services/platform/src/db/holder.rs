//! What holds the connections of a pool: deadpool, and beside each connection what deadpool doesn't know of it.
//!
//! deadpool makes a connection whenever somebody asks and it has none to give. Here it never does: it is given connections that are
//! logged in, by [`Holder::add`], and gives them out by [`Holder::take`]. Neither waits. Its size is set once, to the largest that
//! the pool may ever have, because it hands out more than its size after it was resized down and up.

use std::{
    cell::Cell,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use deadpool_postgres::{
    ClientWrapper, Connect, Hook, HookError, Manager, ManagerConfig, Object, QueueMode, Runtime,
    StatementCache,
};
use futures::{FutureExt as _, future};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_postgres::{Client, Config, SimpleQueryStream};

use super::{connect::Endpoint, connection::Connection};

/// The connections of one pool, which calls one function at a time.
pub(super) struct Holder {
    deadpool: deadpool_postgres::Pool,
    /// Each connection that lives is known by its cache of statements.
    facts: Mutex<Vec<(Weak<StatementCache>, Arc<Facts>)>>,
}

/// A connection that somebody uses.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) client: Object,
    pub(super) facts: Arc<Facts>,
}

/// What deadpool doesn't know of a connection.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) endpoint: Endpoint,
    /// That of the pool when it was made.
    pub(super) generation: u64,
    task: AbortHandle,
    /// When it was last given back.
    used_at: Mutex<Instant>,
}

tokio::task_local! {
    /// The connection that is being added.
    static BROUGHT: Cell<Option<Client>>;
}

struct TakeBrought;

impl Connect for TakeBrought {
    #[expect(clippy::disallowed_methods, reason = "a task that does nothing")]
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), tokio_postgres::Error>> + Send + '_>>
    {
        match BROUGHT.try_with(Cell::take) {
            // deadpool aborts the task of a connection that it drops. That would keep ours from saying good-bye to the server.
            Ok(Some(client)) => Box::pin(future::ready(Ok((client, tokio::spawn(future::ready(())))))),
            _ => Box::pin(future::pending()),
        }
    }
}

impl Holder {
    /// Holds up to `limit` connections.
    pub(super) fn new(limit: usize) -> Self {
        let manager = Manager::from_connect(Config::new(), TakeBrought, ManagerConfig::default());
        // Before deadpool's own look, which warns: that a server closes a connection is nothing special.
        let is_open =
            Hook::sync_fn(
                |client: &mut ClientWrapper, _| {
                    if client.is_closed() { Err(HookError::message("closed")) } else { Ok(()) }
                },
            );
        let builder = deadpool_postgres::Pool::builder(manager).max_size(limit).queue_mode(QueueMode::Lifo);
        let builder = builder.wait_timeout(Some(Duration::ZERO)).runtime(Runtime::Tokio1);
        let deadpool = builder.pre_recycle(is_open).build().expect("the time-out has its runtime");
        Self { deadpool, facts: Mutex::default() }
    }

    /// Connections, used or not.
    pub(super) fn open(&self) -> usize {
        self.deadpool.status().size
    }

    /// Connections that nobody uses.
    pub(super) fn idle(&self) -> usize {
        self.deadpool.status().available
    }

    /// Adds an idle connection.
    pub(super) fn add(&self, Connection { client, task, endpoint }: Connection, generation: u64) {
        // deadpool takes it only if nothing is idle. Given back last to first, the others stand as they stood.
        let aside: Vec<_> = std::iter::from_fn(|| self.get()).collect();
        let added = BROUGHT.sync_scope(Cell::new(Some(client)), || self.get());
        aside.into_iter().rev().for_each(drop);
        if let Some(client) = added {
            let facts = Facts { endpoint, generation, task, used_at: Mutex::new(Instant::now()) };
            let mut known = self.facts();
            known.retain(|(cache, _)| cache.strong_count() > 0);
            known.push((Arc::downgrade(&client.statement_cache), Arc::new(facts)));
        }
    }

    /// The idle connection that was used last.
    pub(super) fn take(&self) -> Option<Held> {
        let client = self.get()?;
        let facts = self.facts_of(&client)?;
        Some(Held { client, facts })
    }

    /// Takes a connection back, to keep it or to close it.
    #[expect(clippy::unused_self, reason = "a connection knows whose it is, and gets back by being dropped")]
    pub(super) fn put(&self, held: Held, keep: bool) {
        if keep {
            *held.facts.used_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        } else {
            drop(Object::take(held.client));
        }
    }

    /// Closes idle connections that `leave` says yes to, longest idle first, at most `most`. Answers how many.
    pub(super) fn close_idle(&self, most: usize, leave: impl Fn(&Arc<Facts>) -> bool) -> usize {
        let mut spare = most;
        let outcome = self.deadpool.retain(|client, _| {
            let closes = spare > 0 && self.facts_of(client).is_none_or(|facts| leave(&facts));
            spare -= usize::from(closes);
            !closes
        });
        outcome.removed.len()
    }

    /// Asks every idle connection for nothing. The answers can be waited for without holding the connections.
    pub(super) fn ask_idle(&self) -> Vec<(Arc<Facts>, Option<SimpleQueryStream>)> {
        let mut asked = Vec::new();
        self.deadpool.retain(|client, _| {
            // The first poll sends it.
            let answer = client.simple_query_raw("").now_or_never().and_then(Result::ok);
            asked.extend(self.facts_of(client).map(|facts| (facts, answer)));
            true
        });
        asked
    }

    /// An idle connection, or the one that is being added, or none.
    #[expect(clippy::disallowed_methods, reason = "this is what `Db::tx` and `Db::read` get theirs from")]
    fn get(&self) -> Option<Object> {
        self.deadpool.get().now_or_never()?.ok()
    }

    fn facts_of(&self, client: &ClientWrapper) -> Option<Arc<Facts>> {
        let cache = Arc::as_ptr(&client.statement_cache);
        let known = self.facts();
        known.iter().find(|(of, _)| std::ptr::eq(of.as_ptr(), cache)).map(|(_, facts)| Arc::clone(facts))
    }

    fn facts(&self) -> MutexGuard<'_, Vec<(Weak<StatementCache>, Arc<Facts>)>> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    /// Closes the socket at once, whatever the server still does.
    pub(super) fn abort(&self) {
        self.task.abort();
    }

    pub(super) fn idle_for(&self) -> Duration {
        self.used_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}
