//! Between the contract's messages and the domain. Refusals name the field as the request spells it.

mod prices;

use jiff::Timestamp;
use platform::Invalid;
use proto::{catalog::v1 as pb, r#type::v1::Money};
use uuid::Uuid;

pub(crate) use self::prices::{
    assignment_answer, assignment_rows, items_to_price, price_answer, price_list_change, price_list_draft,
    price_rows,
};
use crate::{
    category::{Category, CategoryChange, CategoryDraft, CategoryId, category_name},
    error::Error,
    price_list::PriceList,
    product::{
        ConflictPolicy, Price, Product, ProductChange, ProductDraft, Rejection, RowOutcome, Sku, brand,
        description, product_name, unit,
    },
};

/// The most rows that one batch may have.
pub(crate) const MAX_BATCH: usize = 5_000;
/// The most keys that one lookup may name.
const MAX_KEYS: usize = 1_000;

/// What a request must hold, under the name of the field.
pub(crate) fn given<T>(field: &'static str, value: Option<T>) -> Result<T, Invalid> {
    value.ok_or_else(|| Invalid::new(field, "must be given"))
}

/// An id that stands in `field`.
pub(crate) fn uuid(field: &'static str, text: &str) -> Result<Uuid, Invalid> {
    text.parse().map_err(|_| Invalid::new(field, "must be a UUID"))
}

/// Checks how many keys a lookup names.
pub(crate) fn keys(request: &pb::BatchGetProductsRequest) -> Result<(), Invalid> {
    match request.ids.len() + request.skus.len() {
        1..=MAX_KEYS => Ok(()),
        count => {
            Err(Invalid::new("ids", format!("ids and skus must name 1 to {MAX_KEYS} products, name {count}")))
        }
    }
}

/// A product to be added. Fields are named without their parent.
pub(crate) fn product_draft(product: pb::Product) -> Result<ProductDraft, Invalid> {
    Ok(ProductDraft {
        sku: Sku::parse(product.sku)?,
        name: product_name(product.name)?,
        description: description(product.description)?,
        brand: brand(product.brand)?,
        category_id: CategoryId::parse("category_id", product.category_id)?,
        price: price(product.price)?,
        unit: unit(product.unit)?,
        active: product.active.unwrap_or(true),
    })
}

fn price(money: Option<Money>) -> Result<Price, Invalid> {
    let money = given("price", money)?;
    Price::new(money.minor_units, &money.currency_code).map_err(|invalid| invalid.within("price"))
}

/// The changes that `mask` names, or all fields that are not empty where it names none.
pub(crate) fn product_change(
    product: &pb::Product,
    mask: Option<prost_types::FieldMask>,
) -> Result<ProductChange, Error> {
    let paths = mask.map(|mask| mask.paths).unwrap_or_default();
    let paths: Vec<&str> =
        if paths.is_empty() { set_fields(product) } else { paths.iter().map(String::as_str).collect() };
    let mut change = ProductChange::default();
    let within = |invalid: Invalid| invalid.within("product");
    for &path in &paths {
        match path {
            "name" => change.name = Some(product_name(product.name.clone()).map_err(within)?),
            "description" => {
                change.description = Some(description(product.description.clone()).map_err(within)?);
            }
            "brand" => change.brand = Some(brand(product.brand.clone()).map_err(within)?),
            "category_id" => {
                let id = CategoryId::parse("category_id", product.category_id.as_str()).map_err(within)?;
                change.category_id = Some(id);
            }
            "price" => change.price = Some(price(product.price.clone()).map_err(within)?),
            "unit" => change.unit = Some(unit(product.unit.clone()).map_err(within)?),
            "active" => change.active = Some(given("active", product.active).map_err(within)?),
            _ => {
                return Err(unknown_path(
                    path,
                    "name, description, brand, category_id, price, unit and active",
                ));
            }
        }
    }
    if paths.is_empty() { Err(nothing_named()) } else { Ok(change) }
}

fn set_fields(product: &pb::Product) -> Vec<&'static str> {
    [
        ("name", !product.name.is_empty()),
        ("description", !product.description.is_empty()),
        ("brand", !product.brand.is_empty()),
        ("category_id", !product.category_id.is_empty()),
        ("price", product.price.is_some()),
        ("unit", !product.unit.is_empty()),
        ("active", product.active.is_some()),
    ]
    .into_iter()
    .filter_map(|(field, set)| set.then_some(field))
    .collect()
}

fn unknown_path(path: &str, known: &str) -> Error {
    let shown: String = path.chars().take(50).collect();
    Invalid::new("update_mask", format!("{shown:?} is none of {known}")).into()
}

fn nothing_named() -> Error {
    Invalid::new("update_mask", "names no field to change, and none is set").into()
}

/// A category to be added.
pub(crate) fn category_draft(category: pb::Category) -> Result<CategoryDraft, Invalid> {
    Ok(CategoryDraft {
        id: CategoryId::parse("id", category.id)?,
        parent_id: parent(category.parent_id)?,
        name: category_name(category.name)?,
    })
}

fn parent(text: String) -> Result<Option<CategoryId>, Invalid> {
    if text.is_empty() { Ok(None) } else { CategoryId::parse("parent_id", text).map(Some) }
}

/// The changes that `mask` names, or all fields that are not empty where it names none.
pub(crate) fn category_change(
    category: &pb::Category,
    mask: Option<prost_types::FieldMask>,
) -> Result<CategoryChange, Error> {
    let within = |invalid: Invalid| invalid.within("category");
    let paths = mask.map(|mask| mask.paths).unwrap_or_default();
    let set = [("parent_id", !category.parent_id.is_empty()), ("name", !category.name.is_empty())];
    let paths: Vec<&str> = if paths.is_empty() {
        set.into_iter().filter_map(|(field, set)| set.then_some(field)).collect()
    } else {
        paths.iter().map(String::as_str).collect()
    };
    let mut change = CategoryChange::default();
    for &path in &paths {
        match path {
            "parent_id" => change.parent_id = Some(parent(category.parent_id.clone()).map_err(within)?),
            "name" => change.name = Some(category_name(category.name.clone()).map_err(within)?),
            _ => return Err(unknown_path(path, "parent_id and name")),
        }
    }
    if paths.is_empty() { Err(nothing_named()) } else { Ok(change) }
}

/// The policy of a batch. A number that this version does not know is refused: guessing could overwrite.
pub(crate) fn conflict_policy(number: i32) -> Result<ConflictPolicy, Invalid> {
    match pb::ConflictPolicy::try_from(number) {
        Ok(pb::ConflictPolicy::Unspecified | pb::ConflictPolicy::Reject) => Ok(ConflictPolicy::Reject),
        Ok(pb::ConflictPolicy::Skip) => Ok(ConflictPolicy::Skip),
        Ok(pb::ConflictPolicy::Update) => Ok(ConflictPolicy::Update),
        Err(_) => Err(Invalid::new("conflict_policy", "is not known")),
    }
}

/// The rows of a batch, each judged by itself.
pub(crate) fn batch_rows(products: Vec<pb::Product>) -> Result<Vec<Result<ProductDraft, Invalid>>, Invalid> {
    match products.len() {
        1..=MAX_BATCH => Ok(products.into_iter().map(product_draft).collect()),
        count => Err(Invalid::new("products", format!("must be 1 to {MAX_BATCH}, are {count}"))),
    }
}

/// The answer to a batch.
pub(crate) fn batch_answer(outcomes: Vec<RowOutcome>) -> pb::BatchCreateProductsResponse {
    let mut answer = pb::BatchCreateProductsResponse::default();
    for outcome in outcomes {
        let count = match outcome {
            RowOutcome::Created(_) => &mut answer.created_count,
            RowOutcome::Updated(_) => &mut answer.updated_count,
            RowOutcome::Unchanged(_) => &mut answer.unchanged_count,
            RowOutcome::Rejected(_) => &mut answer.rejected_count,
        };
        *count += 1;
        answer.results.push(outcome.into());
    }
    answer
}

impl From<RowOutcome> for pb::BatchCreateProductsResult {
    fn from(outcome: RowOutcome) -> Self {
        let accepted = |outcome: pb::RowOutcome, id: Uuid| Self {
            outcome: outcome.into(),
            id: id.to_string(),
            ..Self::default()
        };
        match outcome {
            RowOutcome::Created(id) => accepted(pb::RowOutcome::Created, id),
            RowOutcome::Updated(id) => accepted(pb::RowOutcome::Updated, id),
            RowOutcome::Unchanged(id) => accepted(pb::RowOutcome::Unchanged, id),
            RowOutcome::Rejected(why) => rejected(why),
        }
    }
}

fn rejected(why: Rejection) -> pb::BatchCreateProductsResult {
    let (field, reason, message) = match why {
        Rejection::Invalid(invalid) => (invalid.field, "INVALID_FIELD", invalid.problem),
        Rejection::SkuTaken => ("sku".into(), "SKU_TAKEN", "there is a product with this SKU already".into()),
        Rejection::CategoryNotFound => {
            ("category_id".into(), "CATEGORY_NOT_FOUND", "there is no such category".into())
        }
        Rejection::Duplicate { first } => (
            "sku".into(),
            "DUPLICATE_IN_REQUEST",
            format!("products[{first}] has the same SKU and was taken"),
        ),
    };
    pb::BatchCreateProductsResult {
        outcome: pb::RowOutcome::Rejected.into(),
        id: String::new(),
        field,
        reason: reason.to_owned(),
        message,
    }
}

fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

impl From<Product> for pb::Product {
    fn from(product: Product) -> Self {
        Self {
            etag: product.etag().to_string(),
            id: product.id.to_string(),
            sku: product.sku.to_string(),
            name: product.name,
            description: product.description,
            brand: product.brand,
            category_id: product.category_id.to_string(),
            price: Some(product.price.into()),
            unit: product.unit,
            active: Some(product.active),
            create_time: Some(timestamp(product.created_at)),
            update_time: Some(timestamp(product.updated_at)),
        }
    }
}

impl From<Category> for pb::Category {
    fn from(category: Category) -> Self {
        Self {
            etag: category.etag().to_string(),
            id: category.id.to_string(),
            parent_id: category.parent_id.map(|id| id.to_string()).unwrap_or_default(),
            name: category.name,
            create_time: Some(timestamp(category.created_at)),
            update_time: Some(timestamp(category.updated_at)),
        }
    }
}

/// Answers that hold one resource.
macro_rules! holds {
    ($($answer:ident: $field:ident = $resource:ident),+ $(,)?) => {$(
        impl From<$resource> for pb::$answer {
            fn from(resource: $resource) -> Self {
                Self { $field: Some(resource.into()) }
            }
        }
    )+};
}
holds! {
    GetProductResponse: product = Product,
    CreateProductResponse: product = Product,
    UpdateProductResponse: product = Product,
    GetCategoryResponse: category = Category,
    CreateCategoryResponse: category = Category,
    UpdateCategoryResponse: category = Category,
    GetPriceListResponse: price_list = PriceList,
    CreatePriceListResponse: price_list = PriceList,
    UpdatePriceListResponse: price_list = PriceList,
}

#[cfg(test)]
mod tests;
