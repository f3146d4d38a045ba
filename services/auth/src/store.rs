//! The rows of companies, users and sessions.

use jiff::Timestamp;
use platform::{
    Secret,
    db::{self, Rows, Tx},
};
use tokio_postgres::Row;
use tracing::instrument;
use uuid::Uuid;

use crate::{
    company::Company,
    error::Error,
    session::{Live, Reason, State},
    user::{Account, Email, User},
};

const INSERT_COMPANY: &str = include_str!("../queries/insert_company.sql");
const INSERT_USER: &str = include_str!("../queries/insert_user.sql");
const SELECT_ACCOUNT: &str = include_str!("../queries/select_account.sql");
const SELECT_USER: &str = include_str!("../queries/select_user.sql");
const UPDATE_PASSWORD_HASH: &str = include_str!("../queries/update_password_hash.sql");
const INSERT_SESSION: &str = include_str!("../queries/insert_session.sql");
const LOCK_SESSION: &str = include_str!("../queries/lock_session.sql");
const ADVANCE_SESSION: &str = include_str!("../queries/advance_session.sql");
const REVOKE_SESSION: &str = include_str!("../queries/revoke_session.sql");

/// The constraint that lets one user have an address.
const EMAIL_KEY: &str = "users_email_key_key";

/// Inserts `company`.
#[instrument(name = "db.company.insert", skip_all, fields(company.id = %company.id), err(level = "debug"))]
pub(crate) async fn insert_company(tx: &Tx<'_>, company: &Company) -> Result<(), db::Error> {
    tx.execute(INSERT_COMPANY, &[&company.id, &company.name, &company.created_at]).await?;
    Ok(())
}

/// Inserts `user`, unless somebody has the address.
#[instrument(name = "db.user.insert", skip_all, fields(user.id = %user.id), err(level = "debug"))]
pub(crate) async fn insert_user(
    tx: &Tx<'_>,
    user: &User,
    email: &Email,
    password_hash: &Secret,
) -> Result<(), Error> {
    let (address, key, hash, role) = (email.address(), email.key(), password_hash.expose(), user.role.name());
    let User { id, company_id, display_name, created_at, .. } = user;
    tx.execute(INSERT_USER, &[id, company_id, &address, &key, &hash, display_name, &role, created_at])
        .await
        .map(|_| ())
        .map_err(|error| if error.constraint() == Some(EMAIL_KEY) { Error::EmailTaken } else { error.into() })
}

/// The account that logs in with `email`.
#[instrument(name = "db.user.select_account", skip_all, err(level = "debug"))]
pub(crate) async fn find_account(tx: &Tx<'_>, email: &Email) -> Result<Option<Account>, Error> {
    let row = tx.query_opt(SELECT_ACCOUNT, &[&email.key()]).await?;
    row.map(|row| {
        Ok(Account {
            user: user(&row)?,
            password_hash: Secret::new(row.get::<_, String>("password_hash")),
            locked_until: row.get("locked_until"),
        })
    })
    .transpose()
}

/// The user `id` and the user's company.
#[instrument(name = "db.user.select", skip_all, fields(user.id = %id), err(level = "debug"))]
pub(crate) async fn find_user(rows: &impl Rows, id: Uuid) -> Result<Option<(User, Company)>, Error> {
    let row = rows.query_opt(SELECT_USER, &[&id]).await?;
    row.map(|row| {
        let company = Company {
            id: row.get("company_id"),
            name: row.get("company_name"),
            created_at: row.get("company_created_at"),
        };
        Ok((user(&row)?, company))
    })
    .transpose()
}

/// Replaces the hash `old` of the user's password by `new`; leaves a hash that somebody else replaced in the meantime.
#[instrument(name = "db.user.update_password_hash", skip_all, fields(user.id = %id), err(level = "debug"))]
pub(crate) async fn replace_password_hash(
    tx: &Tx<'_>,
    id: Uuid,
    old: &Secret,
    new: &Secret,
    now: Timestamp,
) -> Result<(), db::Error> {
    tx.execute(UPDATE_PASSWORD_HASH, &[&id, &old.expose(), &new.expose(), &now]).await?;
    Ok(())
}

/// Inserts the session `id` of `user`.
#[instrument(name = "db.session.insert", skip_all, fields(session.id = %id), err(level = "debug"))]
pub(crate) async fn insert_session(tx: &Tx<'_>, id: Uuid, user: &User, live: &Live) -> Result<(), db::Error> {
    tx.execute(
        INSERT_SESSION,
        &[&id, &user.id, &user.company_id, &live.generation, &live.rotated_at, &live.expires_at],
    )
    .await?;
    Ok(())
}

/// The session `id` and its user. Nobody else changes the session until the transaction ends.
#[instrument(name = "db.session.lock", skip_all, fields(session.id = %id), err(level = "debug"))]
pub(crate) async fn lock_session(tx: &Tx<'_>, id: Uuid) -> Result<Option<(State, User)>, Error> {
    let row = tx.query_opt(LOCK_SESSION, &[&id]).await?;
    row.map(|row| Ok((state(&row), user(&row)?))).transpose()
}

/// Moves the session `id` on to `next`, if its newest token is still the one of `generation`. Answers whether it was.
#[instrument(name = "db.session.advance", skip_all, fields(session.id = %id), err(level = "debug"))]
pub(crate) async fn advance_session(
    tx: &Tx<'_>,
    id: Uuid,
    generation: i32,
    next: &Live,
) -> Result<bool, db::Error> {
    let moved = tx
        .execute(ADVANCE_SESSION, &[&id, &generation, &next.generation, &next.rotated_at, &next.expires_at])
        .await?;
    Ok(moved == 1)
}

/// Revokes the session `id`. Answers whether it had not been revoked before.
#[instrument(name = "db.session.revoke", skip_all, fields(session.id = %id), err(level = "debug"))]
pub(crate) async fn revoke_session(
    tx: &Tx<'_>,
    id: Uuid,
    reason: Reason,
    now: Timestamp,
) -> Result<bool, db::Error> {
    Ok(tx.execute(REVOKE_SESSION, &[&id, &reason.name(), &now]).await? == 1)
}

fn user(row: &Row) -> Result<User, Error> {
    Ok(User {
        id: row.get("id"),
        company_id: row.get("company_id"),
        email: row.get("email"),
        display_name: row.get("display_name"),
        role: row.get::<_, &str>("role").parse()?,
        created_at: row.get("created_at"),
    })
}

fn state(row: &Row) -> State {
    if row.get::<_, Option<Timestamp>>("revoked_at").is_some() {
        return State::Revoked;
    }
    State::Live(Live {
        generation: row.get("generation"),
        rotated_at: row.get("rotated_at"),
        expires_at: row.get("expires_at"),
    })
}
