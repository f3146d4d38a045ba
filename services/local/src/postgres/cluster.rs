//! The primary: made by `initdb` on first start, then run and watched.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls};

use crate::error::{Error, Result};
use crate::files;
use crate::postgres::{Installation, READY_BOUND, STOP_BOUND, settings};
use crate::process::{Ending, Spec, Stage};
use crate::secrets;
use crate::supervisor::Supervisor;

/// The superuser's name.
const SUPERUSER: &str = "postgres";
/// The role of the replica.
pub(super) const REPLICATOR: &str = "replicator";

/// A running primary.
#[derive(Clone, Debug)]
pub(crate) struct Primary {
    pub(super) installation: Installation,
    /// Where its data and the secrets of replication are.
    pub(super) home: PathBuf,
    /// Its port on loopback.
    pub port: u16,
    /// The superuser's password.
    pub password: String,
}

impl Primary {
    /// Starts the primary in `folder` under `supervisor`, after `initdb` if the folder is new, and waits until it accepts
    /// connections.
    ///
    /// # Errors
    /// When `initdb` fails or the server does not become ready.
    pub(crate) async fn start(
        installation: Installation,
        folder: &Path,
        port: u16,
        supervisor: &Supervisor,
    ) -> Result<Self> {
        let home = installation.account.home(folder)?;
        let password = secrets::kept_in(&home.join("superuser-password"), secrets::password)?;
        let primary = Self { installation, home, port, password };
        let data = primary.home.join("primary");
        if !data.exists() {
            primary.initialize(&data).await?;
        }
        settings::write(&primary.installation, &data, port, "cluster_name = 'primary'\n")?;
        let name = "postgres-primary";
        supervisor.start(primary.installation.server(name, Stage::Primary, &data))?;
        supervisor.ready(name, READY_BOUND, || async { primary.connect("postgres").await.is_ok() }).await?;
        Ok(primary)
    }

    /// The superuser's connection URL to `database`.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Connects the superuser to `database`.
    ///
    /// # Errors
    /// When the server does not accept it.
    pub(crate) async fn connect(&self, database: &str) -> Result<Client> {
        connect(&self.url(database)).await
    }

    /// Makes the data folder beside its final place, so that an interrupted run leaves nothing that looks finished.
    async fn initialize(&self, data: &Path) -> Result<()> {
        let partial = self.home.join("primary.partial");
        files::remove_folder(&partial)?;
        let password_file = self.home.join("initdb-password");
        files::write_whole(&password_file, self.password.as_bytes())?;
        self.installation.account.own(&password_file)?;
        let text = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"];
        let access = ["--auth=scram-sha-256", "--username", SUPERUSER, "--no-instructions"];
        let mut args: Vec<OsString> = text.iter().chain(&access).map(OsString::from).collect();
        if self.installation.durability == settings::Durability::Disposable {
            args.push("--no-sync".into());
        }
        args.extend([
            "--pwfile".into(),
            password_file.clone().into(),
            "--pgdata".into(),
            partial.clone().into(),
        ]);
        let made = self.installation.run("initdb", &args, None).await;
        std::fs::remove_file(&password_file).map_err(Error::file("remove", &password_file))?;
        made?;
        std::fs::rename(&partial, data).map_err(Error::file("create", data))
    }
}

impl Installation {
    /// How a server on `data` is run.
    pub(super) fn server(&self, name: &str, stage: Stage, data: &Path) -> Spec {
        Spec {
            name: name.to_owned(),
            stage,
            program: self.programs.join("postgres"),
            args: vec!["-D".into(), data.into()],
            env: crate::process::Environment::default(),
            log: self.logs.join(format!("{name}.log")),
            account: self.account,
            ending: Ending::interrupt(STOP_BOUND),
        }
    }

    /// Runs one of the tools to its end.
    pub(super) async fn run(&self, tool: &str, args: &[OsString], password: Option<&str>) -> Result<()> {
        let mut command = self.account.command(&self.programs.join(tool));
        command.args(args).current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
        if let Some(password) = password {
            command.env("PGPASSWORD", password);
        }
        let output =
            command.output().await.map_err(|source| Error::Spawn { program: tool.to_owned(), source })?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::Failed { program: tool.to_owned(), status: output.status, output: text })
    }
}

/// Connects to `url` without encryption: everything here is on loopback.
///
/// # Errors
/// When the URL or the server refuses.
pub(crate) async fn connect(url: &str) -> Result<Client> {
    let mut config: Config = url.parse().map_err(Error::postgres("read the URL"))?;
    config.connect_timeout(Duration::from_secs(5)).application_name("sipup local");
    let (client, connection) = config.connect(NoTls).await.map_err(Error::postgres("connect"))?;
    drive(connection);
    Ok(client)
}

#[expect(clippy::disallowed_methods, reason = "the task ends with its client, which its user holds")]
fn drive(connection: tokio_postgres::Connection<tokio_postgres::Socket, tokio_postgres::tls::NoTlsStream>) {
    tokio::spawn(connection);
}
