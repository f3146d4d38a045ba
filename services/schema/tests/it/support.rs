//! A migrated database for one test, and connections to it.

use std::{str::FromStr, time::Duration};

use local::testing::{TestDatabase, services};
use schema::{Error, Options, Report, RolePasswords};
use tokio_postgres::{Client, Config, NoTls, error::SqlState};
use uuid::Uuid;

/// The roles that services log in as.
pub(crate) const SERVICES: [&str; 4] = ["catalog", "orders", "auth", "jobs"];

/// The limit that `local` gives the roles of the shared server. A role has one for all databases: a lower one here would throttle other tests.
pub(crate) const CONNECTION_LIMIT: u16 = 280;

/// A database of one test, migrated.
pub(crate) struct Database {
    test: TestDatabase,
}

impl Database {
    /// An empty database, migrated here rather than cloned, so that the rights on the database itself are tested too.
    pub(crate) async fn migrated() -> Self {
        let database = Self::empty().await;
        database.migrate().await;
        database
    }

    pub(crate) async fn empty() -> Self {
        Self { test: services().await.empty_database().await }
    }

    pub(crate) async fn migrate(&self) -> Report {
        self.try_migrate().await.unwrap()
    }

    pub(crate) async fn try_migrate(&self) -> Result<Report, Error> {
        let options = Options { passwords: self.passwords(), connection_limit: CONNECTION_LIMIT };
        schema::migrate(self.admin().await, &options).await
    }

    /// The passwords that all databases of this server share.
    fn passwords(&self) -> RolePasswords {
        let of = |role: &str| {
            let config = Config::from_str(&self.test.url(role)).unwrap();
            config.get_password().map(|password| String::from_utf8(password.to_vec()).unwrap())
        };
        RolePasswords {
            catalog: of("svc_catalog"),
            orders: of("svc_orders"),
            auth: of("svc_auth"),
            jobs: of("svc_jobs"),
        }
    }

    /// A superuser.
    pub(crate) async fn admin(&self) -> Client {
        connect(&self.test.admin_url()).await
    }

    /// `svc_<service>`, as the service itself logs in.
    pub(crate) async fn service(&self, service: &str) -> Client {
        connect(&self.test.url(&format!("svc_{service}"))).await
    }

    /// `svc_<service>`, working for `company`. For the whole session: the tests that look at a transaction set it themselves.
    pub(crate) async fn company(&self, service: &str, company: Uuid) -> Client {
        let client = self.service(service).await;
        let set = "SELECT set_config('sipup.company_id', $1, false)";
        client.execute(set, &[&company.to_string()]).await.unwrap();
        client
    }

    /// `svc_<service>_<scope>`: `seller` or `system`.
    pub(crate) async fn wide(&self, service: &str, scope: &str) -> Client {
        let client = self.service(service).await;
        client.batch_execute(&format!("SET ROLE svc_{service}_{scope}")).await.unwrap();
        client
    }

    /// `svc_<service>` on the streaming replica.
    pub(crate) async fn on_replica(&self, service: &str) -> Client {
        let url = self.test.url_with_replica(&format!("svc_{service}")).await;
        let both = Config::from_str(&url).unwrap();
        let mut config = Config::new();
        config
            .host("127.0.0.1")
            .port(*both.get_ports().last().unwrap())
            .user(format!("svc_{service}"))
            .password(both.get_password().unwrap_or_default())
            .dbname(self.test.name());
        open(&config).await
    }
}

/// Asks again until the answer is `true`; fails after half a minute.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let polled = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), polled)
        .await
        .unwrap_or_else(|_| panic!("not so in time: {what}"));
}

/// Waits until a session of the database waits for a lock.
pub(crate) async fn someone_waits(admin: &Client) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("a session waits for a lock", async || number(admin, waiting).await > 0).await;
}

/// The first column of the only row.
pub(crate) async fn text(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap_or_else(|err| panic!("{sql}: {err:?}")).get(0)
}

/// The first column of the only row.
pub(crate) async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap_or_else(|err| panic!("{sql}: {err:?}")).get(0)
}

/// Runs `sql`, which must be refused; answers with what.
pub(crate) async fn refusal(client: &Client, sql: &str) -> SqlState {
    match client.batch_execute(sql).await {
        Ok(()) => panic!("not refused: {sql}"),
        Err(err) => err.code().cloned().unwrap_or_else(|| panic!("{sql}: {err:?}")),
    }
}

async fn connect(url: &str) -> Client {
    open(&Config::from_str(url).unwrap()).await
}

#[expect(clippy::disallowed_methods, reason = "a connection of a test ends with the test's runtime")]
async fn open(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
