//! Who is calling: companies, their users, sessions, and the tokens that prove them.
//!
//! It owns the schema `auth`, the keys that sign access tokens, and the only code that sees passwords. It never decides what a user
//! may do in another service; those read the claims of the token themselves. It stores no token: refresh tokens are recomputed, and
//! access tokens are believed until they expire or their session is named in `auth.revoked_sessions`.
//!
//! In reading order:
//!
//! - the domain: [`name`], [`company`], [`user`], [`session`], [`device`];
//! - secrets: [`password`] (hashing), [`macs`] (refresh and device tokens), [`keys`] and [`token`] (access tokens), [`jwks`] (published
//!   keys);
//! - a call: [`permissions`], [`grpc`], `convert`, [`tries`], [`service`], `store`, [`error`];
//! - [`metrics`], and the people of the demo: [`demo`].

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use anyhow::Context as _;
use jiff::SignedDuration;
use platform::{
    Context, Rpc, Secret, ServerArgs, Verifier, args::duration, client::ServiceUrl, db::DbArgs,
    redis::RedisArgs, verifier::Revocations,
};
use tokio::net::TcpListener;

pub mod company;
mod convert;
pub mod demo;
pub mod device;
pub mod error;
pub mod grpc;
pub mod jwks;
pub mod keys;
pub mod macs;
pub mod metrics;
pub mod name;
pub mod password;
pub mod permissions;
pub mod service;
pub mod session;
mod store;
pub mod token;
pub mod tries;
pub mod user;

pub use self::password::hash_password;

/// Configuration of the service.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(flatten)]
    #[expect(missing_docs, reason = "its own type says it")]
    pub server: ServerArgs,

    #[command(flatten)]
    #[expect(missing_docs, reason = "its own type says it")]
    pub database: DbArgs,

    #[command(flatten)]
    #[expect(missing_docs, reason = "its own type says it")]
    pub redis: RedisArgs,

    /// Address for the key set, plain HTTP.
    #[arg(long, env = "SIPUP_JWKS_LISTEN", default_value = "0.0.0.0:8081")]
    pub jwks_listen: SocketAddr,

    /// Folder of the keys that sign access tokens: PKCS#8 PEM files, each called by the time from which it signs, such as
    /// `20260131T120000Z.pem`.
    #[arg(long, env = "SIPUP_SIGNING_KEYS")]
    pub signing_keys: PathBuf,

    /// How often that folder is read again.
    #[arg(long, env = "SIPUP_SIGNING_KEYS_RELOAD", default_value = "30s", value_parser = duration)]
    pub signing_keys_reload: Duration,

    /// The issuer that access tokens name.
    #[arg(long, env = "SIPUP_TOKEN_ISSUER", default_value = "https://sipup.local")]
    pub token_issuer: String,

    /// How long an access token works: 1s to 10m.
    #[arg(long, env = "SIPUP_ACCESS_TOKEN_LIFE", default_value = "10m", value_parser = token_life)]
    pub access_token_life: SignedDuration,

    /// Seals refresh and device tokens; the same for every pod, at least 32 characters. Changing it ends all sessions and makes all
    /// devices unknown.
    #[arg(long, env = "SIPUP_REFRESH_KEY", hide_env_values = true)]
    pub refresh_key: Secret,

    /// Where the rate limit service is, which is asked before a password is looked at. Without it, and while it is away, each process
    /// grants an account 10 failures from one address, or by one device that it knows, in 5 minutes.
    #[arg(long, env = "SIPUP_LIMITER_URL")]
    pub limiter_url: Option<ServiceUrl>,

    /// How long a log-in waits for its answer.
    #[arg(long, env = "SIPUP_LIMITER_TIMEOUT", default_value = "100ms", value_parser = duration)]
    pub limiter_timeout: Duration,

    /// Password hashes computed at once. Without it as many as there are cores.
    #[arg(long, env = "SIPUP_PASSWORD_THREADS")]
    pub password_threads: Option<NonZeroUsize>,

    /// Calls that may wait for a hash; one more is refused with `RESOURCE_EXHAUSTED`.
    #[arg(long, env = "SIPUP_PASSWORD_QUEUE", default_value_t = 64)]
    pub password_queue: usize,

    /// How long a call may wait for a hash.
    #[arg(long, env = "SIPUP_PASSWORD_WAIT", default_value = "2s", value_parser = duration)]
    pub password_wait: Duration,
}

fn token_life(text: &str) -> Result<SignedDuration, String> {
    let life = duration(text).map_err(|error| error.to_string())?;
    let life = SignedDuration::try_from(life).map_err(|error| error.to_string())?;
    if (SignedDuration::from_secs(1)..=keys::LONGEST_TOKEN_LIFE).contains(&life) {
        Ok(life)
    } else {
        Err("must be 1s to 10m".to_owned())
    }
}

/// Serves until told to stop.
///
/// # Errors
///
/// What keeps it from starting, or made it end by itself.
pub async fn serve(args: Args, context: Context) -> anyhow::Result<()> {
    // What can't be right is said before any port is bound.
    args.macs()?;
    let listener = TcpListener::bind(args.jwks_listen).await;
    let listener = listener.with_context(|| format!("listen on {}", args.jwks_listen))?;
    serve_keys_on(listener, args, context).await
}

/// As [`serve`], with the key set on `listener`.
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_keys_on(listener: TcpListener, args: Args, mut context: Context) -> anyhow::Result<()> {
    let macs = args.macs()?;
    let keys =
        keys::Keys::open(args.signing_keys.clone(), context.clock.clone()).context("read --signing-keys")?;
    let metrics = metrics::Metrics::new(&context.meter);
    let hasher = password::Hasher::new(args.limits(), metrics.clone())?;

    let redis = context.redis(&args.redis).await?;
    let db = context.db(&args.database, redis).await?;
    let revocations = Revocations::poll(db.clone(), context.clock.clone(), &context.tasks);
    let clock = context.clock.clone();
    let verifier =
        Verifier::with_keys(args.token_issuer.as_str(), &keys.published(), clock.clone(), revocations);

    let reload = args.signing_keys_reload;
    let reloading = keys::keep_reloading(keys.clone(), reload, verifier.clone(), metrics.clone());
    context.tasks.spawn_until_stop("signing keys", reloading);
    drop(context.tasks.spawn("key set", jwks::serve(listener, keys.clone(), context.stop.clone())));

    let tokens = token::AccessTokens::new(keys, args.token_issuer, args.access_token_life, clock.clone());
    let limiter = args.limiter_url.as_ref().map(|url| (url, args.limiter_timeout));
    let tries = tries::Tries::new(limiter, clock.clone(), &context.tasks, metrics.clone());
    let auth = service::Auth { db, clock, hasher, tries, tokens, macs, metrics };
    let server = grpc::Grpc::new(auth).into_server(args.server.max_request_bytes);
    context
        .serve(&args.server, Rpc::new(verifier, proto::DESCRIPTORS).add(permissions::PERMISSIONS, server))
        .await
}

impl Args {
    fn macs(&self) -> anyhow::Result<macs::Macs> {
        macs::Macs::new(&self.refresh_key).context("read --refresh-key")
    }

    fn limits(&self) -> password::Limits {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        password::Limits {
            threads: self.password_threads.unwrap_or(cores),
            queue: self.password_queue,
            wait: self.password_wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Program {
        #[command(flatten)]
        args: Args,
    }

    fn parse(more: &[&str]) -> Result<Args, clap::Error> {
        let needed = [
            "auth",
            "--database-url=postgres://svc_auth:hunter2@127.0.0.1:5432/sipup",
            "--signing-keys=/keys",
            "--refresh-key=hunter2",
        ];
        Program::try_parse_from(needed.iter().chain(more)).map(|program| program.args)
    }

    #[test]
    fn an_access_token_lives_for_ten_minutes_at_most() {
        assert_eq!(parse(&[]).unwrap().access_token_life, keys::LONGEST_TOKEN_LIFE);
        assert_eq!(parse(&["--access-token-life=90s"]).unwrap().access_token_life.as_secs(), 90);
        for life in ["601s", "0s", "ten minutes"] {
            let error = parse(&["--access-token-life", life]).unwrap_err();
            assert!(error.to_string().contains("--access-token-life"), "{error}");
        }
    }

    #[test]
    fn the_configuration_prints_without_its_secrets_and_a_short_one_is_named() {
        let args = parse(&[]).unwrap();
        assert!(!format!("{args:?}").contains("hunter2"));
        let error = format!("{:#}", args.macs().unwrap_err());
        assert!(error.contains("--refresh-key") && !error.contains("hunter2"), "{error}");
    }
}
