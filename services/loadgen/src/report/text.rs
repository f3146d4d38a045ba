//! A report in lines.

use std::fmt::Write as _;

use super::{Percentiles, Report};
use crate::recorder::Counts;

/// What the terminal shows at the end.
pub fn summary(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = write_summary(&mut text, report);
    text
}

fn write_summary(out: &mut String, report: &Report) -> std::fmt::Result {
    let counts = &report.counts;
    writeln!(out, "{}: {}", report.word(), report.title)?;
    for reason in &report.invalid {
        writeln!(out, "  INVALID: {reason}")?;
    }
    for caution in &report.cautions {
        writeln!(out, "  note: {caution}")?;
    }
    for verdict in &report.verdicts {
        let word = if verdict.holds { "holds" } else { "FAILS" };
        writeln!(out, "  {word}  {}  (reached {})", verdict.objective, verdict.reached)?;
    }
    if counts.wrong > 0 {
        writeln!(out, "  FAILS  {} wrong answers", counts.wrong)?;
    }
    writeln!(
        out,
        "  offered {} ({:.1}/s)  right {} ({:.1}/s)  declined {}  limited {}  shed {}  failed {}  wrong {}  dropped {}  success {:.4} %",
        counts.offered,
        report.asked.rate,
        counts.right,
        report.rate,
        counts.declined,
        counts.limited,
        counts.shed,
        counts.failed,
        counts.wrong,
        counts.dropped,
        counts.success() * 100.0
    )?;
    writeln!(out, "  while measuring, {}", report.first_sights())?;
    writeln!(out, "                mean      p50      p90      p99    p99.9      max  (ms)")?;
    writeln!(out, "  {:<9}{}", "latency", percentiles(&report.latency))?;
    writeln!(out, "  {:<9}{}", "service", percentiles(&report.service))?;
    writeln!(out, "  {:<9}{}", "lag", percentiles(&report.generator.lag))?;
    let generator = &report.generator;
    let cpu = generator.cpu.map_or("unknown".to_owned(), |cpu| format!("{:.0} %", cpu * 100.0));
    let memory = generator.peak_memory.map_or("unknown".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
    writeln!(
        out,
        "  generator: CPU {cpu} of {} threads, peak memory {memory}, late starts {}, at most {} in flight",
        generator.threads, generator.late, generator.most_in_flight
    )?;
    let calls = report.timeline.counts.iter().map(Counts::ended).sum::<u64>().max(1) as f64;
    for (name, usage) in &report.overlay.processes {
        writeln!(
            out,
            "  {name:<17} {:>5.2} cores  {:>5.0} µs of CPU per call  {:>5} MiB",
            usage.cores,
            1e6 * usage.cpu_seconds / calls,
            usage.memory >> 20
        )?;
    }
    for row in report.rows.iter().filter(|row| !row.codes.is_empty()) {
        let codes: Vec<String> = row.codes.iter().map(|(code, count)| format!("{code} {count}")).collect();
        writeln!(out, "  {} / {} over {}: {}", row.journey, row.step, row.transport, codes.join(", "))?;
    }
    Ok(())
}

fn percentiles(of: &Percentiles) -> String {
    let each = [of.mean, of.p50, of.p90, of.p99, of.p999, of.max];
    each.iter().fold(String::new(), |mut out, value| {
        let _ = write!(out, " {value:>8.2}");
        out
    })
}
