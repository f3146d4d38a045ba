//! `sipup migrate`: brings the database up to date.

use anyhow::Context as _;
use platform::{
    Secret,
    db::{ConnectArgs, OneConnection},
};
use schema::{Options, RolePasswords};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database, as a role that owns it and may make roles.
    #[command(flatten)]
    database: ConnectArgs,

    /// Sets the password of the role `svc_catalog`; it keeps the one that it has where left out, as do the next three.
    #[arg(long, env = "SIPUP_ROLE_PASSWORD_CATALOG", hide_env_values = true)]
    role_password_catalog: Option<Secret>,

    /// Sets the password of the role `svc_orders`.
    #[arg(long, env = "SIPUP_ROLE_PASSWORD_ORDERS", hide_env_values = true)]
    role_password_orders: Option<Secret>,

    /// Sets the password of the role `svc_auth`.
    #[arg(long, env = "SIPUP_ROLE_PASSWORD_AUTH", hide_env_values = true)]
    role_password_auth: Option<Secret>,

    /// Sets the password of the role `svc_jobs`.
    #[arg(long, env = "SIPUP_ROLE_PASSWORD_JOBS", hide_env_values = true)]
    role_password_jobs: Option<Secret>,

    /// Connections that each service may have to one server: its pools' budget and 20 %.
    #[arg(long, env = "SIPUP_CONNECTION_LIMIT", default_value_t = 60)]
    connection_limit: u16,
}

impl Args {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let given = |secret: Option<Secret>| secret.map(|secret| secret.expose().to_owned());
        let options = Options {
            passwords: RolePasswords {
                catalog: given(self.role_password_catalog),
                orders: given(self.role_password_orders),
                auth: given(self.role_password_auth),
                jobs: given(self.role_password_jobs),
            },
            connection_limit: self.connection_limit,
        };
        let connection =
            OneConnection::open(&self.database, "sipup migrate").await.context("connect to the database")?;
        let report = schema::migrate(connection.into_client(), &options).await.context("migrate")?;
        #[expect(clippy::print_stdout, reason = "a command speaks to whoever called it")]
        for schema in &report.schemas {
            println!(
                "{} is at version {}, {} migrations applied",
                schema.schema,
                schema.version,
                schema.applied.len()
            );
        }
        Ok(())
    }
}
