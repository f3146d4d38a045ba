//! Why the job service refuses a call.

use std::time::Duration;

use platform::{Code, Details, Invalid, ServiceError, db, idempotency};
use tonic::Status;
use uuid::Uuid;

use crate::{objects, report::MOST_UNDER_WAY};

/// When a company that has too many reports under way may ask again.
const REPORT_AGAIN_AFTER: Duration = Duration::from_secs(10);

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
    /// No report of this caller has this id.
    #[error("there is no report {id}")]
    ReportNotFound {
        /// The id.
        id: Uuid,
    },
    /// The report has no file, not yet or not any more.
    #[error("the report {id} can't be fetched: it is {state}")]
    ReportNotReady {
        /// The id.
        id: Uuid,
        /// Where it stands.
        state: &'static str,
    },
    /// The file is not what was made.
    #[error("the file of the report {id} is damaged; ask for a new one")]
    ReportDamaged {
        /// The id.
        id: Uuid,
    },
    /// As many reports of the company as there may be wait or are made.
    #[error("{MOST_UNDER_WAY} reports of the company are waiting or being made")]
    TooManyReports,
    /// The request's key can't be used.
    #[error(transparent)]
    Key(#[from] idempotency::Error),
    /// The job that makes a report can't be enqueued.
    #[error(transparent)]
    Queue(#[from] queue::Error),
    /// The storage of files failed.
    #[error("the storage of reports failed")]
    Storage(#[from] objects::Error),
    /// A row says what this program doesn't know.
    #[error("a row has an unknown {0}")]
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
            Self::JobNotFound { .. } | Self::ReportNotFound { .. } => Code::NotFound,
            Self::NotCancellable { .. } | Self::ReportNotReady { .. } | Self::ReportDamaged { .. } => {
                Code::FailedPrecondition
            }
            Self::TooManyReports => Code::ResourceExhausted,
            Self::UnknownValue(_) => Code::Internal,
            Self::Key(error) => error.code(),
            Self::Queue(error) => error.code(),
            Self::Storage(error) => error.code(),
            Self::Db(error) => error.code(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_FIELD",
            Self::JobNotFound { .. } => "JOB_NOT_FOUND",
            Self::NotCancellable { .. } => "NOT_CANCELLABLE",
            Self::ReportNotFound { .. } => "REPORT_NOT_FOUND",
            Self::ReportNotReady { .. } => "REPORT_NOT_READY",
            Self::ReportDamaged { .. } | Self::Storage(objects::Error::Missing) => "REPORT_DAMAGED",
            Self::TooManyReports => "TOO_MANY_REPORTS",
            Self::Key(error) => error.reason(),
            Self::Storage(objects::Error::Unavailable(_)) => "STORAGE_UNAVAILABLE",
            Self::UnknownValue(_) | Self::Queue(_) | Self::Storage(objects::Error::Db(_)) | Self::Db(_) => {
                "DATABASE"
            }
        }
    }

    fn details(&self) -> Details {
        let resource =
            |kind, id: &Uuid| Details { resource: Some((kind, id.to_string())), ..Details::default() };
        match self {
            Self::Invalid(invalid) => Details { fields: vec![invalid.clone()], ..Details::default() },
            Self::JobNotFound { id } | Self::NotCancellable { id } => resource("sipup.jobs.v1.Job", id),
            Self::ReportNotFound { id } | Self::ReportDamaged { id } => resource("sipup.jobs.v1.Report", id),
            Self::ReportNotReady { id, state } => Details {
                metadata: vec![("state", (*state).to_owned())],
                ..resource("sipup.jobs.v1.Report", id)
            },
            Self::TooManyReports => Details { retry_after: Some(REPORT_AGAIN_AFTER), ..Details::default() },
            Self::Key(idempotency::Error::KeyReused) => Details {
                fields: vec![Invalid::new("request_id", "was used for a request with another body")],
                ..Details::default()
            },
            Self::Key(_) | Self::Queue(_) | Self::Storage(_) | Self::UnknownValue(_) | Self::Db(_) => {
                Details::default()
            }
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        platform::status::to_status(&error)
    }
}
