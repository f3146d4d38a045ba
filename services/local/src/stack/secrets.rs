//! Passwords and keys of a stack, made on first start and kept in its data folder.

use std::path::PathBuf;

use crate::error::Result;
use crate::secrets::{kept_in, password};
use crate::stack::Service;

/// The secrets of one stack.
#[derive(Debug)]
pub(super) struct Secrets {
    folder: PathBuf,
}

impl Secrets {
    /// Those in `folder`.
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The password of the role that `service` logs in as.
    pub(super) fn role_password(&self, service: Service) -> Result<String> {
        kept_in(&self.folder.join(format!("{service}-database-password")), password)
    }

    /// A key of 256 bits that only its service has to understand, as text.
    pub(super) fn key(&self, name: &str) -> Result<String> {
        kept_in(&self.folder.join(name), || format!("{}{}", password(), password())[..52].to_owned())
    }

    /// The folder of the keys that sign access tokens.
    pub(super) fn signing_keys(&self) -> PathBuf {
        self.folder.join("signing-keys")
    }
}
