//! The server's side of a run, on the same time axis: metrics of the admin ports, CPU and memory of processes.

mod metrics;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{client::legacy, rt::TokioExecutor};
use platform::Tasks;
use serde::{Deserialize, Serialize};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    stack::Stack,
    usage::{Groups, Usage, group_of},
};

/// How often everything is read: the tool pays for it with its own CPU.
const EVERY: Duration = Duration::from_secs(2);
/// An admin port that doesn't answer in this time leaves a gap.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Figures over time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Overlay {
    /// Charts, each with its lines.
    pub charts: Vec<Chart>,
    /// Of the whole run: CPU seconds and memory at the end, by group of processes.
    pub processes: BTreeMap<String, ProcessUse>,
}

/// Lines that belong on one chart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// What it shows, with the unit.
    pub title: String,
    /// By name: seconds since the start, and the value.
    pub lines: BTreeMap<String, Vec<(f64, f64)>>,
}

/// What a group of processes used in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessUse {
    /// CPU time, in seconds.
    pub cpu_seconds: f64,
    /// In cores, on average.
    pub cores: f64,
    /// Memory at the end, shared pages divided among those who share them, in bytes.
    pub memory: u64,
}

/// Reads a stack's figures until it is stopped.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Overlay>,
}

impl Watch {
    pub(crate) fn start(stack: Stack) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = Tasks::new(CancellationToken::new()).spawn("watch the stack", watch(stack, stopped));
        Self { stop, task }
    }

    pub(crate) async fn stop(self) -> Overlay {
        // The task listens until it ends.
        let _ = self.stop.send(());
        self.task.await.unwrap_or_default()
    }
}

type Http = legacy::Client<legacy::connect::HttpConnector, Empty<Bytes>>;

/// Lines by name.
type Lines = BTreeMap<String, Vec<(f64, f64)>>;

async fn watch(stack: Stack, mut stopped: oneshot::Receiver<()>) -> Overlay {
    let http: Http = legacy::Client::builder(TokioExecutor::new()).build_http();
    let (groups, began) = (Groups::new(&stack.pids), Instant::now());
    let before = measure(&groups, false).await;
    let (mut last, mut samples) = ((Duration::ZERO, before.clone()), metrics::Samples::default());
    let (mut cpu, mut memory) = (Lines::new(), Lines::new());
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            _ = ticks.tick() => {}
        }
        let scraped = began.elapsed();
        for (group, text) in scrape(&http, &stack).await {
            samples.add(scraped.as_secs_f64(), &group, &text);
        }
        let now = measure(&groups, false).await;
        for (group, usage) in &now {
            let mebibytes = usage.memory as f64 / f64::from(1 << 20);
            memory.entry(group.clone()).or_default().push((scraped.as_secs_f64(), mebibytes));
        }
        let seconds = scraped.saturating_sub(last.0).as_secs_f64();
        for (group, usage) in now.iter().filter(|_| seconds > 0.5) {
            let used = usage.cpu.saturating_sub(last.1.get(group).copied().unwrap_or_default().cpu);
            cpu.entry(group.clone()).or_default().push((scraped.as_secs_f64(), used.as_secs_f64() / seconds));
        }
        last = (scraped, now);
    }
    let after = measure(&groups, true).await;
    let mut charts = samples.charts();
    for (title, lines) in [("Memory of their own, MiB", memory), ("CPU, cores", cpu)] {
        if !lines.is_empty() {
            charts.insert(0, Chart { title: title.to_owned(), lines });
        }
    }
    Overlay { charts, processes: used(&before, &after, began.elapsed()) }
}

/// Reading all of `/proc` takes milliseconds, so it must not hold up calls.
async fn measure(groups: &Groups, with_memory: bool) -> BTreeMap<String, Usage> {
    let groups = groups.clone();
    tokio::task::spawn_blocking(move || groups.measure(with_memory)).await.unwrap_or_default()
}

fn used(
    before: &BTreeMap<String, Usage>,
    after: &BTreeMap<String, Usage>,
    lasted: Duration,
) -> BTreeMap<String, ProcessUse> {
    let one = |(group, usage): (&String, &Usage)| {
        let cpu = usage.cpu.saturating_sub(before.get(group).copied().unwrap_or_default().cpu).as_secs_f64();
        let cores = cpu / lasted.as_secs_f64().max(0.001);
        (group.clone(), ProcessUse { cpu_seconds: cpu, cores, memory: usage.memory })
    };
    after.iter().map(one).collect()
}

/// The metrics of every process that answers, by group.
async fn scrape(http: &Http, stack: &Stack) -> Vec<(String, String)> {
    let services = stack
        .services
        .iter()
        .map(|process| (group_of(&process.name).to_owned(), format!("{}/metrics", process.admin_url)));
    let ingress = Some(&stack.ingress_metrics_url).filter(|url| !url.is_empty());
    let ingress = ingress.map(|url| ("envoy".to_owned(), format!("{url}/metrics")));
    let asked = services.chain(ingress).map(async |(group, url)| {
        let text = tokio::time::timeout(PATIENCE, get(http, &url)).await.ok()??;
        Some((group, text))
    });
    futures::future::join_all(asked).await.into_iter().flatten().collect()
}

async fn get(http: &Http, url: &str) -> Option<String> {
    let response =
        http.get(url.parse().ok()?).await.ok().filter(|response| response.status().is_success())?;
    let body = response.into_body().collect().await.ok()?.to_bytes();
    String::from_utf8(body.into()).ok()
}
