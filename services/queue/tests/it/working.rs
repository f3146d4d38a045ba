use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use platform::Clock;
use queue::{Outcome, WorkerOptions};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::fixture::{Fixture, obedient_probes, probes, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_workers_run_each_job_exactly_once() {
    let fixture = Fixture::new().await;
    let runs: Arc<Mutex<HashMap<Uuid, usize>>> = Arc::default();
    let counted = Arc::clone(&runs);
    let registry = probes(move |_, context| {
        *counted.lock().unwrap().entry(context.id).or_default() += 1;
        async { Outcome::Done }
    });
    let ids = fixture.enqueue_many(500).await;
    let options = WorkerOptions { slots: 7, ..WorkerOptions::default() };
    let workers: Vec<_> = (0..4).map(|_| fixture.worker(&registry, options)).collect();
    until("all jobs are done", async || {
        fixture.count("SELECT count(*) FROM jobs.history WHERE outcome = 'done'").await == 500
    })
    .await;
    for worker in workers {
        worker.stop().await;
    }
    let runs = runs.lock().unwrap().clone();
    assert!(ids.iter().all(|id| runs.get(id) == Some(&1)), "{runs:?}");
    assert_eq!(fixture.count("SELECT count(*) FROM jobs.history WHERE attempt <> 1").await, 0);
}

#[tokio::test]
async fn a_worker_runs_no_more_jobs_at_once_than_it_has_slots() {
    let fixture = Fixture::new().await;
    let (slots, seen) = (Arc::new(Semaphore::new(3)), Arc::new(Semaphore::new(0)));
    let (guard, more) = (Arc::clone(&slots), Arc::clone(&seen));
    let registry = probes(move |_, _| {
        let (guard, more) = (Arc::clone(&guard), Arc::clone(&more));
        async move {
            let Ok(_slot) = guard.try_acquire() else { return Outcome::Cancel("one too many".to_owned()) };
            more.add_permits(1);
            tokio::task::yield_now().await;
            Outcome::Done
        }
    });
    fixture.enqueue_many(60).await;
    let _worker = fixture.worker(&registry, WorkerOptions { slots: 3, ..WorkerOptions::default() });
    drop(seen.acquire_many(60).await.unwrap());
    until("all jobs are done", async || fixture.count("SELECT count(*) FROM jobs.history").await == 60).await;
}

#[tokio::test]
async fn a_job_that_was_committed_late_is_found_below_the_low_water_mark() {
    let fixture = Fixture::new().await;
    let _worker = fixture.worker(&obedient_probes(), WorkerOptions::default());
    let first = fixture.enqueue("in time").await;
    fixture.until_state(first, "done").await;
    // As a transaction leaves it that was open for a minute: its place in the lane is of when it was written.
    let late = Clock::system().uuid_v7();
    let sql = "INSERT INTO jobs.ready (id, queue, priority, kind, args, pos)
               SELECT $1, 'probes', 1, 'probe', '{\"say\": \"late\"}', max(h.pos) - 60000000
                 FROM (SELECT (extract(epoch FROM finished_at) * 1000000)::bigint AS pos FROM jobs.history) AS h";
    assert_eq!(fixture.admin.execute(sql, &[&late]).await.unwrap(), 1);
    // The sweep of everything comes after a minute, which is longer than this waits.
    fixture.until_state(late, "done").await;
}

#[tokio::test]
async fn a_paused_queue_is_left_alone_until_it_goes_on() {
    let fixture = Fixture::new().await;
    fixture.execute("INSERT INTO jobs.queues (name, paused) VALUES ('probes', true)").await;
    let id = fixture.enqueue("later").await;
    let worker = fixture.worker(&obedient_probes(), WorkerOptions::default());
    worker.stop().await;
    assert_eq!(fixture.state(id).await, "ready");
    fixture.execute("UPDATE jobs.queues SET paused = false").await;
    let _worker = fixture.worker(&obedient_probes(), WorkerOptions::default());
    fixture.until_state(id, "done").await;
}

#[tokio::test]
async fn partitions_of_the_history_are_made_ahead_and_old_ones_dropped() {
    let fixture = Fixture::new().await;
    fixture
        .execute(
            "CREATE TABLE jobs.history_2020_01_01 PARTITION OF jobs.history FOR VALUES FROM ('2020-01-01') TO ('2020-01-02');
             ALTER TABLE jobs.history_2020_01_01 OWNER TO jobs_owner",
        )
        .await;
    fixture.maintenance().ensure_partitions().await.unwrap();
    let days = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'jobs.history'::regclass";
    assert_eq!(fixture.count(days).await, 8);
    assert_eq!(fixture.count(&format!("{days} AND inhrelid::regclass::text LIKE '%2020%'")).await, 0);
}
