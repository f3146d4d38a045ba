//! Small charts, drawn by hand: no script, no font, no file from elsewhere.

use std::fmt::Write as _;

use super::html::escape;

/// Size of a chart, and the room for its labels.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 22.0;
const TOP: f64 = 8.0;
/// Told apart also by those who see fewer colours.
const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#000000", "#999999"];
/// About so many lines has the grid.
const GRID: f64 = 4.0;

/// A line of a chart: its name and its points. A gap is a value that is not finite.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// The time that a chart shows, in seconds.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) end: f64,
    /// At first nothing is summed up; that time is shaded.
    pub(super) lead_in: f64,
}

/// How a chart's values are laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    /// For latencies: what is tiny and what is huge can both be read.
    Log,
}

/// Lines over time, with their legend.
pub(super) fn lines(lines: &[Line], span: Span, scale: Scale) -> String {
    let end = span.end;
    let values =
        || lines.iter().flat_map(|line| &line.points).map(|point| point.1).filter(|value| value.is_finite());
    let most = values().fold(f64::MIN_POSITIVE, f64::max);
    let least = values().filter(|value| *value > 0.0).fold(most, f64::min);
    let axis = Axis::new(scale, least, most);
    let mut out = open(HEIGHT);
    if span.lead_in > 0.0 {
        let _ = write!(
            out,
            "<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\" class=\"ramp\"/>",
            x_of(span.lead_in, end) - LEFT,
            HEIGHT - BOTTOM - TOP
        );
    }
    for (share, label) in axis.ticks() {
        let y = y_of(share);
        let _ = write!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" class=\"grid\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" class=\"left\">{label}</text>",
            LEFT - 6.0,
            y + 4.0
        );
    }
    time_axis(&mut out, end, HEIGHT);
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let mut path = String::new();
        let mut pen = 'M';
        for (x, value) in &line.points {
            if value.is_finite() {
                let _ = write!(path, "{pen}{:.1} {:.1}", x_of(*x, end), y_of(axis.share(*value)));
                pen = 'L';
            } else {
                pen = 'M';
            }
        }
        let _ = write!(out, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>");
    }
    out.push_str("</svg><p class=\"legend\">");
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let _ = write!(out, "<span><i style=\"background:{colour}\"></i>{}</span> ", escape(&line.name));
    }
    out.push_str("</p>");
    out
}

/// Calls by time and latency: the darker, the more.
pub(super) fn heat_map(heat: &[Vec<u64>], bounds: &[f64], width: f64) -> String {
    let used = |row: &usize| heat.iter().any(|slot| slot.get(*row).is_some_and(|count| *count > 0));
    let (Some(first), Some(last)) = ((0..bounds.len()).find(used), (0..bounds.len()).rfind(used)) else {
        return String::new();
    };
    let rows = (last - first + 1) as f64;
    let most = heat.iter().flatten().copied().max().unwrap_or(1).max(1) as f64;
    let end = heat.len() as f64 * width;
    let (cell_width, cell_height) = ((WIDTH - LEFT) / heat.len() as f64, (HEIGHT - TOP - BOTTOM) / rows);
    let mut out = open(HEIGHT);
    for (slot, counts) in heat.iter().enumerate() {
        for (row, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let x = LEFT + slot as f64 * cell_width;
            let y = HEIGHT - BOTTOM - (row - first + 1) as f64 * cell_height;
            // By logarithm, so that the rare slow calls are seen beside the many fast ones.
            let shade = 0.12 + 0.88 * ((*count as f64).ln_1p() / most.ln_1p());
            let _ = write!(
                out,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"#0072b2\" fill-opacity=\"{shade:.2}\"/>",
                cell_width + 0.2,
                cell_height + 0.2
            );
        }
    }
    for row in (first..=last).filter(|row| row % 4 == 3) {
        let y = HEIGHT - BOTTOM - (row - first + 1) as f64 * cell_height;
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"left\">{}</text>",
            LEFT - 6.0,
            y + 4.0,
            short(bounds[row])
        );
    }
    time_axis(&mut out, end, HEIGHT);
    out.push_str("</svg>");
    out
}

fn open(height: f64) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">")
}

fn time_axis(out: &mut String, end: f64, height: f64) {
    let step = round_step(end, 6.0);
    for at in (0..).map(|index| f64::from(index) * step).take_while(|at| *at <= end) {
        let x = x_of(at, end);
        // A label at the rim would be cut off in the middle.
        let class = if x > WIDTH - 20.0 { "left" } else { "middle" };
        let _ = write!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" class=\"{class}\">{} s</text>",
            height - 5.0,
            short(at)
        );
    }
}

struct Axis {
    scale: Scale,
    least: f64,
    most: f64,
}

impl Axis {
    /// A logarithmic axis ends at powers of ten, a linear one begins at zero.
    fn new(scale: Scale, least: f64, most: f64) -> Self {
        match scale {
            Scale::Linear => Self { scale, least: 0.0, most: most * 1.05 },
            Scale::Log => {
                let least = 10_f64.powf(least.log10().floor());
                let most = 10_f64.powf(most.log10().ceil()).max(least * 10.0);
                Self { scale, least, most }
            }
        }
    }

    fn share(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => value / self.most,
            Scale::Log => (value.max(self.least) / self.least).log10() / (self.most / self.least).log10(),
        };
        share.clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => {
                let step = round_step(self.most, GRID);
                let values =
                    (0..).map(|index| f64::from(index) * step).take_while(|value| *value <= self.most);
                values.map(|value| (self.share(value), short(value))).collect()
            }
            Scale::Log => std::iter::successors(Some(self.least), |value| Some(value * 10.0))
                .take_while(|value| *value <= self.most * 1.01)
                .map(|value| (self.share(value), short(value)))
                .collect(),
        }
    }
}

fn x_of(time: f64, end: f64) -> f64 {
    LEFT + (WIDTH - LEFT) * (time / end.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)
}

fn y_of(share: f64) -> f64 {
    HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share
}

/// The round number (1, 2 or 5 times a power of ten) by which about `count` steps lead up to `most`.
fn round_step(most: f64, count: f64) -> f64 {
    let rough = (most / count).max(1e-9);
    let decade = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().find(|step| step * decade >= rough).unwrap_or(10.0);
    step * decade
}

/// A number in as few digits as say enough.
fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 10_000.0 => format!("{:.0}k", value / 1_000.0),
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}").trim_end_matches(".0").to_owned(),
        small if small >= 0.1 || small == 0.0 => {
            format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{value:.3}").trim_end_matches('0').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_breaks_the_line() {
        let points = vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 10.0), (3.0, 10.0)];
        let span = Span { end: 3.0, lead_in: 1.0 };
        let svg = lines(&[Line { name: "p<50".into(), points }], span, Scale::Log);
        assert!(svg.contains("class=\"ramp\""));
        let path = svg.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1), "{path}");
        assert!(svg.contains("p&lt;50") && !svg.contains("NaN"));
    }

    #[test]
    fn a_heat_map_draws_a_cell_for_each_place_with_calls() {
        let svg = heat_map(&[vec![0, 3, 0], vec![1, 0, 0]], &[1.0, 10.0, 100.0], 1.0);
        assert_eq!(svg.matches("<rect").count(), 2);
        assert_eq!(heat_map(&[vec![0, 0]], &[1.0, 10.0], 1.0), "");
    }

    #[test]
    fn an_axis_is_divided_by_round_numbers() {
        let steps = [78.8, 31.0, 0.23, 1_000.0].map(|most| round_step(most, 4.0));
        for (step, expected) in steps.into_iter().zip([20.0, 10.0, 0.1, 500.0]) {
            assert!((step / expected - 1.0_f64).abs() < 1e-9, "{step}");
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.0, 0.05, 0.25, 12.0, 12.5, 250.4, 25_000.0].map(short),
            ["0", "0.05", "0.25", "12", "12.5", "250", "25k"]
        );
    }
}
