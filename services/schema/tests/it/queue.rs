//! The queue's functions: each job runs under one token, comes back when it must, and is never lost.

use serde_json::Value;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use crate::support::{Database, number, text};

const CLAIM: &str =
    "SELECT id, company_id, kind, attempt, max_attempts, trace, pos FROM claim($1, $2, $3, '30 s', $4)";

async fn claim(worker: &Client, limit: i32, token: Uuid) -> Vec<Row> {
    worker.query(CLAIM, &[&"q", &limit, &token, &0_i64]).await.unwrap_or_else(|err| panic!("{err:?}"))
}

async fn enqueue(client: &Client, args: &str) -> Uuid {
    client
        .query_one(&format!("SELECT jobs.enqueue({args})"), &[])
        .await
        .unwrap_or_else(|err| panic!("{err:?}"))
        .get(0)
}

async fn state(client: &Client, id: Uuid) -> String {
    text(client, &format!("SELECT state FROM jobs.all_jobs WHERE id = '{id}'")).await
}

#[tokio::test]
async fn a_job_goes_from_ready_through_running_to_history() {
    let database = Database::migrated().await;
    let (caller, worker) = (database.service("orders").await, database.wide("jobs", "system").await);
    let company = Uuid::now_v7();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let id =
        enqueue(&caller, &format!("'{company}', 'q', 'email', '{{\"a\": 1}}', p_trace => '{trace}'")).await;
    assert_eq!(state(&worker, id).await, "ready");

    let token = Uuid::now_v7();
    let claimed = claim(&worker, 10, token).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(
        (claimed[0].get::<_, Uuid>("id"), claimed[0].get::<_, Option<Uuid>>("company_id")),
        (id, Some(company))
    );
    assert_eq!((claimed[0].get::<_, i16>("attempt"), claimed[0].get::<_, i16>("max_attempts")), (1, 4));
    assert_eq!(claimed[0].get::<_, &str>("trace"), trace);
    assert_eq!(state(&worker, id).await, "running");
    assert!(claim(&worker, 10, Uuid::now_v7()).await.is_empty());

    let complete = "SELECT complete($1, $2)";
    let stale: i64 = worker.query_one(complete, &[&vec![id], &Uuid::now_v7()]).await.unwrap().get(0);
    let ours: i64 = worker.query_one(complete, &[&vec![id], &token]).await.unwrap().get(0);
    assert_eq!((stale, ours), (0, 1));
    assert_eq!(state(&worker, id).await, "done");
}

#[tokio::test]
async fn a_job_of_a_transaction_that_is_rolled_back_never_was() {
    let database = Database::migrated().await;
    let caller = database.service("catalog").await;
    caller
        .batch_execute("BEGIN; SELECT jobs.enqueue(NULL, 'q', 'k', '{}', p_unique_key => 'u'); ROLLBACK")
        .await
        .unwrap();
    let worker = database.wide("jobs", "system").await;
    assert_eq!(
        number(&worker, "SELECT (SELECT count(*) FROM all_jobs) + (SELECT count(*) FROM unique_keys)").await,
        0
    );
}

#[tokio::test]
async fn a_failing_job_is_tried_four_times_and_then_dead() {
    let database = Database::migrated().await;
    let worker = database.wide("jobs", "system").await;
    let id = enqueue(&worker, "NULL, 'q', 'k', '{}', p_unique_key => 'u'").await;
    let mut outcomes = Vec::new();
    let mut positions = Vec::new();
    for attempt in 1..=4_i16 {
        let token = Uuid::now_v7();
        let claimed = claim(&worker, 1, token).await;
        assert_eq!(claimed[0].get::<_, i16>("attempt"), attempt);
        positions.push(claimed[0].get::<_, i64>("pos"));
        let fail = "SELECT fail($1, $2, repeat('x', 5000), p_delay => '0 s')";
        outcomes.push(worker.query_one(fail, &[&id, &token]).await.unwrap().get::<_, String>(0));
        worker.execute("SELECT promote(10)", &[]).await.unwrap();
    }
    assert_eq!(outcomes, ["retry", "retry", "retry", "dead"]);
    assert!(
        positions.is_sorted_by(|a, b| a < b),
        "a retry needs a new place, or no worker looks there: {positions:?}"
    );
    assert_eq!(state(&worker, id).await, "dead");
    assert_eq!(number(&worker, "SELECT length(error)::bigint FROM all_jobs").await, 2000);
    // The key of a dead job is free again.
    assert_ne!(enqueue(&worker, "NULL, 'q', 'k', '{}', p_unique_key => 'u'").await, id);
}

#[tokio::test]
async fn by_default_retries_wait_two_four_and_eight_seconds_with_jitter() {
    let database = Database::migrated().await;
    let worker = database.wide("jobs", "system").await;
    let id = enqueue(&worker, "NULL, 'q', 'k', '{}'").await;
    for expected in [2.0, 4.0, 8.0] {
        let token = Uuid::now_v7();
        claim(&worker, 1, token).await;
        worker.execute("SELECT fail($1, $2, 'no')", &[&id, &token]).await.unwrap();
        let wait = "SELECT extract(epoch FROM run_at - clock_timestamp())::float8 FROM scheduled";
        let wait: f64 = worker.query_one(wait, &[]).await.unwrap().get(0);
        assert!(wait <= expected * 1.5, "{wait} of {expected}");
        assert_eq!(number(&worker, "SELECT promote(10)").await, 0);
        worker
            .batch_execute("UPDATE scheduled SET run_at = now() - interval '1 s'; SELECT promote(10)")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_job_that_cannot_succeed_dies_at_once_and_a_snoozed_one_spends_no_attempt() {
    let database = Database::migrated().await;
    let worker = database.wide("jobs", "system").await;
    let id = enqueue(&worker, "NULL, 'q', 'k', '{}', p_max_attempts => 2::smallint").await;
    let token = Uuid::now_v7();
    claim(&worker, 1, token).await;
    let put_off: bool =
        worker.query_one("SELECT snooze($1, $2, '0 s')", &[&id, &token]).await.unwrap().get(0);
    assert!(put_off);
    worker.execute("SELECT promote(10)", &[]).await.unwrap();
    let claimed = claim(&worker, 1, token).await;
    assert_eq!((claimed[0].get::<_, i16>("attempt"), claimed[0].get::<_, i16>("max_attempts")), (1, 2));
    let outcome: String =
        worker.query_one("SELECT fail($1, $2, 'no', p_final => true)", &[&id, &token]).await.unwrap().get(0);
    assert_eq!(outcome, "dead");
    let outcome: String = worker.query_one("SELECT fail($1, $2, 'no')", &[&id, &token]).await.unwrap().get(0);
    assert_eq!(outcome, "stale");
}

#[tokio::test]
async fn jobs_of_a_lost_worker_come_back_and_handed_back_ones_keep_their_attempt() {
    let database = Database::migrated().await;
    let worker = database.wide("jobs", "system").await;
    let id = enqueue(&worker, "NULL, 'q', 'k', '{}'").await;
    let token = Uuid::now_v7();
    claim(&worker, 1, token).await;
    assert_eq!(number(&worker, "SELECT rescue(10)").await, 0);
    worker.batch_execute("UPDATE running SET lease_until = now() - interval '1 s'").await.unwrap();
    assert_eq!(number(&worker, "SELECT rescue(10)").await, 1);

    let second = Uuid::now_v7();
    assert_eq!(claim(&worker, 1, second).await[0].get::<_, i16>("attempt"), 2);
    // The worker that was only slow has lost it.
    let done: i64 = worker.query_one("SELECT complete($1, $2)", &[&vec![id], &token]).await.unwrap().get(0);
    let extended = worker.query("SELECT extend($1, $2, '1 min')", &[&vec![id], &token]).await.unwrap();
    assert_eq!((done, extended.len()), (0, 0));
    assert_eq!(worker.query("SELECT extend($1, $2, '1 min')", &[&vec![id], &second]).await.unwrap().len(), 1);
    let back: i64 = worker.query_one("SELECT hand_back($1, $2)", &[&vec![id], &second]).await.unwrap().get(0);
    assert_eq!(back, 1);
    assert_eq!(claim(&worker, 1, token).await[0].get::<_, i16>("attempt"), 2);
}

#[tokio::test]
async fn a_unique_job_is_taken_once_until_it_has_ended() {
    let database = Database::migrated().await;
    let worker = database.wide("jobs", "system").await;
    let unique = "NULL, 'q', 'k', '{}', p_unique_key => 'u'";
    let first = enqueue(&worker, unique).await;
    assert_eq!(enqueue(&worker, unique).await, first);
    assert_ne!(enqueue(&worker, "NULL, 'q', 'other', '{}', p_unique_key => 'u'").await, first);
    assert_eq!(text(&worker, &format!("SELECT cancel('{first}')")).await, "cancelled");
    assert_ne!(enqueue(&worker, unique).await, first);
}

#[tokio::test]
async fn only_a_company_and_the_sellers_staff_cancel_what_waits() {
    let database = Database::migrated().await;
    let (ours, theirs) = (Uuid::now_v7(), Uuid::now_v7());
    let (us, them) = (database.company("jobs", ours).await, database.company("jobs", theirs).await);
    let worker = database.wide("jobs", "system").await;
    let cancel = async |client: &Client, id: Uuid| text(client, &format!("SELECT cancel('{id}')")).await;

    let ready = enqueue(&us, &format!("'{ours}', 'q', 'k', '{{}}'")).await;
    assert_eq!(cancel(&them, ready).await, "not_found");
    assert_eq!(cancel(&us, ready).await, "cancelled");
    assert_eq!(cancel(&us, ready).await, "cancelled");
    assert_eq!(state(&us, ready).await, "cancelled");

    let later =
        enqueue(&us, &format!("'{ours}', 'q', 'k', '{{}}', p_run_at => now() + interval '1 day'")).await;
    assert_eq!(state(&us, later).await, "scheduled");
    assert_eq!(cancel(&database.wide("jobs", "seller").await, later).await, "cancelled");

    let running = enqueue(&us, &format!("'{ours}', 'q', 'k', '{{}}'")).await;
    let token = Uuid::now_v7();
    claim(&worker, 1, token).await;
    assert_eq!(cancel(&us, running).await, "not_cancellable");
    worker.query_one("SELECT complete($1, $2)", &[&vec![running], &token]).await.unwrap();
    assert_eq!(cancel(&us, running).await, "not_cancellable");
    assert_eq!(cancel(&us, Uuid::now_v7()).await, "not_found");
}

#[tokio::test]
async fn high_goes_before_normal_and_low_until_those_have_waited_long() {
    let database = Database::migrated().await;
    let worker = database.wide("jobs", "system").await;
    for priority in [2, 1, 0] {
        enqueue(&worker, &format!("NULL, 'q', 'k{priority}', '{{}}', {priority}::smallint")).await;
    }
    // Eleven minutes: beyond the allowance of the low lane.
    enqueue(&worker, "NULL, 'q', 'old', '{}', 2::smallint").await;
    worker.batch_execute("UPDATE ready SET pos = pos - 660000000 WHERE kind = 'old'").await.unwrap();
    let mut kinds = Vec::new();
    for _ in 0..4 {
        kinds.push(claim(&worker, 1, Uuid::now_v7()).await[0].get::<_, String>("kind"));
    }
    assert_eq!(kinds, ["old", "k0", "k1", "k2"]);
}

#[tokio::test]
async fn a_paused_queue_rests_and_a_limited_one_runs_no_more_than_its_limit() {
    let database = Database::migrated().await;
    let worker = database.wide("jobs", "system").await;
    worker
        .query("SELECT jobs.enqueue_many(NULL, 'q', 'k', array_fill('{}'::jsonb, ARRAY[10]))", &[])
        .await
        .unwrap();
    worker.batch_execute("INSERT INTO queues (name, paused) VALUES ('q', true)").await.unwrap();
    assert!(claim(&worker, 10, Uuid::now_v7()).await.is_empty());
    worker.batch_execute("UPDATE queues SET paused = false, max_running = 3").await.unwrap();
    assert_eq!(claim(&worker, 2, Uuid::now_v7()).await.len(), 2);
    assert_eq!(claim(&worker, 10, Uuid::now_v7()).await.len(), 1);
    assert!(claim(&worker, 10, Uuid::now_v7()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_claim_at_once_never_get_the_same_job() {
    let database = Database::migrated().await;
    let first = database.wide("jobs", "system").await;
    first
        .query("SELECT jobs.enqueue_many(NULL, 'q', 'k', array_fill('{}'::jsonb, ARRAY[1000]))", &[])
        .await
        .unwrap();
    let done = futures::future::join_all((0..6).map(async |_| {
        let worker = database.wide("jobs", "system").await;
        let mut done = 0;
        loop {
            let token = Uuid::now_v7();
            let ids: Vec<Uuid> = claim(&worker, 20, token).await.iter().map(|row| row.get("id")).collect();
            if ids.is_empty() {
                break done;
            }
            done +=
                worker.query_one("SELECT complete($1, $2)", &[&ids, &token]).await.unwrap().get::<_, i64>(0);
        }
    }))
    .await;
    assert_eq!(done.iter().sum::<i64>(), 1000);
    assert_eq!(number(&first, "SELECT count(DISTINCT id) FROM history").await, 1000);
}

#[tokio::test]
async fn a_company_pages_through_all_its_jobs_by_index() {
    let database = Database::migrated().await;
    let company = Uuid::now_v7();
    let admin = database.admin().await;
    admin
        .batch_execute(&format!(
            "INSERT INTO jobs.history (id, company_id, queue, priority, kind, args, attempt, max_attempts, outcome, created_at)
             SELECT uuidv7(), CASE WHEN n % 20 = 0 THEN '{company}'::uuid ELSE md5((n % 20)::text)::uuid END, 'q', 1, 'k', '{{}}', 1, 4, 'done', now()
               FROM generate_series(1, 20000) AS n;
             ANALYZE jobs.history"
        ))
        .await
        .unwrap();
    let us = database.company("jobs", company).await;
    let page = "SELECT id FROM all_jobs WHERE id < $1 ORDER BY id DESC LIMIT $2";
    let mut cursor = Uuid::max();
    let mut seen = 0;
    loop {
        let rows = us.query(page, &[&cursor, &50_i64]).await.unwrap();
        let Some(last) = rows.last() else { break };
        seen += rows.len();
        cursor = last.get(0);
    }
    assert_eq!(seen, 1000);
    // As the service runs it: prepared, with a generic plan.
    us.batch_execute(
        "PREPARE page (uuid, integer) AS SELECT id FROM all_jobs WHERE id < $1 ORDER BY id DESC LIMIT $2",
    )
    .await
    .unwrap();
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE page ('{}', 50)", Uuid::max());
    let plan: Value = us.query_one(&explain, &[]).await.unwrap().get(0);
    let plan = plan.to_string();
    assert!(
        plan.contains(r#""Node Type":"Merge Append""#) && plan.contains("company_id = (InitPlan"),
        "{plan}"
    );
}

#[tokio::test]
async fn a_trace_that_is_none_is_dropped_and_a_bad_priority_refused() {
    let database = Database::migrated().await;
    let worker = database.wide("jobs", "system").await;
    enqueue(&worker, "NULL, 'q', 'k', '{}', p_trace => 'nonsense'").await;
    assert_eq!(number(&worker, "SELECT count(*) FROM ready WHERE trace IS NULL").await, 1);
    let err = worker.query("SELECT jobs.enqueue(NULL, 'q', 'k', '{}', 7::smallint)", &[]).await.unwrap_err();
    assert_eq!(err.as_db_error().and_then(|err| err.constraint()), Some("ready_priority_known"));
}
