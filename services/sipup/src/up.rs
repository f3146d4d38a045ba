//! `sipup up`: the whole platform on this machine.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use local::{DemoUser, Limits, Options, Replicas};
use platform::args::duration;

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Args {
    /// Where the data is kept. Default `$XDG_DATA_HOME/sipup`, else `~/.local/share/sipup`.
    #[arg(long)]
    data_dir: Option<PathBuf>,

    /// Keep the data in a temporary folder that is removed at the end.
    #[arg(long, conflicts_with = "data_dir")]
    ephemeral: bool,

    /// The first of the 400 ports that the platform may use; 0 takes any free block.
    #[arg(long, default_value_t = 18_000)]
    port_base: u16,

    /// How many processes of a service run, as `catalog=2`; repeat it for others.
    #[arg(long, value_name = "SERVICE=N", value_delimiter = ',')]
    replicas: Vec<Replicas>,

    /// Don't fill a new database with demo data.
    #[arg(long)]
    no_seed: bool,

    /// How many demo products a new database gets.
    #[arg(long, default_value_t = 10_000, conflicts_with = "no_seed")]
    products: u32,

    /// Use this database instead of starting Postgres, as a role that owns it and may make roles:
    /// `postgres://role:password@host:port/database`.
    #[arg(long)]
    postgres_url: Option<String>,

    /// Have the replica show each commit this much later than the primary, as a busy one would: whoever reads back without a token,
    /// or without the `sipup-lsn` of the write, sees old state for so long.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "0s", conflicts_with = "postgres_url")]
    replica_delay: Duration,

    /// Use this Redis or Valkey cluster instead of starting one: `host:port,host:port`.
    #[arg(long)]
    redis_url: Option<String>,

    /// Use this Envoy instead of downloading one.
    #[arg(long)]
    envoy_bin: Option<PathBuf>,

    /// Send traces to this OTLP collector over gRPC: `http://host:4317`.
    #[arg(long)]
    otlp_url: Option<String>,

    /// Calls per second that Envoy lets through from one address. Default no limit: here all clients have the same.
    #[arg(long)]
    local_limit: Option<u32>,

    /// Run the rate limit service, and let Envoy ask it before each call. Off unless asked for: on one machine all clients
    /// share one address, so those without a token would share one limit.
    #[arg(long)]
    limits: bool,

    /// The YAML file of rate limit rules, read again when it changes. Default the rules of the service.
    #[arg(long, value_name = "FILE", requires = "limits")]
    limit_rules: Option<PathBuf>,

    /// Write addresses, pids and passwords as JSON into this file when everything is ready.
    #[arg(long)]
    ready_file: Option<PathBuf>,

    /// Stop when standard input ends: for programs that start the platform and may be killed themselves.
    #[arg(long)]
    stop_on_eof: bool,

    /// Where the downloaded programs are kept. Default `$XDG_CACHE_HOME/sipup`, else `~/.cache/sipup`.
    #[arg(long, env = "SIPUP_PROGRAMS_DIR")]
    programs_dir: Option<PathBuf>,
}

impl Args {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let executable = std::env::current_exe().context("find the own executable")?;
        let options = Options {
            data_dir: self.data_dir,
            ephemeral: self.ephemeral,
            port_base: self.port_base,
            replicas: self.replicas,
            no_seed: self.no_seed,
            products: self.products,
            users: demo_users(),
            postgres_url: self.postgres_url,
            replica_delay: self.replica_delay,
            redis_url: self.redis_url,
            envoy_bin: self.envoy_bin,
            otlp_url: self.otlp_url,
            local_limit: self.local_limit,
            limits: self.limits.then_some(Limits { rules: self.limit_rules }),
            ready_file: self.ready_file,
            wheels: self.programs_dir,
            ..Options::new(executable)
        };
        let stop = local::asked_to_stop(self.stop_on_eof)?;
        Ok(local::up(options, stop).await?)
    }
}

/// Whom `sipup seed` makes.
fn demo_users() -> Vec<DemoUser> {
    let users = auth::demo::accounts().into_iter().flat_map(|company| company.users);
    let user = |user: &auth::demo::DemoUser| DemoUser {
        email: user.email.to_owned(),
        password: auth::demo::PASSWORD.to_owned(),
        role: user.role.name().to_owned(),
    };
    users.map(user).collect()
}
