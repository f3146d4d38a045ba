use std::time::Duration;

use queue::{EnqueueOptions, Job as _, Outcome, WorkerOptions};
use uuid::Uuid;

use crate::fixture::{Fixture, Probe, QUEUE, obedient_probes, probes};

#[tokio::test]
async fn a_failed_job_is_tried_again_after_a_backoff_and_ends_dead() {
    let fixture = Fixture::new().await;
    let registry = probes(|_, context| async move { Outcome::Retry(format!("try {}", context.attempt)) });
    let id = fixture.enqueue("fails").await;
    let _worker = fixture.worker(&registry, WorkerOptions::default());
    for attempt in 1..Probe::MAX_ATTEMPTS {
        fixture.until_state(id, "scheduled").await;
        assert_eq!(fixture.look(id).await, ("scheduled".into(), attempt, Some(format!("try {attempt}"))));
        // 2^attempt seconds ± 50 %, from when it failed: after it was enqueued, before now.
        let sql = "SELECT run_at >= created_at + $1 * interval '0.5 s' AND run_at <= clock_timestamp() + $1 * interval '1.5 s'
                     FROM jobs.scheduled WHERE id = $2";
        let seconds = f64::from(2_i32.pow(attempt.unsigned_abs().into()));
        assert!(fixture.admin.query_one(sql, &[&seconds, &id]).await.unwrap().get::<_, bool>(0));
        fixture.make_due().await;
    }
    fixture.until_state(id, "dead").await;
    assert_eq!(fixture.look(id).await, ("dead".into(), 3, Some("try 3".into())));
}

#[tokio::test]
async fn a_handler_may_say_when_to_try_again_and_not_to() {
    let fixture = Fixture::new().await;
    let registry = probes(|job, _| async move {
        match job.say.as_str() {
            "snooze" => Outcome::Snooze(Duration::from_hours(1)),
            "later" => Outcome::RetryAfter(Duration::from_hours(1), "busy".to_owned()),
            _ => Outcome::Cancel("pointless\0\n".to_owned()),
        }
    });
    let (snoozed, later, given_up) =
        (fixture.enqueue("snooze").await, fixture.enqueue("later").await, fixture.enqueue("no").await);
    let _worker = fixture.worker(&registry, WorkerOptions::default());
    fixture.until_state(snoozed, "scheduled").await;
    fixture.until_state(later, "scheduled").await;
    fixture.until_state(given_up, "dead").await;
    assert_eq!(fixture.look(snoozed).await, ("scheduled".into(), 0, None));
    assert_eq!(fixture.look(later).await, ("scheduled".into(), 1, Some("busy".into())));
    assert_eq!(fixture.look(given_up).await, ("dead".into(), 1, Some("pointless  ".into())));
    let soon = "SELECT count(*) FROM jobs.scheduled WHERE run_at < created_at + interval '1 hour'";
    assert_eq!(fixture.count(soon).await, 0);
}

#[tokio::test]
async fn a_job_that_is_broken_fails_alone() {
    let fixture = Fixture::new().await;
    let registry = probes(|job, _| async move {
        assert!(job.say != "panic", "on purpose");
        Outcome::Done
    });
    let panics = fixture.enqueue("panic").await;
    let unknown = enqueue_raw(&fixture, "no-such-kind", "{}").await;
    let not_an_object = enqueue_raw(&fixture, "probe", "[1]").await;
    let lacks_a_field = enqueue_raw(&fixture, "probe", "{\"says\": 1}").await;
    let good = fixture.enqueue("good").await;
    // One slot: whatever blocked it would block the good job behind them.
    let _worker = fixture.worker(&registry, WorkerOptions { slots: 1, ..WorkerOptions::default() });
    fixture.until_state(good, "done").await;
    assert_eq!(fixture.look(panics).await, ("scheduled".into(), 1, Some("internal error".into())));
    for (id, says) in [
        (unknown, "no code here runs jobs of kind \"no-such-kind\""),
        (not_an_object, "arguments"),
        (lacks_a_field, "missing field `say`"),
    ] {
        let (state, attempt, error) = fixture.look(id).await;
        assert_eq!((state.as_str(), attempt), ("dead", 1));
        assert!(error.as_ref().is_some_and(|error| error.contains(says)), "{error:?} does not say {says}");
    }
}

#[tokio::test]
async fn a_dead_job_frees_its_unique_key() {
    let fixture = Fixture::new().await;
    let registry = probes(|_, _| async { Outcome::Cancel("no".to_owned()) });
    let unique = EnqueueOptions { unique_key: Some("k"), ..EnqueueOptions::default() };
    let first = fixture.enqueue_with("a", unique).await;
    let worker = fixture.worker(&registry, WorkerOptions::default());
    fixture.until_state(first, "dead").await;
    worker.stop().await;
    let second = fixture.enqueue_with("b", unique).await;
    assert_ne!(first, second);
    let _worker = fixture.worker(&obedient_probes(), WorkerOptions::default());
    fixture.until_state(second, "done").await;
}

async fn enqueue_raw(fixture: &Fixture, kind: &str, args: &str) -> Uuid {
    let sql = "SELECT jobs.enqueue(NULL, $1, $2, $3)";
    let args: serde_json::Value = args.parse().unwrap();
    fixture.admin.query_one(sql, &[&QUEUE, &kind, &args]).await.unwrap().get(0)
}
