//! The side of a test binary: finds the keeper or starts it, and holds the connection.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::lock::FileLock;
use crate::testing::protocol::{Greeting, Hello, Replica, Request};
use crate::testing::runtime::Runtime;
use crate::{files, identity, process};

/// The keeper's program.
const KEEPER: &str = "sipup-test-services";
/// The first start may download the wheels.
const START_BOUND: Duration = Duration::from_mins(5);

/// The data services of a test run.
#[derive(Debug)]
pub struct TestServices {
    greeting: Greeting,
    connection: Mutex<BufReader<UnixStream>>,
    next_database: AtomicU64,
}

impl TestServices {
    /// Connects to the keeper of this workspace; starts it if there is none.
    pub(super) async fn connect() -> Result<Self> {
        blocking(|| Self::connect_in(&Runtime::of_workspace()?, running_cargo())).await
    }

    /// Connects to the keeper in `runtime`, which stays while `cargo` runs. Holding the lock from before the first try until the greeting keeps the keeper
    /// from going and a second one from being started.
    pub(super) fn connect_in(runtime: &Runtime, cargo: Option<Identity>) -> Result<Self> {
        let _lock = FileLock::take(&runtime.lock())?;
        if let Ok(stream) = UnixStream::connect(runtime.socket())
            && let Ok(services) = Self::greet(stream, cargo.clone())
        {
            return Ok(services);
        }
        // Nobody listens, or somebody who was just killed.
        Self::greet(start_keeper(runtime)?, cargo).map_err(|err| keeper_failed(runtime, &err.to_string()))
    }

    fn greet(stream: UnixStream, cargo: Option<Identity>) -> std::io::Result<Self> {
        // A keeper that hangs must not take the tests along.
        stream.set_read_timeout(Some(START_BOUND))?;
        let mut connection = BufReader::new(stream);
        send(&mut connection, &Hello { cargo })?;
        let greeting = receive(&mut connection)?;
        Ok(Self { greeting, connection: Mutex::new(connection), next_database: AtomicU64::new(0) })
    }

    pub(super) fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// The superuser's URL to `database`.
    pub fn admin_url(&self, database: &str) -> String {
        format!("{}/{database}", self.greeting.postgres)
    }

    /// The port of Postgres on loopback.
    pub fn primary_port(&self) -> u16 {
        self.greeting.port
    }

    /// A name that no other database of the run has; the keeper drops it when this process has gone.
    pub(super) fn new_database_name(&self) -> String {
        let number = self.next_database.fetch_add(1, Ordering::Relaxed);
        format!("test_{}_{number}", self.greeting.lease)
    }

    /// Lets the keeper drop a database. Without an answer, so that it can be called where nothing may wait.
    pub(super) fn drop_database(&self, name: &str) {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        // A keeper that is gone has taken the database along.
        let _ = send(&mut connection, &Request::Drop(name.to_owned()));
    }

    /// The port of a streaming replica of the whole server, started on first use.
    ///
    /// # Panics
    /// When it can't be started.
    pub async fn replica_port(&'static self) -> u16 {
        let answer = blocking(|| {
            let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = send(&mut connection, &Request::Replica).and_then(|()| receive(&mut connection));
            answer.map_err(|err| Error::TestServices(err.to_string()))
        });
        match answer.await {
            Ok(Replica::Port(port)) => port,
            Ok(Replica::Failed(problem)) => panic!("the replica does not start: {problem}"),
            Err(err) => panic!("{err}"),
        }
    }
}

/// Runs what waits for locks and processes beside the tests.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|err| Err(Error::TestServices(err.to_string())))
}

fn send(connection: &mut BufReader<UnixStream>, value: &impl serde::Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    connection.get_mut().write_all(&line)
}

fn receive<T: DeserializeOwned>(connection: &mut BufReader<UnixStream>) -> std::io::Result<T> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(std::io::Error::other("it went away"));
    }
    Ok(serde_json::from_str(&line)?)
}

/// The `cargo` that runs this test binary and maybe others after it.
fn running_cargo() -> Option<Identity> {
    let (parent, name) = identity::parent()?;
    name.starts_with("cargo").then_some(parent)
}

/// Starts a keeper that outlives this process, and connects. The socket is ours until the keeper has it, so nobody has to wait until it
/// listens; a keeper that ends without an answer closes the connection.
fn start_keeper(runtime: &Runtime) -> Result<UnixStream> {
    let program = find_keeper()?;
    let (path, socket) = (runtime.log(), runtime.socket());
    // We hold the lock and nobody answered there, so a socket that is there has no keeper behind it.
    for left in [&path, &socket] {
        let _ = std::fs::remove_file(left);
    }
    let log = process::open_log(&path)?;
    let errors = log.try_clone().map_err(Error::file("open", &path))?;
    let listener = UnixListener::bind(&socket).map_err(Error::file("listen on", &socket))?;
    let mut command = Command::new(&program);
    // A group of its own: Ctrl-C ends the tests, and the keeper sees that they are gone.
    command.arg(runtime.folder()).current_dir("/").process_group(0);
    command.stdin(OwnedFd::from(listener)).stdout(log).stderr(errors);
    command.spawn().map_err(|source| Error::Spawn { program: KEEPER.to_owned(), source })?;
    UnixStream::connect(&socket).map_err(Error::file("connect to", &socket))
}

fn keeper_failed(runtime: &Runtime, problem: &str) -> Error {
    Error::TestServices(format!("{problem}; its log ends with:\n{}", files::tail(&runtime.log(), 20)))
}

/// The keeper's program beside this test binary (`target/<profile>/deps/..`), built first if missing or older than its
/// sources.
fn find_keeper() -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(Error::file("find", Path::new("/proc/self/exe")))?;
    let profile = own.ancestors().skip(1).find(|folder| !folder.ends_with("deps")).unwrap_or(Path::new("."));
    let program = profile.join(KEEPER);
    if !is_current(&program) {
        build_keeper(profile)?;
    }
    Ok(program)
}

fn is_current(program: &Path) -> bool {
    let built = program.metadata().and_then(|about| about.modified());
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    built.is_ok_and(|built| newest(&sources) <= built)
}

fn newest(folder: &Path) -> SystemTime {
    let mut newest = SystemTime::UNIX_EPOCH;
    for path in files::entries(folder).unwrap_or_default() {
        let modified = path.metadata().and_then(|about| about.modified());
        newest = newest.max(if path.is_dir() { self::newest(&path) } else { modified.unwrap_or(newest) });
    }
    newest
}

fn build_keeper(profile: &Path) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let name = profile.file_name().unwrap_or_default();
    let name = if name == "debug" { "dev".as_ref() } else { name };
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "local", "--bin", KEEPER, "--profile"]).arg(name);
    command.arg("--target-dir").arg(profile.parent().unwrap_or(profile));
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).output();
    let output = output.map_err(|source| Error::Spawn { program: "cargo".to_owned(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::Failed { program: "cargo build".to_owned(), status: output.status, output: text })
}
