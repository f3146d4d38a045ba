use std::{sync::Arc, time::Duration};

use queue::{Outcome, WorkerOptions};
use tokio::sync::Semaphore;

use crate::fixture::{Fixture, obedient_probes, probes};

#[tokio::test]
async fn a_worker_that_is_told_to_stop_hands_its_jobs_back_without_spending_their_attempt() {
    let fixture = Fixture::new().await;
    let begun = Arc::new(Semaphore::new(0));
    let count = Arc::clone(&begun);
    let stuck = probes(move |_, _| {
        count.add_permits(1);
        std::future::pending()
    });
    let ids = fixture.enqueue_many(5).await;
    let worker =
        fixture.worker(&stuck, WorkerOptions { drain_timeout: Duration::ZERO, ..WorkerOptions::default() });
    drop(begun.acquire_many(5).await.unwrap());
    worker.stop().await;
    for id in &ids {
        assert_eq!(fixture.look(*id).await, ("ready".into(), 0, None));
    }
    // Their new place in the lane is above everybody's mark, so they are found.
    let _worker = fixture.worker(&obedient_probes(), WorkerOptions::default());
    for id in ids {
        fixture.until_state(id, "done").await;
    }
}

#[tokio::test]
async fn jobs_that_run_when_the_worker_is_told_to_stop_may_end() {
    let fixture = Fixture::new().await;
    let begun = Arc::new(Semaphore::new(0));
    let count = Arc::clone(&begun);
    let patient = probes(move |_, context| {
        count.add_permits(1);
        async move {
            context.stopping.cancelled().await;
            Outcome::Done
        }
    });
    let running = fixture.enqueue("runs").await;
    let worker = fixture.worker(&patient, WorkerOptions { slots: 1, ..WorkerOptions::default() });
    begun.acquire().await.unwrap().forget();
    let waiting = fixture.enqueue("waits").await;
    worker.stop().await;
    assert_eq!(fixture.state(running).await, "done");
    assert_eq!(
        fixture.look(waiting).await,
        ("ready".into(), 0, None),
        "a worker that stops claims nothing more"
    );
}
