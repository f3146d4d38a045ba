//! Prices: whole minor units of one currency.

use std::fmt;

use platform::Invalid;

/// The highest price, in minor units.
pub const MAX_PRICE: i64 = 1_000_000_000_000;

/// An ISO 4217 code: three capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a code.
    ///
    /// # Errors
    ///
    /// Names `currency_code`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        <[u8; 3]>::try_from(text.as_bytes())
            .ok()
            .filter(|code| code.iter().all(u8::is_ascii_uppercase))
            .map(Self)
            .ok_or_else(|| Invalid::new("currency_code", "must be three capital letters, as in ISO 4217"))
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        // Three capitals are text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The price of one unit, 0 to [`MAX_PRICE`] minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    minor: i64,
    currency: Currency,
}

impl Price {
    /// `minor` units of `currency`.
    ///
    /// # Errors
    ///
    /// Names `minor_units` or `currency_code`.
    pub fn new(minor: i64, currency: &str) -> Result<Self, Invalid> {
        Ok(Self { minor: price_minor("minor_units", minor)?, currency: Currency::parse(currency)? })
    }

    /// The amount in minor units.
    pub fn minor(&self) -> i64 {
        self.minor
    }

    /// What the amount is counted in.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// The currency's ISO 4217 code.
    pub fn currency_code(&self) -> &str {
        self.currency.as_str()
    }
}

/// Currencies whose minor unit is not a hundredth, and the digits that it has: ISO 4217, list one.
const UNUSUAL_DIGITS: [(&str, usize); 23] = [
    ("BIF", 0),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("ISK", 0),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("PYG", 0),
    ("RWF", 0),
    ("UGX", 0),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
    ("BHD", 3),
    ("IQD", 3),
    ("JOD", 3),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("TND", 3),
];

impl Price {
    /// Reads an amount in major units, as files have it: digits, and at most as many after a point as the currency has. More are
    /// accepted if they are zeros.
    ///
    /// # Errors
    ///
    /// Names `price` or `currency`.
    pub fn from_decimal(amount: &str, currency: &str) -> Result<Self, Invalid> {
        let currency =
            Currency::parse(currency).map_err(|invalid| Invalid::new("currency", invalid.problem))?;
        let unusual = UNUSUAL_DIGITS.iter().find(|(code, _)| *code == currency.as_str());
        let digits = unusual.map_or(2, |(_, digits)| *digits);
        let refused = || {
            let most = if digits == 0 { "none".to_owned() } else { format!("at most {digits}") };
            Invalid::new("price", format!("must be digits, with {most} after a point"))
        };
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) {
            return Err(refused());
        }
        let (minor, rest) = fraction.split_at(digits.min(fraction.len()));
        if rest.bytes().any(|digit| digit != b'0') {
            return Err(refused());
        }
        // Anything too long for 64 bits is beyond the highest price as well.
        let minor = format!("{whole}{minor:0<digits$}").parse().unwrap_or(i64::MAX);
        Ok(Self { minor: price_minor("price", minor)?, currency })
    }
}

/// Checks the amount of a price.
///
/// # Errors
///
/// Names `field`.
pub fn price_minor(field: &'static str, minor: i64) -> Result<i64, Invalid> {
    if !(0..=MAX_PRICE).contains(&minor) {
        return Err(Invalid::new(field, "must be 0 to 1,000,000,000,000"));
    }
    Ok(minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_not_negative_and_not_beyond_all_bounds() {
        assert_eq!(Price::new(0, "EUR").unwrap().minor(), 0);
        assert_eq!(Price::new(MAX_PRICE, "EUR").unwrap().currency_code(), "EUR");
        for minor in [-1, MAX_PRICE + 1, i64::MIN, i64::MAX] {
            assert_eq!(Price::new(minor, "EUR").unwrap_err().field, "minor_units");
        }
    }

    #[test]
    fn decimals_are_counted_in_the_minor_unit_of_the_currency() {
        let minor = |amount: &str, currency| Price::from_decimal(amount, currency).map(|price| price.minor());
        assert_eq!(minor("12", "EUR"), Ok(1_200));
        assert_eq!(minor("12.3", "EUR"), Ok(1_230));
        assert_eq!(minor("0012.3400", "EUR"), Ok(1_234));
        assert_eq!(minor("12.0", "JPY"), Ok(12));
        assert_eq!(minor("1.234", "KWD"), Ok(1_234));
        assert_eq!(minor("10000000000.00", "EUR"), Ok(MAX_PRICE));
        for amount in [
            "",
            ".5",
            "5.",
            "1,50",
            "1.234",
            "-1",
            "+1",
            "1e3",
            " 1",
            "12.3.4",
            "1_000",
            "10000000000.01",
            "٣",
        ] {
            assert_eq!(minor(amount, "EUR").unwrap_err().field, "price", "{amount}");
        }
        assert_eq!(minor(&"9".repeat(100), "EUR").unwrap_err().field, "price");
        assert_eq!(minor("1", "eur").unwrap_err().field, "currency");
    }

    #[test]
    fn a_currency_is_three_capitals() {
        for text in ["", "eur", "EURO", "€", "E1R", "ÄB"] {
            assert_eq!(Price::new(1, text).unwrap_err().field, "currency_code", "{text}");
        }
    }
}
