use std::{
    cell::RefCell,
    future::pending,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use jiff::SignedDuration;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::task::LocalSet;

use super::*;
use crate::testing::{Behaviour, FakeApi};

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/jobs";

/// A server with the lease that a chart makes: without a record.
fn api() -> FakeApi {
    let api = FakeApi::default();
    api.put(
        PATH,
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "jobs", "namespace": "shop"}}),
    );
    api
}

fn lease(api: &FakeApi, identity: &str) -> Lease {
    let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
    Lease::new(api.client(), "shop", "jobs", identity.to_owned(), Timing::default(), clock)
}

fn spec(api: &FakeApi) -> Value {
    api.get(PATH).unwrap()["spec"].clone()
}

/// Waits until `watched` says that its candidate leads.
async fn leading(watched: &mut watch::Receiver<Leadership>) -> Tenure {
    let state = watched.wait_for(Leadership::leads).await.unwrap().clone();
    let Leadership::Leading(tenure) = state else { unreachable!("it leads") };
    tenure
}

async fn following(watched: &mut watch::Receiver<Leadership>) {
    watched.wait_for(|state| matches!(state, Leadership::Following { .. })).await.unwrap();
}

/// A candidate that runs, and how to end it.
struct Running {
    watched: watch::Receiver<Leadership>,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

#[expect(clippy::disallowed_methods, reason = "a test has no tracked tasks")]
fn start(lease: Lease) -> Running {
    let (watched, stop) = (lease.leadership(), CancellationToken::new());
    let ended = tokio::spawn(lease.run(stop.clone(), |_| pending::<()>()));
    Running { watched, stop, ended }
}

#[tokio::test(start_paused = true)]
async fn the_first_leads_and_gives_the_lease_away_when_it_stops() {
    let api = api();
    let mut one = start(lease(&api, "one"));
    assert_eq!(leading(&mut one.watched).await.term(), 1);
    let written = spec(&api);
    assert_eq!((&written["holderIdentity"], &written["leaseDurationSeconds"]), (&json!("one"), &json!(15)));
    assert_eq!(written["renewTime"], "2026-01-01T00:00:00.000000Z");

    let mut two = start(lease(&api, "two"));
    two.watched
        .wait_for(|state| *state == Leadership::Following { holder: Some("one".into()) })
        .await
        .unwrap();
    let stopped = Instant::now();
    one.stop.cancel();
    one.ended.await.unwrap();
    assert_eq!((&spec(&api)["holderIdentity"], &spec(&api)["leaseDurationSeconds"]), (&json!(""), &json!(1)));
    assert_eq!(leading(&mut two.watched).await.term(), 2);
    assert!(stopped.elapsed() < Duration::from_secs(5), "it waited for {:?}", stopped.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_dies_is_followed_after_the_lease_has_run_out() {
    let api = api();
    let mut one = start(lease(&api, "one"));
    leading(&mut one.watched).await;
    let mut two = start(lease(&api, "two"));
    two.watched.wait_for(|state| matches!(state, Leadership::Following { holder: Some(_) })).await.unwrap();
    one.ended.abort();
    let died = Instant::now();
    assert_eq!(leading(&mut two.watched).await.term(), 2);
    let took = died.elapsed().as_secs();
    assert!((13..=20).contains(&took), "it took {took} s");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_reaches_nobody_stops_before_another_can_lead() {
    let api = api();
    let mut one = start(lease(&api, "one"));
    let tenure = leading(&mut one.watched).await;
    let cut_off = Instant::now();
    let cut = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&cut);
    api.behave(move |_, _| if still.load(Ordering::SeqCst) { Behaviour::Silence } else { Behaviour::Answer });
    following(&mut one.watched).await;
    assert!(!tenure.holds());
    assert!(cut_off.elapsed() <= Duration::from_secs(10), "{:?}", cut_off.elapsed());
    // Its last renewal went through unseen: nobody else took the lease, so it is the same one.
    cut.store(false, Ordering::SeqCst);
    assert_eq!(leading(&mut one.watched).await.term(), 1);
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_api_server_are_survived_for_as_long_as_the_deadline_allows() {
    let api = api();
    let mut one = start(lease(&api, "one"));
    let tenure = leading(&mut one.watched).await;
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    api.behave(move |_, _| match seen.fetch_add(1, Ordering::SeqCst) {
        number if number % 3 == 2 => Behaviour::Answer,
        number if number % 2 == 0 => Behaviour::Fail(503),
        _ => Behaviour::Fail(429),
    });
    tokio::time::timeout(Duration::from_mins(10), following(&mut one.watched)).await.unwrap_err();
    assert!(tenure.holds() && count.load(Ordering::SeqCst) > 100);
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_touches_the_labels_ends_no_reign() {
    let api = api();
    let mut one = start(lease(&api, "one"));
    let tenure = leading(&mut one.watched).await;
    for revision in 0..50 {
        let mut object = api.get(PATH).unwrap();
        object["metadata"]["labels"] = json!({"revision": revision.to_string()});
        api.put(PATH, object);
        tokio::time::timeout(Duration::from_secs(3), following(&mut one.watched)).await.unwrap_err();
    }
    assert!(tenure.holds());
    assert_eq!(api.get(PATH).unwrap()["metadata"]["labels"]["revision"], "49");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_there_yet_is_waited_for() {
    let api = FakeApi::default();
    let mut one = start(lease(&api, "one"));
    tokio::time::timeout(Duration::from_mins(1), one.watched.wait_for(Leadership::leads)).await.unwrap_err();
    api.put(
        PATH,
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "jobs"}}),
    );
    leading(&mut one.watched).await;
    assert!(api.requests().iter().all(|request| !request.starts_with("POST")), "it makes none");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_paused_does_no_step_of_work_after_it() {
    let api = api();
    let steps = Rc::new(RefCell::new(Vec::new()));
    let local = LocalSet::new();
    let stop = CancellationToken::new();
    let (written, stopped) = (Rc::clone(&steps), stop.clone());
    let one = lease(&api, "one");
    let mut watched = one.leadership();
    local.spawn_local(one.run(stop.clone(), move |tenure| {
        let steps = Rc::clone(&written);
        async move {
            loop {
                steps.borrow_mut().push(tenure.holds());
                sleep(Duration::from_millis(100)).await;
            }
        }
    }));
    local
        .run_until(async move {
            leading(&mut watched).await;
            // The clock jumps, and nothing ran meanwhile: timers of the work and of the renewal fire together.
            tokio::time::advance(Duration::from_secs(30)).await;
            following(&mut watched).await;
            stopped.cancel();
        })
        .await;
    assert!(!steps.borrow().is_empty() && steps.borrow().iter().all(|held| *held));
}

#[tokio::test(start_paused = true)]
async fn work_that_ends_gives_the_lease_to_another() {
    let api = api();
    let mut two = start(lease(&api, "two"));
    leading(&mut two.watched).await;
    let one = lease(&api, "one");
    let stop = CancellationToken::new();
    two.stop.cancel();
    two.ended.await.unwrap();
    let runs = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&runs);
    let running = one.run(stop.clone(), move |tenure| {
        noted.lock().unwrap().push(tenure.term());
        std::future::ready(())
    });
    tokio::time::timeout(Duration::from_secs(30), running).await.unwrap_err();
    assert_eq!(spec(&api)["holderIdentity"], "");
    assert!(runs.lock().unwrap().len() >= 2 && runs.lock().unwrap().is_sorted_by(|a, b| a < b));
}

/// Many candidates on a slow and unreliable server, with clocks on the wall that stand still at odd times.
#[tokio::test(start_paused = true)]
async fn of_many_candidates_never_more_than_one_works() {
    let api = api();
    let mut random = StdRng::seed_from_u64(7);
    api.behave(move |_, _| match random.random_range(0..20) {
        0 => Behaviour::Fail(500),
        1 => Behaviour::Silence,
        2..5 => Behaviour::Slow(Duration::from_secs(random.random_range(1..12))),
        _ => Behaviour::Slow(Duration::from_millis(random.random_range(1..50))),
    });
    let (working, turns) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let stop = CancellationToken::new();
    let mut candidates = tokio::task::JoinSet::new();
    for number in 0..8 {
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        clock.advance(SignedDuration::from_hours(number));
        let lease =
            Lease::new(api.client(), "shop", "jobs", format!("pod-{number}"), Timing::default(), clock);
        let (working, turns) = (Arc::clone(&working), Arc::clone(&turns));
        candidates.spawn(lease.run(stop.clone(), move |tenure| {
            let (working, turns) = (Arc::clone(&working), Arc::clone(&turns));
            async move {
                struct Busy(Arc<AtomicUsize>);
                impl Drop for Busy {
                    fn drop(&mut self) {
                        self.0.fetch_sub(1, Ordering::SeqCst);
                    }
                }
                assert_eq!(working.fetch_add(1, Ordering::SeqCst), 0, "two work at once");
                let _busy = Busy(working);
                turns.fetch_add(1, Ordering::SeqCst);
                // Ends now and then, so that the lease moves.
                for _ in 0..300 {
                    assert!(tenure.holds());
                    sleep(Duration::from_millis(200)).await;
                }
            }
        }));
    }
    sleep(Duration::from_hours(2)).await;
    stop.cancel();
    while let Some(ended) = candidates.join_next().await {
        ended.unwrap();
    }
    assert!(turns.load(Ordering::SeqCst) > 40, "{} turns", turns.load(Ordering::SeqCst));
}

#[test]
fn times_that_promise_nothing_are_refused_by_name() {
    let seconds = Duration::from_secs;
    for (duration, deadline, retry, named) in [
        (Duration::from_millis(1_500), seconds(1), Duration::from_millis(100), "lease duration"),
        (seconds(10), seconds(10), seconds(2), "renew deadline"),
        (seconds(15), seconds(10), seconds(6), "retry"),
        (seconds(15), seconds(10), seconds(0), "retry"),
    ] {
        assert_eq!(Timing::new(duration, deadline, retry).unwrap_err().field, named);
    }
    assert_eq!(Timing::new(seconds(15), seconds(10), seconds(2)).unwrap(), Timing::default());
}
