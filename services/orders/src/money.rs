//! Amounts of money: whole minor units of one currency, never negative and never beyond what the contract can say.

use std::fmt;

use crate::draft::Quantity;

/// The largest amount, in minor units: the contract's bound, and the database's.
pub const MAX_MINOR: i64 = 1_000_000_000_000;

/// 0 to [`MAX_MINOR`] minor units. Sums and products that would leave the range don't exist, instead of wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// `minor` units, if that is in range.
    pub fn new(minor: i64) -> Option<Self> {
        (0..=MAX_MINOR).contains(&minor).then_some(Self(minor))
    }

    /// The price of `quantity` units that cost this each.
    pub fn times(self, quantity: Quantity) -> Option<Self> {
        self.0.checked_mul(i64::from(quantity.get())).and_then(Self::new)
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::new)
    }

    /// In minor units.
    pub fn minor(self) -> i64 {
        self.0
    }
}

/// An ISO 4217 code: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency of `code`, if that has the form of one.
    pub fn parse(code: &str) -> Option<Self> {
        let code: [u8; 3] = code.as_bytes().try_into().ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Self(code))
    }

    /// The code.
    pub fn code(&self) -> &str {
        // Three ASCII letters, or it would not have been made.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_currency_is_three_capital_letters() {
        assert_eq!(Currency::parse("EUR").map(|currency| currency.to_string()), Some("EUR".to_owned()));
        for code in ["", "EU", "EURO", "eur", "E1R", "€"] {
            assert_eq!(Currency::parse(code), None, "{code}");
        }
    }

    proptest! {
        /// Against arithmetic that can't overflow.
        #[test]
        fn amounts_agree_with_wider_arithmetic_or_do_not_exist(
            price in 0..=MAX_MINOR,
            other in 0..=MAX_MINOR,
            quantity in 1..=Quantity::MAX,
        ) {
            let (price_, other_) = (Amount::new(price).unwrap(), Amount::new(other).unwrap());
            let quantity_ = Quantity::new(quantity).unwrap();
            let in_range = |exact: i128| i64::try_from(exact).ok().and_then(Amount::new);
            prop_assert_eq!(price_.times(quantity_), in_range(i128::from(price) * i128::from(quantity)));
            prop_assert_eq!(price_.plus(other_), in_range(i128::from(price) + i128::from(other)));
        }

        #[test]
        fn an_amount_out_of_range_is_not_made(minor in prop_oneof![i64::MIN..0, MAX_MINOR + 1..=i64::MAX]) {
            prop_assert_eq!(Amount::new(minor), None);
        }
    }
}
