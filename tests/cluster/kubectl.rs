//! kubectl, as a person at a terminal has it.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::settings::Settings;

/// What kubectl prints for these arguments, in the tests' namespace.
///
/// # Errors
///
/// It fails; says what it printed.
pub(crate) fn kubectl(arguments: &[&str]) -> anyhow::Result<String> {
    let all = [&["--namespace", Settings::here().namespace.as_str()], arguments].concat();
    run("kubectl", &all)
}

/// An object, or a list of them.
pub(crate) fn get(arguments: &[&str]) -> anyhow::Result<Value> {
    let text = kubectl(&[&["get", "--output=json"], arguments].concat())?;
    serde_json::from_str(&text).context("kubectl prints JSON")
}

/// The items of a list.
pub(crate) fn list(arguments: &[&str]) -> anyhow::Result<Vec<Value>> {
    match get(arguments)?["items"].take() {
        Value::Array(items) => Ok(items),
        other => anyhow::bail!("no list of {arguments:?}: {other}"),
    }
}

/// The name of an object.
pub(crate) fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// Gives `manifest` to the API server.
pub(crate) fn apply(manifest: &str) -> anyhow::Result<()> {
    let mut child = Command::new("kubectl")
        .args(["apply", "--filename", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("run kubectl")?;
    child.stdin.take().context("kubectl reads")?.write_all(manifest.as_bytes())?;
    ensure!(child.wait()?.success(), "kubectl apply failed");
    Ok(())
}

/// Standard output of a command that has to succeed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let (output, complaints) = run_aloud(program, arguments)?;
    drop(complaints);
    Ok(output)
}

/// Standard output and standard error of a command that has to succeed.
pub(crate) fn run_aloud(program: &str, arguments: &[&str]) -> anyhow::Result<(String, String)> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("run {program}"))?;
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(
        output.status.success(),
        "{program} {} ended with {}\n{said}{complained}",
        arguments.join(" "),
        output.status
    );
    Ok((said.into_owned(), complained.into_owned()))
}
