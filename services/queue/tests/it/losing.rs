use std::{sync::Arc, time::Duration};

use queue::{Outcome, WorkerOptions};
use tokio::sync::{Semaphore, mpsc};

use crate::fixture::{Fixture, obedient_probes, probes, until};

/// A lease that nobody extends while a test runs.
const LONG: Duration = Duration::from_hours(3);

#[tokio::test]
async fn all_jobs_of_a_killed_worker_run_again() {
    let fixture = Fixture::new().await;
    let begun = Arc::new(Semaphore::new(0));
    let count = Arc::clone(&begun);
    let stuck = probes(move |_, _| {
        count.add_permits(1);
        std::future::pending()
    });
    let ids = fixture.enqueue_many(20).await;
    let killed = fixture.worker(&stuck, WorkerOptions { slots: 20, ..WorkerOptions::default() });
    drop(begun.acquire_many(20).await.unwrap());
    killed.kill().await;

    let _worker = fixture.worker(&obedient_probes(), WorkerOptions::default());
    fixture.maintenance().rescue().await.unwrap();
    assert_eq!(
        fixture.count("SELECT count(*) FROM jobs.running").await,
        20,
        "a lease that has not run out is respected"
    );
    fixture.expire_leases().await;
    fixture.maintenance().rescue().await.unwrap();
    for id in ids {
        fixture.until_state(id, "done").await;
        assert_eq!(fixture.look(id).await.1, 2);
    }
}

#[tokio::test]
async fn a_job_that_kills_its_worker_each_time_ends_dead() {
    let fixture = Fixture::new().await;
    let (tell, mut begun) = mpsc::unbounded_channel();
    let deadly = probes(move |_, context| {
        tell.send(context.attempt).unwrap();
        std::future::pending()
    });
    let id = fixture.enqueue("deadly").await;
    for attempt in 1..=3 {
        let worker = fixture.worker(&deadly, WorkerOptions::default());
        assert_eq!(begun.recv().await, Some(attempt));
        worker.kill().await;
        fixture.expire_leases().await;
        fixture.maintenance().rescue().await.unwrap();
    }
    assert_eq!(fixture.look(id).await, ("dead".into(), 3, Some("the worker was lost".into())));
}

#[tokio::test]
async fn a_worker_whose_lease_ran_out_changes_nothing() {
    let fixture = Fixture::new().await;
    let (began, may_end) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (tell, wait) = (Arc::clone(&began), Arc::clone(&may_end));
    let slow = probes(move |_, _| {
        let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
        async move {
            tell.add_permits(1);
            wait.acquire().await.unwrap().forget();
            Outcome::Retry("too late".to_owned())
        }
    });
    let id = fixture.enqueue("slow").await;
    let first = fixture.worker(&slow, WorkerOptions { slots: 1, lease: LONG, ..WorkerOptions::default() });
    began.acquire().await.unwrap().forget();
    fixture.expire_leases().await;
    fixture.maintenance().rescue().await.unwrap();
    let second = fixture.worker(&obedient_probes(), WorkerOptions::default());
    fixture.until_state(id, "done").await;
    second.stop().await;
    may_end.add_permits(1);
    first.stop().await;
    assert_eq!(fixture.look(id).await, ("done".into(), 2, None));
    assert_eq!(fixture.count("SELECT count(*) FROM jobs.all_jobs").await, 1);
}

#[tokio::test]
async fn an_attempt_at_a_job_that_somebody_else_has_is_dropped() {
    struct Told(mpsc::UnboundedSender<()>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    let fixture = Fixture::new().await;
    let (tell, mut begun) = mpsc::unbounded_channel();
    let (drop_told, mut ended) = mpsc::unbounded_channel();
    let stuck = probes(move |_, _| {
        tell.send(()).unwrap();
        let told = Told(drop_told.clone());
        async move {
            let _told = told;
            std::future::pending().await
        }
    });
    fixture.enqueue("taken").await;
    let _worker = fixture
        .worker(&stuck, WorkerOptions { lease: Duration::from_millis(60), ..WorkerOptions::default() });
    begun.recv().await.unwrap();
    fixture.execute("UPDATE jobs.running SET token = gen_random_uuid()").await;
    ended.recv().await.unwrap();
    assert_eq!(fixture.count("SELECT count(*) FROM jobs.running").await, 1);
}

#[tokio::test]
async fn a_long_job_keeps_its_lease() {
    let fixture = Fixture::new().await;
    let may_end = Arc::new(Semaphore::new(0));
    let wait = Arc::clone(&may_end);
    let long = probes(move |_, _| {
        let wait = Arc::clone(&wait);
        async move {
            wait.acquire().await.unwrap().forget();
            Outcome::Done
        }
    });
    let id = fixture.enqueue("long").await;
    let _worker =
        fixture.worker(&long, WorkerOptions { lease: Duration::from_secs(1), ..WorkerOptions::default() });
    fixture.until_state(id, "running").await;
    fixture.execute("CREATE TABLE seen AS SELECT lease_until FROM jobs.running").await;
    until("the lease was extended twice its length", async || {
        fixture
            .count("SELECT count(*) FROM jobs.running r, seen s WHERE r.lease_until > s.lease_until + interval '2 s'")
            .await
            == 1
    })
    .await;
    may_end.add_permits(1);
    fixture.until_state(id, "done").await;
    assert_eq!(fixture.look(id).await.1, 1);
}

#[tokio::test]
async fn workers_survive_the_loss_of_all_their_connections() {
    let fixture = Fixture::new().await;
    let maintenance = fixture.maintenance();
    let ids = fixture.enqueue_many(300).await;
    let options = WorkerOptions { slots: 4, lease: Duration::from_secs(1), ..WorkerOptions::default() };
    let _worker = fixture.worker(&obedient_probes(), options);
    for done in [20, 100] {
        until("some jobs are done", async || {
            fixture.count("SELECT count(*) FROM jobs.history").await >= done
        })
        .await;
        fixture
            .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'svc_jobs' AND datname = current_database()")
            .await;
    }
    until("all jobs are done", async || {
        // A claim whose answer was lost is a lost worker's: its lease runs out.
        let _ = maintenance.rescue().await;
        fixture.count("SELECT count(*) FROM jobs.history WHERE outcome = 'done'").await == 300
    })
    .await;
    assert_eq!(
        fixture.count("SELECT count(DISTINCT id) FROM jobs.history").await,
        i64::try_from(ids.len()).unwrap()
    );
}
