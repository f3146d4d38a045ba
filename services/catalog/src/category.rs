//! Categories: the shelves of the catalogue.

use std::fmt;

use jiff::Timestamp;
use platform::Invalid;

use crate::{etag::Etag, text};

/// The longest name of a category, in characters.
pub const MAX_CATEGORY_NAME: usize = 100;

/// The name of a category in requests: 1 to 63 characters of `a-z 0-9 -`, the first a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CategoryId(String);

impl CategoryId {
    /// The longest id, in characters.
    pub const MAX: usize = text::MAX_SLUG;

    /// Reads an id that stands in `field`.
    ///
    /// # Errors
    ///
    /// Names `field`.
    pub fn parse(field: &'static str, text: impl Into<String>) -> Result<Self, Invalid> {
        text::slug(field, text.into()).map(Self)
    }

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CategoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A category as somebody wants it to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CategoryDraft {
    /// Its id.
    pub id: CategoryId,
    /// The category above; none for one at the top.
    pub parent_id: Option<CategoryId>,
    /// What people read: 1 to 100 characters.
    pub name: String,
}

/// Checks the name of a category.
///
/// # Errors
///
/// Names `name`.
pub fn category_name(text: String) -> Result<String, Invalid> {
    text::line("name", text, 1, MAX_CATEGORY_NAME)
}

/// A category as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// Its id.
    pub id: CategoryId,
    /// The category above; none at the top.
    pub parent_id: Option<CategoryId>,
    /// What people read.
    pub name: String,
    /// Counts the changes, from 1.
    pub version: i64,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Category {
    /// Identifies this version.
    pub fn etag(&self) -> Etag {
        Etag::new(self.version, self.created_at)
    }
}

/// What is to change about a category; none of it is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CategoryChange {
    /// The new category above; `Some(None)` moves it to the top.
    pub parent_id: Option<Option<CategoryId>>,
    /// The new name.
    pub name: Option<String>,
}

impl CategoryChange {
    /// What `category` becomes.
    pub fn apply(self, category: &mut Category) {
        if let Some(parent_id) = self.parent_id {
            category.parent_id = parent_id;
        }
        if let Some(name) = self.name {
            category.name = name;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_slug() {
        for text in ["a", "hex-bolts", "0", &"x".repeat(63)] {
            assert!(CategoryId::parse("id", text).is_ok(), "{text}");
        }
        for text in ["", "-a", "A", "a_b", "ä", "a b", "a\0", &"x".repeat(64)] {
            assert_eq!(CategoryId::parse("id", text).unwrap_err().field, "id", "{text}");
        }
    }

    #[test]
    fn a_change_leaves_the_rest_alone() {
        let parent = CategoryId::parse("id", "top").unwrap();
        let mut category = Category {
            id: CategoryId::parse("id", "a").unwrap(),
            parent_id: Some(parent.clone()),
            name: "A".into(),
            version: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        };
        CategoryChange { name: Some("B".into()), parent_id: None }.apply(&mut category);
        assert_eq!((category.parent_id.as_ref(), category.name.as_str()), (Some(&parent), "B"));
        CategoryChange { name: None, parent_id: Some(None) }.apply(&mut category);
        assert_eq!(category.parent_id, None);
    }
}
