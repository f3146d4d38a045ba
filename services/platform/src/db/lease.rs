//! A connection in use, and what becomes of it afterwards.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures::FutureExt as _;

use super::{connection::Connection, pool::Pool};

/// A connection that one caller has. However that caller ends, the next one finds the connection clean, or not at all.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Pool,
    connection: Option<Arc<Connection>>,
    generation: u64,
    /// Statements sent whose answer has not been read to its end.
    in_flight: AtomicUsize,
    in_transaction: AtomicBool,
    broken: AtomicBool,
}

impl Lease {
    pub(super) fn new(pool: Pool, connection: Arc<Connection>, generation: u64) -> Self {
        Self {
            pool,
            connection: Some(connection),
            generation,
            in_flight: AtomicUsize::new(0),
            in_transaction: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        self.connection.as_deref().expect("a lease has its connection until it is dropped")
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
        end_transaction(self.connection(), &self.in_transaction, how);
    }

    /// The connection, which then is no longer looked after.
    pub(super) fn into_connection(mut self) -> Option<Arc<Connection>> {
        self.connection.take()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if self.broken.load(Ordering::Acquire) || !connection.is_usable() {
            self.pool.discard(connection);
        } else if self.has_given_up() {
            self.pool.reap(connection, self.generation, self.in_transaction.load(Ordering::Acquire));
        } else {
            end_transaction(&connection, &self.in_transaction, "ROLLBACK");
            self.pool.put(connection, self.generation);
        }
    }
}

fn end_transaction(connection: &Connection, in_transaction: &AtomicBool, how: &'static str) {
    if in_transaction.swap(false, Ordering::AcqRel) {
        // The first poll sends it.
        let _ = connection.client().batch_execute(how).now_or_never();
    }
}
