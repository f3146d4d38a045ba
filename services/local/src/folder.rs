//! The data folder of a stack, held by one `sipup up` at a time.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::{Error, Result};
use crate::files;
use crate::identity::Identity;
use crate::record;

/// A stop of everything takes less: the bounds of its stages add up to about this.
const STOP_BOUND: Duration = Duration::from_mins(2);

/// The list of running processes in the folder.
const RECORD: &str = "processes.json";

/// A locked data folder. The lock goes with the process, however it ends.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if needed and locks it.
    ///
    /// # Errors
    /// [`Error::AlreadyRunning`] when another process holds it.
    pub(crate) fn lock(path: &Path) -> Result<Self> {
        files::private_folder(path)?;
        let path = path.canonicalize().map_err(Error::file("find", path))?;
        let mut lock = open_lock(&path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = holder(&mut lock).map_or(0, |holder| holder.pid);
                return Err(Error::AlreadyRunning { pid, folder: path });
            }
            Err(TryLockError::Error(err)) => return Err(Error::file("lock", &path)(err)),
        }
        write_holder(&mut lock, &path)?;
        Ok(Self { path, _lock: lock })
    }

    /// The folder itself, as an absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The list of running processes.
    pub(crate) fn record(&self) -> PathBuf {
        self.path.join(RECORD)
    }

    /// A folder inside, made if needed.
    ///
    /// # Errors
    /// When it can't be made.
    pub(crate) fn inside(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        files::private_folder(&path)?;
        Ok(path)
    }

    /// Ends the processes that an earlier run on this folder left behind; answers with their names.
    ///
    /// # Errors
    /// When the list of them can't be read or removed.
    pub(crate) async fn end_left_behind(&self) -> Result<Vec<String>> {
        record::end_left_behind(&self.record()).await
    }
}

/// `$XDG_DATA_HOME/sipup`, else `~/.local/share/sipup`.
pub fn default_path() -> PathBuf {
    let data = std::env::var_os("XDG_DATA_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || std::env::home_dir().unwrap_or_else(|| PathBuf::from("/tmp"));
    data.unwrap_or_else(|| home().join(".local/share")).join("sipup")
}

/// The pid of each running process of the stack on `path`, by name; empty when none runs.
///
/// # Errors
/// When the list of them can't be read.
pub fn pids(path: &Path) -> Result<BTreeMap<String, i32>> {
    record::running(&path.join(RECORD))
}

/// What [`down`] found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// The pid of the `sipup up` that was asked to stop, if one ran.
    pub up: Option<i32>,
    /// The processes that were left behind without one.
    pub left_behind: Vec<String>,
}

/// Ends the stack on `path`: asks a running `sipup up` to stop in order, then ends what was left behind.
///
/// # Errors
/// When the folder can't be read, or the `sipup up` that holds it does not end.
pub async fn down(path: &Path) -> Result<Ended> {
    if !path.join("lock").exists() {
        return Ok(Ended::default());
    }
    let mut up = None;
    if let Some(holder) = current_holder(path)? {
        holder.signal(Signal::SIGTERM);
        if !holder.gone_within(STOP_BOUND).await {
            return Err(Error::AlreadyRunning { pid: holder.pid, folder: path.to_owned() });
        }
        up = Some(holder.pid);
    }
    if !path.exists() {
        return Ok(Ended { up, left_behind: Vec::new() });
    }
    let folder = DataFolder::lock(path)?;
    Ok(Ended { up, left_behind: folder.end_left_behind().await? })
}

/// The living process that holds the lock, if any.
fn current_holder(path: &Path) -> Result<Option<Identity>> {
    let mut lock = open_lock(path)?;
    match lock.try_lock() {
        Ok(()) => Ok(None),
        Err(_) => Ok(holder(&mut lock).filter(Identity::is_alive)),
    }
}

fn open_lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    open.map_err(Error::file("open", &path))
}

fn holder(lock: &mut File) -> Option<Identity> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write_holder(lock: &mut File, folder: &Path) -> Result<()> {
    let text = serde_json::to_string(&Identity::own()).map_err(Error::hook("write the lock"))?;
    let mut write = || {
        lock.set_len(0)?;
        lock.rewind()?;
        lock.write_all(text.as_bytes())
    };
    write().map_err(Error::file("lock", folder))
}
