//! Which metrics are worth a chart, and how they are read from Prometheus' text format.

use std::collections::BTreeMap;

use super::Chart;

/// How a metric becomes a line.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// As it is, summed over labels and processes.
    Gauge,
    /// As it is, the largest of labels and processes.
    Largest,
    /// Its rise per second.
    Counter,
    /// The mean of what was added to a histogram meanwhile, times 1,000: milliseconds of one in seconds.
    MeanMs,
}

/// Charts in the order of a report: title, metric, kind. A metric that nobody exports has no chart. In braces stands a value that one
/// of the labels must have.
const CHARTS: [(&str, &str, Kind); 20] = [
    ("Calls handled per second", "rpc_server_duration_seconds_count", Kind::Counter),
    (
        "Calls shed or limited by a service per second",
        "rpc_server_duration_seconds_count{RESOURCE_EXHAUSTED}",
        Kind::Counter,
    ),
    ("Calls in flight", "rpc_server_in_flight", Kind::Gauge),
    ("Database transactions per second", "db_transaction_duration_seconds_count", Kind::Counter),
    ("Statement time, mean ms", "db_statement_duration_seconds", Kind::MeanMs),
    ("Wait for a database connection, mean ms", "db_pool_wait_seconds", Kind::MeanMs),
    ("Callers waiting for a database connection", "db_pool_waiting", Kind::Gauge),
    ("Open database connections", "db_pool_open", Kind::Gauge),
    ("Replica lag, s", "db_replica_lag_seconds", Kind::Largest),
    ("Redis commands per second", "redis_command_duration_seconds_count", Kind::Counter),
    ("Redis refused by the breaker (1 = yes)", "redis_breaker_open", Kind::Largest),
    ("Cache hits per second", "cache_hits_total", Kind::Counter),
    ("Reads that fell back to the primary per second", "db_reads_total{primary}", Kind::Counter),
    ("Passwords waiting or worked on", "auth_password_hash_places", Kind::Gauge),
    ("Job lag, mean ms", "jobs_lag_seconds", Kind::MeanMs),
    ("Denied by the limiter per second", "ratelimit_denials_total", Kind::Counter),
    ("Shed by Envoy per second", "envoy_cluster_upstream_rq_active_overflow", Kind::Counter),
    (
        "Limited by Envoy per second",
        "envoy_http_local_rate_limiter_http_local_rate_limit_rate_limited",
        Kind::Counter,
    ),
    ("Retries by Envoy per second", "envoy_cluster_upstream_rq_retry", Kind::Counter),
    ("Requests in flight in Envoy", "envoy_http_downstream_rq_active", Kind::Gauge),
];

/// Values as they were read: by chart and group, one list of (seconds, value, count).
#[derive(Debug, Default)]
pub(super) struct Samples(BTreeMap<(usize, String), Vec<Sample>>);

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: f64,
    value: f64,
    count: f64,
}

impl Samples {
    /// Adds what one process said at one time; processes of one group and time are added up.
    pub(super) fn add(&mut self, at: f64, group: &str, text: &str) {
        let values: Vec<Line<'_>> = text.lines().filter_map(Line::parse).collect();
        let sum = |name: &str| -> Option<f64> {
            let mut matching = values.iter().filter(|line| line.is(name)).map(|line| line.value).peekable();
            matching.peek()?;
            Some(matching.sum())
        };
        for (chart, (_, metric, kind)) in CHARTS.iter().enumerate() {
            let value = match kind {
                Kind::MeanMs => sum(&format!("{metric}_sum")),
                Kind::Gauge | Kind::Counter => sum(metric),
                Kind::Largest => {
                    values.iter().filter(|line| line.is(metric)).map(|line| line.value).reduce(f64::max)
                }
            };
            let Some(value) = value else { continue };
            let count = sum(&format!("{metric}_count")).unwrap_or(0.0);
            let line = self.0.entry((chart, group.to_owned())).or_default();
            match line.last_mut().filter(|last| last.at.total_cmp(&at).is_eq()) {
                Some(last) if matches!(kind, Kind::Largest) => last.value = last.value.max(value),
                Some(last) => {
                    last.value += value;
                    last.count += count;
                }
                None => line.push(Sample { at, value, count }),
            }
        }
    }

    /// The charts that have something to show.
    pub(super) fn charts(self) -> Vec<Chart> {
        let mut charts = BTreeMap::<usize, Chart>::new();
        for ((index, group), samples) in self.0 {
            let (title, _, kind) = CHARTS[index];
            let line = line(&samples, kind);
            if line.iter().any(|(_, value)| *value != 0.0) {
                let chart = charts
                    .entry(index)
                    .or_insert_with(|| Chart { title: title.to_owned(), lines: BTreeMap::new() });
                chart.lines.insert(group, line);
            }
        }
        charts.into_values().collect()
    }
}

fn line(samples: &[Sample], kind: Kind) -> Vec<(f64, f64)> {
    let pairs = samples.iter().zip(samples.iter().skip(1));
    match kind {
        Kind::Gauge | Kind::Largest => samples.iter().map(|sample| (sample.at, sample.value)).collect(),
        // A process that began anew counts from zero again: a fall is no rate.
        Kind::Counter => pairs
            .map(|(before, after)| {
                (after.at, ((after.value - before.value) / (after.at - before.at)).max(0.0))
            })
            .collect(),
        Kind::MeanMs => pairs
            .filter(|(before, after)| after.count > before.count)
            .map(|(before, after)| {
                (after.at, 1_000.0 * (after.value - before.value).max(0.0) / (after.count - before.count))
            })
            .collect(),
    }
}

/// A line of the text format: `name{labels} value` or `name value`.
struct Line<'a> {
    name: &'a str,
    labels: &'a str,
    value: f64,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let (name, labels, value) = if let Some((name, rest)) = line.split_once('{') {
            let (labels, value) = rest.rsplit_once('}')?;
            (name, labels, value)
        } else {
            let (name, value) = line.split_once(' ')?;
            (name, "", value)
        };
        Some(Self { name, labels, value: value.split_whitespace().next()?.parse().ok()? })
    }

    /// Whether it is of this metric, and has the label that `metric` asks for.
    fn is(&self, metric: &str) -> bool {
        match metric.strip_suffix('}').and_then(|metric| metric.split_once('{')) {
            Some((name, label)) => self.name == name && self.labels.contains(&format!("\"{label}\"")),
            None => self.name == metric,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_become_rates_and_histograms_means_over_all_processes_of_a_group() {
        let mut samples = Samples::default();
        let text = |calls: u32, waits: f64, count: u32| {
            format!(
                "# HELP x y\nrpc_server_duration_seconds_count{{method=\"a}} b\"}} {calls}\n\
                 rpc_server_duration_seconds_count{{method=\"c\"}} {calls}\n\
                 db_pool_wait_seconds_sum {waits}\ndb_pool_wait_seconds_count {count}\n"
            )
        };
        for process in 0..2 {
            samples.add(1.0, "catalog", &text(10 + process, 1.0, 10));
        }
        for process in 0..2 {
            samples.add(3.0, "catalog", &text(20 + process, 2.0, 20));
        }
        let charts = samples.charts();
        assert_eq!(charts[0].lines["catalog"], [(3.0, 20.0)]);
        assert_eq!(charts[1].lines["catalog"], [(3.0, 100.0)]);
    }

    #[test]
    fn a_label_can_be_asked_for() {
        let mut samples = Samples::default();
        for (at, shed) in [(1.0, 0), (2.0, 7)] {
            let of = |code: &str, count: i32| {
                format!("rpc_server_duration_seconds_count{{rpc_grpc_status_code=\"{code}\"}} {count}\n")
            };
            samples.add(at, "orders", &(of("OK", 10 * shed) + &of("RESOURCE_EXHAUSTED", shed)));
        }
        let charts = samples.charts();
        assert_eq!(charts[0].lines["orders"], [(2.0, 77.0)]);
        assert_eq!(charts[1].lines["orders"], [(2.0, 7.0)]);
    }
}
