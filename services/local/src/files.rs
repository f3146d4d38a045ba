//! Folders and files that only their owner may read, and writes that are seen whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Makes a folder, and its parents, that only the current user may enter; an existing one is left as it is.
pub(crate) fn private_folder(path: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::file("create", path))
}

/// The folder of the current user for locks and sockets, whatever workspace or stack they belong to.
pub(crate) fn user_folder() -> Result<PathBuf> {
    let user = nix::unistd::geteuid();
    let folder = std::env::temp_dir().join(format!("sipup-{user}"));
    private_folder(&folder)?;
    // Everybody may write where this is: a folder that another user prepared is not ours to use.
    let about = folder.metadata().map_err(Error::file("look at", &folder))?;
    if about.uid() == user.as_raw() && about.permissions().mode() & 0o777 == 0o700 {
        return Ok(folder);
    }
    let closed = io::Error::new(io::ErrorKind::PermissionDenied, "it is open to other users");
    Err(Error::file("use", &folder)(closed))
}

/// Writes a file (mode 0600) so that a reader sees the old content or the new, never a part.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(Error::file("write", path))
}

/// The content of a text file, `None` when it does not exist.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(Error::file("read", path)(err)),
    }
}

/// Removes a folder with all it holds; a missing one is fine.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", path)(err)),
        _ => Ok(()),
    }
}

/// Lets everybody read a tree, and run what is in it where `runs` says so.
pub(crate) fn open_to_all(root: &Path, runs: &dyn Fn(&Path) -> bool) -> Result<()> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        chmod(&folder, 0o755)?;
        for path in entries(&folder)? {
            if path.is_dir() {
                folders.push(path);
            } else {
                chmod(&path, if runs(&path) { 0o755 } else { 0o644 })?;
            }
        }
    }
    Ok(())
}

/// What is directly in a folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|found| found.path())).collect())
        .map_err(Error::file("list", folder))
}

/// Whether users other than the owner can pass through this folder and all above it.
pub(crate) fn others_may_enter(folder: &Path) -> bool {
    folder.ancestors().all(|part| part.metadata().is_ok_and(|about| about.permissions().mode() & 0o001 != 0))
}

/// The last `lines` lines of a log, for error messages.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn chmod(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::file("set the mode of", path))
}
