//! A Valkey of one test's own: a cluster of one server, to be stopped, hung or killed.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::until;

/// The program that the shared servers run.
async fn program() -> PathBuf {
    let nodes = local::testing::services().await.redis_nodes();
    let info = call(&nodes[0], "INFO server").await.unwrap();
    info.lines().find_map(|line| line.strip_prefix("executable:")).unwrap().trim().into()
}

/// One server.
pub(crate) struct Valkey {
    port: u16,
    folder: tempfile::TempDir,
    program: PathBuf,
    child: Option<Child>,
}

impl Valkey {
    /// A place for a server, which does not run yet.
    pub(crate) async fn absent() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        Self { port, folder: tempfile::tempdir().unwrap(), program: program().await, child: None }
    }

    pub(crate) async fn started() -> Self {
        let mut valkey = Self::absent().await;
        valkey.start().await;
        valkey
    }

    pub(crate) fn node(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts the server, empty, and waits until it serves all slots.
    pub(crate) async fn start(&mut self) {
        let _ = std::fs::remove_file(self.folder.path().join("nodes.conf"));
        let bus = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (port, bus) = (self.port.to_string(), bus.to_string());
        let settings = [
            ("--port", port.as_str()),
            ("--cluster-port", bus.as_str()),
            ("--bind", "127.0.0.1"),
            ("--cluster-enabled", "yes"),
            // Alone, it would not know its own address.
            ("--cluster-announce-ip", "127.0.0.1"),
            ("--save", ""),
            ("--appendonly", "no"),
        ];
        let mut command = Command::new(&self.program);
        command.current_dir(self.folder.path()).args(settings.iter().flat_map(|(name, value)| [name, value]));
        self.child = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let node = self.node();
        until("the server answers", async || call(&node, "PING").await.is_ok()).await;
        call(&node, "CLUSTER ADDSLOTSRANGE 0 16383").await.unwrap();
        until("the cluster is whole", async || {
            call(&node, "CLUSTER INFO").await.is_ok_and(|info| info.contains("cluster_state:ok"))
        })
        .await;
    }

    /// Hangs: connections stay, answers don't come.
    pub(crate) fn hang(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) async fn call(&self, command: &str) -> String {
        call(&self.node(), command).await.unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().unwrap().id();
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
    }
}

impl Drop for Valkey {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends one inline command, and returns what comes back at once.
async fn call(node: &str, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(node).await?;
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    if answer.starts_with('-') { Err(std::io::Error::other(answer)) } else { Ok(answer) }
}
