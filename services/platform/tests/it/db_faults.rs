//! Servers and lines that fail.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use platform::{
    Code,
    db::{Error, Rows as _},
};
use uuid::Uuid;

use crate::db_support::{Fixture, Line, Proxy, company, database, public, through, until};

const A: Uuid = Uuid::from_u128(0xa);
const OWN_BACKENDS: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                            WHERE datname = current_database() AND usename = 'svc_orders'";
const RAISE: &str = "UPDATE counters SET value = value + 1 WHERE name = 'c1'";
const VALUE: &str = "SELECT value FROM orders.counters WHERE name = 'c1'";

/// As many transactions side by side as there are connections.
async fn fill(fixture: &Fixture, count: usize) {
    let (all, access) = (tokio::sync::Barrier::new(count), public());
    let transactions = (0..count).map(|_| {
        fixture.db.tx("faults.fill", &access, async |tx| {
            tx.query("SELECT 1", &[]).await?;
            all.wait().await;
            Ok::<_, Error>(())
        })
    });
    for outcome in futures::future::join_all(transactions).await {
        outcome.unwrap();
    }
}

async fn raise(fixture: &Fixture) -> Result<u64, Error> {
    fixture.db.tx("faults.raise", &public(), async |tx| tx.execute(RAISE, &[]).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_killed_while_idle_are_replaced_unnoticed() {
    let fixture = Fixture::new(4).await;
    for round in 1..=5 {
        fill(&fixture, 4).await;
        assert_eq!(fixture.ask(OWN_BACKENDS).await, "4");
        raise(&fixture).await.unwrap();
        assert_eq!(fixture.ask(VALUE).await, round.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_killed_before_its_commit_runs_again_whole() {
    let fixture = Fixture::new(2).await;
    let runs = AtomicU32::new(0);
    let outcome = fixture
        .db
        .tx("faults.killed", &public(), async |tx| {
            tx.execute(RAISE, &[]).await?;
            if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                fixture.ask(OWN_BACKENDS).await;
            }
            tx.execute(RAISE, &[]).await
        })
        .await;
    assert_eq!(outcome.unwrap(), 1);
    assert_eq!((runs.load(Ordering::SeqCst), fixture.ask(VALUE).await), (2, "2".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_at_commit_is_an_unknown_outcome_and_never_tried_again() {
    let fixture = Fixture::new(2).await;
    let runs = AtomicU32::new(0);
    let access = public();
    let outcome = fixture
        .db
        .tx("faults.commit", &access, async |tx| {
            runs.fetch_add(1, Ordering::SeqCst);
            tx.execute("INSERT INTO last_words (id) VALUES (1)", &[]).await
        })
        .await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown(_)), "{error:?}");
    assert_eq!((error.code(), error.to_string().as_str()), (Code::Unavailable, "the outcome is not known"));
    assert_eq!((runs.load(Ordering::SeqCst), access.session.wrote()), (1, None));
    assert_eq!(fixture.ask("SELECT last_value FROM orders.calls").await, "1", "the commit ran once");
    raise(&fixture).await.expect("the next one has another connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_any_more_is_left() {
    let fixture = Fixture::new(2).await;
    let (runs, pids) = (AtomicU32::new(0), std::sync::Mutex::new(Vec::new()));
    let outcome = fixture
        .db
        .tx("faults.demoted", &public(), async |tx| {
            let pid: i32 = tx.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
            pids.lock().unwrap().push(pid);
            if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                // What a write meets on a server that was demoted under its connections: SQLSTATE 25006.
                tx.query("SELECT set_config('transaction_read_only', 'on', true)", &[]).await?;
            }
            tx.execute(RAISE, &[]).await
        })
        .await;
    assert_eq!(outcome.unwrap(), 1);
    let pids = pids.into_inner().unwrap();
    assert!(pids.len() == 2 && pids[0] != pids[1], "{pids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_prepared_anew_when_the_schema_has_changed() {
    let fixture = Fixture::new(1).await;
    let read = async || {
        let work =
            async |ro: &platform::db::ReadOnly<'_>| ro.query("SELECT * FROM counters LIMIT 1", &[]).await;
        fixture.db.read("faults.star", &public(), work).await.map(|rows| rows[0].len())
    };
    assert_eq!(read().await.unwrap(), 2);
    fixture.admin.batch_execute("ALTER TABLE orders.counters ADD COLUMN more int").await.unwrap();
    assert_eq!(read().await.unwrap(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_exhausted_says_so_after_its_limit_without_new_connections() {
    let fixture = Fixture::with(4, |args| {
        args.database_acquire_timeout = Duration::from_millis(200);
        args.database_pool_warm = 4;
    })
    .await;
    // So that nobody waits for a connection to be made.
    until("four connections", async || fixture.figures.primary("idle") > 3.5).await;
    fill(&fixture, 4).await;
    let pids = "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity \
                WHERE datname = current_database() AND usename = 'svc_orders'";
    let before = fixture.ask(pids).await;
    let (all, release, access) = (tokio::sync::Barrier::new(5), tokio::sync::Semaphore::new(0), public());
    let holders = (0..4).map(|_| {
        fixture.db.tx("faults.hold", &access, async |tx| {
            tx.query("SELECT 1", &[]).await?;
            all.wait().await;
            drop(release.acquire().await);
            Ok::<_, Error>(())
        })
    });
    let late = async {
        all.wait().await;
        let refused = futures::future::join_all((0..100).map(|_| raise(&fixture))).await;
        let during = fixture.ask(pids).await;
        release.add_permits(4);
        (refused, during)
    };
    let (held, (refused, during)) = tokio::join!(futures::future::join_all(holders), late);
    assert!(held.iter().all(Result::is_ok), "{held:?}");
    for outcome in refused {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        assert_eq!(error.code(), Code::Unavailable);
    }
    assert!((fixture.figures.primary("timeouts") - 100.0).abs() < 0.5);
    fill(&fixture, 4).await;
    assert_eq!(
        (during, fixture.ask(pids).await),
        (before.clone(), before),
        "the same four connections throughout"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_more_connections_is_worked_with_as_it_is() {
    let fixture = Fixture::with(10, |args| args.database_acquire_timeout = Duration::from_secs(20)).await;
    let name = fixture.database.name().to_owned();
    // Superusers are exempt but counted.
    fixture.admin.batch_execute(&format!("ALTER DATABASE {name} CONNECTION LIMIT 4")).await.unwrap();
    let outcomes = futures::future::join_all((0..200).map(|_| raise(&fixture))).await;
    assert!(outcomes.iter().all(Result::is_ok), "SQLSTATE 53300 is waited out: {outcomes:?}");
    assert_eq!(fixture.ask(VALUE).await, "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_late_delays_readiness_and_nothing_else() {
    let database = database().await;
    let port = local::testing::services().await.primary_port();
    let proxy = Proxy::to(port, Line::Cut).await;
    let url = through(&database.url("svc_orders"), &[&proxy]);
    let fixture = Fixture::on(database, &url, 4, None, |_| {}).await;
    assert!(fixture.db.ready().await.is_err());
    proxy.set(Line::Open);
    until("ready", async || fixture.db.ready().await.is_ok()).await;
    raise(&fixture).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_wait_for_a_server_that_restarts() {
    let database = database().await;
    let port = local::testing::services().await.primary_port();
    let proxy = Proxy::to(port, Line::Open).await;
    let url = through(&database.url("svc_orders"), &[&proxy]);
    let fixture =
        Fixture::on(database, &url, 4, None, |args| args.database_acquire_timeout = Duration::from_secs(20))
            .await;
    fill(&fixture, 4).await;
    proxy.set(Line::Cut);
    fixture.ask(OWN_BACKENDS).await;
    let (outcomes, ()) = tokio::join!(futures::future::join_all((0..50).map(|_| raise(&fixture))), async {
        until("somebody waits", async || fixture.figures.primary("waiting") > 0.0).await;
        proxy.set(Line::Open);
    });
    assert!(outcomes.iter().all(Result::is_ok), "the server came back in time: {outcomes:?}");
    assert_eq!(fixture.ask(VALUE).await, "50");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_that_no_longer_answer_are_found() {
    let database = database().await;
    let port = local::testing::services().await.primary_port();
    let proxy = Proxy::to(port, Line::Open).await;
    let url = through(&database.url("svc_orders"), &[&proxy]);
    let fixture = Fixture::on(database, &url, 4, None, |args| {
        args.database_check_interval = Duration::from_millis(50);
        args.database_idle_timeout = Duration::from_mins(10);
    })
    .await;
    fill(&fixture, 4).await;
    proxy.set(Line::Silent);
    until("all are given up", async || fixture.figures.primary("open") < 0.5).await;
    proxy.set(Line::Open);
    raise(&fixture).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_at_once_and_not_to_the_public() {
    let database = database().await;
    let url = database.url("svc_orders");
    let fixture = Fixture::on(database, &url, 4, None, |args| {
        args.connect.database_password = Some(platform::Secret::new("wrong"));
        args.database_acquire_timeout = Duration::from_mins(10);
    })
    .await;
    let attempt = tokio::time::timeout(Duration::from_secs(30), raise(&fixture)).await;
    let error = attempt.expect("waiting would not help").unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert!(!error.to_string().contains("svc_orders") && !error.to_string().contains("127.0.0.1"), "{error}");
    assert!(platform::status::chain(&error).contains("28P01"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_process_closes_its_pools() {
    let fixture = Fixture::new(4).await;
    fill(&fixture, 4).await;
    fixture.stop.cancel();
    until("no connection is left", async || fixture.backends().await == "0").await;
    let late = fixture.db.read("faults.late", &company(A), async |ro| ro.query("SELECT 1", &[]).await).await;
    assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
}
