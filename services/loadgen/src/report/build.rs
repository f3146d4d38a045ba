//! From counts to a report, and the judgement whether the instrument itself was up to it.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::{Counter, Histogram};
use jiff::Timestamp;

use super::{Asked, GeneratorUse, Percentiles, Report, RowReport, Timeline, Verdict};
use crate::{
    histogram::{encoded, milliseconds},
    identity::Identities,
    objective::Figures,
    overlay::Overlay,
    plan::{Model, Plan},
    price::Agreements,
    recorder::{Key, Recorder, Row, SESSIONS, Slot},
    usage,
};

/// What the environment calls the version.
pub(super) const VERSION: &str = "version of the generator";
/// A generator that starts calls later than this at the 99th percentile measures itself, in milliseconds.
const MOST_LAG: f64 = 1.0;
/// A generator that uses more of its CPU than this can't keep its schedule.
const MOST_CPU: f64 = 0.8;
/// Rows of the heat map for each factor of ten.
const ROWS_PER_DECADE: i32 = 8;
/// The heat map begins at a tenth of a millisecond.
const LEAST_DECADE: i32 = -1;
/// And ends at ten seconds; what is above is in the last row.
const MOST_DECADE: i32 = 4;

/// What a report is made of.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) started: Timestamp,
    pub(crate) lasted: Duration,
    pub(crate) cpu: Option<Duration>,
    pub(crate) overlay: Overlay,
    pub(crate) identities: &'a Identities,
    pub(crate) agreements: &'a Agreements,
    pub(crate) recorder: &'a Recorder,
    pub(crate) ended_early: bool,
}

impl Report {
    pub(crate) fn of(plan: &Plan, evidence: &Evidence<'_>) -> Self {
        let recorder = evidence.recorder;
        let latency = Percentiles::of(&recorder.latency);
        let measured = plan.duration.min(evidence.lasted.saturating_sub(plan.lead_in())).as_secs_f64();
        let rate = if measured > 0.0 { recorder.counts.answered() as f64 / measured } else { 0.0 };
        let generator = generator(evidence);
        let figures = Figures { latency: &latency, counts: &recorder.counts, rate };
        let verdicts = plan.objectives.0.iter().map(|objective| {
            let (reached, holds) = objective.judge(&figures);
            Verdict { objective: objective.to_string(), reached, holds }
        });
        let hdr = [("latency", &recorder.latency), ("service", &recorder.service), ("lag", &recorder.lag)];
        Self {
            title: format!("{} users, {:.0} calls/s", plan.users, plan.full_rate()),
            started: evidence.started.to_string(),
            lasted: evidence.lasted.as_secs_f64(),
            ended_early: evidence.ended_early,
            invalid: invalid(&generator, recorder),
            cautions: cautions(plan, evidence),
            verdicts: verdicts.collect(),
            asked: Asked::of(plan),
            counts: recorder.counts,
            first_sights: recorder.first_sights,
            rate,
            latency,
            service: Percentiles::of(&recorder.service),
            generator,
            rows: recorder.rows.iter().map(|(key, row)| RowReport::of(plan, *key, row)).collect(),
            timeline: timeline(recorder),
            overlay: evidence.overlay.clone(),
            environment: environment(plan, evidence),
            failures: recorder.failures.clone(),
            hdr: hdr.into_iter().map(|(name, histogram)| (name.to_owned(), encoded(histogram))).collect(),
        }
    }
}

impl Percentiles {
    pub(crate) fn of<C: Counter>(histogram: &Histogram<C>) -> Self {
        let at = |quantile| milliseconds(histogram, quantile);
        Self {
            count: histogram.len(),
            mean: if histogram.is_empty() { 0.0 } else { histogram.mean() / 1_000.0 },
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: at(1.0),
        }
    }
}

impl Asked {
    fn of(plan: &Plan) -> Self {
        Self {
            url: plan.url.clone(),
            users: plan.users,
            identities: plan.identities.min(plan.users),
            rate: plan.full_rate(),
            think_time: plan.think_time().as_secs_f64(),
            duration: plan.duration.as_secs_f64(),
            ramp: plan.ramp.as_secs_f64(),
            warm_up: plan.warm_up_time().as_secs_f64(),
            arrivals: plan.arrivals,
            model: plan.model,
            rest_share: plan.scenario.rest_share,
            connections: plan.connections,
            seed: plan.seed,
        }
    }
}

impl RowReport {
    fn of(plan: &Plan, key: Key, row: &Row) -> Self {
        let journey = key.journey.and_then(|index| plan.scenario.journeys.get(index));
        Self {
            journey: journey.map_or_else(|| SESSIONS.to_owned(), |journey| journey.name.clone()),
            step: key.step.to_string(),
            transport: key.transport,
            counts: row.counts,
            latency: Percentiles::of(&row.latency),
            codes: row.codes.clone(),
        }
    }
}

fn generator(evidence: &Evidence<'_>) -> GeneratorUse {
    let recorder = evidence.recorder;
    let threads = tokio::runtime::Handle::try_current().map_or(1, |handle| handle.metrics().num_workers());
    let available = evidence.lasted.as_secs_f64() * threads as f64;
    let cpu_seconds = evidence.cpu.map(|cpu| cpu.as_secs_f64());
    GeneratorUse {
        lag: Percentiles::of(&recorder.lag),
        late: recorder.late,
        cpu: cpu_seconds.filter(|_| available > 0.0).map(|seconds| seconds / available),
        threads,
        cpu_seconds,
        peak_memory: usage::own_peak_memory(),
        most_in_flight: recorder.most_in_flight,
    }
}

fn invalid(generator: &GeneratorUse, recorder: &Recorder) -> Vec<String> {
    let mut reasons = Vec::new();
    if generator.lag.p99 > MOST_LAG {
        reasons.push(format!(
            "the generator started calls late: lag p99 {:.2} ms, at most {MOST_LAG} ms is allowed",
            generator.lag.p99
        ));
    }
    if let Some(cpu) = generator.cpu.filter(|cpu| *cpu > MOST_CPU) {
        reasons.push(format!(
            "the generator used {:.0} % of its CPU, at most {:.0} % is allowed",
            cpu * 100.0,
            MOST_CPU * 100.0
        ));
    }
    if recorder.counts.ended() == 0 {
        reasons.push("no call ended after the ramp and the warm-up".to_owned());
    }
    reasons
}

fn cautions(plan: &Plan, evidence: &Evidence<'_>) -> Vec<String> {
    let mut cautions = Vec::new();
    if plan.model == Model::Closed {
        cautions.push(
            "Closed model: each user waits for its answer before it calls again, so a slow server got fewer calls \
             and the waiting of those who would have come is not in these figures. Compare them with nothing but themselves."
                .to_owned(),
        );
    }
    let identities = evidence.identities.all.len();
    if identities < plan.users as usize {
        cautions.push(format!(
            "{} virtual users share {identities} users of the platform: limits per user and caches of sessions see {identities}.",
            plan.users
        ));
    }
    if evidence.identities.minted > 0 {
        cautions.push(
            "Users did not log in: the tool signed their tokens itself, with the platform's keys. The platform's users, \
             passwords and sessions took no part."
                .to_owned(),
        );
    }
    if !evidence.agreements.are_in_play() {
        cautions.push(
            "No company had prices of its own by this run's doing: what old companies pay was checked as far as answers must agree \
             with each other."
                .to_owned(),
        );
    }
    if evidence.ended_early {
        cautions.push("Ended before its time: the figures are of what was until then.".to_owned());
    }
    if evidence.recorder.counts.dropped > 0 {
        cautions.push(format!(
            "{} calls were due but not sent, because {} were in flight or no user was idle; they count as not successful, and \
             have no latency.",
            evidence.recorder.counts.dropped, plan.most_in_flight
        ));
    }
    cautions
}

fn timeline(recorder: &Recorder) -> Timeline {
    let heat_bounds: Vec<f64> = (LEAST_DECADE * ROWS_PER_DECADE + 1..=MOST_DECADE * ROWS_PER_DECADE)
        .map(|row| 10_f64.powf(f64::from(row) / f64::from(ROWS_PER_DECADE)))
        .collect();
    let percentiles = |slot: &Slot| {
        let at = |quantile| milliseconds(&slot.latency, quantile);
        (!slot.latency.is_empty()).then(|| [at(0.5), at(0.9), at(0.99), at(0.999), at(1.0)])
    };
    Timeline {
        width: recorder.width.as_secs_f64(),
        counts: recorder.slots.iter().map(|slot| slot.counts).collect(),
        percentiles: recorder.slots.iter().map(percentiles).collect(),
        heat: recorder.slots.iter().map(|slot| heat(&slot.latency, &heat_bounds)).collect(),
        heat_bounds,
    }
}

fn heat(histogram: &Histogram<u32>, bounds: &[f64]) -> Vec<u64> {
    let mut rows = vec![0; bounds.len()];
    for value in histogram.iter_recorded() {
        let ms = value.value_iterated_to() as f64 / 1_000.0;
        let row = bounds.partition_point(|bound| *bound < ms).min(bounds.len() - 1);
        rows[row] += u64::from(value.count_at_value());
    }
    rows
}

fn environment(plan: &Plan, evidence: &Evidence<'_>) -> BTreeMap<String, String> {
    let identities = evidence.identities;
    let prepared = format!(
        "{} registered, {} logged in, {} resumed, {} with tokens signed by the tool",
        identities.registered, identities.logged_in, identities.resumed, identities.minted
    );
    let journeys: Vec<String> =
        plan.scenario.journeys.iter().map(|journey| format!("{} {}", journey.name, journey.weight)).collect();
    let processes: Vec<&str> =
        plan.stack.iter().flat_map(|stack| stack.pids.keys()).map(String::as_str).collect();
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    [
        ("hardware", usage::hardware()),
        ("kernel", read("/proc/sys/kernel/osrelease")),
        ("load average at the end", read("/proc/loadavg")),
        ("build of the generator", if cfg!(debug_assertions) { "debug" } else { "optimised" }.to_owned()),
        ("identities", prepared),
        ("prices of companies", evidence.agreements.told()),
        ("journeys by weight", journeys.join(", ")),
        ("Zipf's exponent of the demand", plan.scenario.sku_skew.to_string()),
        (VERSION, plan.version.clone()),
        ("processes of the stack", processes.join(", ")),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(lag: f64, cpu: Option<f64>) -> Vec<String> {
        let lag = Percentiles { p99: lag, ..Percentiles::default() };
        let generator = GeneratorUse { lag, cpu, ..GeneratorUse::default() };
        let mut recorder = Recorder::new(Duration::ZERO, Duration::from_secs(1), 0);
        recorder.counts.right = 1;
        invalid(&generator, &recorder)
    }

    #[test]
    fn a_generator_that_lags_or_is_out_of_breath_is_not_believed() {
        assert!(reasons(1.0, Some(0.8)).is_empty());
        assert!(reasons(0.1, None).is_empty());
        assert!(reasons(1.01, Some(0.1))[0].contains("lag p99 1.01 ms"));
        assert!(reasons(0.1, Some(0.81))[0].contains("81 %"));
    }

    #[test]
    fn the_heat_map_holds_every_call() {
        let mut histogram = crate::histogram::coarse();
        for us in [50_u64, 1_000, 30_000, 60_000_000] {
            histogram.saturating_record(us);
        }
        let rows = heat(&histogram, &[1.0, 10.0, 100.0]);
        assert_eq!(rows, [1, 1, 2]);
    }
}
