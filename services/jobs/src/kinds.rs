//! The kinds of jobs that this service runs: one file each, what it needs of its own in a folder beside it.

pub mod email;

use queue::Registry;

use self::email::{Emails, MailArgs};

/// All kinds.
///
/// # Errors
///
/// A kind can't be set up as the flags say.
pub fn registry(mail: &MailArgs) -> anyhow::Result<Registry> {
    Ok(Registry::new().with(Emails::new(mail)?))
}
