//! Checks access tokens: signature, issuer, audience, life, and whether the session was ended since.
//!
//! Keys come from the auth service's published set and are fetched again every 30 s, and at once (at most every 5 s) when a token
//! names a key that is not known. A verified token is remembered by its hash until it expires, because checking a signature
//! costs some 100 µs; whether its session was ended is looked up each time.

mod keys;
mod outage;
mod revocations;

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use jiff::Timestamp;
use jsonwebtoken::jwk::JwkSet;
use serde::Deserialize;
use uuid::Uuid;

use self::keys::KeySet;
pub use self::revocations::Revocations;
use crate::{
    Clock, Tasks,
    args::AuthArgs,
    caller::{Caller, Role},
};

/// Who the tokens are for.
pub const AUDIENCE: &str = "sipup";

/// Clocks of pods may differ by this much.
const LEEWAY_SECONDS: i64 = 30;

/// Tokens remembered at most: some 100 bytes each.
const REMEMBERED: u64 = 50_000;

/// Checks access tokens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Verifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keys: ArcSwap<KeySet>,
    unknown_key: tokio::sync::Notify,
    issuer: String,
    clock: Clock,
    known: moka::sync::Cache<[u8; digest::SHA256_OUTPUT_LEN], Arc<Caller>>,
    revocations: Revocations,
}

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Not a token of ours, or not for this audience, or changed.
    #[error("the access token is not valid")]
    Invalid,
    /// Its time is over.
    #[error("the access token has expired")]
    Expired,
    /// Its session was ended.
    #[error("the session has ended")]
    Revoked,
    /// It can't be decided at present: no keys, or no news of ended sessions.
    #[error("access tokens can't be checked at the moment")]
    Undecided,
}

/// What a token says. Times are seconds since 1970.
#[derive(Clone, Debug, Deserialize)]
struct Claims {
    sub: Uuid,
    cid: Uuid,
    sid: Uuid,
    role: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    nbf: i64,
    exp: i64,
}

impl Verifier {
    /// Checks by the keys that `args.jwks_url` publishes, and refuses sessions that `revocations` names.
    pub fn start(args: &AuthArgs, clock: Clock, tasks: &Tasks, revocations: Revocations) -> Self {
        let verifier = Self::new(args.token_issuer.clone(), clock, revocations);
        tasks.spawn_until_stop("token keys", keys::keep_fetching(verifier.clone(), args.jwks_url.clone()));
        verifier
    }

    /// Checks by `keys`, for the service that owns them.
    pub fn with_keys(
        issuer: impl Into<String>,
        keys: &JwkSet,
        clock: Clock,
        revocations: Revocations,
    ) -> Self {
        let verifier = Self::new(issuer.into(), clock, revocations);
        verifier.replace_keys(keys);
        verifier
    }

    fn new(issuer: String, clock: Clock, revocations: Revocations) -> Self {
        Self(Arc::new(Inner {
            keys: ArcSwap::default(),
            unknown_key: tokio::sync::Notify::new(),
            issuer,
            clock,
            known: moka::sync::Cache::new(REMEMBERED),
            revocations,
        }))
    }

    /// Checks by `keys` from now on. Tokens of keys that are gone are not remembered any longer.
    pub fn replace_keys(&self, keys: &JwkSet) {
        let keys = KeySet::read(keys, &self.0.issuer);
        if keys.ids() != self.0.keys.load().ids() {
            self.0.known.invalidate_all();
        }
        self.0.keys.store(Arc::new(keys));
    }

    /// Whether any token could be accepted now.
    ///
    /// # Errors
    ///
    /// In words for the operator: what is missing.
    pub fn ready(&self) -> Result<(), String> {
        if self.0.keys.load().is_empty() {
            return Err("no keys for access tokens yet".into());
        }
        if !self.0.revocations.are_fresh(self.0.clock.now()) {
            return Err("no news of ended sessions".into());
        }
        Ok(())
    }

    /// The caller that `token` stands for.
    ///
    /// # Errors
    ///
    /// Why it stands for nobody.
    pub fn verify(&self, token: &str) -> Result<Arc<Caller>, Rejected> {
        let now = self.0.clock.now();
        let caller = self.caller_of(token)?;
        if caller.expires_at <= now {
            return Err(Rejected::Expired);
        }
        if !self.0.revocations.are_fresh(now) {
            return Err(Rejected::Undecided);
        }
        if self.0.revocations.contains(caller.session_id) {
            return Err(Rejected::Revoked);
        }
        Ok(caller)
    }

    /// Whether `session` was ended, as far as is known: for streams, which outlive the check of their token.
    pub fn has_ended(&self, session: Uuid) -> bool {
        self.0.revocations.contains(session)
    }

    fn caller_of(&self, token: &str) -> Result<Arc<Caller>, Rejected> {
        let hash = hash(token);
        if let Some(caller) = self.0.known.get(&hash) {
            return Ok(caller);
        }
        let keys = self.0.keys.load();
        if keys.is_empty() {
            return Err(Rejected::Undecided);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Rejected::Invalid)?;
        let Some(key) = header.kid.as_deref().and_then(|id| keys.get(id)) else {
            self.0.unknown_key.notify_one();
            return Err(Rejected::Invalid);
        };
        let claims = key.check::<Claims>(token).map_err(|_| Rejected::Invalid)?;
        if claims.nbf > self.0.clock.now().as_second() + LEEWAY_SECONDS {
            return Err(Rejected::Invalid);
        }
        let caller = Arc::new(Caller::try_from(claims)?);
        self.0.known.insert(hash, Arc::clone(&caller));
        Ok(caller)
    }
}

fn hash(token: &str) -> [u8; digest::SHA256_OUTPUT_LEN] {
    let mut hash = [0; digest::SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    hash
}

impl TryFrom<Claims> for Caller {
    type Error = Rejected;

    fn try_from(claims: Claims) -> Result<Self, Rejected> {
        Ok(Self {
            user_id: claims.sub,
            company_id: claims.cid,
            session_id: claims.sid,
            role: claims.role.parse::<Role>().map_err(|_| Rejected::Invalid)?,
            email: claims.email,
            name: claims.name,
            expires_at: Timestamp::from_second(claims.exp).map_err(|_| Rejected::Invalid)?,
        })
    }
}

#[cfg(test)]
mod tests;
