//! Callers that go away in the middle.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use platform::db::{Error, Rows as _};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use uuid::Uuid;

use crate::db_support::{Fixture, company, public, until};

/// Callers at once, and how often each goes away.
const CALLERS: usize = 20;
const TIMES: usize = 500;
const CONNECTIONS: u16 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_callers_go_away_and_nobody_else_notices() {
    let fixture =
        Fixture::with(CONNECTIONS, |args| args.database_acquire_timeout = Duration::from_mins(1)).await;
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let gone = AtomicUsize::new(0);
    let leavers =
        (0..CALLERS).map(|caller| leave(&fixture, StdRng::seed_from_u64(seed ^ caller as u64), &gone));
    let (_, stayed) = tokio::join!(futures::future::join_all(leavers), stay(&fixture));
    stayed.expect("a caller who stays gets its own answer");
    assert!(gone.load(Ordering::SeqCst) > CALLERS * TIMES / 10, "hardly anybody went away");
    until("every connection comes back", async || {
        fixture.figures.primary("open").to_bits() == fixture.figures.primary("idle").to_bits()
    })
    .await;
    all_connections_at_once(&fixture).await;
}

/// Begins something and goes away at a random moment: before, within or behind a statement, or at the commit.
async fn leave(fixture: &Fixture, mut random: StdRng, gone: &AtomicUsize) {
    for _ in 0..TIMES {
        let (pause, name) = (random.random_range(0.0..0.004), format!("c{}", random.random_range(0..100)));
        let patience = Duration::from_micros(random.random_range(0..4_000));
        let access = if random.random() { public() } else { company(Uuid::from_u128(7)) };
        let work = async {
            if random.random() {
                fixture
                    .db
                    .tx("cancel.write", &access, async |tx| sleep_and_raise(tx, pause, &name).await)
                    .await
            } else {
                let read = async |ro: &platform::db::ReadOnly<'_>| {
                    ro.query("SELECT pg_sleep($1)", &[&pause]).await?;
                    Ok::<_, Error>(1)
                };
                fixture.db.read("cancel.read", &access, read).await
            }
        };
        match tokio::time::timeout(patience, work).await {
            Ok(outcome) => assert_eq!(outcome.expect("nobody cancels those who stay"), 1),
            Err(_) => drop(gone.fetch_add(1, Ordering::SeqCst)),
        }
    }
}

async fn sleep_and_raise(tx: &platform::db::Tx<'_>, pause: f64, name: &str) -> Result<u64, Error> {
    tx.query("SELECT pg_sleep($1)", &[&pause]).await?;
    tx.execute("UPDATE counters SET value = value + 1 WHERE name = $1", &[&name]).await
}

/// Asks questions whose answers tell a mix-up.
async fn stay(fixture: &Fixture) -> Result<(), Error> {
    for number in 0..1_000_i64 {
        let answer = fixture
            .db
            .tx("cancel.stay", &public(), async |tx| {
                let first: i64 = tx.query_one("SELECT $1 + 0::bigint", &[&number]).await?.get(0);
                let second: i64 = tx.query_one("SELECT $1 + 1::bigint", &[&number]).await?.get(0);
                Ok::<_, Error>((first, second))
            })
            .await?;
        assert_eq!(answer, (number, number + 1));
    }
    Ok(())
}

/// No place was lost: as many transactions as connections run side by side.
async fn all_connections_at_once(fixture: &Fixture) {
    let (all, access) = (tokio::sync::Barrier::new(CONNECTIONS.into()), public());
    let transactions = (0..CONNECTIONS).map(|_| {
        fixture.db.tx("cancel.all", &access, async |tx| {
            tx.query("SELECT 1", &[]).await?;
            all.wait().await;
            Ok::<_, Error>(())
        })
    });
    let met = tokio::time::timeout(Duration::from_secs(30), futures::future::join_all(transactions));
    for outcome in met.await.expect("a connection is missing") {
        outcome.unwrap();
    }
    let most = i64::from(CONNECTIONS);
    until("no connection too many", async || fixture.backends().await.parse::<i64>().unwrap() <= most).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_whose_caller_went_away_ends_at_the_server() {
    let fixture = Fixture::new(1).await;
    let running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
                   AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()";
    for access in [public(), company(Uuid::from_u128(7))] {
        let sleep =
            fixture.db.read("cancel.sleep", &access, async |ro| ro.query("SELECT pg_sleep(600)", &[]).await);
        tokio::select! {
            outcome = sleep => panic!("it was to sleep: {outcome:?}"),
            () = until("it runs", async || fixture.ask(running).await == "1") => {}
        }
        until("it is cancelled", async || fixture.ask(running).await == "0").await;
        // On the same, the only, connection: it came back in order.
        all_well(&fixture).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_caller_goes_away_between_statements_holds_no_lock() {
    let fixture = Fixture::new(2).await;
    let raise = "UPDATE counters SET value = value + 1 WHERE name = 'c1'";
    let (reached, access) = (tokio::sync::Notify::new(), public());
    let left = fixture.db.tx("cancel.between", &access, async |tx| {
        tx.execute(raise, &[]).await?;
        reached.notify_one();
        std::future::pending::<Result<(), Error>>().await
    });
    tokio::select! {
        outcome = left => panic!("it was to wait: {outcome:?}"),
        () = reached.notified() => {}
    }
    let next = fixture.db.tx("cancel.next", &access, async |tx| tx.execute(raise, &[]).await);
    tokio::time::timeout(Duration::from_secs(20), next).await.expect("the lock is free").unwrap();
    assert_eq!(fixture.ask("SELECT value FROM orders.counters WHERE name = 'c1'").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_given_up_within_its_transaction_commits_nothing() {
    let fixture = Fixture::new(2).await;
    let outcome = fixture
        .db
        .tx("cancel.within", &public(), async |tx| {
            tx.execute("UPDATE counters SET value = 9 WHERE name = 'c1'", &[]).await?;
            let sleep = tx.query("SELECT pg_sleep(600)", &[]);
            assert!(tokio::time::timeout(Duration::from_millis(20), sleep).await.is_err());
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(outcome, Err(Error::Internal(_))), "{outcome:?}");
    assert_eq!(fixture.ask("SELECT value FROM orders.counters WHERE name = 'c1'").await, "0");
    all_well(&fixture).await;
}

async fn all_well(fixture: &Fixture) {
    let answer =
        fixture.db.tx("cancel.well", &public(), async |tx| tx.query_one("SELECT 42", &[]).await).await;
    assert_eq!(answer.expect("the connection is in order").get::<_, i32>(0), 42);
}
