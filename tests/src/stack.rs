//! A whole local stack, as `sipup up` starts it.

use std::{
    env,
    io::{self, Read as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

use anyhow::Context as _;
use local::StackInfo;
use tempfile::TempDir;

use crate::wait;

/// How long a stack may take to be ready, first downloads included.
const READY_WITHIN: Duration = Duration::from_mins(5);

/// A stack that lives as long as this, or as the process that holds it: `up` stops when its standard input ends.
#[derive(Debug)]
pub struct Stack {
    /// Everything about it.
    pub info: StackInfo,
    up: Child,
    stdin: Option<ChildStdin>,
    _folder: TempDir,
}

impl Stack {
    /// Starts `sipup up` on free ports and temporary data with more `options`, and waits until all is ready.
    ///
    /// # Errors
    ///
    /// The binary can't be built, or the stack doesn't become ready; says what `up` printed.
    pub fn start(options: &[&str]) -> anyhow::Result<Self> {
        Self::start_with(&[&["--ephemeral"], options].concat())
    }

    /// As [`Stack::start`], with the data where `options` say.
    ///
    /// # Errors
    ///
    /// As [`Stack::start`].
    pub fn start_with(options: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (ready, log) = (folder.path().join("ready.json"), folder.path().join("up.log"));
        let (mut heard, said) = UnixStream::pair()?;
        heard.set_read_timeout(Some(READY_WITHIN))?;
        let mut up = Command::new(binary()?)
            .args(["up", "--port-base", "0", "--stop-on-eof", "--ready-file"])
            .arg(&ready)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(OwnedFd::from(said))
            .stderr(std::fs::File::create(&log)?)
            .spawn()
            .context("start sipup up")?;
        let stdin = up.stdin.take();
        if let Err(error) = until_ready(&mut heard) {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            anyhow::bail!("the stack is not ready: {error} ({:?})\n{said}", up.try_wait()?);
        }
        let info = serde_json::from_slice(&std::fs::read(&ready)?).context("read the ready file")?;
        Ok(Self { info, up, stdin, _folder: folder })
    }

    /// The ingress, with its scheme.
    pub fn url(&self) -> String {
        self.info.url.clone()
    }

    /// The ingress, as `host:port`.
    pub fn address(&self) -> String {
        self.info.url.trim_start_matches("http://").to_owned()
    }

    /// E-mail address and password of every demo user.
    pub fn accounts(&self) -> Vec<(String, String)> {
        self.info.users.iter().map(|user| (user.email.clone(), user.password.clone())).collect()
    }

    /// E-mail address and password of the demo data's seller.
    pub fn seller(&self) -> (String, String) {
        let seller =
            self.info.users.iter().find(|user| user.role == "seller").expect("the demo data has a seller");
        (seller.email.clone(), seller.password.clone())
    }

    /// The e-mail that mentions `text`, if it has been written.
    pub fn mail_about(&self, text: &str) -> Option<String> {
        self.mails().into_iter().find(|mail| mail.contains(text))
    }

    /// All e-mails written so far.
    pub fn mails(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.info.mail).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect()
    }

    /// A connection to the database as its owner, who sees everything.
    ///
    /// # Errors
    ///
    /// The database can't be reached.
    pub async fn database(&self) -> anyhow::Result<tokio_postgres::Client> {
        Ok(connect(&self.info.postgres_url).await?)
    }

    /// A connection to the replica, likewise.
    ///
    /// # Errors
    ///
    /// The replica can't be reached.
    pub async fn replica(&self) -> anyhow::Result<tokio_postgres::Client> {
        let url = self.info.postgres_replica_url.as_ref().context("the replica is ours")?;
        Ok(connect(url).await?)
    }

    /// Waits until the replica shows all that is committed now. A read through the platform would prove less: it may be answered by
    /// the primary, and the next one by a replica that is behind.
    ///
    /// # Panics
    ///
    /// The primary doesn't answer, or the replica doesn't get there in time.
    pub async fn replicated(&self) {
        let primary = self.database().await.expect("the primary answers");
        let position = "SELECT pg_current_wal_flush_lsn()::text";
        let position: String = primary.query_one(position, &[]).await.expect("the primary answers").get(0);
        let caught_up = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
        wait::until("the replica's catching up", async || {
            let replica = self.replica().await.ok()?;
            let row = replica.query_one(caught_up, &[&position]).await.ok()?;
            row.get::<_, Option<bool>>(0)?.then_some(())
        })
        .await;
    }

    /// The pid that the process of this name has now. A restarted one has another than [`StackInfo`] says.
    pub fn pid(&self, name: &str) -> Option<i32> {
        local::pids(&self.info.data_dir).ok()?.get(name).copied()
    }

    /// Stops the stack as the end of its parent would, and waits until it has.
    ///
    /// # Errors
    ///
    /// `up` ended with an error.
    pub fn stop(mut self) -> anyhow::Result<()> {
        drop(self.stdin.take());
        let status = self.up.wait()?;
        anyhow::ensure!(status.success(), "up ended with {status}");
        Ok(())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It has been told to stop; there is nobody left to hear how it went.
        let _ = self.up.wait();
    }
}

/// Waits until `up` speaks: all that it says on its standard output is that everything is ready.
fn until_ready(heard: &mut UnixStream) -> io::Result<()> {
    match heard.read(&mut [0]) {
        Ok(0) => Err(io::Error::other("it has ended")),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(io::ErrorKind::TimedOut.into()),
        read => read.map(drop),
    }
}

async fn connect(url: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    #[expect(clippy::disallowed_methods, reason = "ends with the client")]
    tokio::spawn(connection);
    Ok(client)
}

/// The folder of this build: `target`, wherever it is.
///
/// # Errors
///
/// This program doesn't lie in one.
pub fn target_folder() -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?;
    let profile = program.ancestors().nth(2).context("a test lies in target/<profile>/deps")?;
    Ok(profile.parent().context("a profile lies in target")?.to_owned())
}

/// The binary, built once by the cargo that built this test.
///
/// # Errors
///
/// It can't be built.
pub fn binary() -> anyhow::Result<PathBuf> {
    static BUILT: LazyLock<Result<PathBuf, String>> =
        LazyLock::new(|| build().map_err(|error| format!("{error:#}")));
    BUILT.clone().map_err(anyhow::Error::msg)
}

fn build() -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?;
    let profile = program.ancestors().nth(2).context("a test lies in target/<profile>/deps")?;
    #[expect(clippy::disallowed_methods, reason = "cargo tells tests where it is by the environment")]
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "sipup", "--target-dir"]).arg(target_folder()?);
    // The folder of the profile `dev` has another name.
    let name = profile.file_name().filter(|name| *name != "debug").unwrap_or("dev".as_ref());
    command.arg("--profile").arg(name);
    let status = command.current_dir(env!("CARGO_MANIFEST_DIR")).status().context("run cargo")?;
    anyhow::ensure!(status.success(), "sipup can't be built");
    Ok(profile.join("sipup"))
}
