//! The few lines of Valkey's protocol that a keeper speaks.

use std::{io, net::SocketAddr, time::Duration};

use platform::Secret;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
    time::timeout,
};

/// A node that takes longer is as good as gone; the next round asks it again.
const BOUND: Duration = Duration::from_secs(1);
/// More than any answer to what a keeper asks.
const LONGEST: usize = 1 << 20;

/// A connection to one node.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufStream<TcpStream>,
}

impl Connection {
    /// Connects and gives the password.
    pub(crate) async fn open(node: SocketAddr, password: &Secret) -> io::Result<Self> {
        let stream = timeout(BOUND, TcpStream::connect(node)).await??;
        let mut connection = Self { stream: BufStream::new(stream) };
        connection.call(&["AUTH", password.expose()]).await?;
        Ok(connection)
    }

    /// Says one command and reads its answer: simple and bulk strings and numbers as text, an error as an error.
    pub(crate) async fn call(&mut self, words: &[&str]) -> io::Result<String> {
        timeout(BOUND, self.exchange(words)).await?
    }

    async fn exchange(&mut self, words: &[&str]) -> io::Result<String> {
        self.stream.write_all(format!("*{}\r\n", words.len()).as_bytes()).await?;
        for word in words {
            self.stream.write_all(format!("${}\r\n{word}\r\n", word.len()).as_bytes()).await?;
        }
        self.stream.flush().await?;
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        let line = line.trim_end();
        match line.split_at_checked(1) {
            Some(("+" | ":", text)) => Ok(text.to_owned()),
            Some(("-", text)) => Err(io::Error::other(text.to_owned())),
            Some(("$", length)) => self.bulk(length).await,
            _ => Err(io::Error::other(format!("unexpected answer `{line}`"))),
        }
    }

    async fn bulk(&mut self, length: &str) -> io::Result<String> {
        let length = length.parse().ok().filter(|length| *length <= LONGEST);
        let length = length.ok_or_else(|| io::Error::other("an answer of no sensible length"))?;
        // The text is followed by an end of line.
        let mut text = vec![0; length + 2];
        self.stream.read_exact(&mut text).await?;
        text.truncate(length);
        String::from_utf8(text).map_err(io::Error::other)
    }
}
