//! A database per test, cloned from a template that is migrated once.

use tokio_postgres::Client;

use crate::error::{Error, Result};
use crate::postgres::connect;
use crate::secrets;
use crate::testing::client::TestServices;
use crate::testing::protocol::RolePasswords;
use crate::testing::{ROLES, with_causes};

/// What a template holds.
#[derive(Clone, Debug)]
pub struct Template {
    /// Tells templates apart: a name and a hash of all that made it, in letters, digits and `_`.
    pub key: String,
}

/// A database of one test, dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    services: &'static TestServices,
    name: String,
}

impl TestServices {
    /// A new database with all schemas, as `sipup migrate` makes them.
    ///
    /// # Panics
    /// When Postgres refuses.
    pub async fn database(&'static self) -> TestDatabase {
        let sources: Vec<&str> = schema::sources().collect();
        let template = Template { key: secrets::fingerprint(sources.concat().as_bytes()) };
        self.database_from(&template, |url, passwords| async move {
            // All tests of a run share the roles, and with them the limits of the roles.
            let options = schema::Options { passwords: of_schema(&passwords), connection_limit: 280 };
            let migrated = schema::migrate(connect(&url).await?, &options).await;
            migrated.map(drop).map_err(Error::hook("migrate"))
        })
        .await
    }

    /// A new database with nothing in it.
    ///
    /// # Panics
    /// When Postgres refuses.
    pub async fn empty_database(&'static self) -> TestDatabase {
        self.clone_of("template0").await.unwrap_or_else(|err| panic!("{}", with_causes(&err)))
    }

    /// A new database cloned from `template`, which `prepare` fills (given its superuser URL and the roles' passwords) if
    /// nobody did in this run.
    ///
    /// # Panics
    /// When Postgres or `prepare` refuses.
    pub async fn database_from<E, P>(
        &'static self,
        template: &Template,
        prepare: impl FnOnce(String, RolePasswords) -> P,
    ) -> TestDatabase
    where
        P: Future<Output = Result<(), E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let database = async {
            let name = self.prepared(template, prepare).await?;
            self.clone_of(&name).await
        };
        database.await.unwrap_or_else(|err| panic!("{}", with_causes(&err)))
    }

    /// The name of the template database, made first where it is missing. The advisory lock lets one process make it
    /// while the others wait; it also keeps apart migrations of different templates, which share the server's roles.
    async fn prepared<E, P>(
        &self,
        template: &Template,
        prepare: impl FnOnce(String, RolePasswords) -> P,
    ) -> Result<String>
    where
        P: Future<Output = Result<(), E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let name = format!("template_{}", template.key);
        let admin = connect(&self.admin_url("postgres")).await?;
        // Released with the connection, so also when the preparation fails.
        run(&admin, "SELECT pg_advisory_lock(hashtext('sipup test templates'))").await?;
        let exists = "SELECT 1 FROM pg_database WHERE datname = $1";
        let exists =
            admin.query_opt(exists, &[&name]).await.map_err(Error::postgres("look for the template"))?;
        if exists.is_some() {
            return Ok(name);
        }
        let draft = format!("{name}_draft");
        run(&admin, &format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await?;
        run(&admin, &format!("CREATE DATABASE {draft} TEMPLATE template0 STRATEGY WAL_LOG")).await?;
        let prepared = prepare(self.admin_url(&draft), self.greeting().passwords.clone()).await;
        prepared.map_err(Error::hook("prepare the template"))?;
        run(&admin, &format!("ALTER DATABASE {draft} ALLOW_CONNECTIONS false")).await?;
        // Its last connection may still be on the way out; nobody new can come.
        let others = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1";
        admin.query(others, &[&draft]).await.map_err(Error::postgres("close the template"))?;
        run(&admin, &format!("ALTER DATABASE {draft} RENAME TO {name}")).await?;
        Ok(name)
    }

    async fn clone_of(&'static self, template: &str) -> Result<TestDatabase> {
        let database = TestDatabase { services: self, name: self.new_database_name() };
        let admin = connect(&self.admin_url("postgres")).await?;
        run(&admin, &format!("CREATE DATABASE {} TEMPLATE {template} STRATEGY WAL_LOG", database.name))
            .await?;
        // A copy leaves out who may connect, which migrations decide too.
        let rights = "UPDATE pg_database SET datacl = t.datacl FROM pg_database t \
                      WHERE pg_database.datname = $1 AND t.datname = $2 AND t.datname <> 'template0'";
        admin.execute(rights, &[&database.name, &template]).await.map_err(Error::postgres("copy rights"))?;
        Ok(database)
    }
}

impl TestDatabase {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The superuser's URL.
    pub fn admin_url(&self) -> String {
        self.services.admin_url(&self.name)
    }

    /// The URL for one of [`ROLES`].
    ///
    /// # Panics
    /// When `role` is none of them.
    pub fn url(&self, role: &str) -> String {
        self.url_to(role, &[self.services.greeting().port])
    }

    /// The URL for one of [`ROLES`] that lists the primary and the streaming replica, which is started on first use.
    ///
    /// # Panics
    /// When `role` is none of them, or the replica does not start.
    pub async fn url_with_replica(&self, role: &str) -> String {
        let replica = self.services.replica_port().await;
        self.url_to(role, &[self.services.greeting().port, replica])
    }

    fn url_to(&self, role: &str, ports: &[u16]) -> String {
        let password = self.services.greeting().passwords.get(role);
        let password = password.unwrap_or_else(|| panic!("`{role}` is none of {ROLES:?}"));
        let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("postgres://{role}:{password}@{}/{}", hosts.join(","), self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.services.drop_database(&self.name);
    }
}

fn of_schema(passwords: &RolePasswords) -> schema::RolePasswords {
    let of = |role| passwords.get(role).cloned();
    schema::RolePasswords {
        catalog: of("svc_catalog"),
        orders: of("svc_orders"),
        auth: of("svc_auth"),
        jobs: of("svc_jobs"),
    }
}

async fn run(client: &Client, sql: &str) -> Result<()> {
    client.batch_execute(sql).await.map_err(Error::postgres("prepare a test database"))
}
