//! Whether a service may run on the database as it is.

use tokio_postgres::{GenericClient, error::SqlState};

use crate::Schema;

const SELECT_VERSIONS: &str = "SELECT schema_name, version, compatible_from FROM sipup.schema_versions";

/// Why a service must not say that it is ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// Nobody has migrated the schema.
    #[error("schema {schema} has not been migrated")]
    Missing {
        /// The schema.
        schema: Schema,
    },
    /// The migration of this release has not run yet.
    #[error("schema {schema} has version {found}, version {needed} is needed")]
    TooOld {
        /// The schema.
        schema: Schema,
        /// The version that it has.
        found: i32,
        /// The version that this program needs.
        needed: i32,
    },
    /// A later release has taken away what this program uses.
    #[error(
        "schema {schema} serves programs from version {compatible_from} on, this one is of version {ours}"
    )]
    TooNew {
        /// The schema.
        schema: Schema,
        /// The oldest program that it serves.
        compatible_from: i32,
        /// The version that this program was built for.
        ours: i32,
    },
    /// The database could not be asked.
    #[error("the versions of the schemas could not be read")]
    Database(#[source] tokio_postgres::Error),
}

/// Checks that `schema`, and what a service with this schema uses besides, is at least what this program needs and still serves it.
/// Any service role may ask, on the primary or a replica.
pub async fn check(client: &impl GenericClient, schema: Schema) -> Result<(), NotReady> {
    let rows = match client.query(SELECT_VERSIONS, &[]).await {
        Ok(rows) => rows,
        Err(err) if is_not_migrated(&err) => return Err(NotReady::Missing { schema: Schema::Sipup }),
        Err(err) => return Err(NotReady::Database(err)),
    };
    for &used in schema.uses() {
        let row = rows
            .iter()
            .find(|row| row.get::<_, &str>("schema_name") == used.name())
            .ok_or(NotReady::Missing { schema: used })?;
        judge(used, row.get("version"), row.get("compatible_from"))?;
    }
    Ok(())
}

/// Before the first migration there is no such table, or no right to look at it.
fn is_not_migrated(err: &tokio_postgres::Error) -> bool {
    err.code().is_some_and(|code| {
        [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME, SqlState::INSUFFICIENT_PRIVILEGE]
            .contains(code)
    })
}

pub(crate) fn judge(schema: Schema, found: i32, compatible_from: i32) -> Result<(), NotReady> {
    let ours = schema.required();
    if found < ours {
        return Err(NotReady::TooOld { schema, found, needed: ours });
    }
    if ours < compatible_from {
        return Err(NotReady::TooNew { schema, compatible_from, ours });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{NotReady, judge};
    use crate::Schema;

    #[test]
    fn a_newer_schema_that_still_serves_us_is_ready() {
        let ours = Schema::Orders.required();
        assert!(judge(Schema::Orders, ours, ours).is_ok());
        assert!(judge(Schema::Orders, ours + 5, ours).is_ok());
    }

    #[test]
    fn an_older_schema_and_one_that_left_us_behind_are_not_ready() {
        let ours = Schema::Orders.required();
        assert!(
            matches!(judge(Schema::Orders, ours - 1, 1), Err(NotReady::TooOld { found, needed, .. }) if found < needed)
        );
        assert!(matches!(judge(Schema::Orders, ours + 5, ours + 1), Err(NotReady::TooNew { .. })));
    }
}
