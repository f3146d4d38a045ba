//! The Python client, in an environment that the test makes and later runs find again.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::Context as _;
use tokio::process::Command;

const REQUIREMENTS: &str = include_str!("../python/requirements.txt");

/// Runs a script of `tests/python` and returns what it printed.
///
/// # Errors
///
/// The environment can't be made, or the script failed; says what it printed.
pub async fn run(script: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let python = environment().await?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let output = Command::new(python)
        .arg(folder.join(script))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .context("run python")?;
    let (printed, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    anyhow::ensure!(output.status.success(), "{script} failed\n{printed}\n{errors}");
    Ok(printed.into_owned())
}

/// The interpreter of an environment with exactly these requirements.
async fn environment() -> anyhow::Result<PathBuf> {
    let folder = crate::stack::target_folder()?.join("python");
    let (interpreter, done) = (folder.join("bin/python"), folder.join("requirements.txt"));
    if std::fs::read_to_string(&done).is_ok_and(|text| text == REQUIREMENTS) {
        return Ok(interpreter);
    }
    succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder)).await?;
    let wanted = folder.join("wanted.txt");
    std::fs::write(&wanted, REQUIREMENTS)?;
    succeed(Command::new(&interpreter).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&wanted)).await?;
    std::fs::rename(wanted, done)?;
    Ok(interpreter)
}

async fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output().await.context("run python")?;
    anyhow::ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
