//! Holds the data services of a test run; started by the first test that needs them.

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use local::testing::keeper::{Runtime, keep};

/// Holds one Postgres and three Valkey masters until no test needs them any more.
#[derive(Debug, Parser)]
struct Args {
    /// The folder of the socket by which test binaries find this process.
    runtime: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    keep(Runtime::in_folder(&args.runtime)?).await.context("hold the data services of the tests")
}
