//! Access tokens: signed claims that every service, and Envoy, checks by itself.

use jiff::{SignedDuration, Timestamp};
use platform::{Clock, Secret, verifier::AUDIENCE};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    keys::{self, Keys},
    user::User,
};

/// Makes access tokens.
#[derive(Clone, Debug)]
pub struct AccessTokens {
    keys: Keys,
    issuer: String,
    life: SignedDuration,
    clock: Clock,
}

/// A token, and when it stops working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// What is sent as `Authorization: Bearer …`.
    pub text: Secret,
    /// In whole seconds.
    pub expires_at: Timestamp,
}

/// What a token says. Times are seconds since 1970.
#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'static str,
    sub: Uuid,
    cid: Uuid,
    sid: Uuid,
    role: &'static str,
    email: &'a str,
    name: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

impl AccessTokens {
    /// Tokens of `issuer`, signed by `keys`, that live for `life`.
    pub fn new(keys: Keys, issuer: String, life: SignedDuration, clock: Clock) -> Self {
        Self { keys, issuer, life, clock }
    }

    /// A token of `user` in `session`.
    ///
    /// # Errors
    ///
    /// It could not be signed.
    pub fn issue(&self, user: &User, session: Uuid) -> Result<AccessToken, keys::Error> {
        let now = self.clock.now().as_second();
        let exp = now.saturating_add(self.life.as_secs());
        let claims = Claims {
            iss: &self.issuer,
            aud: AUDIENCE,
            sub: user.id,
            cid: user.company_id,
            sid: session,
            role: user.role.name(),
            email: &user.email,
            name: &user.display_name,
            iat: now,
            nbf: now,
            exp,
            jti: self.clock.uuid_v7(),
        };
        let text = Secret::new(self.keys.sign(&claims)?);
        Ok(AccessToken { text, expires_at: Timestamp::from_second(exp).unwrap_or(Timestamp::MAX) })
    }
}
