//! Lock files that go with their holder, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files;

/// A held lock. Its file is removed with it, and so is the folder if that is empty then.
#[derive(Debug)]
pub(crate) struct FileLock {
    path: PathBuf,
    _file: File,
}

impl FileLock {
    /// Waits until the lock is free and takes it.
    pub(crate) fn take(path: &Path) -> Result<Self> {
        loop {
            let file = open(path)?;
            file.lock().map_err(Error::file("lock", path))?;
            if is_at(&file, path) {
                return Ok(Self { path: path.to_owned(), _file: file });
            }
        }
    }

    /// Takes the lock if it is free.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>> {
        loop {
            let file = open(path)?;
            match file.try_lock() {
                Ok(()) if is_at(&file, path) => return Ok(Some(Self { path: path.to_owned(), _file: file })),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(err)) => return Err(Error::file("lock", path)(err)),
            }
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // While it is still held: whoever waits for this file finds it gone and opens the next.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.path.parent().map(std::fs::remove_dir);
    }
}

fn open(path: &Path) -> Result<File> {
    loop {
        // The folder goes with the last lock in it, maybe while it is made or between these two steps.
        match files::private_folder(path.parent().unwrap_or(Path::new("."))) {
            Err(Error::File { source, .. }) if source.kind() == ErrorKind::AlreadyExists => continue,
            made => made?,
        }
        match OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path) {
            Err(err) if err.kind() == ErrorKind::NotFound => {}
            opened => return opened.map_err(Error::file("open", path)),
        }
    }
}

/// Whether `path` still is this file: the holder before may have removed it in between.
fn is_at(file: &File, path: &Path) -> bool {
    let here = file.metadata().map(|about| (about.dev(), about.ino()));
    let there = path.metadata().map(|about| (about.dev(), about.ino()));
    matches!((here, there), (Ok(here), Ok(there)) if here == there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_holder_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = FileLock::take(&path).unwrap();
        assert!(FileLock::try_take(&path).unwrap().is_none());
        drop(held);
        assert!(!path.exists());
        assert!(FileLock::try_take(&path).unwrap().is_some());
    }

    #[test]
    fn those_who_wait_for_a_lock_get_it_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let inside = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _held = FileLock::take(&path).unwrap();
                        assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                        inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    }
                });
            }
        });
    }
}
