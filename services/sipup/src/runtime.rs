//! How commands that are no service run, and how they end.

use std::{future::Future, process::ExitCode};

use anyhow::Context as _;

/// Runs a command to its end.
pub(crate) fn run<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<ExitCode>
where
    T: Into<Ended>,
{
    platform::run::install_crypto();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(command).map(|ended| ended.into().0)
}

/// How a command ended when it didn't fail.
pub(crate) struct Ended(ExitCode);

impl From<()> for Ended {
    fn from((): ()) -> Self {
        Self(ExitCode::SUCCESS)
    }
}

impl From<ExitCode> for Ended {
    fn from(code: ExitCode) -> Self {
        Self(code)
    }
}

/// The exit code for flags that can't be right together, or here; told on one line.
pub(crate) fn refused(invalid: &platform::Invalid) -> ExitCode {
    #[expect(clippy::print_stderr, reason = "a command speaks to whoever called it")]
    {
        eprintln!("sipup: {invalid}");
    }
    crate::EX_USAGE.into()
}

/// The process's exit code; a failure is told on one line.
pub(crate) fn exit(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        #[expect(clippy::print_stderr, reason = "a command speaks to whoever called it")]
        {
            eprintln!("sipup: {error:#}");
        }
        ExitCode::FAILURE
    })
}
