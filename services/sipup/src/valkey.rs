//! `sipup valkey`: what a cluster of Valkey in pods needs beside it.

use std::process::ExitCode;

use platform::{Identity, TelemetryArgs};

use crate::runtime;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Keep one node in its cluster, beside it in its pod; the one of the first node also creates the cluster.
    Keep(Box<Keep>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Keep {
    #[command(flatten)]
    telemetry: TelemetryArgs,

    #[command(flatten)]
    args: keeper::Args,
}

impl Command {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self::Keep(keep) = self;
        if let Err(invalid) = keep.args.keeper() {
            return Ok(runtime::refused(&invalid));
        }
        let identity = Identity { service: "valkey-keeper", version: env!("SIPUP_VERSION") };
        platform::run(identity, &keep.telemetry, keep.args, keeper::serve)?;
        Ok(ExitCode::SUCCESS)
    }
}
