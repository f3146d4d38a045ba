//! One connection: its client, its prepared statements, and when it was last used.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::poll_fn;
use tokio::task::AbortHandle;
use tokio_postgres::{AsyncMessage, Client, Socket, Statement, tls::TlsStream};

use super::connect::Endpoint;

/// A connection that is logged in. Dropping it says good-bye to the server.
pub(crate) struct Connection {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
    endpoint: Endpoint,
    task: AbortHandle,
    used_at: Mutex<Instant>,
    /// Did not answer a check.
    suspect: AtomicBool,
}

impl Connection {
    /// Drives `connection` in the background for as long as `client` lives.
    #[expect(
        clippy::disallowed_methods,
        reason = "ends with its client; shutdown need not wait for a socket"
    )]
    pub(crate) fn start<T>(
        client: Client,
        mut connection: tokio_postgres::Connection<Socket, T>,
        endpoint: Endpoint,
    ) -> Self
    where
        T: TlsStream + Unpin + Send + 'static,
    {
        let peer = endpoint.clone();
        let task = tokio::spawn(async move {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                match message {
                    Ok(AsyncMessage::Notice(notice)) => {
                        tracing::debug!(code = notice.code().code(), "notice");
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(cause = %super::error::Cause::of(&error), %peer, "connection lost");
                        break;
                    }
                }
            }
        });
        Self {
            client,
            statements: Mutex::default(),
            endpoint,
            task: task.abort_handle(),
            used_at: Mutex::new(Instant::now()),
            suspect: AtomicBool::new(false),
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// `sql`, prepared once for each connection.
    pub(crate) async fn prepare(&self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
        let known = self.statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        // Boxed: it is rare, and would be most of the size of every caller's future.
        let statement = Box::pin(self.client.prepare(sql)).await?;
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).insert(sql, statement.clone());
        Ok(statement)
    }

    /// Whether a next user may have it.
    pub(crate) fn is_usable(&self) -> bool {
        !self.client.is_closed() && !self.suspect.load(Ordering::Acquire)
    }

    /// Asks for nothing, behind whatever else is under way. Marks the connection if no answer comes.
    pub(crate) async fn check(&self, within: Duration) {
        if !matches!(tokio::time::timeout(within, self.client.batch_execute("")).await, Ok(Ok(()))) {
            self.suspect.store(true, Ordering::Release);
        }
    }

    pub(crate) fn touch(&self) {
        *self.used_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(crate) fn idle_for(&self) -> Duration {
        self.used_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Closes the socket at once, whatever the server still does.
    pub(crate) fn abort(&self) {
        self.task.abort();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
