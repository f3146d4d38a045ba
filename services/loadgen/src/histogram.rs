//! HDR histograms in the units and bounds of this tool.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Counter, Histogram,
    serialization::{Serializer as _, V2DeflateSerializer},
};

/// The longest time that is told apart, in microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;

/// For whole runs: three digits, in microseconds.
pub(crate) fn fine() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are valid")
}

/// For one slot of time: two digits.
pub(crate) fn coarse() -> Histogram<u32> {
    Histogram::new_with_bounds(1, LONGEST, 2).expect("the bounds are valid")
}

/// Adds a time; what is longer than the longest counts as the longest.
pub(crate) fn add<C: Counter>(histogram: &mut Histogram<C>, time: Duration) {
    histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(LONGEST).max(1));
}

/// The time in milliseconds below which `quantile` of the values lie; 0 without values.
pub(crate) fn milliseconds<C: Counter>(histogram: &Histogram<C>, quantile: f64) -> f64 {
    if histogram.is_empty() { 0.0 } else { histogram.value_at_quantile(quantile) as f64 / 1_000.0 }
}

/// The histogram in `HdrHistogram`'s V2 compressed form, in base64: what every HDR tool reads.
pub(crate) fn encoded(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    match V2DeflateSerializer::new().serialize(histogram, &mut bytes) {
        Ok(_) => STANDARD.encode(bytes),
        // Writing to memory fails only where counts don't fit, which no run reaches.
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_histogram_is_read_back_by_the_reference_reader() {
        let mut histogram = fine();
        for ms in 1..=1_000 {
            add(&mut histogram, Duration::from_millis(ms));
        }
        let bytes = STANDARD.decode(encoded(&histogram)).unwrap();
        let back: Histogram<u64> =
            hdrhistogram::serialization::Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        assert_eq!(back.len(), 1_000);
        assert!((milliseconds(&back, 0.99) - 990.0).abs() < 1.0);
    }

    #[test]
    fn a_time_beyond_the_longest_counts_as_the_longest() {
        let mut histogram = coarse();
        add(&mut histogram, Duration::from_hours(1));
        assert!(milliseconds(&histogram, 1.0) >= 590_000.0);
    }
}
