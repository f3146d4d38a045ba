//! What can go wrong when a job is enqueued.

use platform::{Code, db};

/// Why a job was not enqueued. The transaction that it belonged to can't go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments have no JSON form.
    #[error("the arguments of a job of kind {kind} have no JSON form")]
    Arguments {
        /// The kind.
        kind: &'static str,
        /// What is wrong with them.
        #[source]
        source: serde_json::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl Error {
    /// The kind of failure, for the error of a service that enqueues.
    pub fn code(&self) -> Code {
        match self {
            Self::Arguments { .. } => Code::Internal,
            Self::Db(error) => error.code(),
        }
    }
}
