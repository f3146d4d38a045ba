//! Tells the binary which commit it was built from.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=../../.git/logs/HEAD");
    // An image is built without a repository: there the hash comes by argument.
    println!("cargo:rerun-if-env-changed=SIPUP_GIT_HASH");
    #[expect(clippy::disallowed_methods, reason = "build scripts are told things by the environment")]
    let hash =
        std::env::var("SIPUP_GIT_HASH").ok().or_else(of_repository).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=SIPUP_VERSION={} ({hash})", env!("CARGO_PKG_VERSION"));
}

fn of_repository() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
