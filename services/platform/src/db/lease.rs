//! A connection in use, and what becomes of it afterwards.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use deadpool_postgres::ClientWrapper;
use futures::FutureExt as _;
use tokio_postgres::Statement;

use super::{holder::Held, pool::Pool};

/// A connection that one caller has. However that caller ends, the next one finds the connection clean, or not at all.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Pool,
    held: Option<Held>,
    /// Statements sent whose answer has not been read to its end.
    in_flight: AtomicUsize,
    in_transaction: AtomicBool,
    broken: AtomicBool,
}

impl Lease {
    pub(super) fn new(pool: Pool, held: Held) -> Self {
        Self {
            pool,
            held: Some(held),
            in_flight: AtomicUsize::new(0),
            in_transaction: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        }
    }

    pub(crate) fn client(&self) -> &ClientWrapper {
        &self.held.as_ref().expect("a lease has its connection until it is dropped").client
    }

    /// `sql`, prepared once for each connection.
    pub(crate) async fn prepare(&self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
        // Boxed: it would be most of the size of every caller's future.
        Box::pin(self.client().prepare_cached(sql)).await
    }

    /// Runs `work` on the connection. If it is dropped half-way, the lease knows that an answer is still to come.
    pub(crate) async fn fly<T>(&self, work: impl Future<Output = T>) -> T {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        let outcome = work.await;
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
        outcome
    }

    /// Whether some statement was given up before its answer came.
    pub(crate) fn has_given_up(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) > 0
    }

    pub(crate) fn set_in_transaction(&self, yes: bool) {
        self.in_transaction.store(yes, Ordering::Release);
    }

    /// Nobody may use the connection after this caller.
    pub(crate) fn set_broken(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// Leaves every connection of the pool, because what they were made for has changed.
    pub(crate) fn leave_pool(&self) {
        self.pool.leave_all();
    }

    /// Sends the end of the transaction without waiting for the answer: whatever the next user sends comes behind it.
    pub(crate) fn end_transaction(&self, how: &'static str) {
        end_transaction(self.client(), &self.in_transaction, how);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        if self.broken.load(Ordering::Acquire) {
            self.pool.put(held, false);
        } else if self.has_given_up() && !held.client.is_closed() {
            self.pool.reap(held, self.in_transaction.load(Ordering::Acquire));
        } else {
            end_transaction(&held.client, &self.in_transaction, "ROLLBACK");
            self.pool.put(held, true);
        }
    }
}

fn end_transaction(client: &ClientWrapper, in_transaction: &AtomicBool, how: &'static str) {
    if in_transaction.swap(false, Ordering::AcqRel) {
        // The first poll sends it.
        let _ = client.batch_execute(how).now_or_never();
    }
}
