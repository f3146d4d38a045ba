//! Why a run can't start. What goes wrong in calls is no error of the tool: it is counted.

use std::path::PathBuf;

/// What the tool can't do without.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting can't be right.
    #[error("{field}: {problem}")]
    Invalid {
        /// The setting, as the flag or the scenario file calls it.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file can't be read or written.
    #[error("can't use {path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file is there, but is not what it should be.
    #[error("{path}: {problem}", path = .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The platform does not let the tool prepare.
    #[error("{what}: {code} {message}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// The status or the kind of failure.
        code: String,
        /// The platform's words.
        message: String,
    },
    /// The operating system refuses.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// `field` can't be right because of `problem`.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), problem: problem.into() }
    }
}
