//! What a run must reach: `p99<100ms,success>99.99%`.

use std::{fmt, str::FromStr};

use crate::{
    error::{Error, Result},
    recorder::Counts,
    report::Percentiles,
};

/// Objectives, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objectives(pub Vec<Objective>);

/// One bound on one figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    figure: Figure,
    relation: Relation,
    /// Milliseconds for latencies, a share from 0 to 1 for `success` and `limited`, calls per second for `rate`.
    bound: f64,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    Mean,
    P50,
    P90,
    P95,
    P99,
    P999,
    P9999,
    Max,
    Success,
    Limited,
    Rate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// What objectives are judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures<'a> {
    pub(crate) latency: &'a Percentiles,
    pub(crate) counts: &'a Counts,
    /// Right answers per second.
    pub(crate) rate: f64,
}

impl Objective {
    /// The figure that was reached, and whether that is enough.
    pub(crate) fn judge(&self, figures: &Figures<'_>) -> (String, bool) {
        let latency = figures.latency;
        let ended = (figures.counts.ended() + figures.counts.dropped).max(1) as f64;
        let value = match self.figure {
            Figure::Mean => latency.mean,
            Figure::P50 => latency.p50,
            Figure::P90 => latency.p90,
            Figure::P95 => latency.p95,
            Figure::P99 => latency.p99,
            Figure::P999 => latency.p999,
            Figure::P9999 => latency.p9999,
            Figure::Max => latency.max,
            Figure::Success => figures.counts.success(),
            Figure::Limited => figures.counts.limited as f64 / ended,
            Figure::Rate => figures.rate,
        };
        // A share of 9,999 in 10,000 is exactly 99.99 %, whatever its binary fractions say.
        let same = (value - self.bound).abs() <= 1e-9 * self.bound;
        let holds = match self.relation {
            Relation::Below => value < self.bound && !same,
            Relation::AtMost => value < self.bound || same,
            Relation::Above => value > self.bound && !same,
            Relation::AtLeast => value > self.bound || same,
        };
        // Without an answer there is no latency that could be good.
        let holds = holds && (latency.count > 0 || !self.figure.is_latency());
        (self.figure.show(value), holds)
    }
}

impl Figure {
    const NAMES: [(&'static str, Self); 12] = [
        ("mean", Self::Mean),
        ("avg", Self::Mean),
        ("p50", Self::P50),
        ("p90", Self::P90),
        ("p95", Self::P95),
        ("p99", Self::P99),
        ("p99.9", Self::P999),
        ("p99.99", Self::P9999),
        ("max", Self::Max),
        ("success", Self::Success),
        ("limited", Self::Limited),
        ("rate", Self::Rate),
    ];

    fn is_latency(self) -> bool {
        !matches!(self, Self::Success | Self::Limited | Self::Rate)
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Success | Self::Limited => format!("{:.4} %", value * 100.0),
            Self::Rate => format!("{value:.1}/s"),
            _ => format!("{value:.2} ms"),
        }
    }

    fn parse_bound(self, text: &str) -> Option<f64> {
        let value = match self {
            Self::Success | Self::Limited => text.strip_suffix('%')?.trim().parse::<f64>().ok()? / 100.0,
            Self::Rate => text.trim_end_matches("/s").trim().parse().ok()?,
            _ => humantime::parse_duration(text).ok()?.as_secs_f64() * 1_000.0,
        };
        (value.is_finite() && value >= 0.0).then_some(value)
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Objective {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            let examples = "`p99<100ms`, `success>99.99%` or `rate>=2857`";
            Error::invalid("slo", format!("`{text}` is no objective like {examples}"))
        };
        let at = text.find(['<', '>']).ok_or_else(wrong)?;
        let (name, rest) = text.split_at(at);
        let (relation, bound) = if let Some(bound) = rest.strip_prefix("<=") {
            (Relation::AtMost, bound)
        } else if let Some(bound) = rest.strip_prefix(">=") {
            (Relation::AtLeast, bound)
        } else {
            (if rest.starts_with('<') { Relation::Below } else { Relation::Above }, &rest[1..])
        };
        let (_, figure) =
            Figure::NAMES.into_iter().find(|(known, _)| *known == name.trim()).ok_or_else(wrong)?;
        let bound = figure.parse_bound(bound.trim()).ok_or_else(wrong)?;
        Ok(Self { figure, relation, bound, text: text.trim().to_owned() })
    }
}

impl FromStr for Objectives {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.split(',')
            .filter(|each| !each.trim().is_empty())
            .map(str::parse)
            .collect::<Result<_>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str) -> bool {
        let latency = Percentiles { count: 10, p99: 99.0, max: 150.0, ..Percentiles::default() };
        let counts = Counts { right: 9_999, failed: 1, ..Counts::default() };
        text.parse::<Objective>()
            .unwrap()
            .judge(&Figures { latency: &latency, counts: &counts, rate: 50.0 })
            .1
    }

    #[test]
    fn objectives_hold_or_not() {
        assert!(judge("p99<100ms") && judge("p99<0.1s") && judge("p99 <= 99ms") && judge("max<1s"));
        assert!(!judge("p99<99ms") && !judge("max < 150ms") && !judge("success>99.99%"));
        assert!(judge("success>=99.99%") && judge("rate>=50") && judge("limited<=0%"));
    }

    #[test]
    fn no_answer_meets_no_latency() {
        let (latency, counts) = (Percentiles::default(), Counts::default());
        let objective: Objective = "p99<100ms".parse().unwrap();
        assert!(!objective.judge(&Figures { latency: &latency, counts: &counts, rate: 0.0 }).1);
    }

    #[test]
    fn what_is_no_objective_is_refused() {
        for text in ["p99", "p98<1s", "p99<100", "success>1", "p99<-1s", "rate>NaN", "<1s"] {
            assert!(text.parse::<Objectives>().is_err(), "{text}");
        }
        assert_eq!("p99<1s, success>1%,".parse::<Objectives>().unwrap().0.len(), 2);
    }
}
