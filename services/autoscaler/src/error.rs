//! Why a scaler of KEDA's is refused.

use platform::{Code, Details, Invalid, ServiceError, status::to_status};

use crate::users::Unknown;

/// What KEDA can be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The trigger's metadata is not valid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A guess would be worse than none.
    #[error(transparent)]
    Unknown(#[from] Unknown),
}

impl ServiceError for Error {
    const DOMAIN: &'static str = "autoscaler.sipup";

    fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidArgument,
            Self::Unknown(_) => Code::Unavailable,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_FIELD",
            Self::Unknown(_) => "USERS_UNKNOWN",
        }
    }

    fn details(&self) -> Details {
        match self {
            Self::Invalid(invalid) => Details { fields: vec![invalid.clone()], ..Details::default() },
            Self::Unknown(_) => Details::default(),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        to_status(&error)
    }
}
