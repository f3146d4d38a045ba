//! The stack with real Postgres, Valkey and Envoy, and stand-ins for the services.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use local::{DemoUser, Error, Limits, Options, Progress, Service, StackInfo};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_mins(2);

/// A data folder and the stand-in beside it.
struct Fixture {
    folder: TempDir,
}

impl Fixture {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let stand_in = folder.path().join("sipup");
        let log = folder.path().join("commands");
        // The stack hands its own environment on, but not what this test would have to set for all tests at once.
        let text = include_str!("stand_in.py").replace("COMMANDS", &serde_json::to_string(&log)?);
        std::fs::write(&stand_in, text)?;
        std::fs::set_permissions(&stand_in, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { folder })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn options(&self) -> anyhow::Result<Options> {
        let user =
            |role: &str| DemoUser { email: format!("{role}@x"), password: "p".into(), role: role.into() };
        let rules = self.folder.path().join("rules.yaml");
        std::fs::write(&rules, "rules: []\n")?;
        Ok(Options {
            data_dir: Some(self.data()),
            port_base: 0,
            replicas: vec!["catalog=2".parse().map_err(anyhow::Error::msg)?],
            products: 5,
            users: vec![user("buyer")],
            limits: Some(Limits { rules: Some(rules) }),
            ready_file: Some(self.folder.path().join("ready.json")),
            progress: Progress::Silent,
            ..Options::new(self.folder.path().join("sipup"))
        })
    }

    /// What the stand-in was called for since the last time, besides serving.
    fn commands(&self) -> anyhow::Result<Vec<String>> {
        let log = self.folder.path().join("commands");
        let mut commands: Vec<String> = std::fs::read_to_string(&log)?.lines().map(str::to_owned).collect();
        std::fs::write(&log, "")?;
        commands.sort();
        Ok(commands)
    }
}

/// A stack that runs beside the test.
struct Running {
    info: StackInfo,
    ready_file: PathBuf,
    stop: oneshot::Sender<()>,
    up: JoinSet<local::Result<()>>,
}

impl Running {
    async fn start(options: Options) -> anyhow::Result<Self> {
        let (stop, stopped) = oneshot::channel::<()>();
        let ready_file = options.ready_file.clone().context("a ready file")?;
        let mut up = JoinSet::new();
        up.spawn(local::up(options, async {
            let _ = stopped.await;
        }));
        let info = loop {
            match read(&ready_file) {
                Ok(info) => break info,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
            if let Some(ended) = up.try_join_next() {
                ended??;
            }
        };
        Ok(Self { info, ready_file, stop, up })
    }

    fn info(&self) -> anyhow::Result<StackInfo> {
        read(&self.ready_file)
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        Ok(self.up.join_next().await.context("the stack")???)
    }
}

fn read(ready_file: &Path) -> anyhow::Result<StackInfo> {
    Ok(serde_json::from_slice(&std::fs::read(ready_file)?)?)
}

async fn soon(mut condition: impl FnMut() -> bool) -> anyhow::Result<()> {
    let end = Instant::now() + SOON;
    while !condition() {
        ensure!(Instant::now() < end, "it did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_stack_starts_heals_refuses_a_second_stops_and_starts_again() -> anyhow::Result<()> {
    let fixture = Fixture::new()?;
    let stack = Running::start(fixture.options()?).await?;
    assert_eq!(fixture.commands()?, ["keys", "migrate", "seed"]);
    let names: Vec<&str> = stack.info.pids.keys().map(String::as_str).collect();
    let services = ["auth-0", "catalog-0", "catalog-1", "envoy", "jobs-0", "orders-0"];
    let data = ["postgres-primary", "postgres-replica", "ratelimit-0"];
    let nodes = ["valkey-0", "valkey-1", "valkey-2", "valkey-3", "valkey-4", "valkey-5"];
    assert_eq!(names, [services.as_slice(), &data, &nodes].concat());
    assert!(stack.info.services.iter().any(|process| process.service == Service::Ratelimit));
    assert!(!stack.info.role_passwords.contains_key("svc_ratelimit"), "it has no database");

    let second = local::up(fixture.options()?, std::future::ready(())).await;
    let own = i32::try_from(std::process::id())?;
    assert!(matches!(second, Err(Error::AlreadyRunning { pid, .. }) if pid == own), "{second:?}");

    let killed = stack.info.pids["catalog-1"];
    kill(Pid::from_raw(killed), Signal::SIGKILL)?;
    soon(|| stack.info().is_ok_and(|info| info.pids.get("catalog-1").is_some_and(|pid| *pid != killed)))
        .await?;
    let passwords = stack.info.role_passwords.clone();
    stack.stop().await?;
    assert!(local::pids(&fixture.data())?.is_empty());

    let again = Running::start(fixture.options()?).await?;
    assert_eq!(fixture.commands()?, ["keys", "migrate"], "it is filled only once");
    assert_eq!(again.info.role_passwords, passwords);
    again.stop().await
}

#[tokio::test]
async fn a_file_of_rules_that_is_not_there_is_refused_before_anything_starts() -> anyhow::Result<()> {
    let fixture = Fixture::new()?;
    let limits = Limits { rules: Some(fixture.folder.path().join("nowhere.yaml")) };
    let refused =
        local::up(Options { limits: Some(limits), ..fixture.options()? }, std::future::pending()).await;
    assert!(matches!(refused, Err(Error::Option { option: "--limit-rules", .. })), "{refused:?}");
    assert!(local::pids(&fixture.data())?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_stack_that_can_not_start_stops_what_it_had_started() -> anyhow::Result<()> {
    let fixture = Fixture::new()?;
    let broken = fixture.folder.path().join("broken");
    std::fs::write(&broken, "#!/bin/sh\necho no such command >&2\nexit 7\n")?;
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755))?;
    let options = Options { executable: broken, redis_url: Some("127.0.0.1:1".into()), ..fixture.options()? };
    let failed = local::up(options, std::future::pending()).await;
    let Err(Error::Failed { program, output, .. }) = failed else { panic!("{failed:?}") };
    assert_eq!((program.as_str(), output.as_str()), ("sipup migrate", "no such command"));
    assert!(local::pids(&fixture.data())?.is_empty());
    Ok(())
}
