//! A report as one page that needs nothing else: no script, no style sheet, no picture from elsewhere.

use std::fmt::Write as _;

use super::{
    DATA_CLOSE, DATA_OPEN, Percentiles, Report,
    build::VERSION,
    compare,
    svg::{self, Line, Scale, Span},
};
use crate::{
    plan::Model,
    recorder::{Counts, FailedCall},
};

/// Failed calls that the page lists; the data has more.
const FAILURES_SHOWN: usize = 50;

/// The page of one or more runs, compared with earlier ones where a counterpart is among them. `headline` says what they came to
/// together; it may be empty.
pub fn page(headline: &str, runs: &[Report], earlier: &[Report]) -> String {
    let mut out = String::with_capacity(256 * 1_024);
    let title = runs.first().map_or("no run", |run| run.title.as_str());
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>sipup load: {}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{}</style><main>",
        escape(title),
        include_str!("style.css")
    );
    let version = runs.first().and_then(|run| run.environment.get(VERSION)).map_or("", String::as_str);
    let _ = write!(out, "<header>sipup load {}</header>", escape(version));
    if !headline.is_empty() {
        let _ = write!(out, "<h1>{}</h1>", escape(headline));
    }
    if runs.len() > 1 {
        overview(&mut out, runs);
    }
    for run in runs {
        one(&mut out, run, compare::counterpart(earlier, run));
    }
    // In a script element nothing but its end tag would be read as markup, and JSON allows to write `<` otherwise.
    let data = serde_json::to_string(runs).unwrap_or_else(|_| "[]".to_owned()).replace('<', "\\u003c");
    let _ = write!(out, "</main>{DATA_OPEN}{data}{DATA_CLOSE}</html>");
    out
}

/// Text as it is, whatever it holds.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn overview(out: &mut String, runs: &[Report]) {
    out.push_str("<h1>Runs</h1>");
    let head =
        ["run", "verdict", "users", "offered/s", "right/s", "success", "p50", "p99", "p99.9", "lag p99"];
    let rows = runs.iter().enumerate().map(|(number, run)| {
        vec![
            format!("{}", number + 1),
            word(run),
            run.asked.users.to_string(),
            format!("{:.0}", run.asked.rate),
            format!("{:.0}", run.rate),
            percent(run.counts.success()),
            ms(run.latency.p50),
            ms(run.latency.p99),
            ms(run.latency.p999),
            ms(run.generator.lag.p99),
        ]
    });
    table(out, &head, rows);
}

fn one(out: &mut String, run: &Report, before: Option<&Report>) {
    let _ = write!(out, "<section><h1>{} {}</h1>", word(run), escape(&run.title));
    verdict(out, run);
    figures(out, run);
    if let Some(before) = before {
        comparison(out, before, run);
    }
    over_time(out, run);
    rows(out, run);
    failures(out, &run.failures);
    server(out, run);
    settings(out, run);
    out.push_str("</section>");
}

fn verdict(out: &mut String, run: &Report) {
    for reason in &run.invalid {
        let _ = write!(
            out,
            "<p class=\"bad\"><b>INVALID</b>: {}. Don't quote these figures.</p>",
            escape(reason)
        );
    }
    if run.counts.wrong > 0 {
        let _ = write!(out, "<p class=\"bad\"><b>{} wrong answers</b></p>", run.counts.wrong);
    }
    if run.verdicts.is_empty() {
        out.push_str("<p>No objective was given.</p>");
    } else {
        table(
            out,
            &["objective", "reached", ""],
            run.verdicts.iter().map(|verdict| {
                let word =
                    if verdict.holds { "<b class=\"good\">holds</b>" } else { "<b class=\"bad\">fails</b>" };
                vec![escape(&verdict.objective), escape(&verdict.reached), word.to_owned()]
            }),
        );
    }
    for caution in &run.cautions {
        let _ = write!(out, "<p class=\"note\">{}</p>", escape(caution));
    }
}

fn figures(out: &mut String, run: &Report) {
    let counts = &run.counts;
    let head = [
        "offered", "right", "right/s", "declined", "limited", "shed", "failed", "wrong", "dropped", "late",
        "success",
    ];
    let row = vec![
        counts.offered.to_string(),
        counts.right.to_string(),
        format!("{:.1}", run.rate),
        counts.declined.to_string(),
        counts.limited.to_string(),
        counts.shed.to_string(),
        counts.failed.to_string(),
        counts.wrong.to_string(),
        counts.dropped.to_string(),
        run.generator.late.to_string(),
        percent(counts.success()),
    ];
    table(out, &head, [row]);
    let head = ["ms", "mean", "p50", "p90", "p95", "p99", "p99.9", "p99.99", "max", "calls"];
    let named = [
        ("latency, from when due", &run.latency),
        ("service time, from when sent", &run.service),
        ("lag of the generator", &run.generator.lag),
    ];
    table(out, &head, named.into_iter().map(|(name, of)| [vec![name.to_owned()], percentiles(of)].concat()));
    let _ = write!(out, "<p class=\"note\">While measuring, {}.</p>", run.first_sights());
    out.push_str(
        "<p class=\"note\">Figures are of the time after the ramp and the warm-up (grey). Latency counts from the time at which a call was due, so a wait \
         before sending is in it. Refused calls have no latency; those that timed out count with all the time that was waited. \
         Dropped and refused calls are not successful.</p>",
    );
}

fn comparison(out: &mut String, before: &Report, run: &Report) {
    let _ = write!(out, "<h2>Compared with {} ({})</h2>", escape(&before.title), escape(&before.started));
    if !before.is_valid() {
        out.push_str("<p class=\"bad\">The earlier run was INVALID.</p>");
    }
    let rows = compare::changes(before, run).into_iter().map(|change| {
        let share = change.share().map_or_else(String::new, |share| format!("{:+.1} %", share * 100.0));
        vec![change.figure.to_owned(), format!("{:.2}", change.before), format!("{:.2}", change.now), share]
    });
    table(out, &["", "before", "now", "change"], rows);
}

/// A line's name, and what it counts.
type Rate = (&'static str, fn(&Counts) -> u64);

fn over_time(out: &mut String, run: &Report) {
    let (timeline, width) = (&run.timeline, run.timeline.width);
    // What lies behind the last whole slot holds only answers that came after the end.
    let whole = ((run.asked.lead_in() + run.asked.duration).min(run.lasted) / width).floor().max(1.0);
    let span = Span { end: whole * width, lead_in: run.asked.lead_in() };
    let at = |slot: usize| (slot as f64 + 0.5) * width;
    let names = ["p50", "p90", "p99", "p99.9", "max"];
    let latencies: Vec<Line> = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let value = |slot: &Option<[f64; 5]>| slot.map_or(f64::NAN, |values| values[index]);
            let points = timeline.percentiles.iter().enumerate().map(|(slot, each)| (at(slot), value(each)));
            let points = points.take_while(|(at, _)| *at < span.end);
            Line { name: (*name).to_owned(), points: points.collect() }
        })
        .collect();
    let _ = write!(out, "<h2>Latency over time, ms</h2>{}", svg::lines(&latencies, span, Scale::Log));
    let rates: [Rate; 7] = [
        ("offered", |counts| counts.offered),
        ("achieved (right answers)", Counts::answered),
        ("admitted (not refused by a limit or shed)", |counts| counts.ended() - counts.limited - counts.shed),
        ("limited", |counts| counts.limited),
        ("shed", |counts| counts.shed),
        ("failed or wrong", |counts| counts.failed + counts.wrong),
        ("dropped", |counts| counts.dropped),
    ];
    let lines: Vec<Line> = rates
        .into_iter()
        .map(|(name, count)| {
            let points =
                timeline.counts.iter().enumerate().map(|(slot, each)| (at(slot), count(each) as f64 / width));
            let points = points.take_while(|(at, _)| *at < span.end);
            Line { name: name.to_owned(), points: points.collect() }
        })
        .filter(|line| line.points.iter().any(|(_, value)| *value > 0.0))
        .collect();
    let _ = write!(out, "<h2>Calls per second</h2>{}", svg::lines(&lines, span, Scale::Linear));
    let slots = timeline.heat.iter().enumerate().take_while(|(slot, _)| at(*slot) < span.end).count();
    let heat = svg::heat_map(&timeline.heat[..slots], &timeline.heat_bounds, width);
    let _ = write!(out, "<h2>Latency of each call, ms, by when it was due</h2>{heat}");
}

fn rows(out: &mut String, run: &Report) {
    out.push_str("<h2>By journey</h2>");
    let head = [
        "journey", "step", "over", "calls", "right", "declined", "limited", "shed", "failed", "wrong", "p50",
        "p99", "max", "errors",
    ];
    let rows = run.rows.iter().map(|row| {
        let codes: Vec<String> =
            row.codes.iter().map(|(code, count)| format!("{} {count}", escape(code))).collect();
        let counts = &row.counts;
        vec![
            escape(&row.journey),
            escape(&row.step),
            row.transport.to_string(),
            counts.offered.to_string(),
            counts.right.to_string(),
            counts.declined.to_string(),
            counts.limited.to_string(),
            counts.shed.to_string(),
            counts.failed.to_string(),
            counts.wrong.to_string(),
            ms(row.latency.p50),
            ms(row.latency.p99),
            ms(row.latency.max),
            codes.join(", "),
        ]
    });
    table(out, &head, rows);
}

fn failures(out: &mut String, failures: &[FailedCall]) {
    if failures.is_empty() {
        return;
    }
    let shown = failures.len().min(FAILURES_SHOWN);
    let _ = write!(out, "<details><summary>The first {shown} calls that did not end well</summary>");
    let rows = failures.iter().take(shown).map(|call| {
        vec![
            format!("{:.3} s", call.at),
            escape(&call.step),
            call.transport.to_string(),
            escape(&call.outcome),
            escape(&call.code),
            escape(&call.message),
        ]
    });
    table(out, &["due at", "step", "over", "outcome", "code", "message"], rows);
    out.push_str("</details>");
}

fn server(out: &mut String, run: &Report) {
    let overlay = &run.overlay;
    if overlay.charts.is_empty() && overlay.processes.is_empty() {
        return;
    }
    out.push_str("<h2>The server's side</h2>");
    let generator = run.generator.cpu_seconds.map(|seconds| {
        let cores = seconds / run.lasted.max(0.001);
        (("load generator".to_owned(), seconds), (cores, run.generator.peak_memory.unwrap_or(0)))
    });
    let processes = overlay
        .processes
        .iter()
        .map(|(name, usage)| ((name.clone(), usage.cpu_seconds), (usage.cores, usage.memory)));
    let used: Vec<_> = processes.chain(generator).collect();
    let sum: f64 = used.iter().map(|((_, seconds), _)| seconds).sum();
    let calls = run.timeline.counts.iter().map(Counts::ended).sum::<u64>().max(1) as f64;
    let total = (("all".to_owned(), sum), (sum / run.lasted.max(0.001), 0));
    let rows = used.into_iter().chain([total]).map(|((name, seconds), (cores, memory))| {
        vec![
            escape(&name),
            format!("{seconds:.1}"),
            format!("{cores:.2}"),
            format!("{:.1} %", 100.0 * seconds / sum.max(f64::MIN_POSITIVE)),
            format!("{:.0}", 1e6 * seconds / calls),
            if memory == 0 { String::new() } else { format!("{}", memory >> 20) },
        ]
    });
    let head = ["processes", "CPU, s", "cores", "share of all", "CPU per call, µs", "memory, MiB"];
    table(out, &head, rows);
    out.push_str("<div class=\"small\">");
    for chart in &overlay.charts {
        let lines: Vec<Line> = chart
            .lines
            .iter()
            .map(|(name, points)| Line { name: name.clone(), points: points.clone() })
            .collect();
        let _ = write!(
            out,
            "<figure><figcaption>{}</figcaption>{}</figure>",
            escape(&chart.title),
            svg::lines(&lines, Span { end: run.lasted, lead_in: run.asked.lead_in() }, Scale::Linear)
        );
    }
    out.push_str("</div>");
}

fn settings(out: &mut String, run: &Report) {
    let asked = &run.asked;
    let model = if asked.model == Model::Open { "open" } else { "closed" };
    let cpu = run.generator.cpu.map_or("unknown".to_owned(), |cpu| format!("{:.1} %", cpu * 100.0));
    let memory =
        run.generator.peak_memory.map_or("unknown".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
    let fixed = [
        ("began", run.started.clone()),
        ("target", asked.url.clone()),
        ("users", format!("{} ({} users of the platform)", asked.users, asked.identities)),
        ("think time, mean", format!("{:.2} s", asked.think_time)),
        ("rate", format!("{:.1}/s, {model} model, {:?} arrivals", asked.rate, asked.arrivals)),
        (
            "time",
            format!(
                "{:.0} s after {:.0} s of ramp and {:.1} s of warm-up; {:.1} s in all",
                asked.duration, asked.ramp, asked.warm_up, run.lasted
            ),
        ),
        ("REST", format!("{:.0} % of users", asked.rest_share * 100.0)),
        ("connections", asked.connections.to_string()),
        ("seed", asked.seed.to_string()),
        ("generator", format!("CPU {cpu} of {} threads, peak memory {memory}", run.generator.threads)),
        ("most calls in flight", run.generator.most_in_flight.to_string()),
    ];
    out.push_str("<h2>Settings and environment</h2>");
    let fixed = fixed.map(|(name, value)| vec![name.to_owned(), escape(&value)]);
    let found = run.environment.iter().map(|(name, value)| vec![escape(name), escape(value)]);
    table(out, &["", ""], fixed.into_iter().chain(found));
}

/// A table. A column of which every cell is a number has them below each other.
fn table(out: &mut String, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    let is_number =
        |cell: &str| cell.starts_with(|first: char| first.is_ascii_digit() || "+-".contains(first));
    let numbers: Vec<bool> = (0..head.len())
        .map(|column| {
            let mut cells =
                rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty()).peekable();
            cells.peek().is_some() && cells.all(|cell| is_number(cell))
        })
        .collect();
    let class = |column: usize, cell: &str| match (numbers.get(column), cell) {
        (Some(true), "0") => " class=\"number nothing\"",
        (Some(true), _) => " class=\"number\"",
        _ => "",
    };
    out.push_str("<div class=\"wide\"><table><tr>");
    for (column, cell) in head.iter().enumerate() {
        let _ = write!(out, "<th{}>{cell}</th>", class(column, cell));
    }
    out.push_str("</tr>");
    for row in rows {
        out.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let _ = write!(out, "<td{}>{cell}</td>", class(column, cell));
        }
        out.push_str("</tr>");
    }
    out.push_str("</table></div>");
}

fn percentiles(of: &Percentiles) -> Vec<String> {
    let mut cells = [of.mean, of.p50, of.p90, of.p95, of.p99, of.p999, of.p9999, of.max].map(ms).to_vec();
    cells.push(of.count.to_string());
    cells
}

fn word(run: &Report) -> String {
    let class = if run.word() == "PASSED" { "good" } else { "bad" };
    format!("<b class=\"{class}\">{}</b>", run.word())
}

fn ms(value: f64) -> String {
    format!("{value:.2}")
}

fn percent(share: f64) -> String {
    format!("{:.4} %", share * 100.0)
}
