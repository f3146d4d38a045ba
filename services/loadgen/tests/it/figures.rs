//! Figures against the truth. What is asserted about time here is the subject: distributions that the server caused and knows.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use loadgen::testing::Behaviour;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::{QUIET, only, plan, run, stub};

/// The stub as a process, ended with this value.
struct Process {
    child: Child,
    url: String,
    /// Its end is the child's.
    _stdin: ChildStdin,
}

impl Process {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_loadgen-stub"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let stdin = child.stdin.take().unwrap();
        Self { child, url: url.trim().to_owned(), _stdin: stdin }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_shows_in_the_percentiles_as_long_as_it_stood() {
    let (server, folder) = (Process::start(), TempDir::new().unwrap());
    let stall = Duration::from_secs(5);
    let mut plan = plan(&server.url, &folder, 1_000.0, 10);
    plan.scenario = only("\"view\"");
    plan.users = 8_000;
    let stopped = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        server.signal(Signal::SIGSTOP);
        tokio::time::sleep(stall).await;
        server.signal(Signal::SIGCONT);
    };
    let (report, ()) = tokio::join!(run(&plan), stopped);
    assert!(report.latency.p99 >= 3_000.0 && report.latency.max >= 4_900.0, "{:?}", report.latency);
    assert_eq!(report.counts.right, report.counts.offered, "{:?}", report.failures);
    // Half of the calls were due before it stood: a median as high would be the instrument's own slowness.
    let slots: Vec<[f64; 5]> = report.timeline.percentiles.iter().flatten().copied().collect();
    assert!(slots[0][0] < 1_000.0, "{slots:?}");
    // And the picture shows it where it was.
    let slowest = (0..slots.len()).max_by(|one, other| slots[*one][4].total_cmp(&slots[*other][4]));
    assert!(slowest.is_some_and(|slot| (2..=4).contains(&slot)), "{slots:?}");
}

/// The value below which `per_mille` of the sorted values lie, in milliseconds.
fn quantile(sorted: &[Duration], per_mille: usize) -> f64 {
    let rank = (per_mille * sorted.len()).div_ceil(1_000);
    sorted[rank.clamp(1, sorted.len()) - 1].as_secs_f64() * 1_000.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn against_known_delays_the_percentiles_are_off_by_at_most_two_per_cent() {
    let _quiet = QUIET.lock().await;
    // Three kinds of answers, so that each percentile lies in the middle of another kind. So long that what a busy machine adds to an
    // answer on its way, tens of milliseconds, is less than the error that is looked for; what it adds to a delay, the server counts.
    let delay = |call: u64| match call {
        0 | 500 => 9_000,
        call if call % 100 == 3 => 5_000,
        call => 2_500 + call % 7,
    };
    let delays = (0..1_000).map(delay).map(Duration::from_millis).collect();
    let (stub, folder) = stub(Behaviour { delays, ..Behaviour::default() }).await;
    let mut plan = plan(&stub.url(), &folder, 250.0, 8);
    plan.scenario = only("\"view\"");
    plan.users = 2_000;
    plan.timeout = Duration::from_mins(1);
    let report = run(&plan).await;
    let mut held = stub.seen().held;
    held.sort();
    assert_eq!(held.len() as u64, report.latency.count);
    stub.stop().await;
    let latency = &report.latency;
    for (per_mille, measured) in [(500, latency.p50), (990, latency.p99), (999, latency.p999)] {
        let held = quantile(&held, per_mille);
        assert!((measured / held - 1.0).abs() <= 0.02, "{per_mille} ‰: {measured} ms, held {held} ms");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_equal_the_servers_own_over_both_transports() {
    let (stub, folder) = stub(Behaviour { limit_every: 10, ..Behaviour::default() }).await;
    let mut plan = plan(&stub.url(), &folder, 200.0, 3);
    plan.scenario = only("\"view\"");
    plan.scenario.rest_share = 0.5;
    let report = run(&plan).await;
    let (seen, counts) = (stub.seen(), report.counts);
    assert_eq!(counts.offered, 599, "constant arrivals");
    assert_eq!(seen.calls["GetProduct"], counts.ended());
    assert_eq!((seen.limited, seen.held.len() as u64), (counts.limited, counts.right));
    assert_eq!(counts.limited, 59);
    assert_eq!(report.failures.len(), 59);
    assert_eq!(report.rows.len(), 2, "one row for each transport");
    for row in &report.rows {
        assert!(row.counts.right > 100, "{row:?}");
        assert_eq!(row.codes["RESOURCE_EXHAUSTED"], row.counts.limited);
    }
    let in_time: u64 = report.timeline.counts.iter().map(|slot| slot.right).sum();
    let in_heat: u64 = report.timeline.heat.iter().flatten().sum();
    assert_eq!((in_time, in_heat), (counts.right, counts.right));
    stub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_of_the_built_in_scenario_is_answered_rightly() {
    let (stub, folder) = stub(Behaviour::default()).await;
    let mut plan = plan(&stub.url(), &folder, 200.0, 4);
    // Few, so that they come to the last steps of their journeys, and enough that one is idle whenever a busy machine holds some up.
    plan.users = 60;
    plan.scenario.rest_share = 0.0;
    let report = run(&plan).await;
    assert_eq!(
        (report.counts.right, report.counts.dropped),
        (report.counts.offered, 0),
        "{:#?}",
        report.failures
    );
    // A watch is too rare for four seconds; it has tests of its own.
    let methods: Vec<&str> = stub.seen().calls.into_keys().collect();
    let expected =
        ["CreateOrder", "GetMe", "GetOrder", "GetProduct", "ListOrders", "ListProducts", "PriceItems"];
    for method in expected {
        assert!(methods.contains(&method), "{methods:?}");
    }
    stub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_resumes_the_sessions_of_the_first() {
    let (stub, folder) = stub(Behaviour::default()).await;
    let plan = plan(&stub.url(), &folder, 20.0, 1);
    run(&plan).await;
    let first = stub.seen();
    run(&plan).await;
    let second = stub.seen();
    assert_eq!((first.calls["Register"], first.calls["Login"]), (4, 4));
    assert_eq!((second.calls["Register"], second.calls["Login"]), (4, 4), "no password is hashed again");
    assert!(second.calls["Refresh"] >= 4);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(crate::identity_file(&folder)).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    stub.stop().await;
}
