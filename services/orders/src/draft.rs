//! What a buyer asks for, before anything is known of prices and stock.

use std::fmt;

use platform::Invalid;

/// The most items that one order may have.
pub const MAX_ITEMS: usize = 500;

/// An article number: 1 to 64 characters of `A-Z a-z 0-9 . + _ / -`, the first a letter or digit. Case counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sku(String);

impl Sku {
    /// The SKU of `text`.
    ///
    /// # Errors
    ///
    /// Names `sku` if it has not the form of one.
    pub fn parse(text: impl Into<String>) -> Result<Self, Invalid> {
        let text = text.into();
        let well_formed = (1..=64).contains(&text.len())
            && text.as_bytes()[0].is_ascii_alphanumeric()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+_/-".contains(&byte));
        if well_formed {
            return Ok(Self(text));
        }
        Err(Invalid::new(
            "sku",
            "must be 1 to 64 characters of A-Z a-z 0-9 . + _ / -, the first a letter or digit",
        ))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many units of a product: 1 to [`Quantity::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i32);

impl Quantity {
    /// The most units of one item.
    pub const MAX: i32 = 1_000_000;

    /// `units`.
    ///
    /// # Errors
    ///
    /// Names `quantity` if it is out of range.
    pub fn new(units: i32) -> Result<Self, Invalid> {
        if (1..=Self::MAX).contains(&units) {
            return Ok(Self(units));
        }
        Err(Invalid::new("quantity", "must be 1 to 1,000,000"))
    }

    /// In units.
    pub fn get(self) -> i32 {
        self.0
    }
}

/// A wish for one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Which product.
    pub sku: Sku,
    /// How much of it.
    pub quantity: Quantity,
}

/// An order that can be placed if there are prices and stock for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderDraft {
    items: Vec<Item>,
    purchase_order_number: String,
    note: String,
}

impl OrderDraft {
    /// A draft of `items`, each a SKU and how many units.
    ///
    /// # Errors
    ///
    /// Names every field that is not valid, so that a caller can mend them all at once.
    pub fn new(
        items: Vec<(String, i32)>,
        purchase_order_number: String,
        note: String,
    ) -> Result<Self, Vec<Invalid>> {
        let mut refused = Vec::new();
        if !(1..=MAX_ITEMS).contains(&items.len()) {
            // Their fields are not looked at: there may be millions.
            return Err(vec![Invalid::new("items", format!("must be 1 to {MAX_ITEMS}"))]);
        }
        let items: Vec<Item> = items
            .into_iter()
            .enumerate()
            .filter_map(|(index, (sku, units))| item(index, sku, units, &mut refused))
            .collect();
        refused.extend(text("purchase_order_number", &purchase_order_number, 64).err());
        refused.extend(text("note", &note, 1_000).err());
        if refused.is_empty() { Ok(Self { items, purchase_order_number, note }) } else { Err(refused) }
    }

    /// What is wished for, in the buyer's order. A SKU may stand there twice.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The buyer's own reference; empty where not given.
    pub fn purchase_order_number(&self) -> &str {
        &self.purchase_order_number
    }

    /// A remark for the seller; empty where not given.
    pub fn note(&self) -> &str {
        &self.note
    }
}

fn item(index: usize, sku: String, units: i32, refused: &mut Vec<Invalid>) -> Option<Item> {
    let sku = Sku::parse(sku);
    let quantity = Quantity::new(units);
    match (sku, quantity) {
        (Ok(sku), Ok(quantity)) => Some(Item { sku, quantity }),
        (sku, quantity) => {
            let both = sku.err().into_iter().chain(quantity.err());
            refused.extend(both.map(|invalid| invalid.within(format_args!("items[{index}]"))));
            None
        }
    }
}

/// Checks a text that people write: at most `limit` characters, none of them a control character.
///
/// # Errors
///
/// Names `field`.
pub fn text(field: &str, text: &str, limit: usize) -> Result<(), Invalid> {
    if text.chars().any(char::is_control) {
        return Err(Invalid::new(field, "must not have control characters, line breaks among them"));
    }
    if text.chars().count() > limit {
        return Err(Invalid::new(field, format!("must be at most {limit} characters")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn draft(items: Vec<(String, i32)>) -> Result<OrderDraft, Vec<Invalid>> {
        OrderDraft::new(items, "PO 7".to_owned(), String::new())
    }

    fn fields(refused: Result<OrderDraft, Vec<Invalid>>) -> Vec<String> {
        refused.err().into_iter().flatten().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn every_field_that_is_not_valid_is_named() {
        let items =
            vec![("A".to_owned(), 0), (String::new(), i32::MIN), ("B".to_owned(), 1), ("c d".to_owned(), 1)];
        let refused = OrderDraft::new(items, "x".repeat(65), "a\nb".to_owned());
        assert_eq!(
            fields(refused),
            [
                "items[0].quantity",
                "items[1].sku",
                "items[1].quantity",
                "items[3].sku",
                "purchase_order_number",
                "note"
            ]
        );
    }

    #[test]
    fn an_order_has_one_to_five_hundred_items() {
        let items = |count| vec![("A".to_owned(), 1); count];
        assert_eq!(fields(draft(items(0))), ["items"]);
        assert_eq!(draft(items(500)).map(|draft| draft.items().len()), Ok(500));
        assert_eq!(fields(draft(items(501))), ["items"]);
    }

    #[test]
    fn limits_count_characters_not_bytes() {
        assert_eq!(text("note", &"ä".repeat(1_000), 1_000), Ok(()));
        assert!(text("note", &"ä".repeat(1_001), 1_000).is_err());
    }

    proptest! {
        #[test]
        fn a_draft_keeps_what_it_was_given(
            items in proptest::collection::vec(("[A-Za-z0-9][A-Za-z0-9.+_/-]{0,63}", 1..=Quantity::MAX), 1..20),
            number in "[^\\p{Cc}]{0,64}",
            note in "[^\\p{Cc}]{0,1000}",
        ) {
            let draft = OrderDraft::new(items.clone(), number.clone(), note.clone()).unwrap();
            let kept: Vec<_> =
                draft.items().iter().map(|item| (item.sku.as_str().to_owned(), item.quantity.get())).collect();
            prop_assert_eq!(kept, items);
            prop_assert_eq!((draft.purchase_order_number(), draft.note()), (number.as_str(), note.as_str()));
        }

        #[test]
        fn a_bad_item_anywhere_is_refused_at_its_place(at in 0_usize..20, units in prop_oneof![i32::MIN..=0, 1_000_001..=i32::MAX]) {
            let mut items = vec![("A".to_owned(), 1); 20];
            items[at].1 = units;
            prop_assert_eq!(fields(draft(items)), [format!("items[{at}].quantity")]);
        }

        #[test]
        fn whatever_is_accepted_has_the_form_of_a_sku(text in ".{0,70}") {
            let form = text.len() <= 64
                && text.starts_with(|first: char| first.is_ascii_alphanumeric())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || ".+_/-".contains(c));
            prop_assert_eq!(Sku::parse(text).is_ok(), form);
        }
    }
}
