use jiff::{SignedDuration, Timestamp};
use platform::{Access, Clock, db};
use queue::{EnqueueOptions, Error, Priority, WorkerOptions, enqueue};
use uuid::Uuid;

use crate::fixture::{Fixture, obedient_probes, probe};

#[derive(Debug, thiserror::Error)]
#[error("changed my mind")]
struct ChangedMyMind;

impl From<db::Error> for ChangedMyMind {
    fn from(error: db::Error) -> Self {
        panic!("{error:?}")
    }
}

#[tokio::test]
async fn a_job_exists_only_if_its_transaction_commits() {
    let fixture = Fixture::new().await;
    let job = probe("never");
    let outcome = fixture
        .db
        .tx("test.enqueue", &Access::system(), async |tx| {
            enqueue(tx, &job, EnqueueOptions::default()).await.unwrap();
            Err::<(), _>(ChangedMyMind)
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(fixture.count("SELECT count(*) FROM jobs.all_jobs").await, 0);
    let id = fixture.enqueue("now").await;
    assert_eq!(fixture.state(id).await, "ready");
}

#[tokio::test]
async fn what_is_enqueued_carries_what_was_said() {
    let fixture = Fixture::new().await;
    let company_id = Uuid::now_v7();
    let options = EnqueueOptions {
        company_id: Some(company_id),
        priority: Some(Priority::High),
        unique_key: Some("k"),
        ..EnqueueOptions::default()
    };
    let id = fixture.enqueue_with("something", options).await;
    let sql = "SELECT company_id, queue, kind, args, priority, max_attempts, unique_key FROM jobs.ready WHERE id = $1";
    let row = fixture.admin.query_one(sql, &[&id]).await.unwrap();
    assert_eq!(row.get::<_, Uuid>(0), company_id);
    assert_eq!((row.get::<_, &str>(1), row.get::<_, &str>(2)), ("probes", "probe"));
    assert_eq!(row.get::<_, serde_json::Value>(3), serde_json::json!({"say": "something"}));
    assert_eq!((row.get::<_, i16>(4), row.get::<_, i16>(5), row.get::<_, &str>(6)), (0, 3, "k"));
}

#[tokio::test]
async fn a_unique_key_is_taken_until_its_job_has_ended() {
    let fixture = Fixture::new().await;
    let unique = |key| EnqueueOptions { unique_key: Some(key), ..EnqueueOptions::default() };
    let first = fixture.enqueue_with("a", unique("k")).await;
    assert_eq!(fixture.enqueue_with("b", unique("k")).await, first);
    assert_ne!(fixture.enqueue_with("c", unique("other")).await, first);
    let worker = fixture.worker(&obedient_probes(), WorkerOptions::default());
    fixture.until_state(first, "done").await;
    worker.stop().await;
    assert_ne!(fixture.enqueue_with("d", unique("k")).await, first);
}

#[tokio::test]
async fn many_jobs_are_enqueued_at_once_and_all_run() {
    let fixture = Fixture::new().await;
    let ids = fixture.enqueue_many(1_000).await;
    assert_eq!(ids.len(), 1_000);
    let _worker = fixture.worker(&obedient_probes(), WorkerOptions::default());
    for id in ids {
        fixture.until_state(id, "done").await;
    }
}

#[tokio::test]
async fn a_job_for_later_waits_until_it_is_due() {
    let fixture = Fixture::new().await;
    let at = |offset| {
        let run_at: Timestamp = Clock::system().now() + SignedDuration::from_hours(offset);
        EnqueueOptions { run_at: Some(run_at), ..EnqueueOptions::default() }
    };
    let late = fixture.enqueue_with("past", at(-1)).await;
    let early = fixture.enqueue_with("future", at(1)).await;
    let _worker = fixture.worker(&obedient_probes(), WorkerOptions::default());
    fixture.until_state(late, "done").await;
    fixture.maintenance().promote().await.unwrap();
    assert_eq!(fixture.state(early).await, "scheduled");
    fixture.make_due().await;
    fixture.until_state(early, "done").await;
}

#[tokio::test]
async fn a_unique_key_that_is_too_long_is_refused_by_name() {
    let fixture = Fixture::new().await;
    let job = probe("x");
    let key = "k".repeat(201);
    let options = EnqueueOptions { unique_key: Some(&key), ..EnqueueOptions::default() };
    let outcome: Result<Uuid, Error> =
        fixture.db.tx("test.enqueue", &Access::system(), async |tx| enqueue(tx, &job, options).await).await;
    let Err(Error::Db(error)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.constraint(), Some("ready_unique_key_bounded"));
}

#[tokio::test]
async fn every_statement_can_be_prepared() {
    let fixture = Fixture::new().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/queries");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let sql = std::fs::read_to_string(&path).unwrap();
        assert!(sql.starts_with("-- "), "{path:?} does not say what it does");
        fixture.admin.prepare(&sql).await.unwrap_or_else(|error| panic!("{path:?}: {error:?}"));
    }
}
