//! The one way from an error to what a caller sees.
//!
//! A service's error says its [`Code`], a stable reason and a public message; [`to_status`] makes the `google.rpc.Status` with
//! details, keeps everything internal back, and logs once, at the level of the code.

use std::{error::Error, fmt::Write as _, time::Duration};

use tonic::Status;
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt as _};

use crate::Invalid;

/// What kind of failure a call ended with. The closed set of sipup: a caller branches on these and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request can't be right, whatever the state. Names the fields.
    InvalidArgument,
    /// Nobody knows who is calling.
    Unauthenticated,
    /// The caller is known and may not do this.
    PermissionDenied,
    /// It doesn't exist, or not for this caller.
    NotFound,
    /// It exists already.
    AlreadyExists,
    /// The state forbids it; trying again changes nothing.
    FailedPrecondition,
    /// Somebody else was in the way; trying again may work.
    Conflict,
    /// The caller's time ran out.
    DeadlineExceeded,
    /// Too much at once; says when to try again.
    ResourceExhausted,
    /// Something needed is away for the moment.
    Unavailable,
    /// Our fault.
    Internal,
}

impl From<Code> for tonic::Code {
    fn from(code: Code) -> Self {
        match code {
            Code::InvalidArgument => Self::InvalidArgument,
            Code::Unauthenticated => Self::Unauthenticated,
            Code::PermissionDenied => Self::PermissionDenied,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists => Self::AlreadyExists,
            Code::FailedPrecondition => Self::FailedPrecondition,
            Code::Conflict => Self::Aborted,
            Code::DeadlineExceeded => Self::DeadlineExceeded,
            Code::ResourceExhausted => Self::ResourceExhausted,
            Code::Unavailable => Self::Unavailable,
            Code::Internal => Self::Internal,
        }
    }
}

/// What a service's error enum says of each of its variants.
pub trait ServiceError: Error + 'static {
    /// The domain of the reasons, for example `orders.sipup`.
    const DOMAIN: &'static str;

    /// The kind of failure.
    fn code(&self) -> Code;

    /// The stable reason, as in the contract's `ErrorReason` without its prefix.
    fn reason(&self) -> &'static str;

    /// What the caller reads. Never asked for [`Code::Internal`].
    fn message(&self) -> String {
        self.to_string()
    }

    /// What a program reads beyond the reason.
    fn details(&self) -> Details {
        Details::default()
    }
}

/// Machine-readable details of a failure.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// Fields that are not valid.
    pub fields: Vec<Invalid>,
    /// What the state lacks.
    pub preconditions: Vec<Precondition>,
    /// Kind and name of the resource that is meant.
    pub resource: Option<(&'static str, String)>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
    /// Further facts, by name.
    pub metadata: Vec<(&'static str, String)>,
}

/// Something that the state lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition {
    /// What kind of lack, for example `OUT_OF_STOCK`.
    pub kind: &'static str,
    /// What lacks, for example `items[0]`.
    pub subject: String,
    /// In words.
    pub description: String,
}

/// Makes the status of `error`, and logs it.
pub fn to_status<E: ServiceError>(error: &E) -> Status {
    let code = error.code();
    log(error, code);
    let message = match code {
        Code::Internal => internal_message(),
        _ => error.message(),
    };
    let given = error.details();
    let mut details = ErrorDetails::new();
    details.set_error_info(error.reason(), E::DOMAIN, metadata(&given));
    if !given.fields.is_empty() {
        details.set_bad_request(
            given
                .fields
                .into_iter()
                .map(|invalid| FieldViolation::new(invalid.field, invalid.problem))
                .collect::<Vec<_>>(),
        );
    }
    if !given.preconditions.is_empty() {
        details.set_precondition_failure(
            given
                .preconditions
                .into_iter()
                .map(|lack| PreconditionViolation::new(lack.kind, lack.subject, lack.description))
                .collect::<Vec<_>>(),
        );
    }
    if let Some((kind, name)) = given.resource {
        details.set_resource_info(kind, name, "", "");
    }
    if let Some(delay) = given.retry_after.or_else(|| default_retry(code)) {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details(code.into(), message, details)
}

/// The text of every internal error: what to quote, and nothing else.
fn internal_message() -> String {
    match crate::telemetry::current_trace_id() {
        Some(trace) => format!("internal error; quote trace {trace}"),
        None => "internal error".to_owned(),
    }
}

fn metadata(details: &Details) -> std::collections::HashMap<String, String> {
    details.metadata.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// A caller that may try again is always told when.
fn default_retry(code: Code) -> Option<Duration> {
    match code {
        Code::Conflict => Some(Duration::from_millis(100)),
        Code::ResourceExhausted | Code::Unavailable => Some(Duration::from_secs(1)),
        _ => None,
    }
}

fn log(error: &dyn Error, code: Code) {
    match code {
        Code::Internal => tracing::error!(error = %chain(error), "call failed"),
        Code::Unavailable | Code::ResourceExhausted => {
            tracing::warn!(error = %chain(error), ?code, "call refused for now");
        }
        Code::Unauthenticated
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Conflict
        | Code::DeadlineExceeded => tracing::info!(error = %error, ?code, "call refused"),
        Code::InvalidArgument | Code::NotFound | Code::AlreadyExists => {
            tracing::debug!(error = %error, ?code, "call refused");
        }
    }
}

/// An error with all that caused it, for logs.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Sample {
        #[error("quantity is wrong")]
        Wrong,
        #[error("could not read table secrets")]
        Broken(#[source] std::io::Error),
    }

    impl ServiceError for Sample {
        const DOMAIN: &'static str = "sample.sipup";

        fn code(&self) -> Code {
            match self {
                Self::Wrong => Code::InvalidArgument,
                Self::Broken(_) => Code::Internal,
            }
        }

        fn reason(&self) -> &'static str {
            match self {
                Self::Wrong => "INVALID_FIELD",
                Self::Broken(_) => "INTERNAL",
            }
        }

        fn details(&self) -> Details {
            Details { fields: vec![Invalid::new("quantity", "must be positive")], ..Details::default() }
        }
    }

    #[test]
    fn a_refusal_names_the_field_and_the_reason() {
        let status = to_status(&Sample::Wrong);
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        let details = status.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "quantity");
        assert_eq!(details.error_info().unwrap().reason, "INVALID_FIELD");
    }

    #[test]
    fn an_internal_error_keeps_its_cause_to_itself() {
        let status = to_status(&Sample::Broken(std::io::Error::other("password is hunter2")));
        assert_eq!(status.code(), tonic::Code::Internal);
        assert!(!status.message().contains("table") && !status.message().contains("hunter2"));
    }

    #[test]
    fn a_chain_names_every_cause() {
        let error = Sample::Broken(std::io::Error::other("disk is full"));
        assert_eq!(chain(&error), "could not read table secrets: disk is full");
    }
}
