//! The only code that touches rows: one function for each statement.

mod categories;
mod pages;
mod price_lists;
mod prices;
mod products;

pub use self::pages::page_statements;
pub(crate) use self::{
    categories::{
        ParentVerdict, check_category_parent, delete_category, insert_category, list_categories,
        lock_category, select_category, update_category,
    },
    pages::{Cursor, list_products},
    price_lists::{
        assign_price_lists, delete_price_list, insert_price_list, list_assignments, list_price_lists,
        lock_price_list, select_price_list, update_price_list,
    },
    prices::{list_prices, price_items, set_prices},
    products::{
        delete_product, insert_product, lock_product, put_products, select_product, select_products,
        update_product,
    },
};

/// Why values of rows are taken as they are.
const CHECKED: &str = "a constraint of the table holds the same rule";
