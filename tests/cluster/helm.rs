//! Helm, and the chart under test.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use anyhow::Context as _;
use tests::collector::Collector;

use crate::{
    kubectl::{run, run_aloud},
    settings::Settings,
};

/// The chart of this repository.
pub(crate) fn chart() -> PathBuf {
    repository().join("charts/sipup")
}

/// Values for one small machine.
pub(crate) fn values() -> PathBuf {
    repository().join("tests/cluster/values.yaml")
}

/// The top of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the repository")
}

/// Installs, or upgrades, a release and waits until it is ready. `helm` is the program: `helm`, or another version of it.
/// Answers what Helm complained about: warnings of the API server among it.
///
/// # Errors
///
/// Helm fails.
pub(crate) fn upgrade(helm: &str, release: &str, chart: &Path, sets: &[&str]) -> anyhow::Result<String> {
    let settings = Settings::here();
    let (repository, tag) =
        (format!("image.repository={}", settings.image.0), format!("image.tag={}", settings.image.1));
    let (chart, values) = (text(chart)?, values());
    let mut arguments = vec!["upgrade", "--install", release, chart, "--values", text(&values)?];
    arguments.extend(["--namespace", &settings.namespace, "--wait", "--timeout", "8m"]);
    let traces = format!("tracing.otlpEndpoint={}", collector()?.url());
    for set in [repository.as_str(), &tag, &traces].iter().chain(sets) {
        arguments.extend(["--set", set]);
    }
    Ok(run_aloud(helm, &arguments)?.1)
}

/// Takes the traces of every release under test, at an address of the node that this process runs on.
///
/// # Errors
///
/// The node has no such address here.
pub(crate) fn collector() -> anyhow::Result<&'static Collector> {
    static COLLECTOR: OnceLock<Collector> = OnceLock::new();
    if COLLECTOR.get().is_none() {
        let path = "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}";
        let address = run("kubectl", &["get", "nodes", "--output", path])?;
        let collector = Collector::start_on(address.parse().context("the address of a node")?)?;
        // Tests run one after another.
        COLLECTOR.set(collector).map_err(|_| anyhow::anyhow!("a second collector"))?;
    }
    COLLECTOR.get().context("a collector")
}

/// Runs Helm on what is in the tests' namespace.
///
/// # Errors
///
/// Helm fails.
pub(crate) fn helm(arguments: &[&str]) -> anyhow::Result<String> {
    run("helm", &[arguments, &["--namespace", &Settings::here().namespace]].concat())
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path in UTF-8")
}
