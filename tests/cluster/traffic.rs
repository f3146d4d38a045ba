//! Calls that go on while something happens to the release, and what became of them.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context as _;
use loadgen::{Report, Running, Traffic};
use tokio::runtime::Runtime;

use crate::{announce, release::Release};

/// Calls per second. Mixed: gRPC, REST and streams, reads and orders.
const RATE: f64 = 200.0;
/// How many failed calls are printed.
const SHOWN: usize = 20;

/// Traffic against a release, from users of its own.
#[derive(Debug)]
pub(crate) struct Flow {
    runtime: Runtime,
    running: Running,
}

impl Flow {
    /// Starts the usual traffic.
    ///
    /// # Errors
    ///
    /// The release lets nobody in.
    pub(crate) fn start(release: Release) -> anyhow::Result<Self> {
        Self::start_with(release, |traffic| traffic)
    }

    /// Starts traffic that differs from the usual.
    ///
    /// # Errors
    ///
    /// The release lets nobody in.
    pub(crate) fn start_with(
        release: Release,
        change: impl FnOnce(Traffic) -> Traffic,
    ) -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let traffic = Traffic::to(release.url()?).rate(RATE).identity_file(users_of(release));
        let running = runtime.block_on(change(traffic).start()).context("traffic can't start")?;
        Ok(Self { runtime, running })
    }

    /// Ends it, and says what became of the calls.
    ///
    /// # Errors
    ///
    /// The run broke off.
    pub(crate) fn stop(self) -> anyhow::Result<Report> {
        Ok(self.runtime.block_on(self.running.stop())?)
    }

    /// Ends it and wants every single call to have ended well.
    ///
    /// # Errors
    ///
    /// A call failed or was answered wrongly; says which.
    pub(crate) fn stop_without_failure(self, what: &str) -> anyhow::Result<Report> {
        let report = self.stop()?;
        let counts = &report.counts;
        announce(&format!(
            "{what}: {} calls, {} failed, {} declined for stock, {} not sent",
            counts.offered - counts.dropped,
            report.failures.len(),
            counts.declined,
            counts.dropped
        ));
        anyhow::ensure!(counts.right > 0, "{what}: no call was answered");
        anyhow::ensure!(report.failures.is_empty(), "{what}: {}", summary(&report));
        Ok(report)
    }
}

/// Failed calls by what went wrong, and the first of them.
pub(crate) fn summary(report: &Report) -> String {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for call in &report.failures {
        *kinds.entry(format!("{} {}", call.step, call.code)).or_default() += 1;
    }
    let first: Vec<String> = report.failures.iter().take(SHOWN).map(|call| format!("{call:?}")).collect();
    format!("{} calls failed: {kinds:?}\n{}", report.failures.len(), first.join("\n"))
}

fn users_of(release: Release) -> PathBuf {
    std::env::temp_dir().join(format!("sipup-cluster-{}-{}.json", std::process::id(), release.0))
}
