//! Why this service refuses a call.

use std::time::Duration;

use platform::{Code, Details, Invalid, ServiceError, caller::NotARole, db, idempotency};

use crate::{keys, password};

/// When somebody who found the queue full should come back: the time that a full queue takes.
const COME_BACK_AFTER: Duration = Duration::from_secs(2);

/// Why a call failed. What the public reads tells nothing about whether a user exists, except to who registers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field can't be right.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// Another user has the address.
    #[error("a user with this e-mail address exists")]
    EmailTaken,
    /// The log-in is refused. Why is for our figures only.
    #[error("e-mail address and password don't belong together")]
    InvalidCredentials(Denied),
    /// The refresh token works no more.
    #[error("the session has ended")]
    SessionEnded,
    /// Too many passwords wait to be checked.
    #[error("too many log-ins at once")]
    TooManyLogins,
    /// The account, the address or the two together were tried too often. Whether the account exists was not looked at.
    #[error("too many tries to log in; try again later")]
    TooManyTries {
        /// Until trying again makes sense.
        wait: Duration,
    },
    /// The caller's user is gone.
    #[error("the user of this token doesn't exist any more")]
    UserNotFound,
    /// The request can't be told from another one, or runs twice.
    #[error(transparent)]
    Idempotency(#[from] idempotency::Error),
    /// A password could not be hashed or checked.
    #[error("passwords can't be checked")]
    Password(#[source] password::Error),
    /// No token could be made.
    #[error("tokens can't be made")]
    Keys(#[from] keys::Error),
    /// A row has a role that this program doesn't know.
    #[error("a user has an unknown role")]
    Role(#[from] NotARole),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

/// Why a log-in was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There is no such user.
    UnknownUser,
    /// The password is another one.
    WrongPassword,
    /// The account is locked, whatever the password.
    Locked,
}

impl From<password::Error> for Error {
    fn from(error: password::Error) -> Self {
        match error {
            password::Error::Busy => Self::TooManyLogins,
            password::Error::Failed(_) | password::Error::Died | password::Error::NoThreads(_) => {
                Self::Password(error)
            }
        }
    }
}

impl ServiceError for Error {
    const DOMAIN: &'static str = "auth.sipup";

    fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidArgument,
            Self::EmailTaken => Code::AlreadyExists,
            Self::InvalidCredentials(_) | Self::SessionEnded => Code::Unauthenticated,
            Self::TooManyLogins | Self::TooManyTries { .. } => Code::ResourceExhausted,
            Self::UserNotFound => Code::NotFound,
            Self::Idempotency(error) => error.code(),
            Self::Password(_) | Self::Keys(_) | Self::Role(_) => Code::Internal,
            Self::Db(error) => error.code(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_FIELD",
            Self::EmailTaken => "EMAIL_TAKEN",
            Self::InvalidCredentials(_) => "INVALID_CREDENTIALS",
            Self::SessionEnded => "SESSION_ENDED",
            Self::TooManyLogins => "TOO_MANY_LOGINS",
            Self::TooManyTries { .. } => "TOO_MANY_TRIES",
            Self::UserNotFound => "USER_NOT_FOUND",
            Self::Idempotency(error) => error.reason(),
            Self::Password(_) | Self::Keys(_) | Self::Role(_) => "INTERNAL",
            Self::Db(_) => "DATABASE",
        }
    }

    fn details(&self) -> Details {
        match self {
            Self::Invalid(invalid) => Details { fields: vec![invalid.clone()], ..Details::default() },
            Self::TooManyLogins => Details { retry_after: Some(COME_BACK_AFTER), ..Details::default() },
            Self::TooManyTries { wait } => Details { retry_after: Some(*wait), ..Details::default() },
            Self::EmailTaken
            | Self::InvalidCredentials(_)
            | Self::SessionEnded
            | Self::UserNotFound
            | Self::Idempotency(_)
            | Self::Password(_)
            | Self::Keys(_)
            | Self::Role(_)
            | Self::Db(_) => Details::default(),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        platform::status::to_status(&error)
    }
}

#[cfg(test)]
mod tests {
    use proto::auth::v1::ErrorReason;
    use tonic::Status;

    use super::*;

    #[test]
    fn refusals_of_a_login_look_alike() {
        let look = |why| {
            let status = Status::from(Error::InvalidCredentials(why));
            (status.code(), status.message().to_owned(), status.details().to_vec())
        };
        assert_eq!(look(Denied::UnknownUser), look(Denied::WrongPassword));
        assert_eq!(look(Denied::UnknownUser), look(Denied::Locked));
    }

    #[test]
    fn the_contract_knows_the_reasons() {
        for error in [
            Error::Invalid(Invalid::new("email", "must be there")),
            Error::EmailTaken,
            Error::InvalidCredentials(Denied::Locked),
            Error::SessionEnded,
            Error::TooManyLogins,
            Error::TooManyTries { wait: Duration::from_secs(1) },
            Error::UserNotFound,
        ] {
            let name = format!("ERROR_REASON_{}", error.reason());
            assert!(ErrorReason::from_str_name(&name).is_some(), "{name}");
        }
    }
}
