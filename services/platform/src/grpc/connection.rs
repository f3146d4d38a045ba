//! Connections that remember how long they may live, so that the streams on them end in time.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::server::{Connected, TcpIncoming};

/// When a call's connection is asked to end. Stands among the extensions of each request that came over one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// From then on no new call comes over it.
    pub(super) at: Instant,
    /// How long its streams may go on after that, so that they don't all come back together.
    pub(super) spread: Duration,
}

pin_project_lite::pin_project! {
    /// An accepted connection.
    #[derive(Debug)]
    pub(crate) struct Connection {
        #[pin]
        stream: TcpStream,
        end: End,
    }
}

/// The connections of `listener`, each of which is asked to end after `max_age`.
pub(crate) fn accept(
    listener: TcpListener,
    max_age: Duration,
) -> impl Stream<Item = io::Result<Connection>> + Unpin {
    // The server's own socket options count for listeners of its own only; with Nagle's algorithm an answer of more than one
    // segment waits 40 ms for a delayed acknowledgement.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    incoming.map(move |stream| {
        let end = End { at: Instant::now() + max_age, spread: max_age / 30 };
        stream.map(|stream| Connection { stream, end })
    })
}

impl Connected for Connection {
    type ConnectInfo = End;

    fn connect_info(&self) -> End {
        self.end
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.project().stream.poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
