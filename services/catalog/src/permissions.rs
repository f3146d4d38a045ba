//! Who may call what.

use platform::{
    Allow::{self, Anyone, Roles, Signed},
    Permissions, Role,
};

const SELLER: Allow = Roles(&[Role::Seller]);

/// Everyone reads; the seller's staff writes.
pub const PERMISSIONS: Permissions = Permissions::new(
    "sipup.catalog.v1.CatalogService",
    &[
        ("GetProduct", Anyone),
        ("BatchGetProducts", Anyone),
        ("ListProducts", Anyone),
        ("CreateProduct", SELLER),
        ("UpdateProduct", SELLER),
        ("DeleteProduct", SELLER),
        ("BatchCreateProducts", SELLER),
        ("GetCategory", Anyone),
        ("ListCategories", Anyone),
        ("CreateCategory", SELLER),
        ("UpdateCategory", SELLER),
        ("DeleteCategory", SELLER),
    ],
);

/// Whoever is signed in asks what things cost their company; the seller's staff does the rest.
pub const PRICE_PERMISSIONS: Permissions = Permissions::new(
    "sipup.catalog.v1.PriceService",
    &[
        ("PriceItems", Signed),
        ("GetPriceList", SELLER),
        ("ListPriceLists", SELLER),
        ("CreatePriceList", SELLER),
        ("UpdatePriceList", SELLER),
        ("DeletePriceList", SELLER),
        ("ListPrices", SELLER),
        ("BatchSetPrices", SELLER),
        ("ListPriceListAssignments", SELLER),
        ("BatchAssignPriceLists", SELLER),
    ],
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_list_what_the_contract_has() {
        for table in [PERMISSIONS, PRICE_PERMISSIONS] {
            assert_eq!(table.differences(proto::DESCRIPTORS).unwrap(), Vec::<String>::new());
        }
    }
}
