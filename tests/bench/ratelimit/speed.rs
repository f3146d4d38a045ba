//! How many, how fast, at what price: each shape for both limiters in turn, several times, medians told.

use std::time::{Duration, Instant};

use crate::{
    Bench,
    limiter::Limiter,
    load::{self, Call, Clients, Outcome},
    process::cpu_seconds,
    rules::Shape,
};

/// Before figures are taken, so that connections, caches and scripts are there.
const WARM_UP: Duration = Duration::from_millis(500);
/// What all rows have in common.
const HEADER: &str = "                                  peer                                     ours                              ours : peer\n\
                      requests                          rate   p50 ms   p99 ms   cpu  valkey     rate   p50 ms   p99 ms   cpu  valkey    rate    p99";

/// The requests of both tables.
const SHAPES: [(&str, Shape); 7] = [
    ("1 descriptor", Shape::Principals(1)),
    ("2 descriptors, 2 principals", Shape::Principals(2)),
    ("10 descriptors, 10 principals", Shape::Principals(10)),
    ("2 descriptors of 1 user", Shape::Classes(2)),
    ("10 descriptors of 1 user", Shape::Classes(10)),
    ("1 descriptor, 1 hot user", Shape::Hot),
    ("1 descriptor, 1 denied user", Shape::Denied),
];

/// One measurement.
#[derive(Clone, Copy, Debug)]
struct Figures {
    rate: f64,
    p50: f64,
    p99: f64,
    /// CPU seconds per 1,000 calls: of the limiter, of the cluster, of the load.
    cpu: [f64; 3],
    failed: usize,
}

/// As much as the limiters can do with all callers at once.
pub(crate) async fn closed(bench: &Bench) -> anyhow::Result<()> {
    let (callers, seconds) = (bench.args.callers, bench.args.seconds);
    bench.say(&format!("\nclosed loop: {callers} callers, {seconds} s, median of {}", bench.args.repeats));
    let time = Duration::from_secs(seconds);
    table(bench, &SHAPES, async |clients: &Clients, shape| load::closed(clients, callers, time, shape).await)
        .await
}

/// As fast as at a given rate, from the moment that each call is due.
pub(crate) async fn open(bench: &Bench) -> anyhow::Result<()> {
    let time = Duration::from_secs(bench.args.seconds);
    for rate in &bench.args.rates {
        bench.say(&format!("\nopen loop: {rate} calls/s due, median of {}", bench.args.repeats));
        let shapes = [SHAPES[0], SHAPES[4], SHAPES[2], SHAPES[5]];
        table(bench, &shapes, async |clients: &Clients, shape| load::open(clients, *rate, time, shape).await)
            .await?;
    }
    Ok(())
}

async fn table(
    bench: &Bench,
    shapes: &[(&str, Shape)],
    load: impl AsyncFn(&Clients, Shape) -> Vec<Call>,
) -> anyhow::Result<()> {
    bench.say(HEADER);
    for (name, shape) in shapes {
        let mut measured = [Vec::new(), Vec::new()];
        for _ in 0..bench.args.repeats {
            for (limiter, figures) in [&bench.peer, &bench.ours].into_iter().zip(&mut measured) {
                figures.push(measure(bench, limiter, *shape, &load).await?);
            }
        }
        let [peer, ours] = measured.map(|figures| median(&figures));
        let ratios = format!("{:>8.2}{:>7.2}", ours.rate / peer.rate, ours.p99 / peer.p99);
        let failed = peer.failed + ours.failed;
        let note =
            if failed > 0 { format!("  failed: {} | {}", peer.failed, ours.failed) } else { String::new() };
        bench.say(&format!("{name:<30}{}{}{ratios}{note}", peer.columns(), ours.columns()));
    }
    Ok(())
}

async fn measure(
    bench: &Bench,
    limiter: &Limiter,
    shape: Shape,
    load: impl AsyncFn(&Clients, Shape) -> Vec<Call>,
) -> anyhow::Result<Figures> {
    bench.cluster.clear()?;
    let clients = limiter.clients().await?;
    load::closed(&clients, bench.args.callers, WARM_UP, shape).await;
    let pids = [vec![limiter.pid()], bench.cluster.pids(), vec![std::process::id()]];
    let before = pids.each_ref().map(|pids| cpu_seconds(pids));
    let begun = Instant::now();
    let calls = load(&clients, shape).await;
    let took = begun.elapsed();
    let after = pids.each_ref().map(|pids| cpu_seconds(pids));
    let failed = calls.iter().filter(|call| call.outcome == Outcome::Failed).count();
    #[expect(clippy::cast_precision_loss, reason = "calls of a few seconds are far below 2^52")]
    let (count, good) = (calls.len() as f64, (calls.len() - failed) as f64);
    let mut cpu = [0.0; 3];
    for (index, cpu) in cpu.iter_mut().enumerate() {
        *cpu = (after[index] - before[index]) * 1_000.0 / count;
    }
    let (p50, p99) = (load::quantile(&calls, 0.5), load::quantile(&calls, 0.99));
    let figures = Figures { rate: good / took.as_secs_f64(), p50, p99, cpu, failed };
    if bench.args.verbose {
        bench.say(&format!("  {} {shape:?} {}  load {:.3}", limiter.name, figures.columns(), cpu[2]));
    }
    Ok(figures)
}

impl Figures {
    fn columns(&self) -> String {
        format!(
            "{:>8.0}{:>9.2}{:>9.2}{:>7.3}{:>7.3} ",
            self.rate, self.p50, self.p99, self.cpu[0], self.cpu[1]
        )
    }
}

/// The median of each figure by itself.
fn median(figures: &[Figures]) -> Figures {
    let of = |figure: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = figures.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    };
    Figures {
        rate: of(|figures| figures.rate),
        p50: of(|figures| figures.p50),
        p99: of(|figures| figures.p99),
        cpu: [of(|figures| figures.cpu[0]), of(|figures| figures.cpu[1]), of(|figures| figures.cpu[2])],
        failed: figures.iter().map(|figures| figures.failed).sum(),
    }
}
