//! Flags of the database.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::DatabaseUrl;
use crate::{Secret, args::duration};

/// Which database, as which role, and how its server is known: the same for services and commands.
#[derive(Args, Clone, Debug)]
pub struct ConnectArgs {
    /// `postgres://role@host:port[,host:port]/database`: primary and replica in any order. `sslmode` is `disable` (the default),
    /// `prefer` or `require`; a certificate is always verified.
    #[arg(long, env = "SIPUP_DATABASE_URL", hide_env_values = true)]
    pub database_url: DatabaseUrl,

    /// Password of the role, if it isn't in the URL.
    #[arg(long, env = "SIPUP_DATABASE_PASSWORD", hide_env_values = true)]
    pub database_password: Option<Secret>,

    /// PEM file of the authorities that may have signed the server's certificate. Without it, the public ones.
    #[arg(long, env = "SIPUP_DATABASE_CA_FILE")]
    pub database_ca_file: Option<PathBuf>,
}

impl ConnectArgs {
    /// For a program that has the URL from elsewhere, with all that is needed in it.
    pub fn new(url: DatabaseUrl) -> Self {
        Self { database_url: url, database_password: None, database_ca_file: None }
    }
}

/// Which database, and how many connections to it.
#[derive(Args, Clone, Debug)]
pub struct DbArgs {
    /// Which database, and how to get in.
    #[command(flatten)]
    pub connect: ConnectArgs,

    /// Connections that all pods of this service together may have to one server: 1 to 100.
    #[arg(long, env = "SIPUP_DATABASE_POOL_BUDGET", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub database_pool_budget: u16,

    /// Connections that all pods of this service together keep open to one server, however little they do.
    #[arg(long, env = "SIPUP_DATABASE_POOL_WARM", default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=100))]
    pub database_pool_warm: u16,

    /// DNS name that resolves to one address for each live pod of this service: they share the budget. Without it this process has
    /// it for itself.
    #[arg(long, env = "SIPUP_DATABASE_OWN_NAME")]
    pub database_own_name: Option<String>,

    /// How long a call waits for a connection.
    #[arg(long, env = "SIPUP_DATABASE_ACQUIRE_TIMEOUT", default_value = "5s", value_parser = duration)]
    pub database_acquire_timeout: Duration,

    /// Connections unused for this long are closed, down to the warm number.
    #[arg(long, env = "SIPUP_DATABASE_IDLE_TIMEOUT", default_value = "30s", value_parser = duration)]
    pub database_idle_timeout: Duration,

    /// How often unused connections are tried.
    #[arg(long, env = "SIPUP_DATABASE_CHECK_INTERVAL", default_value = "30s", value_parser = duration)]
    pub database_check_interval: Duration,

    /// A statement that takes longer is logged as slow.
    #[arg(long, env = "SIPUP_DATABASE_SLOW_QUERY", default_value = "1s", value_parser = duration)]
    pub database_slow_query: Duration,

    /// A replica that is further behind is not read from until it has caught up.
    #[arg(long, env = "SIPUP_DATABASE_MAX_LAG", default_value = "1s", value_parser = duration)]
    pub database_max_lag: Duration,
}

impl DbArgs {
    /// The defaults, for a program that has the URL from elsewhere.
    pub fn new(url: DatabaseUrl) -> Self {
        Self {
            connect: ConnectArgs::new(url),
            database_pool_budget: 50,
            database_pool_warm: 10,
            database_own_name: None,
            database_acquire_timeout: Duration::from_secs(5),
            database_idle_timeout: Duration::from_secs(30),
            database_check_interval: Duration::from_secs(30),
            database_slow_query: Duration::from_secs(1),
            database_max_lag: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        db: DbArgs,
    }

    #[test]
    fn flags_and_constructor_have_the_same_defaults() {
        let url = "postgres://svc_orders@127.0.0.1:5432/sipup";
        let flags = Program::try_parse_from(["program", "--database-url", url]).unwrap().db;
        assert_eq!(format!("{flags:?}"), format!("{:?}", DbArgs::new(url.parse().unwrap())));
    }

    #[test]
    fn a_budget_beyond_a_hundred_is_refused_by_name() {
        let url = "postgres://svc_orders@127.0.0.1:5432/sipup";
        let error =
            Program::try_parse_from(["program", "--database-url", url, "--database-pool-budget", "101"])
                .unwrap_err();
        assert!(error.to_string().contains("--database-pool-budget"), "{error}");
    }
}
