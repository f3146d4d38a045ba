//! Rows of a batch, each judged by itself.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
};

use platform::Invalid;

/// What became of one row of a batch of prices or assignments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriceRowOutcome {
    /// What it names was added.
    Created,
    /// What it names was changed.
    Updated,
    /// Things are as they should be.
    Unchanged,
    /// What it names was taken away.
    Removed,
    /// The row was refused.
    Rejected(PriceRejection),
}

/// Why a row was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriceRejection {
    /// A field is not valid.
    Invalid(Invalid),
    /// No product has this SKU.
    ProductNotFound,
    /// Price, list and product are not in one currency.
    CurrencyMismatch,
    /// There is no such price list.
    PriceListNotFound,
    /// An earlier row is about the same; `first` is its index.
    Duplicate {
        /// Counted from 0.
        first: usize,
    },
}

/// A batch, sorted out: which rows go to the database, and what is known of the others already.
#[derive(Clone, Debug)]
pub(crate) struct Rows<T> {
    /// The values of rows, no two of which are about the same, and beside them the index of each.
    pub(crate) good: Vec<T>,
    places: Vec<usize>,
    rejected: Vec<(usize, PriceRejection)>,
}

impl<T> Rows<T> {
    /// Sorts `rows` out. Of those about one `key` the first is taken.
    pub(crate) fn sort<K: Eq + Hash>(rows: Vec<Result<T, Invalid>>, key: impl Fn(&T) -> K) -> Self {
        let mut first_of = HashMap::with_capacity(rows.len());
        let mut sorted =
            Self { good: Vec::with_capacity(rows.len()), places: Vec::new(), rejected: Vec::new() };
        for (index, row) in rows.into_iter().enumerate() {
            match row {
                Err(invalid) => sorted.rejected.push((index, PriceRejection::Invalid(invalid))),
                Ok(row) => match first_of.entry(key(&row)) {
                    Entry::Occupied(first) => {
                        sorted.rejected.push((index, PriceRejection::Duplicate { first: *first.get() }));
                    }
                    Entry::Vacant(place) => {
                        place.insert(index);
                        sorted.places.push(index);
                        sorted.good.push(row);
                    }
                },
            }
        }
        sorted
    }

    /// What became of each row, in their order, where `written` is what became of the good ones.
    pub(crate) fn outcomes(&self, written: Vec<PriceRowOutcome>) -> Vec<PriceRowOutcome> {
        let written = self.places.iter().copied().zip(written);
        let rejected =
            self.rejected.iter().map(|(index, why)| (*index, PriceRowOutcome::Rejected(why.clone())));
        let mut outcomes: Vec<(usize, PriceRowOutcome)> = written.chain(rejected).collect();
        outcomes.sort_unstable_by_key(|(index, _)| *index);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_rows_about_the_same_the_first_valid_one_is_taken_and_answers_keep_their_order() {
        let bad = || Err(Invalid::new("sku", "is bad"));
        let rows =
            Rows::sort(vec![Ok(("a", 1)), bad(), Ok(("b", 1)), Ok(("a", 2)), Ok(("a", 1))], |row| *row);
        assert_eq!(rows.good, [("a", 1), ("b", 1), ("a", 2)]);
        let written = vec![PriceRowOutcome::Created, PriceRowOutcome::Updated, PriceRowOutcome::Removed];
        assert_eq!(
            rows.outcomes(written),
            [
                PriceRowOutcome::Created,
                PriceRowOutcome::Rejected(PriceRejection::Invalid(Invalid::new("sku", "is bad"))),
                PriceRowOutcome::Updated,
                PriceRowOutcome::Removed,
                PriceRowOutcome::Rejected(PriceRejection::Duplicate { first: 0 }),
            ]
        );
    }
}
