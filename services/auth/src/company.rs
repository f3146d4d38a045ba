//! Companies.

use jiff::Timestamp;
use uuid::Uuid;

use crate::name::Name;

/// A company that buys, or the seller's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// UUIDv7.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Company {
    /// A company that begins now.
    pub fn new(id: Uuid, name: &Name, now: Timestamp) -> Self {
        Self { id, name: name.as_str().to_owned(), created_at: now }
    }
}
