//! `sipup verify`: questions to a live release.

use std::{num::NonZeroU32, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use platform::{Secret, args::duration};
use verify::{
    capacity::{self, Plan, Sizes, UsersPerPod},
    order::{self, Target},
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Place an order as a new customer would, and take it back.
    ///
    /// Prints a line for each step with its time. Exit code: 0 if all went well, 1 with the name of the step that failed. What stays is
    /// a company of one user, the category `sipup-verify` and a cancelled order.
    Order(Order),
    /// Compare the size of a release on Kubernetes with what its users need.
    ///
    /// Exit code: 0 if nothing differs, 1 otherwise.
    Capacity(Capacity),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Order {
    /// Where the platform is.
    #[arg(long, env = "SIPUP_URL", default_value = "http://127.0.0.1:18000")]
    url: http::Uri,

    /// PEM file of the authorities that may have signed the certificate of an `https` URL.
    #[arg(long, env = "SIPUP_CA_FILE")]
    ca_file: Option<PathBuf>,

    /// The address of a user of the seller's staff.
    #[arg(long, env = "SIPUP_OPERATOR_EMAIL")]
    email: String,

    /// The user's password.
    #[arg(long, env = "SIPUP_OPERATOR_PASSWORD", hide_env_values = true)]
    password: Secret,

    /// How long rate limits may keep one call waiting.
    #[arg(long, default_value = "90s", value_parser = duration)]
    patience: Duration,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Capacity {
    /// The release, as Helm calls it.
    #[arg(long, env = "SIPUP_RELEASE", required_unless_present = "plan")]
    release: Option<String>,

    /// Its namespace. Default: the pod's own, or `default`.
    #[arg(long, env = "SIPUP_NAMESPACE")]
    namespace: Option<String>,

    /// Users who are active at the same time: `capacity.targetUsers` of the release.
    #[arg(long, env = "SIPUP_TARGET_USERS", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    target_users: u32,

    /// Users that one pod of a service bears, as `catalog=2500,orders=4000`: `capacity.usersPerPod` of the release.
    #[arg(long, env = "SIPUP_USERS_PER_POD", value_delimiter = ',')]
    users_per_pod: Vec<UsersPerPod>,

    /// Pods of Envoy.
    #[arg(long, env = "SIPUP_ENVOY_REPLICAS", default_value = "2")]
    envoy_replicas: NonZeroU32,

    /// Print the plan and ask no cluster.
    #[arg(long)]
    plan: bool,
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Order(order) => order.run().await,
            Self::Capacity(capacity) => capacity.run().await,
        }
    }
}

impl Order {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let read = |file: &PathBuf| std::fs::read(file).with_context(|| format!("read {}", file.display()));
        let target = Target {
            authorities: self.ca_file.as_ref().map(read).transpose()?,
            url: self.url,
            email: self.email,
            password: self.password,
            patience: self.patience,
        };
        order::run(&target, |step| say(&step.to_string())).await?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Capacity {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let plan = Plan::new(&self.sizes())?;
        say(&plan.to_string());
        let Some(release) = self.release.as_deref().filter(|_| !self.plan) else {
            return Ok(ExitCode::SUCCESS);
        };
        let namespace = self.namespace.clone().or_else(kubernetes::own_namespace);
        let namespace = namespace.unwrap_or_else(|| "default".to_owned());
        let client = kubernetes::connect().await?;
        let check = capacity::compare(&client, &namespace, &fullname(release), &plan)
            .await
            .with_context(|| format!("read the release {release} in {namespace}"))?;
        say(&format!("\n{check}"));
        Ok(if check.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn sizes(&self) -> Sizes {
        let mut sizes = Sizes { envoy_replicas: self.envoy_replicas, ..Sizes::new(self.target_users) };
        sizes.users_per_pod.extend(self.users_per_pod.iter().map(|given| (given.0, given.1)));
        sizes
    }
}

/// What the names of a release's objects begin with, as the chart makes it.
fn fullname(release: &str) -> String {
    if release.contains("sipup") { release.to_owned() } else { format!("{release}-sipup") }
}

#[expect(clippy::print_stdout, reason = "a command speaks to whoever called it")]
fn say(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Program {
        #[command(subcommand)]
        command: Command,
    }

    fn capacity(more: &[&str]) -> Result<Capacity, clap::Error> {
        Program::try_parse_from(["verify", "capacity"].iter().chain(more)).map(|program| {
            match program.command {
                Command::Capacity(capacity) => capacity,
                Command::Order(_) => unreachable!("capacity was asked for"),
            }
        })
    }

    #[test]
    fn names_are_those_of_the_chart() {
        assert_eq!((fullname("shop"), fullname("my-sipup")), ("shop-sipup".into(), "my-sipup".into()));
    }

    #[test]
    fn sizes_that_are_given_replace_the_defaults() {
        let sizes = capacity(&["--plan", "--target-users=40000", "--users-per-pod=jobs=9000,auth=5000"])
            .unwrap()
            .sizes();
        let plan = Plan::new(&sizes).unwrap();
        let max = |service| plan.services.iter().find(|plan| plan.service == service).unwrap().max;
        assert_eq!(plan.target_users, 40_000);
        assert_eq!((max(capacity::Service::Jobs), max(capacity::Service::Auth)), (5, 8));
    }

    #[test]
    fn flags_that_can_not_be_right_are_refused_by_name() {
        for (flags, named) in [
            (vec!["--plan", "--target-users=0"], "--target-users"),
            (vec!["--plan", "--users-per-pod=mail=5"], "--users-per-pod"),
            (vec!["--plan", "--envoy-replicas=0"], "--envoy-replicas"),
            (vec![], "--release"),
        ] {
            let error = capacity(&flags).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
