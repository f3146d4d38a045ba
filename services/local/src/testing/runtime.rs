//! The folder where the test binaries of a workspace and user find their keeper.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::testing::protocol;
use crate::{files, secrets};

/// The folder and the names in it.
#[derive(Clone, Debug)]
pub struct Runtime {
    folder: PathBuf,
}

impl Runtime {
    /// The folder of this workspace and user, made if needed.
    ///
    /// # Errors
    /// When it can't be made, or belongs to somebody else.
    pub fn of_workspace() -> Result<Self> {
        let workspace = format!("{} {}", env!("CARGO_MANIFEST_DIR"), protocol::VERSION);
        let name = format!("test-{}", secrets::fingerprint(workspace.as_bytes()));
        Self::in_folder(&files::user_folder()?.join(name))
    }

    /// Uses `folder`.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        files::private_folder(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the keeper listens.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// What the keeper prints.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("keeper.log")
    }

    /// Parent of the data of one keeper each.
    pub(super) fn instances(&self) -> PathBuf {
        self.folder.join("instances")
    }

    /// Held by whoever starts or greets a keeper, and by a keeper that goes: the three never overlap.
    pub(super) fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }

    /// Deletes what is left once the keeper has gone.
    pub(super) fn remove(&self) {
        // Another keeper may have begun to use them; then they stay.
        for folder in [self.instances(), self.folder.clone()] {
            let _ = std::fs::remove_dir(folder);
        }
        let _ = self.folder.parent().map(std::fs::remove_dir);
    }
}
