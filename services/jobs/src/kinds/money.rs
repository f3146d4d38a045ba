//! Amounts as people and spreadsheets read them.

use std::fmt::Write as _;

/// `minor` units of `currency` (ISO 4217) with the currency's decimals: `EUR 1,234.50`, `JPY 1,234`.
pub(crate) fn format(minor: i64, currency: &str) -> String {
    format!("{currency} {}", written(minor, currency, grouped))
}

/// The same for machines, without the currency: `1234.50`, `1234`.
pub(crate) fn plain(minor: i64, currency: &str) -> String {
    written(minor, currency, |whole| whole.to_string())
}

fn written(minor: i64, currency: &str, whole_part: impl Fn(u64) -> String) -> String {
    let decimals = decimals(currency);
    let unit = 10_u64.pow(decimals);
    let (whole, rest) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
    let mut text = format!("{}{}", if minor < 0 { "-" } else { "" }, whole_part(whole));
    if decimals > 0 {
        // Writing to a string does not fail.
        let _ = write!(text, ".{rest:0width$}", width = decimals as usize);
    }
    text
}

/// Decimals of a currency, as ISO 4217 lists them where they are not two.
fn decimals(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_the_decimals_of_its_currency() {
        for (minor, currency, text) in [
            (0, "EUR", "EUR 0.00"),
            (5, "EUR", "EUR 0.05"),
            (123_450, "EUR", "EUR 1,234.50"),
            (-100_000_000, "USD", "USD -1,000,000.00"),
            (1_234, "JPY", "JPY 1,234"),
            (1_234_567, "KWD", "KWD 1,234.567"),
            (i64::MIN, "EUR", "EUR -92,233,720,368,547,758.08"),
        ] {
            assert_eq!(format(minor, currency), text);
        }
    }

    #[test]
    fn an_amount_for_machines_is_a_plain_decimal() {
        for (minor, currency, text) in [
            (123_456_789, "EUR", "1234567.89"),
            (1_234, "JPY", "1234"),
            (5, "KWD", "0.005"),
            (-1, "EUR", "-0.01"),
        ] {
            assert_eq!(plain(minor, currency), text);
        }
    }
}
