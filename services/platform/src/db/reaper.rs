//! What becomes of a connection whose user went away in the middle of a statement.
//!
//! The answer is still on its way, and a cancel request may be too: the next user must meet neither. So the connection waits here
//! until it has gone quiet, and is closed if that takes long.

use std::{io, time::Duration};

use futures::future::join;
use tokio::{
    io::{DuplexStream, copy_bidirectional, duplex},
    net::TcpStream,
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tokio_postgres::{error::SqlState, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{holder::Held, pool::Pool};

/// Cancel requests at once: each is a connection of its own to the server.
const CANCELS_AT_ONCE: usize = 4;
/// Most statements end by themselves within this time; they are not worth a cancel request.
const PATIENCE: Duration = Duration::from_millis(20);
/// After this the connection is closed.
const QUIET_WITHIN: Duration = Duration::from_secs(1);

/// Cancels for one pool.
pub(crate) struct Reaper {
    tls: MakeRustlsConnect,
    cancels: Semaphore,
}

impl Reaper {
    pub(crate) fn new(tls: MakeRustlsConnect) -> Self {
        Self { tls, cancels: Semaphore::new(CANCELS_AT_ONCE) }
    }

    /// Asks the server to cancel, and returns when it has done so: it closes the socket after it has signalled its process. Without
    /// waiting for that, the signal could hit what the connection does next.
    async fn cancel(&self, held: &Held) -> io::Result<()> {
        let _permit = self.cancels.acquire().await.map_err(io::Error::other)?;
        let endpoint = &held.facts.endpoint;
        let mut socket = TcpStream::connect(endpoint.address).await?;
        let (ours, mut theirs) = duplex(4_096);
        let mut tls = self.tls.clone();
        let tls = MakeTlsConnect::<DuplexStream>::make_tls_connect(&mut tls, &endpoint.host)
            .map_err(io::Error::other)?;
        let token = held.client.cancel_token();
        let (sent, copied) =
            join(token.cancel_query_raw(ours, tls), copy_bidirectional(&mut theirs, &mut socket)).await;
        sent.map_err(io::Error::other)?;
        copied.map(|_| ())
    }

    /// Whether the connection has gone quiet and may be used again.
    async fn quiet(&self, held: &Held, in_transaction: bool) -> bool {
        // An empty query where there is nothing to roll back: the server would warn.
        let end = if in_transaction { "ROLLBACK" } else { "" };
        let deadline = Instant::now() + QUIET_WITHIN;
        let mut drained = std::pin::pin!(held.client.batch_execute(end));
        if let Ok(outcome) = timeout_at(Instant::now() + PATIENCE, &mut drained).await {
            return outcome.is_ok();
        }
        match timeout_at(deadline, join(self.cancel(held), drained)).await {
            Ok((Ok(()), Ok(()))) => true,
            // The request came late and hit the end itself. There is no further one.
            Ok((Ok(()), Err(error))) if error.code() == Some(&SqlState::QUERY_CANCELED) => {
                matches!(timeout_at(deadline, held.client.batch_execute(end)).await, Ok(Ok(())))
            }
            Ok((cancelled, _)) => {
                if let Err(error) = cancelled {
                    tracing::debug!(%error, "not cancelled");
                }
                false
            }
            Err(_) => false,
        }
    }
}

impl Pool {
    /// Takes a connection back when it has gone quiet, or closes it.
    pub(super) fn reap(&self, held: Held, in_transaction: bool) {
        if tokio::runtime::Handle::try_current().is_err() {
            held.facts.abort();
            return self.put(held, false);
        }
        let pool = self.clone();
        drop(self.tasks().spawn("reap", async move {
            let quiet = pool.reaper().quiet(&held, in_transaction).await;
            if !quiet {
                held.facts.abort();
            }
            pool.put(held, quiet);
        }));
    }
}
