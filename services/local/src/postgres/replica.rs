//! The streaming replica: a base backup of the primary on first start, then run and watched.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::Client;

use crate::error::{Error, Result};
use crate::files;
use crate::postgres::cluster::{Primary, REPLICATOR, connect};
use crate::postgres::{READY_BOUND, settings};
use crate::process::Stage;
use crate::secrets;
use crate::supervisor::Supervisor;

/// The replication slot, which keeps the log that the replica has not seen yet.
const SLOT: &str = "replica";

/// A running replica.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    /// Its port on loopback.
    pub port: u16,
    password: String,
}

impl Replica {
    /// Starts a replica of `primary` under `supervisor`, after a base backup if it is new or too far behind, and waits
    /// until it streams. It shows a commit `delay` after the primary has made it.
    ///
    /// # Errors
    /// When the backup fails or the replica does not become ready.
    pub(crate) async fn start(
        primary: &Primary,
        port: u16,
        delay: Duration,
        supervisor: &Supervisor,
    ) -> Result<Self> {
        let superuser = primary.connect("postgres").await?;
        let password = secrets::kept_in(&primary.home.join("replicator-password"), secrets::password)?;
        let slot_is_good = prepare(&superuser, &password).await?;
        let data = primary.home.join("replica");
        if !slot_is_good {
            files::remove_folder(&data)?;
        }
        if !data.exists() {
            copy(primary, &data, &password).await?;
        }
        let passfile = write_passfile(primary, &password)?;
        settings::write(&primary.installation, &data, port, &own_settings(primary, &passfile, delay))?;
        let name = "postgres-replica";
        supervisor.start(primary.installation.server(name, Stage::Replica, &data))?;
        let replica = Self { port, password: primary.password.clone() };
        supervisor.ready(name, READY_BOUND, || replica.streams()).await?;
        Ok(replica)
    }

    /// The superuser's connection URL to `database`.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    async fn streams(&self) -> bool {
        let Ok(client) = connect(&self.url("postgres")).await else { return false };
        let sql = "SELECT count(*) > 0 FROM pg_stat_wal_receiver WHERE status = 'streaming'";
        client.query_one(sql, &[]).await.is_ok_and(|row| row.get(0))
    }
}

/// Makes the role and the slot where they are missing. `false` if the slot had lost what the replica needs; it is new
/// then.
async fn prepare(superuser: &Client, password: &str) -> Result<bool> {
    let role = format!(
        "DO $$ BEGIN \
           IF to_regrole('{REPLICATOR}') IS NULL THEN CREATE ROLE {REPLICATOR} LOGIN REPLICATION; END IF; \
         END $$; \
         ALTER ROLE {REPLICATOR} PASSWORD '{password}'"
    );
    superuser.batch_execute(&role).await.map_err(Error::postgres("make the role of the replica"))?;
    let slot = "SELECT wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = $1";
    let slot = superuser.query_opt(slot, &[&SLOT]).await.map_err(Error::postgres("look at the slot"))?;
    let lost = slot.map(|row| row.get::<_, Option<bool>>(0).unwrap_or(false));
    if lost == Some(true) {
        let drop = "SELECT pg_drop_replication_slot($1)";
        superuser.execute(drop, &[&SLOT]).await.map_err(Error::postgres("drop the slot"))?;
    }
    if lost != Some(false) {
        // `true`: it keeps the log from now on, not only from the first connection.
        let create = "SELECT pg_create_physical_replication_slot($1, true)";
        superuser.execute(create, &[&SLOT]).await.map_err(Error::postgres("make the slot"))?;
    }
    Ok(lost == Some(false))
}

/// Copies the primary's data beside the final place, then renames.
async fn copy(primary: &Primary, data: &Path, password: &str) -> Result<()> {
    let partial = primary.home.join("replica.partial");
    files::remove_folder(&partial)?;
    let port = primary.port.to_string();
    let source = ["--host=127.0.0.1", "--port", &port, "--username", REPLICATOR, "--slot", SLOT];
    let way = ["--checkpoint=fast", "--wal-method=stream", "--no-sync", "--pgdata"];
    let mut args: Vec<OsString> = source.iter().chain(&way).map(OsString::from).collect();
    args.push(partial.clone().into());
    primary.installation.run("pg_basebackup", &args, Some(password)).await?;
    let standby = partial.join("standby.signal");
    files::write_whole(&standby, b"")?;
    primary.installation.account.own(&standby)?;
    std::fs::rename(&partial, data).map_err(Error::file("create", data))
}

/// The password comes from a file: settings are readable by every superuser session, command lines by everybody.
fn write_passfile(primary: &Primary, password: &str) -> Result<PathBuf> {
    let path = primary.home.join("replicator.pgpass");
    files::write_whole(&path, format!("*:*:*:{REPLICATOR}:{password}\n").as_bytes())?;
    primary.installation.account.own(&path)?;
    Ok(path)
}

fn own_settings(primary: &Primary, passfile: &Path, delay: Duration) -> String {
    let retry = Duration::from_millis(200).as_millis();
    let source = format!(
        "host=127.0.0.1 port={} user={REPLICATOR} application_name=replica passfile='{}'",
        primary.port,
        passfile.display()
    );
    [
        settings::quoted("cluster_name", "replica"),
        settings::quoted("primary_conninfo", &source),
        settings::quoted("primary_slot_name", SLOT),
        // How soon it looks again after its primary was away.
        settings::quoted("wal_retrieve_retry_interval", &format!("{retry}ms")),
        settings::quoted("recovery_min_apply_delay", &format!("{}ms", delay.as_millis())),
    ]
    .concat()
}
