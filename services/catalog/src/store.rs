//! The only code that touches rows: one function for each statement.

mod categories;
mod pages;
mod products;

pub use self::pages::page_statements;
pub(crate) use self::{
    categories::{
        ParentVerdict, check_category_parent, delete_category, insert_category, list_categories,
        lock_category, select_category, update_category,
    },
    pages::{Cursor, list_products},
    products::{
        delete_product, insert_product, lock_product, put_products, select_product, select_products,
        update_product,
    },
};

/// Why values of rows are taken as they are.
const CHECKED: &str = "a constraint of the table holds the same rule";
