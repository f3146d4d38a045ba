//! Why the job service refuses a call.

use platform::{Code, Details, Invalid, ServiceError, db};
use tonic::Status;
use uuid::Uuid;

/// Every way in which a call to the job service can fail. The reasons are those of the contract's `ErrorReason`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the request is not valid.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// No job of this caller has this id.
    #[error("there is no job {id}")]
    JobNotFound {
        /// The id.
        id: Uuid,
    },
    /// The job runs or has ended.
    #[error("the job {id} runs or has ended")]
    NotCancellable {
        /// The id.
        id: Uuid,
    },
    /// A row says what this program doesn't know.
    #[error("a job has an unknown {0}")]
    UnknownValue(&'static str),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl ServiceError for Error {
    const DOMAIN: &'static str = "jobs.sipup";

    fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidArgument,
            Self::JobNotFound { .. } => Code::NotFound,
            Self::NotCancellable { .. } => Code::FailedPrecondition,
            Self::UnknownValue(_) => Code::Internal,
            Self::Db(error) => error.code(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_FIELD",
            Self::JobNotFound { .. } => "JOB_NOT_FOUND",
            Self::NotCancellable { .. } => "NOT_CANCELLABLE",
            Self::UnknownValue(_) | Self::Db(_) => "DATABASE",
        }
    }

    fn details(&self) -> Details {
        let resource = |id: &Uuid| Some(("sipup.jobs.v1.Job", id.to_string()));
        match self {
            Self::Invalid(invalid) => Details { fields: vec![invalid.clone()], ..Details::default() },
            Self::JobNotFound { id } | Self::NotCancellable { id } => {
                Details { resource: resource(id), ..Details::default() }
            }
            Self::UnknownValue(_) | Self::Db(_) => Details::default(),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        platform::status::to_status(&error)
    }
}
