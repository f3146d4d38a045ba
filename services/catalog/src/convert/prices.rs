//! Messages about prices.

use platform::Invalid;
use proto::{catalog::v1 as pb, r#type::v1::Money};

use super::{MAX_BATCH, MAX_KEYS, given, nothing_named, timestamp, unknown_path, uuid};
use crate::{
    error::Error,
    price_list::{
        Assignment, ListedPrice, PriceChange, PriceList, PriceListChange, PriceListDraft, PriceListId,
        PriceRejection, PriceRowOutcome, price_list_name, quantity,
    },
    product::{Currency, Price, Sku},
    quote::{Item, Quotes, Tier},
};

/// Items whose prices are asked for.
pub(crate) fn items_to_price(items: Vec<pb::ItemToPrice>) -> Result<Vec<Item>, Invalid> {
    if !(1..=MAX_KEYS).contains(&items.len()) {
        return Err(Invalid::new("items", format!("must be 1 to {MAX_KEYS}, are {}", items.len())));
    }
    let item = |(index, item): (usize, pb::ItemToPrice)| {
        let units = quantity("quantity", item.quantity);
        let units = units.map_err(|invalid| invalid.within(format!("items[{index}]")))?;
        Ok(Item { sku: item.sku, quantity: units })
    };
    items.into_iter().enumerate().map(item).collect()
}

/// A price list to be added. Fields are named without their parent.
pub(crate) fn price_list_draft(list: pb::PriceList) -> Result<PriceListDraft, Invalid> {
    Ok(PriceListDraft {
        id: PriceListId::parse("id", list.id)?,
        name: price_list_name(list.name)?,
        currency: Currency::parse(&list.currency_code)?,
    })
}

/// The changes that `mask` names, or all fields that are not empty where it names none.
pub(crate) fn price_list_change(
    list: &pb::PriceList,
    mask: Option<prost_types::FieldMask>,
) -> Result<PriceListChange, Error> {
    let mut paths = mask.map(|mask| mask.paths).unwrap_or_default();
    if paths.is_empty() && !list.name.is_empty() {
        paths.push("name".to_owned());
    }
    let mut change = PriceListChange::default();
    for path in &paths {
        match path.as_str() {
            "name" => {
                let name = price_list_name(list.name.clone());
                change.name = Some(name.map_err(|invalid| invalid.within("price_list"))?);
            }
            other => return Err(unknown_path(other, "name")),
        }
    }
    if paths.is_empty() { Err(nothing_named()) } else { Ok(change) }
}

/// The rows of a batch of prices, each judged by itself.
pub(crate) fn price_rows(
    changes: Vec<pb::PriceChange>,
) -> Result<Vec<Result<PriceChange, Invalid>>, Invalid> {
    bounded("changes", changes.len())?;
    Ok(changes.into_iter().map(price_change).collect())
}

fn price_change(change: pb::PriceChange) -> Result<PriceChange, Invalid> {
    Ok(PriceChange {
        sku: Sku::parse(change.sku)?,
        min_quantity: match change.min_quantity {
            // Not said.
            0 => 1,
            units => quantity("min_quantity", units)?,
        },
        price: match (change.unit_price, change.remove) {
            (None, true) => None,
            (Some(_), true) => {
                return Err(Invalid::new("unit_price", "must not be given for a price to be removed"));
            }
            (price, false) => Some(money(&given("unit_price", price)?)?),
        },
    })
}

fn money(money: &Money) -> Result<Price, Invalid> {
    let price = Price::new(money.minor_units, &money.currency_code);
    price.map_err(|invalid| invalid.within("unit_price"))
}

/// The rows of a batch of assignments, each judged by itself.
pub(crate) fn assignment_rows(
    assignments: Vec<pb::PriceListAssignment>,
) -> Result<Vec<Result<Assignment, Invalid>>, Invalid> {
    bounded("assignments", assignments.len())?;
    Ok(assignments.into_iter().map(assignment).collect())
}

fn assignment(row: pb::PriceListAssignment) -> Result<Assignment, Invalid> {
    let list = row.price_list_id;
    let list = if list.is_empty() { None } else { Some(PriceListId::parse("price_list_id", list)?) };
    Ok(Assignment { company_id: uuid("company_id", &row.company_id)?, price_list_id: list })
}

fn bounded(field: &'static str, count: usize) -> Result<(), Invalid> {
    match count {
        1..=MAX_BATCH => Ok(()),
        count => Err(Invalid::new(field, format!("must be 1 to {MAX_BATCH}, are {count}"))),
    }
}

/// What was done with a row, or the field, the reason and the words of its refusal.
type Told = (pb::RowOutcome, String, &'static str, String);

/// Says what became of a row of `list`, whose rows are about one `key` each.
fn tell(outcome: PriceRowOutcome, list: &str, key: &str) -> Told {
    let done = |outcome| (outcome, String::new(), "", String::new());
    let why = match outcome {
        PriceRowOutcome::Created => return done(pb::RowOutcome::Created),
        PriceRowOutcome::Updated => return done(pb::RowOutcome::Updated),
        PriceRowOutcome::Unchanged => return done(pb::RowOutcome::Unchanged),
        PriceRowOutcome::Removed => return done(pb::RowOutcome::Removed),
        PriceRowOutcome::Rejected(why) => why,
    };
    let (field, reason, message) = match why {
        PriceRejection::Invalid(invalid) => (invalid.field, "INVALID_FIELD", invalid.problem),
        PriceRejection::ProductNotFound => {
            ("sku".into(), "PRODUCT_NOT_FOUND", "there is no product with this SKU".into())
        }
        PriceRejection::CurrencyMismatch => (
            "unit_price.currency_code".into(),
            "CURRENCY_MISMATCH",
            "must be the currency of the list and of the product".into(),
        ),
        PriceRejection::PriceListNotFound => {
            ("price_list_id".into(), "PRICE_LIST_NOT_FOUND", "there is no such price list".into())
        }
        PriceRejection::Duplicate { first } => {
            (key.into(), "DUPLICATE_IN_REQUEST", format!("{list}[{first}] is about the same and was taken"))
        }
    };
    (pb::RowOutcome::Rejected, field, reason, message)
}

/// Answers to batches: their rows, and how many of each kind.
macro_rules! batch_answer {
    ($name:ident, $answer:ident of $result:ident, $list:literal by $key:literal) => {
        /// The answer to a batch.
        pub(crate) fn $name(outcomes: Vec<PriceRowOutcome>) -> pb::$answer {
            let mut answer = pb::$answer::default();
            for outcome in outcomes {
                let count = match outcome {
                    PriceRowOutcome::Created => &mut answer.created_count,
                    PriceRowOutcome::Updated => &mut answer.updated_count,
                    PriceRowOutcome::Unchanged => &mut answer.unchanged_count,
                    PriceRowOutcome::Removed => &mut answer.removed_count,
                    PriceRowOutcome::Rejected(_) => &mut answer.rejected_count,
                };
                *count += 1;
                let (outcome, field, reason, message) = tell(outcome, $list, $key);
                let reason = reason.to_owned();
                answer.results.push(pb::$result { outcome: outcome.into(), field, reason, message });
            }
            answer
        }
    };
}
batch_answer!(price_answer, BatchSetPricesResponse of BatchSetPricesResult, "changes" by "sku");
batch_answer!(
    assignment_answer,
    BatchAssignPriceListsResponse of BatchAssignPriceListsResult,
    "assignments" by "company_id"
);

impl From<Price> for Money {
    fn from(price: Price) -> Self {
        Self { currency_code: price.currency_code().to_owned(), minor_units: price.minor() }
    }
}

impl From<Quotes> for pb::PriceItemsResponse {
    fn from(quotes: Quotes) -> Self {
        let mut answer = Self::default();
        for (item, quote) in quotes {
            let Some(quote) = quote else {
                answer.not_found.push(item.sku);
                continue;
            };
            let unit_price = quote.unit_price();
            let (price_list_id, min_quantity) = quote
                .agreed
                .map_or_else(Default::default, |(list, tier)| (list.to_string(), tier.min_quantity));
            answer.items.push(pb::PricedItem {
                sku: item.sku,
                quantity: item.quantity,
                product_id: quote.product_id.to_string(),
                name: quote.name,
                active: quote.active,
                list_price: Some(quote.list_price.into()),
                unit_price: Some(unit_price.into()),
                price_list_id,
                min_quantity,
                next_tier: quote.next.map(Into::into),
            });
        }
        answer
    }
}

impl From<Tier> for pb::PriceTier {
    fn from(tier: Tier) -> Self {
        Self { min_quantity: tier.min_quantity, unit_price: Some(tier.price.into()) }
    }
}

impl From<ListedPrice> for pb::Price {
    fn from(listed: ListedPrice) -> Self {
        Self {
            sku: listed.sku.to_string(),
            min_quantity: listed.min_quantity,
            unit_price: Some(listed.price.into()),
            update_time: Some(timestamp(listed.updated_at)),
        }
    }
}

impl From<PriceList> for pb::PriceList {
    fn from(list: PriceList) -> Self {
        Self {
            etag: list.etag().to_string(),
            id: list.id.to_string(),
            name: list.name,
            currency_code: list.currency.to_string(),
            create_time: Some(timestamp(list.created_at)),
            update_time: Some(timestamp(list.updated_at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use platform::ServiceError as _;

    use super::*;

    fn change(unit_price: Option<Money>, remove: bool) -> pb::PriceChange {
        pb::PriceChange { sku: "A".into(), min_quantity: 0, unit_price, remove }
    }

    fn euro(minor_units: i64) -> Money {
        Money { currency_code: "EUR".into(), minor_units }
    }

    #[test]
    fn a_price_is_removed_only_where_that_is_said() {
        assert_eq!(price_change(change(None, false)).unwrap_err().field, "unit_price");
        assert_eq!(price_change(change(Some(euro(1)), true)).unwrap_err().field, "unit_price");
        assert_eq!(price_change(change(None, true)).unwrap().price, None);
        let set = price_change(change(Some(euro(0)), false)).unwrap();
        assert_eq!((set.min_quantity, set.price.map(|price| price.minor())), (1, Some(0)));
    }

    #[test]
    fn refusals_of_a_row_name_its_field() {
        let field = |change| price_change(change).unwrap_err().field;
        assert_eq!(field(change(Some(euro(-1)), false)), "unit_price.minor_units");
        assert_eq!(field(pb::PriceChange { sku: "!".into(), ..change(Some(euro(1)), false) }), "sku");
        for min_quantity in [-1, 1_000_001] {
            assert_eq!(
                field(pb::PriceChange { min_quantity, ..change(Some(euro(1)), false) }),
                "min_quantity"
            );
        }
    }

    #[test]
    fn an_item_without_a_quantity_is_refused_by_its_place() {
        let item = |quantity| pb::ItemToPrice { sku: "A".into(), quantity };
        assert_eq!(items_to_price(vec![item(1), item(0)]).unwrap_err().field, "items[1].quantity");
        assert_eq!(items_to_price(Vec::new()).unwrap_err().field, "items");
        assert_eq!(items_to_price(vec![item(1); 1_001]).unwrap_err().field, "items");
    }

    #[test]
    fn only_the_name_of_a_list_can_be_changed() {
        let list = pb::PriceList { name: "A".into(), currency_code: "USD".into(), ..Default::default() };
        assert_eq!(price_list_change(&list, None).unwrap().name.as_deref(), Some("A"));
        for (list, path) in [(&list, "currency_code"), (&list, "id"), (&pb::PriceList::default(), "name")] {
            let mask = prost_types::FieldMask { paths: vec![path.to_owned()] };
            let error = price_list_change(list, Some(mask)).unwrap_err();
            let field = error.details().fields[0].field.clone();
            assert_eq!(field, if path == "name" { "price_list.name" } else { "update_mask" });
        }
    }
}
