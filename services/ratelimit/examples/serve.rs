//! Scratch.
use clap::Parser as _;
#[derive(Debug, clap::Parser)]
struct A {
    #[command(flatten)]
    telemetry: platform::args::TelemetryArgs,
    #[command(flatten)]
    args: ratelimit::Args,
}
fn main() -> anyhow::Result<()> {
    let mut words: Vec<_> = std::env::args_os().collect();
    words.drain(1..3);
    let a = A::parse_from(words);
    platform::run(platform::Identity { service: "ratelimit", version: "x" }, &a.telemetry, a.args, ratelimit::serve)
}
