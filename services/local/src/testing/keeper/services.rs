//! The data services themselves.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc};
use tokio_postgres::Client;

use crate::account::Account;
use crate::error::{Error, Result};
use crate::folder::DataFolder;
use crate::ports::Block;
use crate::postgres::{Durability, Installation, Primary, Replica};
use crate::progress::Progress;
use crate::supervisor::{Event, Supervisor};
use crate::testing::protocol::{Greeting, Replica as Answer, RolePasswords};
use crate::testing::runtime::Runtime;
use crate::testing::{ROLES, with_causes};
use crate::valkey::{MASTERS, Options, Valkey};
use crate::wheels::{Wheel, Wheels};
use crate::{account, files, ports, secrets};

/// One Postgres and three Valkey masters in a folder of their own.
pub(super) struct Services {
    folder: TempDir,
    _lock: DataFolder,
    ports: Block,
    supervisor: Supervisor,
    primary: Primary,
    replica: Mutex<Option<Replica>>,
    admin: Client,
    passwords: RolePasswords,
    valkey: Valkey,
}

/// Ends and deletes what a keeper that was killed left behind.
pub(super) async fn remove_left_behind(runtime: &Runtime) -> Result<()> {
    files::private_folder(&runtime.instances())?;
    for folder in files::entries(&runtime.instances())? {
        // One that is locked belongs to a keeper that is on its way out.
        match DataFolder::lock(&folder) {
            Ok(locked) => drop(locked.end_left_behind().await?),
            Err(Error::AlreadyRunning { .. }) => continue,
            Err(err) => return Err(err),
        }
        account::remove_home(&folder.join("postgres"))?;
        files::remove_folder(&folder)?;
    }
    Ok(())
}

impl Services {
    /// Starts everything; what was started is stopped again if something fails.
    pub(super) async fn start(runtime: &Runtime) -> Result<Self> {
        let folder = tempfile::tempdir_in(runtime.instances());
        let folder = folder.map_err(Error::file("create a folder in", &runtime.instances()))?;
        let lock = DataFolder::lock(folder.path())?;
        let ports = Block::take(ports::SMALL)?;
        let (events, receiver) = mpsc::unbounded_channel();
        let supervisor = Supervisor::new(lock.record(), events);
        report(receiver);
        match start_all(&lock, &ports, &supervisor).await {
            Ok((primary, valkey, admin)) => Ok(Self {
                folder,
                _lock: lock,
                ports,
                supervisor,
                primary,
                replica: Mutex::new(None),
                admin,
                passwords: ROLES.iter().map(|role| ((*role).to_owned(), secrets::password())).collect(),
                valkey,
            }),
            Err(err) => {
                supervisor.stop().await;
                Err(err)
            }
        }
    }

    /// Stops everything and deletes the folder.
    pub(super) async fn stop(&self) {
        self.supervisor.stop().await;
        let removed = account::remove_home(&self.folder.path().join("postgres"));
        if let Err(err) = removed.and_then(|()| files::remove_folder(self.folder.path())) {
            note(&with_causes(&err));
        }
    }

    pub(super) fn greeting(&self, lease: u64) -> Greeting {
        let url = self.primary.url("");
        Greeting {
            keeper: std::process::id(),
            lease,
            postgres: url.trim_end_matches('/').to_owned(),
            port: self.primary.port,
            passwords: self.passwords.clone(),
            redis: self.valkey.nodes().to_vec(),
        }
    }

    /// The replica, started on first use.
    pub(super) async fn replica(&self) -> Answer {
        let mut replica = self.replica.lock().await;
        if let Some(running) = &*replica {
            return Answer::Port(running.port);
        }
        match Replica::start(&self.primary, self.ports.port(1), Duration::ZERO, &self.supervisor).await {
            Ok(started) => Answer::Port(replica.insert(started).port),
            Err(err) => Answer::Failed(with_causes(&err)),
        }
    }

    pub(super) async fn drop_database(&self, name: &str) {
        if !name.starts_with("test_")
            || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            return note(&format!("not a test database: {name}"));
        }
        let dropped = self.admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        if let Err(err) = dropped {
            note(&format!("{name} stays: {}", with_causes(&err)));
        }
    }

    /// Drops what a test binary that has gone did not drop itself.
    pub(super) async fn drop_databases_of(&self, lease: u64) {
        let sql = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)";
        let names = self.admin.query(sql, &[&format!("test_{lease}_")]).await.unwrap_or_default();
        for row in names {
            self.drop_database(row.get(0)).await;
        }
    }
}

async fn start_all(
    folder: &DataFolder,
    ports: &Block,
    supervisor: &Supervisor,
) -> Result<(Primary, Valkey, Client)> {
    let wheels = Wheels::new(None, Progress::Lines);
    let logs = folder.inside("logs")?;
    let postgres = async {
        let installation = Installation {
            programs: wheels.programs(Wheel::Postgres).await?,
            account: Account::for_postgres().await,
            durability: Durability::Disposable,
            logs: logs.clone(),
        };
        Primary::start(installation, &folder.inside("postgres")?, ports.port(0), supervisor).await
    };
    let valkey = async {
        let programs = wheels.programs(Wheel::Valkey).await?;
        let options = valkey_options(programs, folder.inside("valkey")?, logs.clone(), ports);
        Valkey::start(&options, supervisor).await
    };
    let (primary, valkey) = tokio::try_join!(postgres, valkey)?;
    let admin = primary.connect("postgres").await?;
    Ok((primary, valkey, admin))
}

fn valkey_options(programs: PathBuf, folder: PathBuf, logs: PathBuf, ports: &Block) -> Options {
    let ports = (2..).take(MASTERS).map(|index| ports.port(index)).collect();
    // The block holds the ports of the bus too: 5 to 7.
    let bus_offset = u16::try_from(MASTERS).unwrap_or(u16::MAX);
    Options { programs, folder, logs, ports, bus_offset, durability: Durability::Disposable }
}

/// Writes what happens to the processes into the keeper's log.
#[expect(clippy::disallowed_methods, reason = "it ends with the supervisor, whose events it reads")]
fn report(mut events: mpsc::UnboundedReceiver<Event>) {
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            note(&event.to_string());
        }
    });
}

/// Standard error is the keeper's log.
fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
