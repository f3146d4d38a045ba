//! Transactions and reads on one healthy server.

use std::time::Duration;

use platform::{
    Access, Code, Scope, Session,
    db::{ConstraintKind, Error, Rows as _},
};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::db_support::{Fixture, company, public, until};

const INSERT_NOTE: &str = "-- Inserts a note.\nINSERT INTO notes (id, company_id, weight) VALUES ($1, $2, 1)";
const COUNT_NOTES: &str = "-- Counts notes.\nSELECT count(*) FROM notes";

const A: Uuid = Uuid::from_u128(0xa);
const B: Uuid = Uuid::from_u128(0xb);

async fn insert(fixture: &Fixture, access: &Access, id: i64, owner: Uuid) -> Result<u64, Error> {
    fixture.db.tx("notes.insert", access, async |tx| tx.execute(INSERT_NOTE, &[&id, &owner]).await).await
}

async fn count(fixture: &Fixture, access: &Access) -> Result<i64, Error> {
    fixture.db.read("notes.count", access, async |ro| Ok(ro.query_one(COUNT_NOTES, &[]).await?.get(0))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_commits_what_succeeds_and_nothing_else() {
    let fixture = Fixture::new(2).await;
    assert_eq!(insert(&fixture, &company(A), 1, A).await.unwrap(), 1);
    let refused: Result<(), Error> = fixture
        .db
        .tx("notes.insert", &company(A), async |tx| {
            tx.execute(INSERT_NOTE, &[&2_i64, &A]).await?;
            Err(Error::Conflict)
        })
        .await;
    assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
    assert_eq!(count(&fixture, &company(A)).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_reaches_its_own_rows_and_staff_reach_all() {
    let fixture = Fixture::new(2).await;
    insert(&fixture, &company(A), 1, A).await.unwrap();
    insert(&fixture, &company(B), 2, B).await.unwrap();
    assert!(insert(&fixture, &company(A), 3, B).await.is_err(), "A writes a row of B");
    assert_eq!(count(&fixture, &company(A)).await.unwrap(), 1);
    for scope in [Scope::Seller, Scope::System] {
        assert_eq!(count(&fixture, &Access::new(scope, Session::default())).await.unwrap(), 2, "{scope:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_ends_with_its_transaction_and_a_forgotten_one_fails() {
    // One connection, so that the next user has the one before's.
    let fixture = Fixture::new(1).await;
    for scope in [Scope::Company(A), Scope::Seller, Scope::System] {
        let access = Access::new(scope, Session::default());
        count(&fixture, &access).await.unwrap();
        insert(&fixture, &access, 1, A).await.unwrap();
        let _: Result<(), Error> = fixture
            .db
            .tx("notes.refuse", &access, async |tx| {
                tx.query(COUNT_NOTES, &[]).await?;
                Err(Error::Conflict)
            })
            .await;
        let left: (String, String) = fixture
            .db
            .read("notes.left", &public(), async |ro| {
                let sql =
                    "SELECT current_user::text, coalesce(current_setting('sipup.company_id', true), '')";
                let row = ro.query_one(sql, &[]).await?;
                Ok::<_, Error>((row.get(0), row.get(1)))
            })
            .await
            .unwrap();
        assert_eq!(left, ("svc_orders".to_owned(), String::new()), "{scope:?}");
        assert!(count(&fixture, &public()).await.is_err(), "an unset scope must not look like an empty shop");
        fixture.admin.batch_execute("TRUNCATE orders.notes").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_rule_is_told_by_its_name_and_nothing_else() {
    let fixture = Fixture::new(2).await;
    insert(&fixture, &company(A), 1, A).await.unwrap();
    let cases = [
        (
            "INSERT INTO notes (id, company_id, weight) VALUES (1, $1, 1)",
            "notes_pkey",
            ConstraintKind::Unique,
        ),
        (
            "INSERT INTO notes (id, company_id, weight, parent_id) VALUES (2, $1, 1, 99)",
            "notes_parent_fkey",
            ConstraintKind::ForeignKey,
        ),
        (
            "INSERT INTO notes (id, company_id, weight) VALUES (2, $1, 0)",
            "notes_weight_positive",
            ConstraintKind::Check,
        ),
        ("INSERT INTO notes (id, company_id, weight) VALUES (2, $1, NULL)", "", ConstraintKind::NotNull),
    ];
    for (sql, expected, expected_kind) in cases {
        let outcome =
            fixture.db.tx("notes.break", &company(A), async |tx| tx.execute(sql, &[&A]).await).await;
        match outcome {
            Err(Error::Constraint { name, kind }) => {
                assert_eq!((name.as_str(), kind), (expected, expected_kind), "{sql}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_rule_is_told_at_commit() {
    let fixture = Fixture::new(2).await;
    let sql =
        "INSERT INTO notes (id, company_id, weight, rank) SELECT n, $1, 1, 7 FROM generate_series(1, 2) AS n";
    let outcome = fixture.db.tx("notes.rank", &company(A), async |tx| tx.execute(sql, &[&A]).await).await;
    assert_eq!(outcome.unwrap_err().constraint(), Some("notes_rank_key"));
    assert_eq!(count(&fixture, &company(A)).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_the_closure_ignores_still_fails_the_transaction() {
    let fixture = Fixture::new(2).await;
    let outcome = fixture
        .db
        .tx("notes.ignore", &company(A), async |tx| {
            tx.execute(INSERT_NOTE, &[&1_i64, &A]).await?;
            let _ = tx.execute(INSERT_NOTE, &[&1_i64, &A]).await;
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(outcome.unwrap_err().constraint(), Some("notes_pkey"));
    assert_eq!(count(&fixture, &company(A)).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_tried_again_and_not_for_ever() {
    for (state, failures, expected_calls) in [("40001", 2, "3"), ("40P01", 1, "2"), ("40001", 99, "3")] {
        let fixture = Fixture::new(2).await;
        let outcome = fixture
            .db
            .tx("notes.conflict", &public(), async |tx| {
                tx.query_one("SELECT fail_first($1, $2)", &[&i64::from(failures), &state]).await
            })
            .await;
        match failures {
            99 => assert!(matches!(outcome, Err(Error::Conflict)), "{outcome:?}"),
            _ => assert!(outcome.is_ok(), "{outcome:?}"),
        }
        assert_eq!(fixture.ask("SELECT last_value FROM orders.calls").await, expected_calls, "{state}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_transactions_that_deadlock_both_commit_in_the_end() {
    let fixture = Fixture::new(4).await;
    let raise = |first: &'static str, second: &'static str, meet: &'static tokio::sync::Barrier| {
        let db = fixture.db.clone();
        async move {
            let runs = std::sync::atomic::AtomicU32::new(0);
            db.tx("counters.raise", &public(), async |tx| {
                let sql = "UPDATE counters SET value = value + 1 WHERE name = $1";
                tx.execute(sql, &[&first]).await?;
                if runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
                    meet.wait().await;
                }
                tx.execute(sql, &[&second]).await
            })
            .await
        }
    };
    let meet = Box::leak(Box::new(tokio::sync::Barrier::new(2)));
    let (one, two) = tokio::join!(raise("c1", "c2", meet), raise("c2", "c1", meet));
    assert_eq!((one.unwrap(), two.unwrap()), (1, 1));
    assert_eq!(fixture.ask("SELECT sum(value) FROM orders.counters").await, "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_waited_for_by_that_statement_alone() {
    let fixture = Fixture::new(4).await;
    let (locked, is_locked) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let db = fixture.db.clone();
    let holder = fixture.tasks.spawn("holder", async move {
        let hold = std::sync::Mutex::new(Some((locked, released)));
        let hold = &hold;
        db.tx("counters.hold", &public(), async move |tx| {
            tx.execute("UPDATE counters SET value = 1 WHERE name = 'c0'", &[]).await?;
            let (locked, released) = hold.lock().unwrap().take().expect("runs once");
            locked.send(()).unwrap();
            released.await.unwrap();
            Ok::<_, Error>(())
        })
        .await
    });
    is_locked.await.unwrap();
    let sql = "UPDATE counters SET value = 2 WHERE name = $1";
    let outcome = fixture
        .db
        .tx("counters.wait", &public(), async |tx| {
            tx.execute_within(Duration::from_millis(20), sql, &[&"c0"]).await
        })
        .await;
    assert!(matches!(outcome, Err(Error::LockTimeout)), "{outcome:?}");
    release.send(()).unwrap();
    holder.await.unwrap().unwrap();
    let limits = fixture
        .db
        .tx("counters.wait", &public(), async |tx| {
            let touched = tx.execute_within(Duration::from_secs(2), sql, &[&"c0"]).await?;
            let after: String = tx.query_one("SELECT current_setting('lock_timeout')", &[]).await?.get(0);
            Ok::<_, Error>((touched, after))
        })
        .await;
    assert_eq!(limits.unwrap(), (1, "0".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_leaves_its_position_with_the_session_and_a_refusal_leaves_none() {
    let fixture = Fixture::new(2).await;
    let access = company(A);
    let _: Result<(), Error> = fixture
        .db
        .tx("notes.refuse", &access, async |tx| {
            tx.execute(INSERT_NOTE, &[&1_i64, &A]).await?;
            Err(Error::Conflict)
        })
        .await;
    assert_eq!(access.session.wrote(), None);
    insert(&fixture, &access, 1, A).await.unwrap();
    let first = access.session.wrote().expect("a position");
    insert(&fixture, &access, 2, A).await.unwrap();
    assert!(access.session.wrote() > Some(first));
    fixture.admin.batch_execute("DROP FUNCTION sipup.commit_position() CASCADE").await.unwrap();
    let access = company(A);
    insert(&fixture, &access, 3, A).await.unwrap();
    assert_eq!(access.session.wrote(), None, "a schema without positions still takes writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closure_that_sends_nothing_costs_the_server_nothing() {
    let fixture = Fixture::new(2).await;
    let access = company(A);
    fixture.db.tx("nothing", &access, async |_| Ok::<_, Error>(())).await.unwrap();
    assert_eq!(access.session.wrote(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_tries_to_write_is_refused_by_the_server_too() {
    let fixture = Fixture::new(2).await;
    let sql = "INSERT INTO notes (id, company_id, weight) VALUES (1, $1, 1) RETURNING id";
    let outcome =
        fixture.db.read("notes.sneak", &company(A), async |ro| ro.query_one(sql, &[&A]).await).await;
    assert!(matches!(outcome, Err(Error::Internal(_))), "{outcome:?}");
    assert_eq!(count(&fixture, &company(A)).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scoped_read_sees_one_snapshot() {
    let fixture = Fixture::new(2).await;
    let counts = fixture
        .db
        .read("notes.twice", &company(A), async |ro| {
            let before: i64 = ro.query_one(COUNT_NOTES, &[]).await?.get(0);
            Box::pin(insert(&fixture, &company(A), before + 1, A)).await?;
            let after: i64 = ro.query_one(COUNT_NOTES, &[]).await?.get(0);
            Ok::<_, Error>((before, after))
        })
        .await;
    assert_eq!(counts.unwrap(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_tells_the_public_nothing_and_the_log_enough() {
    let fixture = Fixture::new(2).await;
    let sql = "SELECT secret_column FROM notes";
    let error =
        fixture.db.read("notes.wrong", &company(A), async |ro| ro.query(sql, &[]).await).await.unwrap_err();
    assert_eq!((error.code(), error.sqlstate()), (Code::Internal, Some("42703")));
    assert!(!error.to_string().contains("secret_column"), "{error}");
    assert!(platform::status::chain(&error).contains("secret_column"));
    insert(&fixture, &company(A), 987_654, A).await.unwrap();
    let error = insert(&fixture, &company(A), 987_654, A).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("987654"), "{error:?} quotes a row");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_statement_is_counted() {
    let fixture = Fixture::with(2, |args| args.database_slow_query = Duration::ZERO).await;
    count(&fixture, &company(A)).await.unwrap();
    assert!(fixture.figures.sum("db_slow_statements", &[("transaction", "notes.count")]) >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_stays_warm_and_lets_go_of_what_is_idle() {
    let fixture = Fixture::with(10, |args| {
        args.database_pool_warm = 2;
        args.database_idle_timeout = Duration::from_millis(50);
    })
    .await;
    until("two connections before anybody asked", async || fixture.backends().await == "2").await;
    let all = tokio::sync::Barrier::new(6);
    let reads = (0..6).map(|_| async {
        let meet = async |ro: &platform::db::ReadOnly<'_>| {
            ro.query(COUNT_NOTES, &[]).await?;
            all.wait().await;
            Ok::<_, Error>(())
        };
        fixture.db.read("notes.meet", &company(A), meet).await
    });
    for outcome in futures::future::join_all(reads).await {
        outcome.unwrap();
    }
    until("two are left", async || fixture.backends().await == "2").await;
}
