//! The one binary of sipup. Each command is a file here that calls its crate.

mod bootstrap;
mod catalog;
mod down;
mod ingress;
mod keys;
mod limits;
mod load;
mod migrate;
mod runtime;
mod secrets;
mod seed;
mod serve;
mod up;
mod valkey;
mod verify;

use std::process::ExitCode;

use clap::{Parser, error::ErrorKind};

/// The exit code for flags that can't be right, as sysexits.h has it.
const EX_USAGE: u8 = 64;

/// The backend of a B2B ordering platform.
#[derive(Debug, Parser)]
#[command(name = "sipup", version = env!("SIPUP_VERSION"))]
enum Command {
    /// Start the whole platform on this machine.
    Up(Box<up::Args>),
    /// End a local platform that was left behind.
    Down(down::Args),
    /// Run one service.
    #[command(subcommand)]
    Serve(serve::Command),
    /// Bring the database up to date, as a role that owns it and may make roles.
    Migrate(migrate::Args),
    /// Add the first user of the seller's staff, unless there is one of that address.
    Bootstrap(bootstrap::Args),
    /// Fill the database with a demo company, its users and products.
    Seed(seed::Args),
    /// Work on the catalogue of a running platform.
    #[command(subcommand)]
    Catalog(catalog::Command),
    /// Make or change the keys that sign access tokens.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Make the Secrets of a release on Kubernetes.
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Put load on a running platform, check its answers, and report.
    Load(Box<load::Args>),
    /// Look at the rate limits of a running platform.
    #[command(subcommand)]
    Limits(limits::Command),
    /// Keep a Valkey cluster whole.
    #[command(subcommand)]
    Valkey(valkey::Command),
    /// Show or check the ingress' configuration.
    #[command(subcommand)]
    Ingress(ingress::Command),
    /// Ask a running platform whether it works, and whether it is large enough.
    #[command(subcommand)]
    Verify(verify::Command),
}

fn main() -> ExitCode {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => {
            // The terminal may be gone; the exit code tells it all the same.
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { ExitCode::SUCCESS } else { EX_USAGE.into() };
        }
    };
    runtime::exit(match command {
        Command::Up(args) => runtime::run(args.run()),
        Command::Down(args) => runtime::run(args.run()),
        Command::Serve(command) => command.run(),
        Command::Migrate(args) => runtime::run(args.run()),
        Command::Bootstrap(args) => runtime::run(args.run()),
        Command::Seed(args) => runtime::run(args.run()),
        Command::Catalog(command) => runtime::run(command.run()),
        Command::Keys(command) => command.run().map(|()| ExitCode::SUCCESS),
        Command::Secrets(command) => runtime::run(command.run()),
        Command::Load(args) => args.run(),
        Command::Limits(command) => runtime::run(command.run()),
        Command::Valkey(command) => command.run(),
        Command::Ingress(command) => runtime::run(command.run()),
        Command::Verify(command) => runtime::run(command.run()),
    })
}

#[cfg(test)]
mod tests;
