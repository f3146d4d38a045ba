//! The suite on a real Kubernetes: install, scale, upgrade, restart, lose parts, uninstall; with traffic whose every failed call counts.
//!
//! Needs `kubectl` and `helm` on the path, a cluster that they reach and whose Service addresses this process can connect to, and an
//! image of sipup that the cluster has. `SIPUP_TEST_CLUSTER` says that all this is there; without it every test is skipped, aloud.

mod apiserver;
mod data;
mod helm;
mod install;
mod kubectl;
mod release;
mod rolling;
mod scaling;
mod settings;
mod traffic;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::settings::Settings;

/// How long a test takes, and so when it runs.
#[derive(Clone, Copy, PartialEq)]
enum Length {
    /// A minute or so: always.
    Short,
    /// Minutes: with `--include-ignored`.
    Long,
}

type Test = (&'static str, Length, fn() -> anyhow::Result<()>);

/// In this order: later ones use what earlier ones installed.
const TESTS: &[Test] = &[
    ("a_release_is_ready_from_nothing_and_breaks_no_pod_security_rule", Length::Short, install::from_nothing),
    ("helm_test_places_an_order", Length::Short, install::helm_test),
    ("an_order_is_one_trace_from_the_ingress_to_the_job", Length::Short, install::one_trace),
    ("verify_finds_the_capacity_that_was_asked_for", Length::Short, install::capacity_is_as_planned),
    ("every_deployment_restarts_without_a_failed_call", Length::Long, rolling::restart_of_everything),
    ("a_pod_of_each_kind_goes_without_a_failed_call", Length::Long, rolling::one_pod_of_each_kind),
    ("all_valkey_pods_go_and_their_data_stays", Length::Short, data::valkey_restarts_as_a_whole),
    ("the_primary_goes_and_no_order_is_lost", Length::Short, data::primary_restarts),
    ("the_replica_goes_and_reads_go_on", Length::Long, data::replica_is_away),
    ("replicas_follow_the_active_users", Length::Long, scaling::replicas_follow_users),
    ("the_adapters_certificate_rotates_unnoticed", Length::Long, apiserver::certificate_rotates),
    ("an_upgrade_and_its_rollback_lose_no_call_and_no_replica", Length::Long, rolling::upgrade_and_rollback),
    ("an_upgrade_from_the_chart_before_loses_no_call", Length::Long, rolling::upgrade_from_previous),
    ("a_second_release_lives_beside_the_first", Length::Long, install::second_release),
    ("uninstall_leaves_what_it_says", Length::Short, install::uninstall),
];

fn main() -> ExitCode {
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let settings = Settings::get();
    if settings.is_none() {
        announce(&format!(
            "SKIPPED: {} tests on Kubernetes: SIPUP_TEST_CLUSTER is not set, so there is no cluster to run them on",
            TESTS.len()
        ));
    }
    let trials = TESTS
        .iter()
        .map(|&(name, length, test)| {
            Trial::test(name, move || test().map_err(|error| told(&error)))
                .with_ignored_flag(settings.is_none() || length == Length::Long)
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A failure, said at once: the tests go on for long.
fn told(error: &anyhow::Error) -> Failed {
    let text = format!("{error:#}");
    announce(&text);
    Failed::from(text)
}

/// Says something to whoever watches the tests, captured or not.
#[expect(clippy::print_stderr, reason = "this is the program's report")]
fn announce(text: &str) {
    eprintln!("{text}");
}
