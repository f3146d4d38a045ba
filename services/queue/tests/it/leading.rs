use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use platform::{Tasks, db::DbArgs};
use queue::{AdvisoryLock, Election as _, Work};
use tokio_util::sync::CancellationToken;

use crate::fixture::{Fixture, until};

/// Often enough for a test.
const EVERY: Duration = Duration::from_millis(50);

/// A candidate, and how many leaders' works of it run: 0 or 1.
struct Candidate {
    leads: Arc<AtomicUsize>,
    begun: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Candidate {
    fn start(tasks: &Tasks, database: DbArgs) -> Self {
        let candidate = Self { leads: Arc::default(), begun: Arc::default(), stop: CancellationToken::new() };
        let (leads, begun) = (Arc::clone(&candidate.leads), Arc::clone(&candidate.begun));
        let work: Work = Box::new(move || -> BoxFuture<'static, ()> {
            let (leads, begun) = (Arc::clone(&leads), Arc::clone(&begun));
            Box::pin(async move {
                begun.fetch_add(1, Ordering::SeqCst);
                let _busy = Busy::new(leads);
                std::future::pending::<()>().await;
            })
        });
        let election = Box::new(AdvisoryLock::new(database, "sipup test").trying_every(EVERY));
        drop(tasks.spawn("candidate", election.lead(candidate.stop.clone(), work)));
        candidate
    }

    fn leads(&self) -> bool {
        self.leads.load(Ordering::SeqCst) == 1
    }
}

struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn new(count: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn one_process_leads_and_another_takes_over_when_it_stops() {
    let fixture = Fixture::new().await;
    let [one, two] = [(); 2].map(|()| Candidate::start(&fixture.tasks, fixture.args.clone()));
    until("one of them leads", async || one.leads() || two.leads()).await;
    let locks = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sipup election' AND datname = current_database()";
    until("the other one waits", async || fixture.count(locks).await == 2).await;
    assert!(one.leads() != two.leads());
    let (leader, other) = if one.leads() { (&one, &two) } else { (&two, &one) };
    leader.stop.cancel();
    until("the other one leads", async || other.leads()).await;
    assert!(!leader.leads());
    other.stop.cancel();
}

#[tokio::test]
async fn a_leader_whose_connection_is_cut_stops_and_there_is_one_again() {
    let fixture = Fixture::new().await;
    let one = Candidate::start(&fixture.tasks, fixture.args.clone());
    until("it leads", async || one.leads()).await;
    for reign in 1..=3 {
        fixture
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE application_name = 'sipup election' AND datname = current_database()",
            )
            .await;
        until("it leads anew", async || one.begun.load(Ordering::SeqCst) == reign + 1 && one.leads()).await;
    }
    one.stop.cancel();
}
