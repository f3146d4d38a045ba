//! Envoy's own opinion of a configuration.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// Why a configuration is not known to be good.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// There is no place for the configuration, or no Envoy to read it.
    #[error("{what} can't be used: {source}")]
    Io {
        /// The file or program.
        what: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Envoy would not start with it.
    #[error("Envoy refuses the configuration: {said}")]
    Refused {
        /// What it said.
        said: String,
    },
}

/// Lets the program `envoy` check a rendered configuration without opening a port, and returns its warnings, one a line.
///
/// Envoy then checks names and types of fields, expressions and descriptors. It does not check whether a cluster or a
/// requirement that is named exists, nor whether an override names its filter; requests have to show that.
///
/// # Errors
/// If Envoy can't be run, or would not start with this configuration.
pub fn validate(envoy: &Path, config: &str) -> Result<String, ValidateError> {
    let failed = |what: &Path| {
        let what = what.to_owned();
        |source| ValidateError::Io { what, source }
    };
    let folder = tempfile::tempdir().map_err(failed(Path::new("the temporary folder")))?;
    let path = folder.path().join("envoy.json");
    fs::write(&path, config).map_err(failed(&path))?;
    let output = Command::new(envoy)
        .args(["--mode", "validate", "--log-level", "warning", "--config-path"])
        .arg(&path)
        .output()
        .map_err(failed(envoy))?;
    let said = String::from_utf8_lossy(&output.stderr);
    // Nothing is fetched while validating, which it complains about.
    let said: Vec<&str> = said.lines().filter(|line| !line.contains("fetch pubkey")).collect();
    let said = said.join("\n");
    if output.status.success() { Ok(said) } else { Err(ValidateError::Refused { said }) }
}
