//! The list of running processes in the data folder, from which a later run ends what an earlier one left behind.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use futures::future::join_all;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;
use crate::identity::Identity;
use crate::process::{Ending, Stage};

/// One running process.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    stage: Stage,
    identity: Identity,
    ending: Ending,
}

type Entries = BTreeMap<String, Entry>;

/// The running processes by name, kept in a file that is rewritten with every change.
#[derive(Debug)]
pub(crate) struct Record {
    file: PathBuf,
    entries: Mutex<Entries>,
}

impl Record {
    /// An empty record.
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file, entries: Mutex::default() }
    }

    pub(crate) fn add(&self, name: &str, stage: Stage, identity: &Identity, ending: Ending) -> Result<()> {
        let entry = Entry { stage, identity: identity.clone(), ending };
        self.change(|entries| drop(entries.insert(name.to_owned(), entry)))
    }

    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        self.change(|entries| drop(entries.remove(name)))
    }

    /// The pid of each process.
    pub(crate) fn pids(&self) -> BTreeMap<String, i32> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().map(|(name, entry)| (name.clone(), entry.identity.pid)).collect()
    }

    fn change(&self, change: impl FnOnce(&mut Entries)) -> Result<()> {
        // A panic elsewhere leaves the map whole: each change is one insert or remove.
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut entries);
        let text =
            serde_json::to_vec_pretty(&*entries).map_err(Error::hook("write the list of processes"))?;
        files::write_whole(&self.file, &text)
    }
}

/// The pid of each process that the record in `file` names and that runs.
pub(crate) fn running(file: &Path) -> Result<BTreeMap<String, i32>> {
    let entries = read(file)?.into_iter().filter(|(_, entry)| entry.identity.is_alive());
    Ok(entries.map(|(name, entry)| (name, entry.identity.pid)).collect())
}

/// No file: nothing runs. One that can't be read was written by another version, and nothing can be told from it.
fn read(file: &Path) -> Result<Entries> {
    let text = files::read_if_there(file)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Ends the processes that the record in `file` names and that still run, in the order of a normal stop; answers with
/// their names. Only while holding the lock of the folder.
pub(crate) async fn end_left_behind(file: &Path) -> Result<Vec<String>> {
    let entries = read(file)?;
    let mut stages: BTreeMap<Stage, Vec<(String, Entry)>> = BTreeMap::new();
    for (name, entry) in entries {
        stages.entry(entry.stage).or_default().push((name, entry));
    }
    let mut ended = Vec::new();
    for (_, entries) in stages.into_iter().rev() {
        let running = join_all(entries.iter().map(|(_, entry)| entry.ending.apply(&entry.identity))).await;
        let names = entries.into_iter().zip(running).filter(|(_, ran)| *ran).map(|((name, _), _)| name);
        ended.extend(names);
    }
    match std::fs::remove_file(file) {
        Err(err) if err.kind() != ErrorKind::NotFound => Err(Error::file("remove", file)(err)),
        _ => Ok(ended),
    }
}
