//! The order of a list.

use std::fmt;

use platform::Invalid;

/// What a list of products is sorted by. Ties are broken by id; a SKU has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortKey {
    /// Article number, byte by byte.
    Sku,
    /// Name, byte by byte.
    Name,
    /// Price in minor units.
    Price,
}

impl SortKey {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sku, Self::Name, Self::Price];

    /// Its name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sku => "sku",
            Self::Name => "name",
            Self::Price => "price",
        }
    }
}

/// The order of a list of products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OrderBy {
    /// What is compared.
    pub key: SortKey,
    /// Whether the largest comes first.
    pub descending: bool,
}

impl OrderBy {
    /// Reads `sku`, `name` or `price`, alone or followed by ` desc`; empty means `sku`.
    ///
    /// # Errors
    ///
    /// Names `order_by`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut words = text.split_whitespace();
        let key = words.next().unwrap_or(SortKey::Sku.name());
        let key = SortKey::ALL.into_iter().find(|known| known.name() == key);
        match (key, words.next(), words.next()) {
            (Some(key), None, None) => Ok(Self { key, descending: false }),
            (Some(key), Some("desc"), None) => Ok(Self { key, descending: true }),
            _ => Err(Invalid::new("order_by", "must be sku, name or price, alone or followed by desc")),
        }
    }
}

impl fmt::Display for OrderBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key.name())?;
        f.write_str(if self.descending { " desc" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_reads_back_from_its_text() {
        for key in SortKey::ALL {
            for descending in [false, true] {
                let order = OrderBy { key, descending };
                assert_eq!(OrderBy::parse(&order.to_string()), Ok(order));
            }
        }
        assert_eq!(OrderBy::parse("  ").unwrap().key, SortKey::Sku);
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for text in ["id", "sku asc", "sku DESC", "name, sku", "price desc desc", "desc", "sku;"] {
            assert_eq!(OrderBy::parse(text).unwrap_err().field, "order_by", "{text}");
        }
    }
}
