//! The refusal of a value, as constructors of domain types say it.

use std::fmt;

/// A field that is not valid, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The field's path in the request, for example `items[2].quantity`.
    pub field: String,
    /// What is wrong and what would be right, in words for the caller.
    pub problem: String,
}

impl Invalid {
    /// Refuses `field` because of `problem`.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }

    /// Says where the field stands: `sku` within `items[2]` is `items[2].sku`.
    pub fn within(mut self, parent: impl fmt::Display) -> Self {
        self.field = format!("{parent}.{}", self.field);
        self
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl std::error::Error for Invalid {}
