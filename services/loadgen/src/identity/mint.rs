//! Users whose tokens are signed here, with the platform's own keys: thousands of them cost nothing. The platform never heard of them,
//! so this is no login, and reports say so.

use std::{path::PathBuf, sync::Arc};

use auth::keys::Keys;
use jiff::{SignedDuration, Timestamp};
use platform::{Clock, Role, verifier::AUDIENCE};
use proto::auth::v1::TokenPair;
use serde::Serialize;
use uuid::Uuid;

use super::{Account, Identity, Tokens};
use crate::{
    call::Failure,
    error::{Error, Result},
};

/// How long a token works: as long as any may.
const LIFE: SignedDuration = auth::keys::LONGEST_TOKEN_LIFE;

/// Signs tokens.
#[derive(Debug)]
pub(crate) struct Mint {
    keys: Keys,
    issuer: String,
    clock: Clock,
}

/// What a token says, as the auth service's own do.
#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'static str,
    sub: &'a str,
    cid: &'a str,
    sid: Uuid,
    role: &'static str,
    email: &'a str,
    name: &'static str,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

impl Mint {
    /// Reads the keys in `folder`.
    pub(crate) fn open(folder: PathBuf, issuer: String, clock: Clock) -> Result<Self> {
        let keys = Keys::open(folder, clock.clone())
            .map_err(|error| Error::invalid("signing keys", platform::status::chain(&error)))?;
        Ok(Self { keys, issuer, clock })
    }

    /// A buyer with a company of its own.
    pub(super) fn identity(self: &Arc<Self>) -> Result<Identity, Failure> {
        let (user, company) = (self.clock.uuid_v7().to_string(), self.clock.uuid_v7().to_string());
        let account = Account { email: format!("load-{user}@example.com"), password: String::new() };
        let tokens = self.tokens(&user, &company, &account.email)?;
        Ok(Identity {
            mint: Some(Arc::clone(self)),
            is_new: true,
            ..Identity::new(account, user, company, tokens)
        })
    }

    /// A new token, in a session of its own.
    pub(super) fn tokens(&self, user: &str, company: &str, email: &str) -> Result<Tokens, Failure> {
        let now = self.clock.now().as_second();
        let expires = now.saturating_add(LIFE.as_secs());
        let claims = Claims {
            iss: &self.issuer,
            aud: AUDIENCE,
            sub: user,
            cid: company,
            sid: self.clock.uuid_v7(),
            role: Role::Buyer.name(),
            email,
            name: "Load",
            iat: now,
            nbf: now,
            exp: expires,
            jti: self.clock.uuid_v7(),
        };
        let access_token =
            self.keys.sign(&claims).map_err(|error| Failure::new("SIGN", platform::status::chain(&error)))?;
        let end = Timestamp::from_second(expires).unwrap_or(Timestamp::MAX);
        let access_token_expire_time = Some(prost_types::Timestamp { seconds: end.as_second(), nanos: 0 });
        Tokens::of(TokenPair { access_token, access_token_expire_time, ..TokenPair::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_whose_it_is_and_is_renewed_for_the_same_user() {
        let folder = tempfile::TempDir::new().unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        auth::keys::init(folder.path(), now).unwrap();
        let mint = Mint::open(folder.path().to_owned(), "https://issuer.test".into(), Clock::manual(now));
        let (one, other) = {
            let mint = Arc::new(mint.unwrap());
            (mint.identity().unwrap(), mint.identity().unwrap())
        };
        assert!(one.is_minted() && one.company_id != other.company_id);
        let claims = claims(&one);
        assert_eq!(claims["sub"], one.user_id);
        assert_eq!(
            (claims["cid"].as_str(), claims["role"].as_str()),
            (Some(&*one.company_id), Some("buyer"))
        );
        assert_eq!(claims["exp"].as_i64(), Some(1_800_000_600));
        assert!(one.is_due(now + SignedDuration::from_secs(595)) && !one.is_due(now));
    }

    fn claims(identity: &Identity) -> serde_json::Value {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let header = identity.authorization();
        let body = header.to_str().unwrap().split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
    }

    #[test]
    fn a_folder_without_keys_is_refused() {
        let folder = tempfile::TempDir::new().unwrap();
        let error = Mint::open(folder.path().to_owned(), String::new(), Clock::system()).unwrap_err();
        assert!(error.to_string().starts_with("signing keys: "), "{error}");
    }
}
