//! The few lines of the Redis protocol that forming a cluster takes.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A node on loopback that takes longer hangs.
const BOUND: Duration = Duration::from_secs(5);

/// A connection to one node.
#[derive(Debug)]
pub(super) struct Connection {
    stream: BufStream<TcpStream>,
}

impl Connection {
    pub(super) async fn open(node: SocketAddr) -> io::Result<Self> {
        let stream = timeout(BOUND, TcpStream::connect(node)).await??;
        Ok(Self { stream: BufStream::new(stream) })
    }

    /// Sends one command and reads its answer: simple and bulk strings and numbers as text, an error as an error.
    pub(super) async fn call(&mut self, words: &[&str]) -> io::Result<String> {
        timeout(BOUND, self.exchange(words)).await?
    }

    async fn exchange(&mut self, words: &[&str]) -> io::Result<String> {
        let bulks = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
        let request = format!("*{}\r\n{}", words.len(), bulks.collect::<String>());
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await?;
        self.answer().await
    }

    async fn answer(&mut self) -> io::Result<String> {
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
        let length: usize = length.parse().map_err(io::Error::other)?;
        // The text is followed by an end of line.
        let mut text = vec![0; length + 2];
        self.stream.read_exact(&mut text).await?;
        text.truncate(length);
        String::from_utf8(text).map_err(io::Error::other)
    }
}
