//! The kinds of jobs that this service runs: one file each, what it needs of its own in a folder beside it.

pub mod email;
mod money;
pub mod report;

use queue::Registry;

use self::{email::Emails, report::Reports};

/// All kinds.
pub(crate) fn registry(emails: Emails, reports: Reports) -> Registry {
    Registry::new().with(emails).with(reports)
}
