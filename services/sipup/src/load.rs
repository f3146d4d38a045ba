//! `sipup load`: load with honest figures, and a report.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::ValueEnum;
use http::HeaderName;
use loadgen::{
    Arrivals, Generator, Live, Model, Objectives, Plan, Report, Scenario, Stack, WarmUp, knee, report,
};
use platform::args::duration;
use tokio_util::sync::CancellationToken;

/// The exit code of a run that missed an objective, or whose platform answered wrongly.
const FAILED: u8 = 1;
/// The exit code of a run that measured itself instead of the platform.
const INVALID: u8 = 2;
/// Users and calls per second of `--preset seeds`: everybody clicks every seven seconds; the last four are the rates that 20,000
/// users make by how long they think.
const SEEDS: [(u32, f64); 10] = [
    (100, 14.0),
    (500, 71.0),
    (1_000, 143.0),
    (5_000, 714.0),
    (10_000, 1_429.0),
    (15_000, 2_143.0),
    (20_000, 400.0),
    (20_000, 2_000.0),
    (20_000, 2_857.0),
    (20_000, 5_556.0),
];
/// Searches of `--find-knee`.
const SEARCHES: usize = 5;
/// What the knee is searched for where no objective is given.
const DEFAULT_OBJECTIVES: &str = "p99<100ms,success>99.99%";

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Args {
    /// Where the platform is reached, for gRPC and REST. Default: that of `--stack`.
    #[arg(long, required_unless_present_any = ["stack", "print_scenario"])]
    url: Option<String>,

    /// The file of `sipup up --ready-file`: its processes and metrics are shown beside the load.
    #[arg(long)]
    stack: Option<PathBuf>,

    /// Virtual users.
    #[arg(long, default_value_t = 100)]
    users: u32,

    /// Calls per second of all users. Default: what the scenario's think time comes to.
    #[arg(long)]
    rate: Option<f64>,

    /// How long the full rate is kept.
    #[arg(long, default_value = "60s", value_parser = duration)]
    duration: Duration,

    /// How long the rate rises before that; not in the figures.
    #[arg(long, default_value = "10s", value_parser = duration)]
    ramp: Duration,

    /// How long the full rate is kept before the figures begin, or `everyone`: until each user has been seen once. Until then those
    /// call first whose tokens the platform has not checked yet.
    #[arg(long, default_value = "0s", value_name = "DURATION|everyone")]
    warm_up: WarmUp,

    /// How arrivals are spread.
    #[arg(long, default_value = "poisson")]
    arrivals: ArrivalsArg,

    /// `open` starts calls when they are due. `closed` lets each user wait for its answer first, which hides what a slow server
    /// does to those who come meanwhile.
    #[arg(long, default_value = "open")]
    model: ModelArg,

    /// What users do: a file like the one that `--print-scenario` prints.
    #[arg(long)]
    scenario: Option<PathBuf>,

    /// Print the built-in scenario, and end.
    #[arg(long)]
    print_scenario: bool,

    /// Users of the platform behind the virtual ones. Each is registered once, at the cost of two password hashes (some 80 ms of a
    /// core), and kept for later runs.
    #[arg(long, default_value_t = 500)]
    identities: u32,

    /// Where they are kept, with their passwords. Default: a file in the folder for temporary files, one for each platform.
    #[arg(long)]
    identity_file: Option<PathBuf>,

    /// Sign the users' tokens here, with the keys in this folder of `serve auth`, instead of registering users: thousands cost nothing.
    /// That is no real login, and the report says so. Each has a user and a company of its own; `me` is left out.
    #[arg(long, value_name = "FOLDER", conflicts_with = "identity_file")]
    signing_keys: Option<PathBuf>,

    /// The issuer that such tokens name.
    #[arg(long, default_value = "https://sipup.local", requires = "signing_keys")]
    token_issuer: String,

    /// HTTP/2 connections that users share, and as many REST clients.
    #[arg(long, default_value_t = 64)]
    connections: usize,

    /// Loopback addresses that connections come from, when the platform is on this machine.
    #[arg(long, default_value_t = 256)]
    sources: usize,

    /// Name an address of its own for each user in this header, such as `x-forwarded-for`. For platforms that trust this machine as a
    /// hop: others see one client.
    #[arg(long, value_name = "NAME")]
    client_header: Option<HeaderName>,

    /// How long an answer is waited for.
    #[arg(long, default_value = "10s", value_parser = duration)]
    timeout: Duration,

    /// Calls in flight at once; what is due beyond is dropped, and counted.
    #[arg(long, default_value_t = 10_000)]
    most_in_flight: usize,

    /// Threads that do the work; leave the platform some if it is on this machine. Default: half of the cores.
    #[arg(long)]
    threads: Option<usize>,

    /// Same seed, same calls at the same times.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// What must be reached: bounds on mean, p50, p90, p95, p99, p99.9, p99.99, max, success, limited, rate.
    #[arg(long, value_name = "p99<100ms,success>99.99%")]
    slo: Option<Objectives>,

    /// Several runs: `seeds` goes from 100 to 20,000 users.
    #[arg(long, conflicts_with_all = ["users", "rate", "find_knee"])]
    preset: Option<Preset>,

    /// Search the highest rate that meets the objectives, five times.
    #[arg(long)]
    find_knee: bool,

    /// Fill up the stock as the demo's seller first, so that orders are not declined. Needs `--stack`.
    #[arg(long, requires = "stack")]
    restock: bool,

    /// Agree prices with every second company of the identities as the demo's seller first, so that each price is judged by what was
    /// agreed. Needs `--stack`.
    #[arg(long, requires = "stack")]
    agree_prices: bool,

    /// Write the report here: one HTML file with all data inside.
    #[arg(long)]
    report: Option<PathBuf>,

    /// Write the data here, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,

    /// An earlier report, HTML or JSON, to compare with.
    #[arg(long)]
    baseline: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ArrivalsArg {
    /// Independent of each other.
    Poisson,
    /// Evenly spaced.
    Constant,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModelArg {
    /// By schedule.
    Open,
    /// One after the other.
    Closed,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    /// 100 to 20,000 users, and the four rates that 20,000 make.
    Seeds,
}

impl Args {
    /// Runs on threads of its own number, so that its share of their time can be told.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        if self.print_scenario {
            say(Scenario::built_in_text().trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        platform::run::install_crypto();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or(cores / 2).max(1);
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime
            .worker_threads(threads)
            .enable_all()
            .build()
            .context("start the runtime")?
            .block_on(self.work())
    }

    async fn work(self) -> anyhow::Result<ExitCode> {
        let (plan, live, stop) = (self.plan()?, Live::detect(), stop_on_ctrl_c());
        let earlier = self.baseline.as_deref().map(report::read).transpose()?.unwrap_or_default();
        let largest = self.largest(&plan);
        let Some(prepared) = stop.run_until_cancelled(Generator::prepare(&largest, &live)).await else {
            anyhow::bail!("ended before the users were prepared");
        };
        let generator = prepared?;
        let (runs, found) = if self.find_knee {
            let (runs, knee) = search(&generator, &plan, &live, &stop).await?;
            (runs, Some(knee))
        } else {
            (series(&generator, &self.stages(&plan), &live, &stop).await?, None)
        };
        for run in &runs {
            say(&report::summary(run));
        }
        let headline = found.as_ref().map(|knee| headline(knee, &runs)).unwrap_or_default();
        if !headline.is_empty() {
            say(&headline);
        }
        write(self.report.as_deref(), || report::page(&headline, &runs, &earlier).into_bytes())?;
        write(self.json.as_deref(), || serde_json::to_vec(&runs).unwrap_or_default())?;
        Ok(exit_code(&runs, found.is_some()))
    }

    fn plan(&self) -> anyhow::Result<Plan> {
        let stack = self.stack.as_deref().map(Stack::read).transpose()?;
        let url = self.url.clone().or_else(|| stack.as_ref().map(|stack| stack.url.clone()));
        let plan = Plan::to(url.context("--url or --stack is needed")?);
        let scenario = self.scenario.as_deref().map(Scenario::read).transpose()?;
        let default: Objectives =
            if self.find_knee { DEFAULT_OBJECTIVES.parse()? } else { Objectives::default() };
        Ok(Plan {
            users: self.users,
            rate: self.rate,
            duration: self.duration,
            ramp: self.ramp,
            warm_up: self.warm_up,
            arrivals: match self.arrivals {
                ArrivalsArg::Poisson => Arrivals::Poisson,
                ArrivalsArg::Constant => Arrivals::Constant,
            },
            model: match self.model {
                ModelArg::Open => Model::Open,
                ModelArg::Closed => Model::Closed,
            },
            scenario: scenario.unwrap_or(plan.scenario),
            identities: self.identities,
            identity_file: self.identity_file.clone().unwrap_or(plan.identity_file),
            url: plan.url,
            connections: self.connections,
            sources: self.sources,
            client_header: self.client_header.clone(),
            signing_keys: self.signing_keys.clone(),
            token_issuer: self.token_issuer.clone(),
            timeout: self.timeout,
            most_in_flight: self.most_in_flight,
            seed: self.seed,
            failures_kept: plan.failures_kept,
            objectives: self.slo.clone().unwrap_or(default),
            stack,
            version: env!("SIPUP_VERSION").to_owned(),
            restock: self.restock,
            agree_prices: self.agree_prices,
        })
    }

    /// The runs that are asked for.
    fn stages(&self, plan: &Plan) -> Vec<Plan> {
        match self.preset {
            None => vec![plan.clone()],
            Some(Preset::Seeds) => {
                SEEDS.map(|(users, rate)| Plan { users, rate: Some(rate), ..plan.clone() }).to_vec()
            }
        }
    }

    /// The run with the most users: what it needs serves the others.
    fn largest(&self, plan: &Plan) -> Plan {
        self.stages(plan).into_iter().max_by_key(|stage| stage.users).unwrap_or_else(|| plan.clone())
    }
}

async fn series(
    generator: &Generator,
    stages: &[Plan],
    live: &Live,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<Report>> {
    let mut runs = Vec::new();
    for stage in stages {
        runs.push(generator.run(stage, live, stop.clone()).await?);
        if stop.is_cancelled() {
            break;
        }
    }
    Ok(runs)
}

async fn search(
    generator: &Generator,
    plan: &Plan,
    live: &Live,
    stop: &CancellationToken,
) -> anyhow::Result<(Vec<Report>, knee::Knee)> {
    let (mut runs, mut problem) = (Vec::new(), None);
    let knee = knee::find(plan.full_rate(), SEARCHES, async |rate| {
        let stage = Plan { rate: Some(rate), ..plan.clone() };
        match generator.run(&stage, live, stop.clone()).await {
            Ok(run) => {
                // What can't be believed is no proof that a rate is good.
                let good = run.is_valid() && run.passed();
                runs.push(run);
                (!stop.is_cancelled()).then_some(good)
            }
            Err(error) => {
                problem = Some(error);
                None
            }
        }
    })
    .await;
    problem.map_or(Ok((runs, knee)), |error| Err(error.into()))
}

/// What a search came to. A run that can't be believed counts as missed, so the platform may be better than it seems.
fn headline(knee: &knee::Knee, runs: &[Report]) -> String {
    if knee.rates.is_empty() {
        return "The search for the knee was ended before it found one".to_owned();
    }
    let ((least, most), searches) = (knee.spread(), knee.rates.len());
    let found = format!(
        "Knee: {:.0} calls/s (median of {searches} searches, {least:.0} to {most:.0})",
        knee.median()
    );
    match runs.iter().filter(|run| !run.is_valid()).count() {
        0 => found,
        invalid => format!(
            "{found}; {invalid} of {} runs were INVALID, so the platform's knee may be higher",
            runs.len()
        ),
    }
}

/// Ends the run at Ctrl-C; there is a report of what was until then.
fn stop_on_ctrl_c() -> CancellationToken {
    let stop = CancellationToken::new();
    let told = stop.clone();
    platform::Tasks::new(stop.clone()).spawn_until_stop("ctrl-c", async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            told.cancel();
        }
    });
    stop
}

/// A search has runs that fail, or that the generator can't do, by its nature: it is judged by its having found something.
fn exit_code(runs: &[Report], is_search: bool) -> ExitCode {
    if is_search {
        let found = runs.iter().any(|run| run.is_valid() && run.passed());
        return if found { ExitCode::SUCCESS } else { FAILED.into() };
    }
    if !runs.iter().all(Report::is_valid) {
        INVALID.into()
    } else if !runs.iter().all(Report::passed) {
        FAILED.into()
    } else {
        ExitCode::SUCCESS
    }
}

fn write(path: Option<&Path>, content: impl FnOnce() -> Vec<u8>) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    std::fs::write(path, content()).with_context(|| format!("write {}", path.display()))
}

#[expect(clippy::print_stdout, reason = "a command speaks to whoever called it")]
fn say(text: &str) {
    println!("{text}");
}
