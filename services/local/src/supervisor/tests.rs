use std::path::Path;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::*;
use crate::account::Account;
use crate::folder::DataFolder;
use crate::identity::Identity;
use crate::process::{Ending, Environment};
use crate::wait;

const SOON: Duration = Duration::from_secs(20);

/// A supervisor with its folder and what it says.
struct Fixture {
    folder: TempDir,
    supervisor: Supervisor,
    events: mpsc::UnboundedReceiver<Event>,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        let supervisor = Supervisor::new(folder.path().join("processes.json"), sender);
        Self { folder, supervisor, events }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A shell that runs `script`.
    fn shell(&self, name: &str, stage: Stage, script: &str) -> Spec {
        Spec {
            name: name.to_owned(),
            stage,
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: Environment::default(),
            log: self.path().join(format!("{name}.log")),
            account: Account::Own,
            ending: Ending::terminate(Duration::from_secs(10)),
        }
    }

    fn pid(&self, name: &str) -> Option<i32> {
        self.supervisor.pids().get(name).copied()
    }

    fn identity(&self, name: &str) -> Identity {
        Identity::of(self.pid(name).unwrap(), Path::new("/bin/sh")).unwrap()
    }

    fn names_of_stopped(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.events.try_recv().ok())
            .filter_map(|event| if let Event::Stopped { name, .. } = event { Some(name) } else { None })
            .collect()
    }
}

/// Sleeps in a child that goes with the shell.
const SLEEP: &str = "trap 'kill $!; exit 0' TERM; sleep 600 & wait";

#[tokio::test]
async fn a_killed_process_is_started_again_and_that_is_told() {
    let mut fixture = Fixture::new();
    fixture.supervisor.start(fixture.shell("one", Stage::Services, "exec sleep 600")).unwrap();
    let first = fixture.identity("one").pid;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(first), Signal::SIGKILL).unwrap();
    assert!(
        matches!(fixture.events.recv().await, Some(Event::Died { status, .. }) if status.contains("SIGKILL"))
    );
    assert!(matches!(fixture.events.recv().await, Some(Event::Restarted { name }) if name == "one"));
    assert_ne!(fixture.pid("one"), Some(first));
    fixture.supervisor.stop().await;
    assert!(fixture.supervisor.pids().is_empty());
}

#[tokio::test]
async fn processes_stop_in_the_reverse_order_of_their_stages() {
    let mut fixture = Fixture::new();
    for (name, stage) in [
        ("primary", Stage::Primary),
        ("door", Stage::Ingress),
        ("cache", Stage::Valkey),
        ("service", Stage::Services),
    ] {
        fixture.supervisor.start(fixture.shell(name, stage, SLEEP)).unwrap();
    }
    fixture.supervisor.stop().await;
    assert_eq!(fixture.names_of_stopped(), ["door", "service", "cache", "primary"]);
}

#[tokio::test]
async fn a_process_that_ignores_the_request_is_killed() {
    let mut fixture = Fixture::new();
    let stubborn = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
    let ending = Ending::terminate(Duration::from_millis(200));
    fixture
        .supervisor
        .start(Spec { ending, ..fixture.shell("stubborn", Stage::Services, stubborn) })
        .unwrap();
    let log = fixture.path().join("stubborn.log");
    let is_ready = || async { files::tail(&log, 1) == "ready" };
    fixture.supervisor.ready("stubborn", SOON, is_ready).await.unwrap();
    fixture.supervisor.stop().await;
    let Some(Event::Stopped { status, .. }) = fixture.events.recv().await else { panic!("it was stopped") };
    assert!(status.contains("SIGKILL"), "{status}");
}

#[tokio::test]
async fn what_keeps_ending_is_an_error_that_shows_the_end_of_its_log() {
    let fixture = Fixture::new();
    fixture
        .supervisor
        .start(fixture.shell("broken", Stage::Services, "echo no such setting >&2; exit 3"))
        .unwrap();
    let waited = fixture.supervisor.ready("broken", SOON, || async { false }).await;
    let Err(Error::Ended { status, tail, .. }) = waited else { panic!("{waited:?}") };
    assert!(status.contains('3') && tail.contains("no such setting"), "{status}: {tail}");
    fixture.supervisor.stop().await;
}

#[tokio::test]
async fn a_second_holder_of_a_data_folder_is_told_who_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let held = DataFolder::lock(folder.path()).unwrap();
    let own = i32::try_from(std::process::id()).unwrap();
    let second = DataFolder::lock(folder.path());
    assert!(matches!(second, Err(Error::AlreadyRunning { pid, .. }) if pid == own), "{second:?}");
    drop(held);
    DataFolder::lock(folder.path()).unwrap();
}

#[tokio::test]
async fn what_a_killed_run_left_behind_is_ended_and_nothing_else() {
    let fixture = Fixture::new();
    fixture.supervisor.start(fixture.shell("service", Stage::Services, SLEEP)).unwrap();
    fixture.supervisor.start(fixture.shell("primary", Stage::Primary, SLEEP)).unwrap();
    let processes = [fixture.identity("service"), fixture.identity("primary")];
    let mut bystander = std::process::Command::new("sleep").arg("600").spawn().unwrap();

    // The keepers go without a stop, as in a process that is killed. The pid of one entry is somebody else's by then.
    let Fixture { folder, supervisor, .. } = fixture;
    drop(supervisor);
    let record = folder.path().join("processes.json");
    let text = std::fs::read_to_string(&record).unwrap();
    let mut entries: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut reused = entries["primary"].clone();
    reused["identity"]["pid"] = bystander.id().into();
    entries["reused"] = reused;
    std::fs::write(&record, entries.to_string()).unwrap();

    let ended = crate::folder::down(folder.path()).await.unwrap();
    assert_eq!(ended.up, None);
    assert_eq!(ended.left_behind, Vec::<String>::new(), "nobody ever held the folder");
    drop(DataFolder::lock(folder.path()).unwrap());
    let ended = crate::folder::down(folder.path()).await.unwrap();
    assert_eq!(ended.left_behind, ["service", "primary"]);
    assert!(wait::until(SOON, || async { processes.iter().all(|process| !process.is_alive()) }).await);
    let bystander_lives = bystander.try_wait().unwrap().is_none();
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    assert!(bystander_lives);
}
