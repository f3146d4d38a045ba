//! Identities between runs: a file that only its owner can read.

use std::{
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    identity::{Account, Identity},
};

/// Where identities of one platform are kept.
#[derive(Clone, Debug)]
pub(crate) struct IdentityFile {
    path: PathBuf,
    url: String,
}

/// One identity at rest.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    #[serde(flatten)]
    pub(super) account: Account,
    pub(super) user_id: String,
    pub(super) company_id: String,
    /// Prolongs the session without the cost of a password hash.
    pub(super) refresh_token: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    url: String,
    identities: Vec<Saved>,
}

impl IdentityFile {
    pub(crate) fn new(path: PathBuf, url: String) -> Self {
        Self { path, url }
    }

    /// The identities of this platform; none where there is no file, or one of another platform.
    pub(super) fn read(&self) -> Result<Vec<Saved>> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.error(source)),
        };
        let content: Content = serde_json::from_slice(&bytes).map_err(|error| Error::Content {
            path: self.path.clone(),
            problem: format!("not a file of identities: {error}"),
        })?;
        Ok(if content.url == self.url { content.identities } else { Vec::new() })
    }

    /// Keeps `identities` with the tokens that they have now. The file is replaced at once, never half written.
    pub(crate) fn write<'a>(&self, identities: impl Iterator<Item = &'a Identity>) -> Result<()> {
        let identities = identities.map(|identity| Saved {
            account: identity.account.clone(),
            user_id: identity.user_id.clone(),
            company_id: identity.company_id.clone(),
            refresh_token: identity.refresh_token(),
        });
        let content = Content { url: self.url.clone(), identities: identities.collect() };
        let bytes = serde_json::to_vec(&content).map_err(|error| self.error(error.into()))?;
        let beside = self.path.with_extension("part");
        write_private(&beside, &bytes)
            .and_then(|()| std::fs::rename(&beside, &self.path))
            .map_err(|source| self.error(source))
    }

    fn error(&self, source: std::io::Error) -> Error {
        Error::File { path: self.path.clone(), source }
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}
