use platform::ServiceError as _;

use super::*;

fn product() -> pb::Product {
    pb::Product {
        sku: "A-1".into(),
        name: "A".into(),
        category_id: "c".into(),
        price: Some(Money { currency_code: "EUR".into(), minor_units: 1 }),
        ..pb::Product::default()
    }
}

fn mask(paths: &[&str]) -> prost_types::FieldMask {
    prost_types::FieldMask { paths: paths.iter().map(|&path| path.to_owned()).collect() }
}

fn field(error: &Error) -> String {
    error.details().fields[0].field.clone()
}

#[test]
fn a_draft_has_defaults_and_names_nested_fields() {
    let draft = product_draft(product()).unwrap();
    assert_eq!((draft.unit.as_str(), draft.active), ("piece", true));
    let negative = Money { currency_code: "EUR".into(), minor_units: -1 };
    let refused = product_draft(pb::Product { price: Some(negative), ..product() }).unwrap_err();
    assert_eq!(refused.field, "price.minor_units");
    assert_eq!(product_draft(pb::Product { price: None, ..product() }).unwrap_err().field, "price");
}

#[test]
fn without_a_mask_what_is_set_is_changed() {
    let change = product_change(&pb::Product { active: Some(false), ..product() }, None).unwrap();
    assert_eq!((change.name.as_deref(), change.active), (Some("A"), Some(false)));
    assert_eq!((change.description, change.brand, change.unit), (None, None, None));
    assert_eq!(field(&product_change(&pb::Product::default(), None).unwrap_err()), "update_mask");
}

#[test]
fn a_mask_empties_what_may_be_empty_and_refuses_the_rest() {
    let change =
        product_change(&pb::Product::default(), Some(mask(&["brand", "description", "unit"]))).unwrap();
    assert_eq!(
        (change.brand.as_deref(), change.unit.as_deref(), change.name),
        (Some(""), Some("piece"), None)
    );
    for (path, named) in [("name", "product.name"), ("price", "product.price"), ("active", "product.active")]
    {
        assert_eq!(field(&product_change(&pb::Product::default(), Some(mask(&[path]))).unwrap_err()), named);
    }
}

#[test]
fn a_path_that_can_not_be_changed_is_refused_by_name() {
    for path in ["sku", "id", "*", "price.minor_units", "product.name", ""] {
        assert_eq!(
            field(&product_change(&product(), Some(mask(&["name", path]))).unwrap_err()),
            "update_mask",
            "{path}"
        );
    }
    assert_eq!(
        field(&category_change(&pb::Category::default(), Some(mask(&["id"]))).unwrap_err()),
        "update_mask"
    );
}

#[test]
fn a_category_moves_to_the_top_only_if_the_mask_says_so() {
    let top = category_change(&pb::Category::default(), Some(mask(&["parent_id"]))).unwrap();
    assert_eq!(top.parent_id, Some(None));
    let renamed =
        category_change(&pb::Category { name: "N".into(), ..pb::Category::default() }, None).unwrap();
    assert_eq!(renamed.parent_id, None);
}

#[test]
fn a_batch_counts_what_became_of_its_rows() {
    let answer = batch_answer(vec![
        RowOutcome::Created(Uuid::nil()),
        RowOutcome::Rejected(Rejection::Duplicate { first: 0 }),
        RowOutcome::Unchanged(Uuid::nil()),
    ]);
    assert_eq!(
        (answer.created_count, answer.rejected_count, answer.unchanged_count, answer.updated_count),
        (1, 1, 1, 0)
    );
    assert_eq!(
        (answer.results[1].field.as_str(), answer.results[1].reason.as_str()),
        ("sku", "DUPLICATE_IN_REQUEST")
    );
}

#[test]
fn an_unknown_policy_is_refused() {
    assert_eq!(conflict_policy(0), Ok(ConflictPolicy::Reject));
    assert_eq!(conflict_policy(99).unwrap_err().field, "conflict_policy");
}
