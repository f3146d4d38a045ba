//! Postgres and Valkey, ours or the ones that were given.

use crate::account::Account;
use crate::error::{Error, Result};
use crate::ports::Layout;
use crate::postgres::{Durability, Installation, Primary, Replica};
use crate::stack::options::valkey_ports;
use crate::stack::{Programs, Service, Stack, commands};
use crate::valkey::{Options, Valkey};

/// The database's name.
const DATABASE: &str = "sipup";

/// Where the database is.
#[derive(Clone, Debug)]
pub(super) struct Database {
    /// For the role that owns the database.
    pub(super) owner_url: String,
    /// For the same role on the replica, if the replica is ours.
    pub(super) replica_url: Option<String>,
    /// All servers and the rest of the URL: `host:port,host:port/sipup`.
    servers: String,
}

impl Database {
    /// Everything after the role and its password stays as it was given.
    pub(super) fn given(url: &str) -> Result<Self> {
        let problem = |problem: &str| Error::Option { option: "--postgres-url", problem: problem.to_owned() };
        url.parse::<tokio_postgres::Config>().map_err(|err| problem(&err.to_string()))?;
        let (_, servers) = url
            .split_once('@')
            .ok_or_else(|| problem("write it as `postgres://role:password@host:port/database`"))?;
        Ok(Self { owner_url: url.to_owned(), replica_url: None, servers: servers.to_owned() })
    }

    /// The URL with which `service` logs in; its password goes separately.
    pub(super) fn url_of(&self, service: Service) -> String {
        format!("postgres://svc_{service}@{}", self.servers)
    }
}

/// Has the database ready for the services: servers, database, schemas, roles.
pub(super) async fn postgres(stack: &Stack, programs: &Programs) -> Result<Database> {
    if let Some(url) = &stack.plan.options.postgres_url {
        let database = Database::given(url)?;
        commands::migrate(stack, &database).await?;
        return Ok(database);
    }
    let phase = stack.plan.options.progress.phase("Postgres");
    phase.doing("primary");
    let primary = primary(stack, programs).await?;
    phase.doing("replica and migrations");
    let port = stack.plan.layout.replica();
    let database = Database {
        owner_url: primary.url(DATABASE),
        replica_url: Some(
            primary.url(DATABASE).replace(&format!(":{}/", primary.port), &format!(":{port}/")),
        ),
        servers: format!("127.0.0.1:{},127.0.0.1:{port}/{DATABASE}", primary.port),
    };
    let replica = Replica::start(&primary, port, stack.plan.options.replica_delay, &stack.supervisor);
    tokio::try_join!(replica, commands::migrate(stack, &database))?;
    phase.done("primary and streaming replica, schemas up to date");
    Ok(database)
}

async fn primary(stack: &Stack, programs: &Programs) -> Result<Primary> {
    let installation = Installation {
        programs: programs.postgres.clone(),
        account: Account::for_postgres().await,
        durability: Durability::Kept,
        logs: stack.plan.logs()?,
    };
    let folder = stack.plan.folder.inside("postgres")?;
    let primary =
        Primary::start(installation, &folder, stack.plan.layout.primary(), &stack.supervisor).await?;
    let admin = primary.connect("postgres").await?;
    let exists = admin.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&DATABASE]).await;
    if exists.map_err(Error::postgres("look for the database"))?.is_none() {
        let create = format!("CREATE DATABASE {DATABASE}");
        admin.batch_execute(&create).await.map_err(Error::postgres("create the database"))?;
    }
    Ok(primary)
}

/// Has the Valkey cluster ready.
pub(super) async fn valkey(stack: &Stack, programs: &Programs) -> Result<()> {
    if stack.plan.options.redis_url.is_some() {
        return Ok(());
    }
    let phase = stack.plan.options.progress.phase("Valkey");
    let options = Options {
        programs: programs.valkey.clone(),
        folder: stack.plan.folder.inside("valkey")?,
        logs: stack.plan.logs()?,
        ports: valkey_ports(stack.plan.layout),
        bus_offset: Layout::VALKEY_BUS,
        durability: Durability::Kept,
    };
    Valkey::start(&options, &stack.supervisor).await?;
    phase.done("cluster of 3 masters and 3 replicas");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_url_keeps_its_servers_and_options_for_the_services() {
        let database = Database::given("postgres://owner:secret@h1:1,h2:2/shop?sslmode=require").unwrap();
        assert_eq!(database.url_of(Service::Orders), "postgres://svc_orders@h1:1,h2:2/shop?sslmode=require");
        assert!(Database::given("postgres://h1:1/shop").is_err());
        assert!(Database::given("nonsense").is_err());
    }
}
