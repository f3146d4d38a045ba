//! Who may call what.

use platform::{
    Allow::{self, Anyone, Roles},
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lists_what_the_contract_has() {
        assert_eq!(PERMISSIONS.differences(proto::DESCRIPTORS).unwrap(), Vec::<String>::new());
    }
}
