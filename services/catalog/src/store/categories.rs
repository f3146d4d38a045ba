//! Rows of `categories`.

use platform::db::{self, Rows, Tx};
use tokio_postgres::Row;
use tracing::instrument;
use uuid::Uuid;

use super::CHECKED;
use crate::{
    category::{Category, CategoryId},
    error::Error,
};

const SELECT_CATEGORY: &str = include_str!("../../queries/select_category.sql");
const LOCK_CATEGORY: &str = include_str!("../../queries/lock_category.sql");
const LIST_CATEGORIES: &str = include_str!("../../queries/list_categories.sql");
const CHECK_CATEGORY_PARENT: &str = include_str!("../../queries/check_category_parent.sql");
const INSERT_CATEGORY: &str = include_str!("../../queries/insert_category.sql");
const UPDATE_CATEGORY: &str = include_str!("../../queries/update_category.sql");
const DELETE_CATEGORY: &str = include_str!("../../queries/delete_category.sql");

/// Whether a category may stand below another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParentVerdict {
    /// It may.
    Fine,
    /// There is no such category above.
    NotFound,
    /// It would stand below itself, or too deep.
    Cycle,
}

/// The category `id`.
#[instrument(name = "db.category.select", skip_all, fields(category.id = %id), err(level = "debug"))]
pub(crate) async fn select_category(
    rows: &impl Rows,
    id: &CategoryId,
) -> Result<Option<Category>, db::Error> {
    Ok(rows.query_opt(SELECT_CATEGORY, &[&id.as_str()]).await?.as_ref().map(category))
}

/// The category `id`, kept from changing until `tx` ends.
#[instrument(name = "db.category.lock", skip_all, fields(category.id = %id), err(level = "debug"))]
pub(crate) async fn lock_category(tx: &Tx<'_>, id: &CategoryId) -> Result<Option<Category>, db::Error> {
    Ok(tx.query_opt(LOCK_CATEGORY, &[&id.as_str()]).await?.as_ref().map(category))
}

/// Up to `limit` categories by id, those behind `after`.
#[instrument(name = "db.category.list", skip_all, err(level = "debug"))]
pub(crate) async fn list_categories(
    rows: &impl Rows,
    after: &str,
    limit: i64,
) -> Result<Vec<Category>, db::Error> {
    Ok(rows.query(LIST_CATEGORIES, &[&after, &limit]).await?.iter().map(category).collect())
}

/// Whether `id` may stand below `parent`. Holds the shape of the tree until `tx` ends: ask before any category is locked.
#[instrument(name = "db.category.check_parent", skip_all, fields(category.id = %id), err(level = "debug"))]
pub(crate) async fn check_category_parent(
    tx: &Tx<'_>,
    id: &CategoryId,
    parent: Option<&CategoryId>,
) -> Result<ParentVerdict, db::Error> {
    let row = tx.query_one(CHECK_CATEGORY_PARENT, &[&id.as_str(), &parent.map(CategoryId::as_str)]).await?;
    Ok(match row.get("verdict") {
        "ok" => ParentVerdict::Fine,
        "parent_not_found" => ParentVerdict::NotFound,
        _ => ParentVerdict::Cycle,
    })
}

/// Adds `category`.
#[instrument(name = "db.category.insert", skip_all, fields(category.id = %category.id), err(level = "debug"))]
pub(crate) async fn insert_category(tx: &Tx<'_>, category: &Category, by: Uuid) -> Result<(), Error> {
    let c = category;
    let parent = c.parent_id.as_ref().map(CategoryId::as_str);
    tx.execute(INSERT_CATEGORY, &[&c.id.as_str(), &parent, &c.name, &c.version, &c.created_at, &by])
        .await
        .map(drop)
        .map_err(|error| refused(error, category))
}

/// Gives the row of `category` its values. The caller holds its lock.
#[instrument(name = "db.category.update", skip_all, fields(category.id = %category.id), err(level = "debug"))]
pub(crate) async fn update_category(tx: &Tx<'_>, category: &Category, by: Uuid) -> Result<(), Error> {
    let c = category;
    let parent = c.parent_id.as_ref().map(CategoryId::as_str);
    let updated = tx
        .execute(UPDATE_CATEGORY, &[&c.id.as_str(), &parent, &c.name, &c.version, &c.updated_at, &by])
        .await;
    match updated {
        Ok(1) => Ok(()),
        Ok(_) => Err(Error::CategoryNotFound { id: c.id.clone() }),
        Err(error) => Err(refused(error, category)),
    }
}

/// Removes the category `id`, which must hold nothing.
#[instrument(name = "db.category.delete", skip_all, fields(category.id = %id), err(level = "debug"))]
pub(crate) async fn delete_category(tx: &Tx<'_>, id: &CategoryId) -> Result<(), Error> {
    match tx.execute(DELETE_CATEGORY, &[&id.as_str()]).await {
        Ok(1) => Ok(()),
        Ok(_) => Err(Error::CategoryNotFound { id: id.clone() }),
        Err(error) => Err(match error.constraint() {
            Some("products_category_fk" | "categories_parent_fk") => {
                Error::CategoryNotEmpty { id: id.clone() }
            }
            _ => error.into(),
        }),
    }
}

/// What a constraint that `category` breaks means.
fn refused(error: db::Error, category: &Category) -> Error {
    match (error.constraint(), &category.parent_id) {
        (Some("categories_pkey"), _) => Error::CategoryExists { id: category.id.clone() },
        (Some("categories_parent_fk"), Some(parent)) => Error::ShelfNotFound { id: parent.clone() },
        _ => error.into(),
    }
}

fn category(row: &Row) -> Category {
    let id = |text: String| CategoryId::parse("id", text).expect(CHECKED);
    Category {
        id: id(row.get("id")),
        parent_id: row.get::<_, Option<String>>("parent_id").map(id),
        name: row.get("name"),
        version: row.get("version"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
    }
}
