//! One connection: its client, and the task that carries its messages.

use std::fmt;

use futures::future::poll_fn;
use tokio::task::AbortHandle;
use tokio_postgres::{AsyncMessage, Client, Socket, tls::TlsStream};

use super::connect::Endpoint;

/// A connection that is logged in, and not yet in a pool. Dropping it says good-bye to the server.
pub(crate) struct Connection {
    pub(super) client: Client,
    pub(super) task: AbortHandle,
    pub(super) endpoint: Endpoint,
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
        Self { client, task: task.abort_handle(), endpoint }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
