//! Keeps processes running: restarts what dies, says so, and stops all of it in order.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::files;
use crate::process::{Process, Spec, Stage};
use crate::record::Record;

/// A process that ends this often before it is ready won't become it.
const STARTS: u32 = 3;

/// What happened to a process after its start.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// It ended by itself and is started again after a pause.
    Died {
        /// The process.
        name: String,
        /// How it ended.
        status: String,
        /// The pause.
        pause: Duration,
    },
    /// It runs again.
    Restarted {
        /// The process.
        name: String,
    },
    /// It could not be started again; there will be another try.
    NotRestarted {
        /// The process.
        name: String,
        /// Why.
        problem: String,
    },
    /// It ended because it was asked to.
    Stopped {
        /// The process.
        name: String,
        /// How it ended.
        status: String,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died { name, status, pause } => {
                write!(f, "{name} died ({status}); starting it again in {} ms", pause.as_millis())
            }
            Self::Restarted { name } => write!(f, "{name} runs again"),
            Self::NotRestarted { name, problem } => write!(f, "{name} could not be started again: {problem}"),
            Self::Stopped { name, status } => write!(f, "{name} stopped ({status})"),
        }
    }
}

#[derive(Clone, Debug)]
enum State {
    Running,
    Died { times: u32, status: String },
    Stopped,
}

#[derive(Debug)]
struct Watched {
    stage: Stage,
    log: PathBuf,
    stop: CancellationToken,
    state: watch::Receiver<State>,
}

/// The processes of one stack.
#[derive(Debug)]
pub(crate) struct Supervisor {
    record: Arc<Record>,
    events: mpsc::UnboundedSender<Event>,
    watched: Mutex<BTreeMap<String, Watched>>,
    /// Ends the keepers when the supervisor goes without a stop.
    keepers: Mutex<JoinSet<()>>,
}

impl Supervisor {
    /// Supervises nothing yet; `record` is the file that lists what runs, `events` hears what happens to it.
    pub(crate) fn new(record: PathBuf, events: mpsc::UnboundedSender<Event>) -> Self {
        let record = Arc::new(Record::new(record));
        Self { record, events, watched: Mutex::default(), keepers: Mutex::default() }
    }

    /// Starts a process and keeps it running until [`Supervisor::stop`].
    ///
    /// # Errors
    /// When the program can't be started at all.
    pub(crate) fn start(&self, spec: Spec) -> Result<()> {
        let process = spec.spawn()?;
        note(&self.record, &spec, &process)?;
        let (sender, state) = watch::channel(State::Running);
        let stop = CancellationToken::new();
        let watched = Watched { stage: spec.stage, log: spec.log.clone(), stop: stop.clone(), state };
        lock(&self.watched).insert(spec.name.clone(), watched);
        let keeper = Keeper {
            spec,
            stop,
            state: sender,
            record: Arc::clone(&self.record),
            events: self.events.clone(),
        };
        lock(&self.keepers).spawn(keeper.keep(process));
        Ok(())
    }

    /// Waits until `probe` says that process `name` is ready.
    ///
    /// # Errors
    /// [`Error::Ended`] when it keeps dying, [`Error::NotReady`] when it isn't ready after `bound`.
    pub(crate) async fn ready<P: Future<Output = bool>>(
        &self,
        name: &str,
        bound: Duration,
        mut probe: impl FnMut() -> P,
    ) -> Result<()> {
        let (log, state) = {
            let watched = lock(&self.watched);
            let process = watched.get(name).expect("only started processes are waited for");
            (process.log.clone(), process.state.clone())
        };
        let (name, end) = (name.to_owned(), Instant::now() + bound);
        loop {
            // A probe that hangs, on a port that another program holds for instance, must not hide the bound.
            if timeout(Duration::from_secs(2), probe()).await.unwrap_or(false) {
                return Ok(());
            }
            if let State::Died { times: STARTS.., status } = &*state.borrow() {
                return Err(Error::Ended {
                    process: name,
                    status: status.clone(),
                    tail: files::tail(&log, 12),
                    log,
                });
            }
            if Instant::now() >= end {
                return Err(Error::NotReady {
                    process: name,
                    waited: bound,
                    tail: files::tail(&log, 12),
                    log,
                });
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The pid of each running process.
    pub(crate) fn pids(&self) -> BTreeMap<String, i32> {
        self.record.pids()
    }

    /// Whether nothing was started that was not stopped since.
    pub(crate) fn is_idle(&self) -> bool {
        lock(&self.watched).is_empty()
    }

    /// Stops everything, stage by stage in the reverse order of the start.
    pub(crate) async fn stop(&self) {
        loop {
            let last = lock(&self.watched).values().map(|process| process.stage).max();
            let Some(stage) = last else { break };
            self.stop_stage(stage).await;
        }
    }

    async fn stop_stage(&self, stage: Stage) {
        let processes: Vec<Watched> = {
            let mut watched = lock(&self.watched);
            watched.extract_if(.., |_, process| process.stage == stage).map(|(_, process)| process).collect()
        };
        for process in &processes {
            process.stop.cancel();
        }
        for mut process in processes {
            // The sender goes only after it has said so.
            let _ = process.state.wait_for(|state| matches!(state, State::Stopped)).await;
        }
    }
}

/// A panic elsewhere leaves what is locked here whole: each change is one insert or removal.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a process into the record, from which a later run can end it.
fn note(record: &Record, spec: &Spec, process: &Process) -> Result<()> {
    match process.identity() {
        Some(identity) => record.add(&spec.name, spec.stage, identity, spec.ending),
        None => Ok(()),
    }
}

/// The task beside one process.
struct Keeper {
    spec: Spec,
    stop: CancellationToken,
    state: watch::Sender<State>,
    record: Arc<Record>,
    events: mpsc::UnboundedSender<Event>,
}

impl Keeper {
    async fn keep(self, first: Process) {
        let mut process = Some(first);
        let mut deaths = 0;
        while !self.stop.is_cancelled() {
            let born = Instant::now();
            if let Some(running) = &mut process {
                tokio::select! {
                    status = running.ended() => self.died(&mut deaths, status, born.elapsed()),
                    () = self.stop.cancelled() => break,
                }
            }
            tokio::select! {
                () = sleep(pause(deaths)) => process = self.restart(),
                () = self.stop.cancelled() => process = None,
            }
        }
        let status = match &mut process {
            Some(running) => running.end(self.spec.ending).await,
            None => "was not running".to_owned(),
        };
        self.forget();
        self.tell(Event::Stopped { name: self.spec.name.clone(), status });
        self.state.send_replace(State::Stopped);
    }

    fn died(&self, deaths: &mut u32, status: String, lived: Duration) {
        // Who ran for a while was healthy: the next pause is short again.
        *deaths = if lived > Duration::from_secs(30) { 1 } else { *deaths + 1 };
        self.forget();
        let pause = pause(*deaths);
        self.tell(Event::Died { name: self.spec.name.clone(), status: status.clone(), pause });
        self.state.send_replace(State::Died { times: *deaths, status });
    }

    fn restart(&self) -> Option<Process> {
        let name = self.spec.name.clone();
        match self.spec.spawn() {
            Ok(process) => {
                // A full disk must not keep the process from running.
                let _ = note(&self.record, &self.spec, &process);
                self.tell(Event::Restarted { name });
                Some(process)
            }
            Err(problem) => {
                self.tell(Event::NotRestarted { name, problem: problem.to_string() });
                None
            }
        }
    }

    fn forget(&self) {
        // The entry names a process that is gone; leaving it in harms nobody.
        let _ = self.record.remove(&self.spec.name);
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more: then nobody needs to know.
        let _ = self.events.send(event);
    }
}

/// 100 ms after the first death, doubled with each further one, at most 10 s.
fn pause(deaths: u32) -> Duration {
    Duration::from_millis(100 << deaths.saturating_sub(1).min(7)).min(Duration::from_secs(10))
}

#[cfg(test)]
mod tests;
