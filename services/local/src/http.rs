//! A look at a health endpoint.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Whether `GET path` on a port of loopback answers 200 within a second.
pub(crate) async fn is_ok(port: u16, path: &str) -> bool {
    timeout(Duration::from_secs(1), status_line(port, path))
        .await
        .is_ok_and(|line| line.is_ok_and(|line| line.split(' ').nth(1) == Some("200")))
}

async fn status_line(port: u16, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut start = Vec::new();
    stream.take(64).read_to_end(&mut start).await?;
    Ok(String::from_utf8_lossy(&start).lines().next().unwrap_or_default().to_owned())
}
