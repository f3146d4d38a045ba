//! The user that Postgres runs as: it refuses to be root, and to be somebody without a name.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::error::{Error, Result};
use crate::{files, secrets};

/// The id of `nobody`, outside of what any distribution gives to people.
const NOBODY: u32 = 65534;

/// Parent of the folders of `nobody`: a private folder of ours can't be passed through by another user.
const NOBODYS_HOMES: &str = "/var/lib/sipup";

/// How a program is kept from running as root, or as a user without a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// As who we are.
    Own,
    /// In a user namespace in which we are called `nobody`: no other user is needed, and our private folders stay usable.
    Namespace,
    /// As the user `nobody`, where user namespaces are refused; its files live in a folder of its own.
    Nobody,
}

impl Account {
    /// The account for Postgres: our own, unless we are root or, as in some containers, nobody the system knows.
    pub(crate) async fn for_postgres() -> Self {
        let user = nix::unistd::geteuid();
        let is_known = matches!(nix::unistd::User::from_uid(user), Ok(Some(_)));
        if is_known && !user.is_root() {
            return Self::Own;
        }
        let mut probe = Self::Namespace.command(Path::new("true"));
        let probe = probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().await;
        match probe {
            Ok(status) if status.success() => Self::Namespace,
            _ if user.is_root() => Self::Nobody,
            _ => Self::Own,
        }
    }

    /// A command that runs `program` under this account.
    pub(crate) fn command(self, program: &Path) -> Command {
        match self {
            Self::Own => Command::new(program),
            Self::Namespace => {
                let mut command = Command::new("unshare");
                command.args([OsStr::new("--user"), OsStr::new("--map-user=65534"), program.as_os_str()]);
                command
            }
            Self::Nobody => {
                let mut command = Command::new(program);
                command.uid(NOBODY).gid(NOBODY);
                command
            }
        }
    }

    /// Where this account can keep what belongs into `folder`: there, or in a folder of its own named after it.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub(crate) fn home(self, folder: &Path) -> Result<PathBuf> {
        if self != Self::Nobody {
            files::private_folder(folder)?;
            return Ok(folder.to_owned());
        }
        let home = nobodys_home(folder);
        let parent = Path::new(NOBODYS_HOMES);
        fs::create_dir_all(parent).map_err(Error::file("create", parent))?;
        files::private_folder(&home)?;
        self.own(&home)?;
        Ok(home)
    }

    /// Gives one file or folder that we made to the account.
    ///
    /// # Errors
    /// When its owner can't be changed.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        match self {
            Self::Nobody => chown(path, Some(NOBODY), Some(NOBODY)).map_err(Error::file("give away", path)),
            Self::Own | Self::Namespace => Ok(()),
        }
    }
}

/// Removes what [`Account::Nobody`] kept for `folder`, if anything.
pub(crate) fn remove_home(folder: &Path) -> Result<()> {
    let removed = files::remove_folder(&nobodys_home(folder));
    // Goes with the last of them.
    let _ = fs::remove_dir(NOBODYS_HOMES);
    removed
}

fn nobodys_home(folder: &Path) -> PathBuf {
    Path::new(NOBODYS_HOMES).join(secrets::fingerprint(folder.as_os_str().as_encoded_bytes()))
}
