//! One child process: how it is started, and how it is asked to end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::process::Child;

use crate::account::Account;
use crate::error::{Error, Result};
use crate::identity::Identity;

/// The order of the start; the stop goes backwards, so that nothing loses what it still needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// The Postgres primary.
    Primary,
    /// The streaming replica.
    Replica,
    /// The Valkey nodes.
    Valkey,
    /// The services.
    Services,
    /// Envoy, through which the clients come.
    Ingress,
}

/// How a process is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ending {
    /// The signal's number.
    signal: i32,
    /// How long it may take until it is killed.
    patience: Duration,
}

impl Ending {
    /// Asks by `SIGTERM`.
    pub(crate) const fn terminate(patience: Duration) -> Self {
        Self { signal: Signal::SIGTERM as i32, patience }
    }

    /// Asks by `SIGINT`: the fast shutdown of Postgres, which does not wait for its clients.
    pub(crate) const fn interrupt(patience: Duration) -> Self {
        Self { signal: Signal::SIGINT as i32, patience }
    }

    fn signal(self) -> Signal {
        Signal::try_from(self.signal).unwrap_or(Signal::SIGTERM)
    }

    /// Ends a process that is not our child, however it takes. The answer says whether it ran at all.
    pub(crate) async fn apply(self, process: &Identity) -> bool {
        if !process.signal(self.signal()) {
            return false;
        }
        // A stopped process would not even see the request.
        process.signal(Signal::SIGCONT);
        if !process.gone_within(self.patience).await {
            process.signal(Signal::SIGKILL);
            process.gone_within(Duration::from_secs(10)).await;
        }
        true
    }
}

/// Environment variables; their values may be secret and are never printed.
#[derive(Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Sets `name`.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Takes over all of `other`.
    pub(crate) fn extend(&mut self, other: &Self) -> &mut Self {
        self.0.extend(other.0.clone());
        self
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A program to run and to keep running.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// Its unique name, such as `catalog-1`.
    pub name: String,
    /// When it starts and stops among the others.
    pub stage: Stage,
    /// The program's path.
    pub program: PathBuf,
    /// Its arguments; visible to all users of the machine, so never secret.
    pub args: Vec<OsString>,
    /// Added to our own environment.
    pub env: Environment,
    /// Receives what it prints.
    pub log: PathBuf,
    /// The user it runs as.
    pub account: Account,
    /// How it is asked to end.
    pub ending: Ending,
}

impl Spec {
    /// Starts the program in a process group of its own: Ctrl-C on the terminal reaches only us, who stop in order.
    pub(crate) fn spawn(&self) -> Result<Process> {
        let spawn = |source| Error::Spawn { program: self.name.clone(), source };
        let log = open_log(&self.log)?;
        let errors = log.try_clone().map_err(spawn)?;
        let mut command = self.account.command(&self.program);
        command.args(&self.args).envs(self.env.iter()).current_dir("/").process_group(0);
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().map_err(spawn)?;
        let identity = child.id().and_then(|pid| Identity::of(i32::try_from(pid).ok()?, &self.program));
        Ok(Process { child, identity })
    }
}

/// A running child.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// `None` if it ended before it could be looked at.
    identity: Option<Identity>,
}

impl Process {
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self) -> String {
        describe(self.child.wait().await)
    }

    /// Asks it to end, kills it if it takes too long, and says how it ended.
    pub(crate) async fn end(&mut self, ending: Ending) -> String {
        // Until it is reaped below, its pid can't be reused.
        if let Some(pid) = self.pid() {
            let _ = kill(pid, ending.signal());
            // A stopped process would not even see the request.
            let _ = kill(pid, Signal::SIGCONT);
        }
        if let Ok(status) = tokio::time::timeout(ending.patience, self.child.wait()).await {
            return describe(status);
        }
        if let Some(pid) = self.pid() {
            let _ = killpg(pid, Signal::SIGKILL);
        }
        format!("{} after {} s", describe(self.child.wait().await), ending.patience.as_secs())
    }

    fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw)
    }
}

fn describe(status: std::io::Result<ExitStatus>) -> String {
    status.map_or_else(|err| format!("status unknown: {err}"), |status| status.to_string())
}

/// Beyond this size, a log is put aside when its process starts: 16 MiB.
const LARGEST_LOG: u64 = 16 << 20;

/// Opens a log for appending, readable by its owner only. One that has grown large is first put aside as `.log.old`.
pub(crate) fn open_log(path: &Path) -> Result<File> {
    if path.metadata().is_ok_and(|about| about.len() > LARGEST_LOG) {
        fs::rename(path, path.with_extension("log.old")).map_err(Error::file("put aside", path))?;
    }
    let open = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    open.map_err(Error::file("open the log", path))
}
