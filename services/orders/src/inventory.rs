//! Stock, and changes of it.

use std::collections::HashSet;

use jiff::Timestamp;
use platform::Invalid;

use crate::draft::Sku;

/// The most changes of one batch.
pub const MAX_ADJUSTMENTS: usize = 1_000;

/// The most units that one SKU can have, by the database's function.
pub const MAX_ON_HAND: i64 = 2_000_000_000;

/// The stock of one SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// Of what.
    pub sku: Sku,
    /// Units that can be sold now.
    pub on_hand: i32,
    /// When that last changed.
    pub updated_at: Timestamp,
}

/// Units to add to the stock of one SKU, or to take where negative: up to a million, not 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    sku: Sku,
    delta: i32,
}

impl Adjustment {
    /// The largest change.
    pub const MAX: i32 = 1_000_000;

    /// Changes the stock of `sku` by `delta`.
    ///
    /// # Errors
    ///
    /// Names `sku` or `delta`.
    pub fn new(sku: String, delta: i32) -> Result<Self, Invalid> {
        let sku = Sku::parse(sku)?;
        if delta == 0 || !(-Self::MAX..=Self::MAX).contains(&delta) {
            return Err(Invalid::new("delta", "must be -1,000,000 to 1,000,000, and not 0"));
        }
        Ok(Self { sku, delta })
    }

    /// Of what.
    pub fn sku(&self) -> &Sku {
        &self.sku
    }

    /// By how many units.
    pub fn delta(&self) -> i32 {
        self.delta
    }
}

/// 1 to [`MAX_ADJUSTMENTS`] changes, each of another SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustments(Vec<Adjustment>);

impl Adjustments {
    /// The changes that `asked` names, each a SKU and a delta.
    ///
    /// # Errors
    ///
    /// Names every field that is not valid.
    pub fn new(asked: Vec<(String, i32)>) -> Result<Self, Vec<Invalid>> {
        if !(1..=MAX_ADJUSTMENTS).contains(&asked.len()) {
            return Err(vec![Invalid::new("adjustments", "must be 1 to 1,000")]);
        }
        let mut refused = Vec::new();
        let mut seen = HashSet::new();
        let mut adjustments = Vec::with_capacity(asked.len());
        for (index, (sku, delta)) in asked.into_iter().enumerate() {
            match Adjustment::new(sku, delta) {
                Ok(adjustment) if seen.insert(adjustment.sku.clone()) => adjustments.push(adjustment),
                Ok(_) => refused.push(Invalid::new("sku", "is listed twice").within(place(index))),
                Err(invalid) => refused.push(invalid.within(place(index))),
            }
        }
        if refused.is_empty() { Ok(Self(adjustments)) } else { Err(refused) }
    }

    /// Each of them, in the caller's order.
    pub fn as_slice(&self) -> &[Adjustment] {
        &self.0
    }
}

/// How a caller finds an adjustment in its request.
pub fn place(index: usize) -> String {
    format!("adjustments[{index}]")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(asked: &[(&str, i32)]) -> Vec<String> {
        let asked = asked.iter().map(|(sku, delta)| ((*sku).to_owned(), *delta)).collect();
        Adjustments::new(asked).err().into_iter().flatten().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn what_can_not_be_done_is_named() {
        assert_eq!(fields(&[]), ["adjustments"]);
        assert_eq!(fields(&vec![("A", 1); 1_001]), ["adjustments"]);
        assert_eq!(
            fields(&[("A", 1), ("A", 2), ("B", 0), (" ", 1)]),
            ["adjustments[1].sku", "adjustments[2].delta", "adjustments[3].sku"]
        );
    }

    proptest! {
        #[test]
        fn a_change_is_up_to_a_million_either_way_and_not_nothing(delta: i32) {
            let valid = delta != 0 && delta.unsigned_abs() <= 1_000_000;
            prop_assert_eq!(Adjustment::new("A".to_owned(), delta).is_ok(), valid);
        }
    }
}
