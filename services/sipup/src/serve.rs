//! `sipup serve`: one service as this process.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use platform::{
    Context, Identity, TelemetryArgs,
    db::{DbArgs, OneConnection},
};
use schema::Schema;
use tokio::sync::OnceCell;

use crate::runtime;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Products and categories.
    Catalog(Box<Service<catalog::Args>>),
    /// Orders and stock.
    Orders(Box<Service<orders::Args>>),
    /// Companies, users and sessions.
    Auth(Box<Service<auth::Args>>),
    /// E-mails and all other work that happens later.
    Jobs(Box<Service<jobs::Args>>),
    /// Rate limits and the count of active users.
    Ratelimit(Box<Service<ratelimit::Args>>),
    /// The number of active users, for HPAs and KEDA.
    Autoscaler(Box<Service<autoscaler::Args>>),
}

#[derive(Args, Debug)]
pub(crate) struct Service<A: Args> {
    #[command(flatten)]
    telemetry: TelemetryArgs,

    #[command(flatten)]
    args: A,

    /// Read the configuration, say whether it is valid, and end.
    #[arg(long)]
    check: bool,
}

impl Command {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Catalog(service) => {
                service.run("catalog", Schema::Catalog, |args| &args.database, catalog::serve)
            }
            Self::Orders(service) => {
                service.run("orders", Schema::Orders, |args| &args.database, orders::serve)
            }
            Self::Auth(service) => service.run("auth", Schema::Auth, |args| &args.database, auth::serve),
            Self::Jobs(service) => service.run("jobs", Schema::Jobs, |args| &args.database, jobs::serve),
            Self::Ratelimit(service) => service.run_alone("ratelimit", ratelimit::serve),
            Self::Autoscaler(service) => match service.args.check() {
                Ok(()) => service.run_alone("autoscaler", autoscaler::serve),
                Err(invalid) => Ok(runtime::refused(&invalid)),
            },
        }
    }
}

impl<A: Args + std::fmt::Debug> Service<A> {
    fn run(
        self,
        name: &'static str,
        schema: Schema,
        database: impl Fn(&A) -> &DbArgs,
        serve: impl AsyncFnOnce(A, Context) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        let database = database(&self.args).clone();
        self.run_alone(name, async |args, mut context: Context| {
            until_schema_fits(&mut context, schema, database);
            serve(args, context).await
        })
    }

    /// Runs a service that has no database.
    fn run_alone(
        self,
        name: &'static str,
        serve: impl AsyncFnOnce(A, Context) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        if !self.check {
            let identity = Identity { service: name, version: env!("SIPUP_VERSION") };
            platform::run(identity, &self.telemetry, self.args, serve)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Keeps the service from being ready until the database has what it needs. Asked until it has been true once: a schema that fits
/// goes on to fit a program that has started on it.
fn until_schema_fits(context: &mut Context, schema: Schema, database: DbArgs) {
    let fits = Arc::new(OnceCell::new());
    context.readiness.add("schema", move || {
        let (fits, database) = (Arc::clone(&fits), database.clone());
        async move {
            let checked = fits.get_or_try_init(|| check(schema, &database)).await;
            checked.copied().map_err(|error| format!("{error:#}"))
        }
    });
}

async fn check(schema: Schema, database: &DbArgs) -> anyhow::Result<()> {
    let connection =
        OneConnection::open(&database.connect, "sipup schema check").await.context("no connection")?;
    Ok(schema::check(connection.client(), schema).await?)
}
