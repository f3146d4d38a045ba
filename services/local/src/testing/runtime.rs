//! The folder where the test binaries of a workspace and user find their keeper.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
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
        let user = nix::unistd::geteuid();
        let parent = std::env::temp_dir().join(format!("sipup-test-{user}"));
        let workspace = format!("{} {}", env!("CARGO_MANIFEST_DIR"), protocol::VERSION);
        let runtime = Self::in_folder(&parent.join(secrets::fingerprint(workspace.as_bytes())))?;
        // Everybody may write where this is: a folder that another user prepared is not ours to use.
        let about = parent.metadata().map_err(Error::file("look at", &parent))?;
        if about.uid() != user.as_raw() || about.permissions().mode() & 0o077 != 0 {
            return Err(Error::TestServices(format!("{} is open to other users", parent.display())));
        }
        Ok(runtime)
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

    /// The locks of the blocks of ports, for all workspaces of the user.
    pub(super) fn ports(&self) -> PathBuf {
        self.folder.parent().unwrap_or(&self.folder).join("ports")
    }

    /// Held by whoever starts or greets a keeper, and by a keeper that goes: the three never overlap.
    pub(super) fn open_lock(&self) -> Result<File> {
        let path = self.folder.join("lock");
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        open.map_err(Error::file("open", &path))
    }
}
