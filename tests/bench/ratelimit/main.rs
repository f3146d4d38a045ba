//! Compares our rate limiter with envoyproxy/ratelimit: same cluster, same rules, same load, in turns. Started by `run` beside it, which
//! gets the programs; the README there says how to read the tables.

mod cluster;
mod limiter;
mod load;
mod outage;
mod overshoot;
mod process;
mod rules;
mod speed;

use std::path::PathBuf;

use clap::Parser as _;

use crate::{
    cluster::Cluster,
    limiter::{Limiter, Setting},
};

/// Compares our rate limiter with envoyproxy/ratelimit.
#[derive(Clone, Debug, clap::Parser)]
struct Args {
    /// The program of envoyproxy/ratelimit.
    #[arg(long)]
    peer: PathBuf,

    /// The program of ours.
    #[arg(long)]
    sipup: PathBuf,

    /// Valkey's.
    #[arg(long)]
    valkey_server: PathBuf,

    /// The first of the ports, of which some 200 are used.
    #[arg(long, default_value_t = 21_000)]
    port_base: u16,

    /// Calls in flight at once in a closed loop.
    #[arg(long, default_value_t = 50)]
    callers: usize,

    /// Length of each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,

    /// How often each is made.
    #[arg(long, default_value_t = 3)]
    repeats: usize,

    /// Calls per second of the open loops.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 5_000, 10_000])]
    rates: Vec<u32>,

    /// What to measure.
    #[arg(long, value_delimiter = ',', default_values = ["closed", "open", "overshoot", "outage"])]
    parts: Vec<Part>,

    /// Measure windows of a minute too, which takes two.
    #[arg(long)]
    minutes: bool,

    /// Print each measurement, not only the medians.
    #[arg(long)]
    verbose: bool,
}

/// One table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Closed,
    Open,
    Overshoot,
    Outage,
}

/// All that runs.
#[derive(Debug)]
struct Bench {
    args: Args,
    cluster: Cluster,
    peer: Limiter,
    ours: Limiter,
}

impl Bench {
    #[expect(clippy::print_stdout, reason = "the figures are what this is for")]
    #[expect(clippy::unused_self, reason = "who measures may print")]
    fn say(&self, line: &str) {
        println!("{line}");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir()?;
    let cluster = Cluster::start(&args.valkey_server, folder.path(), args.port_base)?;
    let redis = cluster.addresses();
    let setting = |program, port| Setting {
        program,
        folder: folder.path(),
        port: args.port_base + port,
        redis: &redis,
    };
    let peer = Limiter::peer(setting(&args.peer, 10))?;
    let ours = Limiter::ours(setting(&args.sipup, 20))?;
    let mut bench = Bench { args: args.clone(), cluster, peer, ours };
    for part in &args.parts {
        match part {
            Part::Closed => speed::closed(&bench).await?,
            Part::Open => speed::open(&bench).await?,
            Part::Overshoot => overshoot::run(&bench).await?,
            Part::Outage => outage::run(&mut bench).await?,
        }
    }
    Ok(())
}
