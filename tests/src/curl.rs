//! curl, as people use it.

use std::process::Stdio;

use anyhow::Context as _;
use serde_json::Value;
use tokio::process::Command;

/// What curl got.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Runs curl with `arguments`.
///
/// # Errors
///
/// curl is missing, failed, or got no HTTP answer.
pub async fn curl(arguments: &[&str]) -> anyhow::Result<Reply> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--max-time", "90"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .context("run curl")?;
    anyhow::ensure!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
    parse(&output.stdout)
}

fn parse(mut rest: &[u8]) -> anyhow::Result<Reply> {
    loop {
        let end =
            rest.windows(4).position(|window| window == b"\r\n\r\n").context("an answer without headers")?;
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 4..];
        let mut lines = head.lines();
        let status: u16 =
            lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?.parse()?;
        // "100 Continue" stands before the answer to a large body.
        if status == 100 {
            continue;
        }
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        return Ok(Reply { status, headers, body: rest.to_vec() });
    }
}
