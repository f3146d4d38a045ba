//! Why the limiter refuses a call.

use platform::{Code, Details, Invalid, ServiceError, status::to_status};

use crate::store::Away;

/// What a caller of the limiter can be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field is not valid.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// A small count would be worse than none.
    #[error("active users have not been counted for a whole window yet")]
    CountUnknown,
    /// Redis is away.
    #[error("the counters can't be reached")]
    Away,
}

impl ServiceError for Error {
    const DOMAIN: &'static str = "ratelimit.sipup";

    fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidArgument,
            Self::CountUnknown | Self::Away => Code::Unavailable,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_FIELD",
            Self::CountUnknown => "COUNT_UNKNOWN",
            Self::Away => "COUNTERS_UNAVAILABLE",
        }
    }

    fn details(&self) -> Details {
        match self {
            Self::Invalid(invalid) => Details { fields: vec![invalid.clone()], ..Details::default() },
            Self::CountUnknown | Self::Away => Details::default(),
        }
    }
}

impl From<Away> for Error {
    fn from(_: Away) -> Self {
        Self::Away
    }
}

impl From<platform::redis::Unavailable> for Error {
    fn from(_: platform::redis::Unavailable) -> Self {
        Self::Away
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        to_status(&error)
    }
}
