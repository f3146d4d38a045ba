//! The instrument measured, against a platform in miniature that knows the truth.

#![expect(clippy::unwrap_used, reason = "what a test can't do without fails it")]

mod figures;
mod prices;
mod report;
mod reports;
mod verdicts;

use std::{path::PathBuf, time::Duration};

use loadgen::{
    Arrivals, Live, Plan, Report, Scenario,
    testing::{Behaviour, Stub},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Held by the test that measures closely, and by the one that makes as much load as it can.
static QUIET: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A plan that is quick to prepare: few users of the platform, no ramp.
fn plan(url: &str, folder: &TempDir, rate: f64, seconds: u64) -> Plan {
    Plan {
        users: 500,
        rate: Some(rate),
        duration: Duration::from_secs(seconds),
        ramp: Duration::ZERO,
        identities: 4,
        identity_file: identity_file(folder),
        connections: 4,
        arrivals: Arrivals::Constant,
        ..Plan::to(url)
    }
}

fn identity_file(folder: &TempDir) -> PathBuf {
    folder.path().join("identities.json")
}

/// One journey of these steps, all over gRPC.
fn only(steps: &str) -> Scenario {
    let journey = format!("[[journey]]\nname = \"only\"\nweight = 1\nsteps = [{steps}]");
    let head = "think_time = \"1s\"\nrest_share = 0\nsku_skew = 0.99\n";
    Scenario::parse(&format!("{head}{journey}")).unwrap()
}

async fn run(plan: &Plan) -> Report {
    loadgen::run(plan, &Live::Silent, CancellationToken::new()).await.unwrap()
}

async fn stub(behaviour: Behaviour) -> (Stub, TempDir) {
    (Stub::start(behaviour).await.unwrap(), TempDir::new().unwrap())
}
