//! Reads on a replica, and that they are never older than what their caller wrote.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use platform::{
    Access, Scope, Session,
    db::{Db, DbArgs, Error, Rows as _},
};
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::DropGuard;
use uuid::Uuid;

use crate::db_support::{Fixture, Line, Proxy, connect, database, handle, public, redis_of, through, until};

const RAISE: &str = "UPDATE counters SET value = value + 1 WHERE name = $1";
const VALUE: &str = "SELECT value, pg_is_in_recovery() FROM counters WHERE name = $1";

/// Every test of this run has the same replica: one at a time may stop its replay.
static REPLAY: Mutex<()> = Mutex::const_new(());

/// The replica's replay, stopped until this is dropped or resumed.
struct Paused {
    admin: tokio_postgres::Client,
    _alone: MutexGuard<'static, ()>,
}

impl Paused {
    async fn now(fixture: &Fixture) -> Self {
        let alone = REPLAY.lock().await;
        let admin = connect(&admin_of_replica(fixture).await).await;
        admin.batch_execute("SELECT pg_wal_replay_pause()").await.unwrap();
        let paused = Self { admin, _alone: alone };
        until("replay has stopped", async || {
            let row = paused.admin.query_one("SELECT pg_get_wal_replay_pause_state()", &[]).await.unwrap();
            row.get::<_, &str>(0) == "paused"
        })
        .await;
        paused
    }

    async fn resume(&self) {
        self.admin.batch_execute("SELECT pg_wal_replay_resume()").await.unwrap();
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(self.resume()));
    }
}

async fn admin_of_replica(fixture: &Fixture) -> String {
    let services = local::testing::services().await;
    let (primary, replica) = (services.primary_port(), services.replica_port().await);
    fixture.database.admin_url().replace(&format!(":{primary}/"), &format!(":{replica}/"))
}

async fn raise(fixture: &Fixture, access: &Access, name: &str) -> Result<u64, Error> {
    fixture.db.tx("replica.raise", access, async |tx| tx.execute(RAISE, &[&name]).await).await
}

/// The counter, and whether a replica said so.
async fn value(db: &platform::db::Db, access: &Access, name: &str) -> Result<(i64, bool), Error> {
    db.read("replica.value", access, async |ro| {
        let row = ro.query_one(VALUE, &[&name]).await?;
        Ok((row.get(0), row.get(1)))
    })
    .await
}

/// A session of somebody who has written nothing: reads may be as old as the replica is.
fn stranger() -> Access {
    Access::new(Scope::Public, Session::default())
}

async fn until_used(fixture: &Fixture) {
    until("the replica is read from", async || {
        matches!(value(&fixture.db, &stranger(), "c0").await, Ok((_, true)))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_an_older_state_than_the_one_they_wrote() {
    let fixture = Fixture::with_replica(8, |_| {}).await;
    until_used(&fixture).await;
    let writers = (0..8).map(|writer| {
        let fixture = &fixture;
        async move {
            let (name, mut on_replica) = (format!("c{writer}"), 0);
            for written in 1..=100 {
                let access = public();
                raise(fixture, &access, &name).await.unwrap();
                // Another call of the same caller, who echoes the position.
                let next = Access::new(Scope::Public, Session::new(None, access.session.wrote()));
                let (read, replica) = value(&fixture.db, &next, &name).await.unwrap();
                assert_eq!(read, written, "stale, on the replica: {replica}");
                on_replica += u32::from(replica);
            }
            on_replica
        }
    });
    let on_replica: u32 = futures::future::join_all(writers).await.into_iter().sum();
    assert!(on_replica > 0, "the replica was never used");
    assert!(fixture.figures.reads("replica", "waited") + fixture.figures.reads("replica", "fresh") > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_lags_is_passed_over_and_comes_back_by_itself() {
    let fixture = Fixture::with_replica(4, |args| args.database_max_lag = Duration::from_millis(300)).await;
    until_used(&fixture).await;
    let paused = Paused::now(&fixture).await;
    let access = public();
    raise(&fixture, &access, "c1").await.unwrap();
    assert_eq!(value(&fixture.db, &access, "c1").await.unwrap(), (1, false), "its writer sees it");
    until("it is out for everybody", async || {
        raise(&fixture, &access, "c2").await.unwrap();
        value(&fixture.db, &stranger(), "c1").await.unwrap() == (1, false)
    })
    .await;
    paused.resume().await;
    until_used(&fixture).await;
    until("it has caught up", async || value(&fixture.db, &access, "c1").await.unwrap() == (1, true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_while_the_replica_is_away() {
    let database = database().await;
    let services = local::testing::services().await;
    let primary = Proxy::to(services.primary_port(), Line::Open).await;
    let replica = Proxy::to(services.replica_port().await, Line::Open).await;
    let url = through(&database.url("svc_orders"), &[&primary, &replica]);
    let fixture = Fixture::on(database, &url, 4, None, |_| {}).await;
    until_used(&fixture).await;
    for fault in [Line::Cut, Line::Silent] {
        replica.set(fault);
        for _ in 0..20 {
            let access = stranger();
            match tokio::time::timeout(Duration::from_secs(3), value(&fixture.db, &access, "c0")).await {
                Ok(outcome) => drop(outcome.expect("the primary is there")),
                // A silent replica keeps those who were on it; their deadline ends them.
                Err(_) => assert_eq!(fault, Line::Silent),
            }
        }
        assert!(!value(&fixture.db, &stranger(), "c0").await.unwrap().1);
        replica.set(Line::Open);
        until_used(&fixture).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_killed_on_the_replica_runs_again_on_the_primary() {
    let fixture = Fixture::with_replica(4, |_| {}).await;
    until_used(&fixture).await;
    let admin = connect(&admin_of_replica(&fixture).await).await;
    let runs = AtomicU32::new(0);
    let outcome = fixture
        .db
        .read("replica.killed", &stranger(), async |ro| {
            let row = ro.query_one("SELECT pg_backend_pid(), pg_is_in_recovery()", &[]).await?;
            if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                assert!(row.get::<_, bool>(1), "the first run is on the replica");
                admin.query("SELECT pg_terminate_backend($1)", &[&row.get::<_, i32>(0)]).await.unwrap();
            }
            Ok::<_, Error>(ro.query_one("SELECT pg_is_in_recovery()", &[]).await?.get::<_, bool>(0))
        })
        .await;
    assert!(!outcome.unwrap(), "the second is on the primary");
    assert!(fixture.figures.reads("primary", "replica_failed") > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_primary_is_no_replica() {
    let database = database().await;
    let port = local::testing::services().await.primary_port();
    let (one, two) = (Proxy::to(port, Line::Open).await, Proxy::to(port, Line::Open).await);
    let url = through(&database.url("svc_orders"), &[&one, &two]);
    let fixture = Fixture::on(database, &url, 4, None, |_| {}).await;
    for _ in 0..20 {
        assert_eq!(value(&fixture.db, &stranger(), "c0").await.unwrap(), (0, false));
    }
    assert!(fixture.figures.reads("primary", "no_replica") >= 20.0);
}

/// Two pods on one database with one Redis, both of which read from the replica.
struct Pods {
    one: Fixture,
    two: Db,
    /// Ends the client of Redis with the test.
    _redis: DropGuard,
}

impl Pods {
    async fn new() -> Self {
        let database = database().await;
        let url = database.url_with_replica("svc_orders").await;
        let nodes = local::testing::services().await.redis_nodes();
        let (redis, stop) = redis_of(nodes, Duration::from_secs(2)).await;
        let one = Fixture::on(database, &url, 4, Some(redis.clone()), |args| {
            args.database_max_lag = Duration::from_secs(30);
        })
        .await;
        let mut args = DbArgs::new(url.parse().unwrap());
        (args.database_pool_warm, args.database_max_lag) = (0, Duration::from_secs(30));
        let two = handle(&args, &one.tasks, &one.stop, &one.figures, Some(redis)).await;
        until("both pods use the replica", async || {
            value(&one.db, &stranger(), "c0").await.unwrap().1
                && value(&two, &stranger(), "c0").await.unwrap().1
        })
        .await;
        Self { one, two, _redis: stop.drop_guard() }
    }
}

/// A call of `user`, who echoes nothing.
fn as_user(user: Uuid) -> Access {
    Access::new(Scope::Public, Session::new(Some(user), None))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_echoes_nothing_still_sees_their_own_write_on_another_pod() {
    let pods = Pods::new().await;
    let _paused = Paused::now(&pods.one).await;
    let (writer, other) = (Uuid::now_v7(), Uuid::now_v7());
    raise(&pods.one, &as_user(writer), "c1").await.unwrap();
    assert_eq!(value(&pods.two, &as_user(writer), "c1").await.unwrap(), (1, false), "who wrote reads it");
    assert_eq!(
        value(&pods.two, &as_user(other), "c1").await.unwrap(),
        (0, true),
        "who did not is content with the replica"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_place_in_the_log_is_not_heard_is_seen_by_its_user_all_the_same() {
    /// The connection is lost behind the COMMIT.
    const LOSE: &str = "
        CREATE OR REPLACE FUNCTION sipup.commit_position() RETURNS TABLE (timeline integer, lsn pg_lsn)
        LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid(), 10000); END $$";
    let pods = Pods::new().await;
    let admin = &pods.one.admin;
    let whole = "SELECT pg_get_functiondef('sipup.commit_position'::regproc)";
    let whole: String = admin.query_one(whole, &[]).await.unwrap().get(0);
    let _paused = Paused::now(&pods.one).await;
    let writer = as_user(Uuid::now_v7());
    admin.batch_execute(LOSE).await.unwrap();
    raise(&pods.one, &writer, "c1").await.expect("the commit was heard");
    admin.batch_execute(&whole).await.unwrap();
    assert_eq!(writer.session.wrote(), None);
    assert_eq!(value(&pods.one.db, &writer, "c1").await.unwrap(), (1, false), "the same call");
    let next = as_user(writer.session.user().unwrap());
    assert_eq!(value(&pods.two, &next, "c1").await.unwrap(), (1, false), "the user's next call");
    raise(&pods.one, &next, "c1").await.unwrap();
    assert!(next.session.wrote().is_some(), "the next commit is asked for its place again");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_how_a_commit_went_is_told_by_the_primary() {
    let pods = Pods::new().await;
    let _paused = Paused::now(&pods.one).await;
    let writer = Uuid::now_v7();
    let outcome = pods
        .one
        .db
        .tx("replica.unknown", &as_user(writer), async |tx| {
            tx.execute("INSERT INTO last_words (id) VALUES (1)", &[]).await
        })
        .await;
    assert!(matches!(outcome, Err(Error::OutcomeUnknown(_))), "{outcome:?}");
    assert!(!value(&pods.two, &as_user(writer), "c1").await.unwrap().1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_a_known_user_reads_from_the_primary() {
    let database = database().await;
    let url = database.url_with_replica("svc_orders").await;
    let silent = Proxy::to(1, Line::Cut).await;
    let (redis, _stop) = redis_of(vec![silent.address.to_string()], Duration::from_millis(50)).await;
    let fixture = Fixture::on(database, &url, 4, Some(redis), |_| {}).await;
    until_used(&fixture).await;
    let user = Access::new(Scope::Public, Session::new(Some(Uuid::now_v7()), None));
    assert_eq!(value(&fixture.db, &user, "c0").await.unwrap(), (0, false));
    raise(&fixture, &user, "c0").await.expect("a write doesn't need Redis");
    assert!(fixture.figures.reads("primary", "position_unknown") > 0.0);
}
