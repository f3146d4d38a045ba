//! A service with its database and catalogue, and users who call it.

mod books;
mod catalog;
mod user;

use std::{str::FromStr, time::Duration};

use clap::Parser;
use local::testing::TestDatabase;
use platform::{
    Clock, Role,
    testing::{Issuer, Running},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt as _;
use uuid::Uuid;

pub(crate) use self::{
    books::Books,
    catalog::StubCatalog,
    user::{User, Watched, was_replayed, wish},
};

/// The whole of a test: an orders service and everything around it.
pub(crate) struct World {
    pub(crate) catalog: StubCatalog,
    pub(crate) books: Books,
    issuer: Issuer,
    channel: Channel,
    service: Running,
    database: TestDatabase,
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    args: orders::Args,
}

impl World {
    /// A new one, with nothing sold yet and nothing in stock.
    pub(crate) async fn new() -> Self {
        Self::at(Clock::system()).await
    }

    /// As [`World::new`], with a service that believes `clock`.
    pub(crate) async fn at(clock: Clock) -> Self {
        Self::with(clock, |_| {}).await
    }

    /// As [`World::new`], with flags of the service changed.
    pub(crate) async fn tuned(tune: impl FnOnce(&mut orders::Args)) -> Self {
        Self::with(Clock::system(), tune).await
    }

    async fn with(clock: Clock, tune: impl FnOnce(&mut orders::Args)) -> Self {
        let database = local::testing::services().await.database().await;
        let (catalog, issuer) = (StubCatalog::start().await, Issuer::start(clock.clone()).await.unwrap());
        let service = start(&database.url("svc_orders"), &catalog, &issuer, clock, tune).await;
        let channel = connect_to(&service).await;
        let books = Books::open(&database.admin_url()).await;
        Self { catalog, books, issuer, channel, service, database }
    }

    /// The same user on a connection of its own.
    pub(crate) async fn elsewhere(&self, user: &User) -> User {
        user.over(connect_to(&self.service).await)
    }

    /// Ends the session of `user`, whom no table has.
    pub(crate) async fn end_session(&self, user: &User) {
        let sql = format!(
            "SET session_replication_role = replica;
             INSERT INTO auth.sessions (id, user_id, company_id, generation, expires_at, revoked_at, reason)
             VALUES ('{}', '{}', '{}', 1, NOW() + INTERVAL '1 hour', NOW(), 'logout');
             RESET session_replication_role",
            user.session, user.id, user.company
        );
        self.books.tamper(&sql).await;
    }

    /// Tells the service to stop, as SIGTERM would.
    pub(crate) fn terminate(&self) {
        self.service.context().terminating.cancel();
    }

    /// A buyer of a company that is new, too.
    pub(crate) fn buyer(&self) -> User {
        self.user(Role::Buyer, Uuid::now_v7())
    }

    /// Somebody of the seller's staff.
    pub(crate) fn seller(&self) -> User {
        self.user(Role::Seller, Uuid::now_v7())
    }

    /// A new user.
    pub(crate) fn user(&self, role: Role, company: Uuid) -> User {
        let id = Uuid::now_v7();
        let session = Uuid::now_v7();
        let token = self.issuer.token_for(role, company, id, session);
        User::new(self.channel.clone(), id, company, session, token)
    }

    /// Puts a product into the catalogue, and units of it on the shelf.
    pub(crate) async fn sell(&self, sku: &str, price: i64, units: i32) {
        self.catalog.put(sku, price, "EUR", true);
        if units != 0 {
            self.seller().adjust(&[(sku, units)], None).await.unwrap();
        }
    }

    /// What the admin port tells in figures.
    pub(crate) async fn metrics(&self) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.service.bound.admin).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// The URL of the service's own role.
    pub(crate) fn service_url(&self) -> String {
        self.database.url("svc_orders")
    }
}

async fn connect_to(service: &Running) -> Channel {
    tonic::transport::Endpoint::try_from(service.url()).unwrap().connect().await.unwrap()
}

async fn start(
    database_url: &str,
    catalog: &StubCatalog,
    issuer: &Issuer,
    clock: Clock,
    tune: impl FnOnce(&mut orders::Args),
) -> Running {
    let catalog_url = catalog.url();
    let flags = [
        "orders",
        "--database-url",
        database_url,
        "--catalog-url",
        &catalog_url,
        "--page-token-key",
        "replaced below",
    ];
    let mut args = Flags::parse_from(flags).args;
    args.server = platform::testing::server_args();
    args.page = platform::testing::page_args();
    args.auth = issuer.auth_args();
    tune(&mut args);
    platform::testing::start("orders", clock, args, orders::serve).await.unwrap()
}

/// A connection to the database that ends with the test's runtime.
#[expect(clippy::disallowed_methods, reason = "nothing waits for a test's connection to end")]
pub(crate) async fn connect(url: &str) -> tokio_postgres::Client {
    let config = tokio_postgres::Config::from_str(url).unwrap();
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Asks again until the answer is yes; fails after half a minute.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let polled = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), polled)
        .await
        .unwrap_or_else(|_| panic!("not so in time: {what}"));
}

/// The refusal of a call that must have been refused, by code and reason.
pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<T, Status>, code: Code, reason: &str) -> Status {
    let status = outcome.expect_err("must be refused");
    assert_eq!(status.code(), code, "{status:?}");
    let details = status.get_error_details();
    assert_eq!(details.error_info().map(|info| info.reason.as_str()), Some(reason), "{status:?}");
    status
}

/// The fields that a refusal finds fault with.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    details
        .bad_request()
        .into_iter()
        .flat_map(|bad| bad.field_violations.iter().map(|it| it.field.clone()))
        .collect()
}

/// What a refusal says the state lacks: kind, subject and description of each.
pub(crate) fn lacks(status: &Status) -> Vec<(String, String, String)> {
    let details = status.get_error_details();
    let violations =
        details.precondition_failure().into_iter().flat_map(|failure| failure.violations.clone());
    violations.map(|it| (it.r#type, it.subject, it.description)).collect()
}
