//! Brings a database up to date: roles, schemas, migrations, partitions. Safe to run twice, and by two at once.

use std::time::Duration;

use postgres_protocol::password::scram_sha_256;
use refinery::{Migration, Runner};
use tokio_postgres::{Client, error::SqlState};

use crate::{
    RolePasswords, Schema,
    check::{NotReady, judge},
};

const ROLES: &str = include_str!("../migrations/roles.sql");
const DATABASE: &str = include_str!("../migrations/database.sql");

/// One migration at a time in a database; the number is "sipup" in ASCII.
const LOCK: i64 = 0x0073_6970_7570;

/// How often a step that met somebody else's change of the same catalogue row is begun again.
const ATTEMPTS: u32 = 20;

/// How to migrate.
#[derive(Clone, Debug)]
pub struct Options {
    /// Passwords to set.
    pub passwords: RolePasswords,
    /// How many connections each service role may have on a server. Default 60: a budget of 50 and 20 % for the time when
    /// old and new pods overlap.
    pub connection_limit: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self { passwords: RolePasswords::none(), connection_limit: 60 }
    }
}

/// What a migration did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One for each schema, in the order in which they were migrated.
    pub schemas: Vec<SchemaReport>,
    /// How many partitions were made.
    pub partitions: i32,
}

impl Report {
    /// Whether nothing had to be done.
    pub fn is_unchanged(&self) -> bool {
        self.partitions == 0 && self.schemas.iter().all(|schema| schema.applied.is_empty())
    }
}

/// What was done to one schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaReport {
    /// The schema.
    pub schema: Schema,
    /// The version that it has now.
    pub version: i32,
    /// Names of the migrations applied, in order.
    pub applied: Vec<String>,
}

/// Why a database could not be migrated. What was applied before stays; run it again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A password is empty.
    #[error("the password of {role} is empty")]
    EmptyPassword {
        /// The role.
        role: &'static str,
    },
    /// A later release has migrated the schema beyond what this program can run on.
    #[error(transparent)]
    TooNew(NotReady),
    /// A migration failed, or was changed after it had been applied.
    #[error("schema {schema} could not be migrated")]
    Migration {
        /// The schema.
        schema: Schema,
        /// What went wrong.
        #[source]
        source: Box<refinery::Error>,
    },
    /// A statement between the migrations failed.
    #[error("could not {step}")]
    Database {
        /// What was to be done.
        step: &'static str,
        /// What went wrong.
        #[source]
        source: tokio_postgres::Error,
    },
}

/// Brings a database up to date and sets the passwords that are given. `client` is a session on the server that takes writes, of a role
/// that owns the database and may make roles. It is used up: it holds the lock until it ends.
pub async fn migrate(mut client: Client, options: &Options) -> Result<Report, Error> {
    if let Some((role, _)) = options.passwords.given().find(|(_, password)| password.is_empty()) {
        return Err(Error::EmptyPassword { role });
    }
    run(&mut client, options).await
}

/// All the SQL behind [`migrate`]: two programs with the same make the same database.
pub fn sources() -> impl Iterator<Item = &'static str> {
    let migrations =
        Schema::ALL.into_iter().flat_map(|schema| schema.migrations().iter().map(|(_, sql)| *sql));
    [ROLES, DATABASE].into_iter().chain(migrations)
}

/// Makes the partitions ahead, and drops the days of job history that are over; answers how many were made. Daily, by the jobs service;
/// `client` may be any role that is allowed to, for example `svc_jobs_system`.
pub async fn ensure_partitions(client: &Client) -> Result<i32, Error> {
    retrying("make partitions", async || {
        let row =
            client.query_one("SELECT orders.ensure_partitions() + jobs.ensure_partitions()", &[]).await?;
        Ok(row.get(0))
    })
    .await
}

async fn run(client: &mut Client, options: &Options) -> Result<Report, Error> {
    lock(client).await?;
    retrying("make roles", async || roles(client, options).await).await?;
    let mut schemas = Vec::with_capacity(Schema::ALL.len());
    for schema in Schema::ALL {
        schemas.push(migrate_schema(client, schema).await?);
    }
    let partitions = ensure_partitions(client).await?;
    Ok(Report { schemas, partitions })
}

/// Takes the lock that ends with the session, however it ends. From then on, a lock that somebody else holds on a table fails the migration
/// instead of queueing every later query behind it.
async fn lock(client: &Client) -> Result<(), Error> {
    let database = |source| Error::Database { step: "take the migration lock", source };
    client
        .batch_execute("SET search_path = pg_catalog, pg_temp; SET statement_timeout = 0; SET lock_timeout = 0; RESET ROLE")
        .await
        .map_err(database)?;
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.map_err(database)?;
    client.batch_execute("SET lock_timeout = '10s'").await.map_err(database)
}

/// Roles, their passwords, and the rights on the database, in one transaction.
async fn roles(client: &Client, options: &Options) -> Result<(), tokio_postgres::Error> {
    // A failed attempt left its transaction behind.
    client.batch_execute("ROLLBACK; BEGIN").await?;
    client
        .execute(
            "SELECT set_config('sipup.connection_limit', $1, true)",
            &[&options.connection_limit.to_string()],
        )
        .await?;
    client.batch_execute(ROLES).await?;
    for (role, password) in options.passwords.given() {
        // The verifier, not the password, goes over the wire and into the server's log. It holds no quotes.
        let verifier = scram_sha_256(password.as_bytes());
        client.batch_execute(&format!("ALTER ROLE {role} PASSWORD '{verifier}'")).await?;
    }
    client.batch_execute(DATABASE).await?;
    client.batch_execute("COMMIT").await
}

async fn migrate_schema(client: &mut Client, schema: Schema) -> Result<SchemaReport, Error> {
    let failed = |source| Error::Migration { schema, source: Box::new(source) };
    if let Some((version, compatible_from)) = stored_version(client, schema).await?
        && version > schema.required()
    {
        // The previous image after a roll-back: it changes nothing, if it may run at all.
        judge(schema, version, compatible_from).map_err(Error::TooNew)?;
        return Ok(SchemaReport { schema, version, applied: Vec::new() });
    }
    let migrations: Vec<_> = schema
        .migrations()
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let mut runner = Runner::new(&migrations);
    runner.set_migration_table_name(format!("{schema}.migrations"));
    let report = runner.run_async(client).await.map_err(failed)?;
    let applied = report.applied_migrations().iter().map(ToString::to_string).collect::<Vec<_>>();
    record_version(client, schema).await?;
    tracing::info!(
        schema = schema.name(),
        version = schema.required(),
        applied = applied.len(),
        "schema is up to date"
    );
    Ok(SchemaReport { schema, version: schema.required(), applied })
}

async fn stored_version(client: &Client, schema: Schema) -> Result<Option<(i32, i32)>, Error> {
    let database = |source| Error::Database { step: "read the version of a schema", source };
    let exists = "SELECT to_regclass('sipup.schema_versions') IS NOT NULL";
    if !client.query_one(exists, &[]).await.map_err(database)?.get::<_, bool>(0) {
        return Ok(None);
    }
    let version = "SELECT version, compatible_from FROM sipup.schema_versions WHERE schema_name = $1";
    let row = client.query_opt(version, &[&schema.name()]).await.map_err(database)?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}

async fn record_version(client: &Client, schema: Schema) -> Result<(), Error> {
    let upsert = "INSERT INTO sipup.schema_versions AS v (schema_name, version, compatible_from) VALUES ($1, $2, $3) \
                  ON CONFLICT ON CONSTRAINT schema_versions_pkey DO UPDATE \
                  SET version = excluded.version, compatible_from = excluded.compatible_from, updated_at = now() \
                  WHERE (v.version, v.compatible_from) IS DISTINCT FROM (excluded.version, excluded.compatible_from)";
    client
        .execute(upsert, &[&schema.name(), &schema.required(), &schema.compatible_from()])
        .await
        .map_err(|source| Error::Database { step: "record the version of a schema", source })?;
    Ok(())
}

/// Roles belong to the whole server, and advisory locks to one database: two databases that are migrated at once meet in the same
/// catalogue rows. Partitions wait for others only briefly. Both are simply done again.
async fn retrying<T>(
    step: &'static str,
    mut work: impl AsyncFnMut() -> Result<T, tokio_postgres::Error>,
) -> Result<T, Error> {
    let mut attempt = 1;
    loop {
        match work().await {
            Ok(done) => return Ok(done),
            Err(err) if attempt < ATTEMPTS && is_transient(&err) => {
                tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 20)).await;
                attempt += 1;
            }
            Err(source) => return Err(Error::Database { step, source }),
        }
    }
}

fn is_transient(err: &tokio_postgres::Error) -> bool {
    err.code().is_some_and(|code| {
        [
            // "tuple concurrently updated" has no code of its own.
            SqlState::INTERNAL_ERROR,
            SqlState::UNIQUE_VIOLATION,
            SqlState::DUPLICATE_OBJECT,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::LOCK_NOT_AVAILABLE,
        ]
        .contains(code)
    })
}
