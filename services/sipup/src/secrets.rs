//! `sipup secrets`: what a release on Kubernetes keeps to itself.

use std::collections::BTreeMap;

use anyhow::Context as _;
use auth::{keys, user::Email};
use clap::ValueEnum;
use kubernetes::{
    Client,
    secrets::{Entry, Wanted, ensure},
};
use platform::{Clock, Secret};

/// What the files of signing keys end in; `serve auth` reads the mounted Secret as its folder.
const KEY_FILES: &str = ".pem";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make the Secrets of a release that are absent, and keys that they lack. What is there is never changed.
    Init(Init),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// What the names of the release's objects begin with.
    #[arg(long, env = "SIPUP_NAME")]
    name: String,

    /// The namespace. Default: the pod's own.
    #[arg(long, env = "SIPUP_NAMESPACE")]
    namespace: Option<String>,

    /// The release, for the label `app.kubernetes.io/instance`.
    #[arg(long, env = "SIPUP_INSTANCE")]
    instance: Option<String>,

    /// Those that you bring yourself, under whatever name.
    #[arg(long, env = "SIPUP_SKIP", value_enum, value_delimiter = ',')]
    skip: Vec<Part>,

    /// The address that the first user logs in with, if the Secret of the operator has to be made.
    #[arg(long, env = "SIPUP_OPERATOR_EMAIL", default_value = "operator@sipup.local", value_parser = address)]
    operator_email: String,
}

/// The Secrets of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Passwords of the database's roles.
    Postgres,
    /// The password of the Valkey cluster.
    Valkey,
    /// The keys that sign access tokens, and the one that seals refresh tokens.
    Auth,
    /// The key that seals page tokens.
    PageTokens,
    /// The first user.
    Operator,
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Self::Init(init) = self;
        let namespace = init.namespace.clone().or_else(kubernetes::own_namespace);
        let namespace = namespace.context("outside of a pod, --namespace is needed")?;
        let client = kubernetes::connect().await?;
        init.make(&client, &namespace, &Clock::system(), |line| {
            #[expect(clippy::print_stdout, reason = "a command speaks to whoever called it")]
            {
                println!("{line}");
            }
        })
        .await
    }
}

impl Init {
    /// Tells one line about each Secret, never a value.
    async fn make(
        &self,
        client: &Client,
        namespace: &str,
        clock: &Clock,
        tell: impl Fn(String),
    ) -> anyhow::Result<()> {
        for part in Part::value_variants() {
            let name = format!("{}-{}", self.name, part.suffix());
            if self.skip.contains(part) {
                tell(format!("{name} skipped"));
                continue;
            }
            let wanted = Wanted { labels: self.labels(*part), entries: self.entries(*part, clock), name };
            let outcome = ensure(client, namespace, &wanted).await?;
            tell(format!("{} {outcome}", wanted.name));
        }
        Ok(())
    }

    fn labels(&self, part: Part) -> BTreeMap<String, String> {
        let labels = [
            ("name", Some("sipup")),
            ("component", Some(part.component())),
            ("managed-by", Some("sipup")),
            ("instance", self.instance.as_deref()),
        ];
        let labels = labels.into_iter().filter_map(|(key, value)| Some((key, value?)));
        labels.map(|(key, value)| (format!("app.kubernetes.io/{key}"), value.to_owned())).collect()
    }

    fn entries(&self, part: Part, clock: &Clock) -> Vec<Entry> {
        let passwords =
            |names: &[&'static str]| names.iter().map(|name| Entry::named(name, password)).collect();
        match part {
            Part::Postgres => passwords(&[
                "postgres-password",
                "replication-password",
                "catalog-password",
                "orders-password",
                "auth-password",
                "jobs-password",
            ]),
            Part::Valkey => passwords(&["password"]),
            Part::Auth => {
                let clock = clock.clone();
                let signing = move || {
                    let key = keys::generate(clock.now())?;
                    Ok((key.file_name, key.pem))
                };
                vec![Entry::named("refresh-key", key), Entry::with_suffix(KEY_FILES, signing)]
            }
            Part::PageTokens => vec![Entry::named("key", key)],
            Part::Operator => {
                let email = Secret::new(self.operator_email.clone());
                vec![Entry::named("email", move || email.clone()), Entry::named("password", password)]
            }
        }
    }
}

impl Part {
    fn suffix(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Valkey => "valkey",
            Self::Auth => "auth",
            Self::PageTokens => "page-tokens",
            Self::Operator => "operator",
        }
    }

    /// What of the release it belongs to.
    fn component(self) -> &'static str {
        match self {
            Self::PageTokens | Self::Operator => "secrets",
            Self::Postgres | Self::Valkey | Self::Auth => self.suffix(),
        }
    }
}

/// 160 bits in 32 characters that need no quoting in URLs, SQL, shells or files of configuration.
fn password() -> Secret {
    Secret::new(random(32))
}

/// 256 bits and a few.
fn key() -> Secret {
    Secret::new(random(52))
}

/// Five bits in each character.
fn random(length: usize) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    (0..length).map(|_| char::from(ALPHABET[usize::from(rand::random::<u8>() % 32)])).collect()
}

fn address(text: &str) -> Result<String, String> {
    Email::parse(text).map(|email| email.address().to_owned()).map_err(|invalid| invalid.problem)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use clap::Parser as _;
    use kubernetes::testing::FakeApi;
    use platform::page::{PageArgs, PageTokens};
    use serde_json::Value;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Program {
        #[command(subcommand)]
        command: Command,
    }

    fn parse(more: &[&str]) -> Result<Init, clap::Error> {
        let given = ["secrets", "init", "--name=shop-sipup", "--instance=shop"].iter().chain(more);
        Program::try_parse_from(given).map(|program| {
            let Command::Init(init) = program.command;
            init
        })
    }

    async fn run(api: &FakeApi, more: &[&str]) -> Vec<String> {
        let lines = RefCell::new(Vec::new());
        let clock = Clock::manual("2026-01-31T12:00:00Z".parse().unwrap());
        let init = parse(more).unwrap();
        init.make(&api.client(), "here", &clock, |line| lines.borrow_mut().push(line)).await.unwrap();
        lines.into_inner()
    }

    fn data(api: &FakeApi, name: &str) -> Value {
        api.get(&format!("/api/v1/namespaces/here/secrets/shop-sipup-{name}")).unwrap()["data"].clone()
    }

    fn keys_of(data: &Value) -> Vec<&str> {
        data.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[tokio::test]
    async fn all_secrets_are_made_with_the_keys_that_the_chart_reads() {
        let api = FakeApi::default();
        let lines = run(&api, &[]).await;
        assert_eq!(
            lines,
            ["postgres", "valkey", "auth", "page-tokens", "operator"]
                .map(|part| format!("shop-sipup-{part} created"))
        );
        assert_eq!(
            keys_of(&data(&api, "postgres")),
            [
                "auth-password",
                "catalog-password",
                "jobs-password",
                "orders-password",
                "postgres-password",
                "replication-password"
            ]
        );
        assert_eq!(keys_of(&data(&api, "auth")), ["20260131T120000Z.pem", "refresh-key"]);
        assert_eq!(keys_of(&data(&api, "operator")), ["email", "password"]);
        let labels =
            api.get("/api/v1/namespaces/here/secrets/shop-sipup-valkey").unwrap()["metadata"]["labels"]
                .clone();
        assert_eq!(
            labels,
            serde_json::json!({
                "app.kubernetes.io/name": "sipup",
                "app.kubernetes.io/component": "valkey",
                "app.kubernetes.io/managed-by": "sipup",
                "app.kubernetes.io/instance": "shop",
            })
        );
    }

    #[tokio::test]
    async fn a_second_run_changes_nothing_and_prints_no_value() {
        let api = FakeApi::default();
        run(&api, &[]).await;
        let before = ["postgres", "valkey", "auth", "page-tokens", "operator"].map(|part| data(&api, part));
        let lines = run(&api, &["--operator-email=other@example.com"]).await;
        assert!(lines.iter().all(|line| line.ends_with(" kept")), "{lines:?}");
        assert_eq!(
            ["postgres", "valkey", "auth", "page-tokens", "operator"].map(|part| data(&api, part)),
            before
        );
    }

    #[tokio::test]
    async fn secrets_that_the_user_brings_are_left_alone() {
        let api = FakeApi::default();
        let lines = run(&api, &["--skip=postgres,page-tokens"]).await;
        assert_eq!(lines.iter().filter(|line| line.ends_with(" skipped")).count(), 2);
        assert!(
            api.requests()
                .iter()
                .all(|request| !request.contains("postgres") && !request.contains("page-tokens"))
        );
    }

    #[test]
    fn odd_flags_are_refused_by_name() {
        for flag in ["--skip=mysql", "--operator-email=nobody"] {
            let error = parse(&[flag]).unwrap_err().to_string();
            assert!(error.contains(flag.split('=').next().unwrap()), "{error}");
        }
    }

    #[test]
    fn values_are_long_enough_for_those_who_read_them() {
        assert!(password().expose().len() >= 10);
        auth::macs::Macs::new(&key()).unwrap();
        let page = PageArgs { page_token_key: key() };
        PageTokens::new(&page).unwrap();
        assert_ne!(key().expose(), key().expose());
    }
}
