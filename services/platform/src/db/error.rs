//! What can go wrong in the database, classified once.
//!
//! A caller branches on [`Error`]; what the server said stays in [`Cause`], for logs, without the values of rows.

use std::{
    error::Error as _,
    fmt::{self, Write as _},
    sync::Arc,
};

use tokio_postgres::error::{DbError, SqlState};

use crate::Code;

/// Why the database did not do what it was asked for. `Display` is fit for the public.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The rows break a rule of the schema.
    #[error("the constraint {name} forbids it")]
    Constraint {
        /// The constraint's name, empty where the server names none.
        name: String,
        /// What kind of rule.
        kind: ConstraintKind,
    },
    /// Others were in the way, again and again; trying later may work.
    #[error("other transactions are in the way")]
    Conflict,
    /// A lock was not given within the wait that the statement allowed.
    #[error("somebody else holds the lock")]
    LockTimeout,
    /// The statement ran for longer than statements may.
    #[error("the database did not answer in time")]
    DeadlineExceeded,
    /// No connection, for now. Nothing was written.
    #[error("the database is not available")]
    Unavailable(#[source] Cause),
    /// The connection was lost while committing: all was written or nothing. A repeat with the same idempotency key tells.
    #[error("the outcome is not known")]
    OutcomeUnknown(#[source] Cause),
    /// The file of authorities can't be used. No connection was tried.
    #[error("the file of authorities can't be used")]
    Authorities(#[source] Cause),
    /// Our mistake.
    #[error("the database refused the statement")]
    Internal(#[source] Cause),
}

/// Kinds of rules that a schema has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConstraintKind {
    /// A second row of the same key.
    Unique,
    /// A row that refers to none, or that others refer to.
    ForeignKey,
    /// A condition on the row, or no partition for it.
    Check,
    /// A value that must be there.
    NotNull,
    /// Rows that exclude each other.
    Exclusion,
}

/// What the server or the connection said. For logs, never for callers: it may name tables and hosts.
#[derive(Clone)]
pub struct Cause {
    text: Arc<str>,
    state: Option<SqlState>,
}

/// What is to be done about a failure, apart from telling the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing.
    None,
    /// Run the transaction again.
    Repeat,
    /// Run it again on another connection: this one is gone.
    Reconnect,
    /// The server takes no writes any more: leave every connection to it, and run the transaction again.
    Leave,
    /// Statements were prepared against another schema: prepare them anew, and run the transaction again.
    Reprepare,
}

impl Error {
    /// The name of the constraint that forbade it, if one did.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The kind of failure. A constraint that the service did not expect is a state that forbids the call, or our mistake.
    pub fn code(&self) -> Code {
        match self {
            Self::Constraint { kind: ConstraintKind::Unique | ConstraintKind::Exclusion, .. } => {
                Code::AlreadyExists
            }
            Self::Constraint { kind: ConstraintKind::ForeignKey, .. } => Code::FailedPrecondition,
            Self::Constraint { kind: ConstraintKind::Check | ConstraintKind::NotNull, .. }
            | Self::Authorities(_)
            | Self::Internal(_) => Code::Internal,
            Self::Conflict | Self::LockTimeout => Code::Conflict,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::Unavailable(_) | Self::OutcomeUnknown(_) => Code::Unavailable,
        }
    }

    /// The SQLSTATE, where the server gave one that is not classified further: for codes that a schema's own functions raise.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Internal(cause) | Self::Unavailable(cause) | Self::OutcomeUnknown(cause) => {
                cause.state.as_ref().map(SqlState::code)
            }
            _ => None,
        }
    }

    pub(crate) fn internal(text: &str) -> Self {
        Self::Internal(Cause::new(text))
    }

    pub(crate) fn unavailable(text: &str) -> Self {
        Self::Unavailable(Cause::new(text))
    }
}

impl Error {
    /// Which of the variants a failure of the driver is.
    pub(crate) fn classify(error: &tokio_postgres::Error) -> Self {
        let cause = Cause::of(error);
        let Some(server) = error.as_db_error() else {
            return if is_connection(error) { Self::Unavailable(cause) } else { Self::Internal(cause) };
        };
        if let Some(kind) = constraint_kind(server.code()) {
            return Self::Constraint { name: server.constraint().unwrap_or_default().to_owned(), kind };
        }
        let state = server.code();
        if *state == SqlState::T_R_SERIALIZATION_FAILURE || *state == SqlState::T_R_DEADLOCK_DETECTED {
            Self::Conflict
        } else if *state == SqlState::LOCK_NOT_AVAILABLE {
            Self::LockTimeout
        } else if *state == SqlState::QUERY_CANCELED {
            Self::DeadlineExceeded
        } else if remedy(error) != Remedy::None || is_overload(state) {
            Self::Unavailable(cause)
        } else {
            Self::Internal(cause)
        }
    }
}

impl Cause {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.into(), state: None }
    }

    /// The same, with the server that it is about.
    pub(crate) fn at(self, endpoint: &impl fmt::Display) -> Self {
        Self { text: format!("{endpoint}: {}", self.text).into(), state: self.state }
    }

    /// Keeps severity, SQLSTATE, message and object names. The server's detail and hint quote values of rows: they are left out.
    pub(crate) fn of(error: &tokio_postgres::Error) -> Self {
        let Some(server) = error.as_db_error() else {
            let text =
                error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
            return Self { text: text.into(), state: None };
        };
        let mut text = format!("{} {}: {}", server.severity(), server.code().code(), server.message());
        for (what, name) in
            [("table", server.table()), ("column", server.column()), ("constraint", server.constraint())]
        {
            if let Some(name) = name {
                let _ = write!(text, " ({what} {name})");
            }
        }
        Self { text: text.into(), state: Some(server.code().clone()) }
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Cause {}

/// What to do about `error`. Only ever acted on before COMMIT was sent.
pub(crate) fn remedy(error: &tokio_postgres::Error) -> Remedy {
    let Some(server) = error.as_db_error() else {
        return if is_connection(error) { Remedy::Reconnect } else { Remedy::None };
    };
    let state = server.code();
    if ends_connection(server) {
        Remedy::Reconnect
    } else if *state == SqlState::T_R_SERIALIZATION_FAILURE || *state == SqlState::T_R_DEADLOCK_DETECTED {
        Remedy::Repeat
    } else if *state == SqlState::READ_ONLY_SQL_TRANSACTION {
        Remedy::Leave
    } else if *state == SqlState::INVALID_SQL_STATEMENT_NAME
        || (*state == SqlState::FEATURE_NOT_SUPPORTED && server.routine() == Some("RevalidateCachedQuery"))
    {
        Remedy::Reprepare
    } else {
        Remedy::None
    }
}

/// Too many connections, or a server that is starting or stopping.
pub(crate) fn is_overload(state: &SqlState) -> bool {
    *state == SqlState::TOO_MANY_CONNECTIONS
        || *state == SqlState::CANNOT_CONNECT_NOW
        || state.code().starts_with("53")
}

/// Whether COMMIT certainly did nothing: the server said so and lives on. Anything else leaves the outcome open.
pub(crate) fn commit_failed_for_sure(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|server| !ends_connection(server))
}

/// Severities above ERROR are the last thing that a connection says. The untranslated severity is always there since version 9.6.
fn ends_connection(server: &DbError) -> bool {
    use tokio_postgres::error::Severity;
    matches!(server.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
        || server.code().code().starts_with("08")
}

/// Errors without a server's answer: the connection, unless it was a conversion on our side.
fn is_connection(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

fn constraint_kind(state: &SqlState) -> Option<ConstraintKind> {
    Some(match state.code() {
        "23505" => ConstraintKind::Unique,
        "23503" | "23001" => ConstraintKind::ForeignKey,
        "23514" => ConstraintKind::Check,
        "23502" => ConstraintKind::NotNull,
        "23P01" => ConstraintKind::Exclusion,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_public_reads_says_nothing_of_the_server() {
        let cause = Cause::new("ERROR 42P01: relation \"orders.secret\" does not exist");
        for error in [
            Error::Internal(cause.clone()),
            Error::Unavailable(cause.clone()),
            Error::OutcomeUnknown(cause.clone()),
        ] {
            assert!(!error.to_string().contains("secret"), "{error}");
            assert!(crate::status::chain(&error).contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn a_constraint_gives_its_name() {
        let error = Error::Constraint { name: "orders_pkey".into(), kind: ConstraintKind::Unique };
        assert_eq!(error.constraint(), Some("orders_pkey"));
        assert_eq!(error.code(), Code::AlreadyExists);
        assert_eq!(Error::LockTimeout.constraint(), None);
    }
}
