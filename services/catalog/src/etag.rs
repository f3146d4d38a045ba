//! Which version of a resource somebody has seen.

use std::fmt;

use jiff::Timestamp;

/// Identifies one version of one resource. Opaque to callers.
///
/// It holds the version and the time of creation: a category that was removed and added again under the same id begins at version 1
/// as its predecessor did, and must not be taken for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Etag(String);

impl Etag {
    /// The etag of the `version` of what was created at `created_at`.
    pub fn new(version: i64, created_at: Timestamp) -> Self {
        Self(format!("\"{version:x}-{:x}\"", created_at.as_microsecond()))
    }

    /// The etag that a caller sent; none where it sent none. Any text may be sent: what nobody gave out matches nothing.
    pub fn given(text: String) -> Option<Self> {
        (!text.is_empty()).then_some(Self(text))
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_reincarnations_differ() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(Etag::new(1, at(5)), Etag::new(1, at(5)));
        assert_ne!(Etag::new(1, at(5)), Etag::new(2, at(5)));
        assert_ne!(Etag::new(1, at(5)), Etag::new(1, at(6)));
        assert_eq!(Etag::given(String::new()), None);
        assert_eq!(Etag::given(Etag::new(7, at(1)).to_string()), Some(Etag::new(7, at(1))));
    }
}
