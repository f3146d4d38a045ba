//! Passwords and keys of a stack, made on first start and kept in its data folder.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::secrets::{kept_in, password};
use crate::stack::Service;

/// The secrets of one stack.
#[derive(Debug)]
pub(super) struct Secrets {
    folder: PathBuf,
    /// Of all demo users.
    pub(super) demo_password: String,
}

impl Secrets {
    pub(super) fn kept_in(folder: &Path) -> Result<Self> {
        // Short enough to type: it guards demo data on loopback.
        let demo_password = kept_in(&folder.join("demo-password"), || password()[..12].to_owned())?;
        Ok(Self { folder: folder.to_owned(), demo_password })
    }

    /// The password of the role that `service` logs in as.
    pub(super) fn role_password(&self, service: Service) -> Result<String> {
        kept_in(&self.folder.join(format!("{service}-database-password")), password)
    }

    /// A key of 256 bits that only its service has to understand, as text.
    pub(super) fn key(&self, name: &str) -> Result<String> {
        kept_in(&self.folder.join(name), || format!("{}{}", password(), password())[..52].to_owned())
    }

    /// Where a file of secrets that a service makes itself is kept.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
