//! Who virtual users are: real users of the platform, registered once, remembered in a file, with tokens that stay fresh.

mod file;
mod mint;
mod prepare;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use proto::auth::v1::{RefreshRequest, TokenPair, auth_service_client::AuthServiceClient};
use serde::{Deserialize, Serialize};
use tonic::{
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

pub(crate) use self::file::IdentityFile;
pub(crate) use self::mint::Mint;
pub(crate) use self::prepare::{Identities, log_in};
use crate::{
    call::{Failure, Service},
    recorder::Sight,
    wire::grpc,
};

/// A token is renewed when less than this is left of it.
const RENEW_BEFORE: Duration = Duration::from_secs(90);

/// A user of the platform.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) account: Account,
    pub(crate) user_id: String,
    pub(crate) company_id: String,
    tokens: ArcSwap<Tokens>,
    /// Whether its company was made for this run, so that nobody has agreed anything with it.
    pub(crate) is_new: bool,
    /// Signs this user's tokens, if it is none of the platform's.
    mint: Option<Arc<Mint>>,
}

/// What it takes to log in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) email: String,
    pub(crate) password: String,
}

#[derive(Debug)]
struct Tokens {
    authorization: MetadataValue<Ascii>,
    refresh: String,
    expires: i64,
    /// A bit for each service that the access token was sent to.
    seen_by: AtomicU8,
}

impl Tokens {
    fn of(pair: TokenPair) -> Result<Self, Failure> {
        let mut authorization: MetadataValue<Ascii> = format!("Bearer {}", pair.access_token)
            .parse()
            .map_err(|_| Failure::new("UNREADABLE", "the access token is no header value"))?;
        authorization.set_sensitive(true);
        let expires = pair.access_token_expire_time.map_or(i64::MAX, |time| time.seconds);
        Ok(Self { authorization, refresh: pair.refresh_token, expires, seen_by: AtomicU8::new(0) })
    }
}

impl Identity {
    fn new(account: Account, user_id: String, company_id: String, tokens: Tokens) -> Self {
        Self {
            account,
            user_id,
            company_id,
            tokens: ArcSwap::from_pointee(tokens),
            is_new: false,
            mint: None,
        }
    }

    /// The header that proves who calls.
    pub(crate) fn authorization(&self) -> MetadataValue<Ascii> {
        self.tokens.load().authorization.clone()
    }

    /// Notes that the access token goes to `service`, and says whether it was there before.
    pub(crate) fn shown_to(&self, service: Service) -> Sight {
        let bit = 1 << service as u8;
        match self.tokens.load().seen_by.fetch_or(bit, Ordering::Relaxed) {
            0 => Sight::New,
            before if before & bit == 0 => Sight::NewToService,
            _ => Sight::Known,
        }
    }

    /// Whether the access token was sent nowhere yet.
    pub(crate) fn is_unseen(&self) -> bool {
        self.tokens.load().seen_by.load(Ordering::Relaxed) == 0
    }

    /// The token that prolongs the session.
    pub(crate) fn refresh_token(&self) -> String {
        self.tokens.load().refresh.clone()
    }

    /// Whether the access token nears its end.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.tokens.load().expires.saturating_sub(now.as_second()) < RENEW_BEFORE.as_secs().cast_signed()
    }

    /// Whether the platform doesn't know this user.
    pub(crate) fn is_minted(&self) -> bool {
        self.mint.is_some()
    }

    /// Gets the next pair of tokens.
    pub(crate) async fn refresh(self: &Arc<Self>, channel: Channel) -> Result<(), Failure> {
        if let Some(mint) = &self.mint {
            let tokens = mint.tokens(&self.user_id, &self.company_id, &self.account.email)?;
            self.tokens.store(Arc::new(tokens));
            return Ok(());
        }
        let request = RefreshRequest { refresh_token: self.refresh_token() };
        let reply = AuthServiceClient::new(channel).refresh(request).await;
        let pair = reply.map_err(|status| grpc::failure(&status))?.into_inner().tokens.unwrap_or_default();
        self.tokens.store(Arc::new(Tokens::of(pair)?));
        Ok(())
    }
}

#[cfg(test)]
pub(crate) fn somebody(user_id: &str, company_id: &str) -> Arc<Identity> {
    let account = Account { email: "a@example.com".into(), password: "password".into() };
    let tokens = Tokens::of(TokenPair::default()).unwrap();
    Arc::new(Identity::new(account, user_id.into(), company_id.into(), tokens))
}

/// Somebody whose company was made for this run.
#[cfg(test)]
pub(crate) fn newcomer(user_id: &str, company_id: &str) -> Arc<Identity> {
    let identity = Arc::into_inner(somebody(user_id, company_id)).unwrap();
    Arc::new(Identity { is_new: true, ..identity })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_sees_a_token_for_the_first_time_once() {
        let identity = somebody("u", "c");
        assert!(identity.is_unseen());
        let sights = [Service::Catalog, Service::Catalog, Service::Orders, Service::Orders, Service::Catalog];
        let sights = sights.map(|service| identity.shown_to(service));
        assert_eq!(sights, [Sight::New, Sight::Known, Sight::NewToService, Sight::Known, Sight::Known]);
        assert!(!identity.is_unseen());
    }
}
