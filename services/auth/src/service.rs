//! The use cases. Each owns its transactions; passwords are hashed outside of them, so that no connection waits for a hash.

use jiff::Timestamp;
use platform::{
    Access, Clock, Outcome, RequestKey, Role, Secret,
    db::{self, Db},
    idempotency::Claim,
};
use proto::auth::v1::RegisterResponse;
use uuid::Uuid;

use crate::{
    company::Company,
    convert,
    device::Device,
    error::{Denied, Error},
    macs::Macs,
    metrics::{LoggedIn, Metrics, Refreshed, Registered},
    password::{self, Hasher, Place},
    session::{Live, Reason, RefreshToken, Step},
    store,
    token::{AccessToken, AccessTokens},
    tries::{Origin, Tries},
    user::{Account, Credentials, Password, Registration, User},
};

/// Companies, users and sessions.
#[derive(Clone, Debug)]
pub struct Auth {
    /// Where they are.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Hashes passwords.
    pub hasher: Hasher,
    /// Bounds how often log-ins are tried.
    pub tries: Tries,
    /// Makes access tokens.
    pub tokens: AccessTokens,
    /// Seals refresh tokens and device tokens.
    pub macs: Macs,
    /// Counts what happens.
    pub metrics: Metrics,
}

/// What a session is held by.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// For calls.
    pub access: AccessToken,
    /// For the next pair.
    pub refresh: Secret,
    /// When `refresh` stops working.
    pub refresh_expires_at: Timestamp,
}

/// What a log-in gives.
#[derive(Clone, Debug)]
pub struct Login {
    /// What the session is held by.
    pub tokens: Tokens,
    /// Who logged in.
    pub user: User,
    /// Names the device in the next log-in.
    pub device_token: Secret,
}

/// What a refresh token led to.
enum Presented {
    Tokens { how: Refreshed, live: Live, user: User },
    Reused,
    Refused,
}

impl Auth {
    /// Adds a company and its first user.
    ///
    /// Keys of requests stand in one space for all callers, because nobody is known yet. A repeat must say the same password: the
    /// key's hash covers it, blinded by [`Macs::blind`].
    ///
    /// # Errors
    ///
    /// [`Error::EmailTaken`], [`Error::TooManyLogins`], [`Error::Idempotency`].
    pub async fn register(
        &self,
        access: &Access,
        key: Option<&RequestKey>,
        registration: &Registration,
    ) -> Result<Outcome<RegisterResponse>, Error> {
        // On the heap: the statements of a claimed key make it larger than all other calls.
        let outcome = Box::pin(self.try_register(access, key, registration)).await;
        self.metrics.registered(match &outcome {
            Ok(Outcome::Done(_)) => Registered::Done,
            Ok(Outcome::Replayed(_)) => Registered::Replayed,
            Err(Error::EmailTaken | Error::TooManyLogins | Error::Idempotency(_)) => Registered::Refused,
            Err(_) => Registered::Failed,
        });
        outcome
    }

    async fn try_register(
        &self,
        access: &Access,
        key: Option<&RequestKey>,
        registration: &Registration,
    ) -> Result<Outcome<RegisterResponse>, Error> {
        let password_hash = self.hasher.enter()?.hash(&registration.password).await?;
        let now = self.clock.now();
        let company = Company::new(self.clock.uuid_v7(), &registration.company_name, now);
        let user = User {
            id: self.clock.uuid_v7(),
            company_id: company.id,
            email: registration.email.address().to_owned(),
            display_name: registration.display_name.as_str().to_owned(),
            role: Role::CompanyAdmin,
            created_at: now,
        };
        let response = convert::registered(&company, &user);
        self.db
            .tx("auth.register", access, async |tx| {
                if let Some(key) = key
                    && let Claim::Replayed(bytes) = key.claim(tx, Uuid::nil()).await?
                {
                    return Ok(Outcome::Replayed(bytes));
                }
                store::insert_company(tx, &company).await?;
                store::insert_user(tx, &user, &registration.email, &password_hash).await?;
                if let Some(key) = key {
                    key.store(tx, Uuid::nil(), &response).await?;
                }
                Ok(Outcome::Done(response.clone()))
            })
            .await
    }

    /// Begins a session.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCredentials`] after the same work whatever the reason, [`Error::TooManyTries`], [`Error::TooManyLogins`].
    pub async fn login(
        &self,
        access: &Access,
        origin: Origin,
        credentials: &Credentials,
    ) -> Result<Login, Error> {
        let outcome = self.try_login(access, origin, credentials).await;
        self.metrics.logged_in(match &outcome {
            Ok(_) => LoggedIn::Done,
            Err(Error::InvalidCredentials(Denied::UnknownUser)) => LoggedIn::UnknownUser,
            Err(Error::InvalidCredentials(Denied::WrongPassword)) => LoggedIn::WrongPassword,
            Err(Error::InvalidCredentials(Denied::Locked)) => LoggedIn::Locked,
            Err(Error::TooManyLogins) => LoggedIn::Busy,
            Err(Error::TooManyTries { .. }) => LoggedIn::Limited,
            Err(_) => LoggedIn::Failed,
        });
        outcome
    }

    async fn try_login(
        &self,
        access: &Access,
        origin: Origin,
        credentials: &Credentials,
    ) -> Result<Login, Error> {
        // Who could not be served anyway uses up no try.
        if self.hasher.is_full() {
            return Err(Error::TooManyLogins);
        }
        let known = self.known_device(credentials);
        let tried = self.tries.begin(&credentials.email, origin, known).await?;
        let outcome = self.authenticate(access, credentials).await;
        match &outcome {
            Ok(_) => tried.succeeded(),
            // An account that is locked looks like a wrong password here, too.
            Err(Error::InvalidCredentials(_)) => drop(tried),
            Err(_) => tried.came_to_nothing(),
        }
        let (account, new_hash) = outcome?;

        let now = self.clock.now();
        let (session, live, user) = (self.clock.uuid_v7(), Live::begin(now), account.user);
        self.db
            .tx("auth.login", access, async |tx| {
                if let Some(new_hash) = &new_hash {
                    store::replace_password_hash(tx, user.id, &account.password_hash, new_hash, now).await?;
                }
                store::insert_session(tx, session, &user, &live).await?;
                Ok::<_, Error>(())
            })
            .await?;
        // The same device goes on with a new time: one that is used stays known, and its count of tries goes with it.
        let device = Device::new(known.map_or_else(|| self.clock.uuid_v7(), |device| device.id), now);
        Ok(Login {
            tokens: self.tokens_of(session, &live, &user)?,
            user,
            device_token: self.macs.seal_device(device, &credentials.email),
        })
    }

    /// The device of `credentials`, if the account knows it. What names none is no reason to say anything.
    fn known_device(&self, credentials: &Credentials) -> Option<Device> {
        let device = self.macs.open_device(credentials.device_token.as_ref()?, &credentials.email)?;
        device.is_known(self.clock.now()).then_some(device)
    }

    /// The account that `credentials` belong to, and a new hash for it where it is time for one.
    async fn authenticate(
        &self,
        access: &Access,
        credentials: &Credentials,
    ) -> Result<(Account, Option<Secret>), Error> {
        // Before the database is asked: a flood of log-ins ends here.
        let place = self.hasher.enter()?;
        let account = self
            .db
            .tx("auth.login.find", access, async |tx| store::find_account(tx, &credentials.email).await)
            .await?;
        let account = self.admit(&place, &credentials.password, account).await?;
        let new_hash = rehash(&place, &credentials.password, &account).await?;
        Ok((account, new_hash))
    }

    /// Decides whether the holder of `password` may log in to `account`. One hash is computed in every case.
    async fn admit(
        &self,
        place: &Place,
        password: &Password,
        account: Option<Account>,
    ) -> Result<Account, Error> {
        let stored = account.as_ref().map(|account| &account.password_hash);
        let matches = place.verify(password, stored).await?;
        match account {
            None => Err(Error::InvalidCredentials(Denied::UnknownUser)),
            Some(account) if account.is_locked(self.clock.now()) => {
                Err(Error::InvalidCredentials(Denied::Locked))
            }
            Some(_) if !matches => Err(Error::InvalidCredentials(Denied::WrongPassword)),
            Some(account) => Ok(account),
        }
    }

    /// Exchanges a refresh token for the next pair.
    ///
    /// # Errors
    ///
    /// [`Error::SessionEnded`], also for text that is no token of ours.
    pub async fn refresh(&self, access: &Access, token: &Secret) -> Result<Tokens, Error> {
        let outcome = self.try_refresh(access, token).await;
        self.metrics.refreshed(match &outcome {
            Ok(Presented::Tokens { how, .. }) => *how,
            Ok(Presented::Reused) => Refreshed::Reused,
            Ok(Presented::Refused) => Refreshed::Refused,
            Err(_) => Refreshed::Failed,
        });
        match (outcome?, self.macs.open(token)) {
            (Presented::Tokens { live, user, .. }, Some(token)) => {
                self.tokens_of(token.session, &live, &user)
            }
            _ => Err(Error::SessionEnded),
        }
    }

    async fn try_refresh(&self, access: &Access, token: &Secret) -> Result<Presented, Error> {
        let Some(token) = self.macs.open(token) else { return Ok(Presented::Refused) };
        let now = self.clock.now();
        let presented = self
            .db
            .tx("auth.refresh", access, async |tx| {
                let Some((state, user)) = store::lock_session(tx, token.session).await? else {
                    return Ok::<_, Error>(Presented::Refused);
                };
                Ok(match state.present(token.generation, now) {
                    Step::Rotate(live) => {
                        if !store::advance_session(tx, token.session, token.generation, &live).await? {
                            return Err(db::Error::Conflict.into());
                        }
                        Presented::Tokens { how: Refreshed::Rotated, live, user }
                    }
                    Step::Repeat(live) => Presented::Tokens { how: Refreshed::Repeated, live, user },
                    Step::Reuse => {
                        store::revoke_session(tx, token.session, Reason::Reuse, now).await?;
                        Presented::Reused
                    }
                    Step::Refuse => Presented::Refused,
                })
            })
            .await?;
        if matches!(presented, Presented::Reused) {
            tracing::warn!(session.id = %token.session, "a refresh token was used twice; its session is revoked");
        }
        Ok(presented)
    }

    /// Ends the session that `token` belongs to. Text that is no token of ours ends nothing, as RFC 7009 (2.2) has it.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn logout(&self, access: &Access, token: &Secret) -> Result<(), Error> {
        let Some(token) = self.macs.open(token) else { return Ok(()) };
        let now = self.clock.now();
        self.db
            .tx("auth.logout", access, async |tx| {
                store::revoke_session(tx, token.session, Reason::Logout, now).await?;
                Ok(())
            })
            .await
    }

    /// The user `id` and the user's company.
    ///
    /// # Errors
    ///
    /// [`Error::UserNotFound`].
    pub async fn get_me(&self, access: &Access, id: Uuid) -> Result<(User, Company), Error> {
        let found = self.db.read("auth.get_me", access, async |ro| store::find_user(ro, id).await).await?;
        if let Some(found) = found {
            return Ok(found);
        }
        // Whoever has just registered was nobody then: no position was kept for them, and a replica may not have them yet.
        let found = self.db.tx("auth.get_me", access, async |tx| store::find_user(tx, id).await).await?;
        found.ok_or(Error::UserNotFound)
    }

    fn tokens_of(&self, session: Uuid, live: &Live, user: &User) -> Result<Tokens, Error> {
        Ok(Tokens {
            access: self.tokens.issue(user, session)?,
            refresh: self.macs.seal(RefreshToken { session, generation: live.generation }),
            refresh_expires_at: live.expires_at,
        })
    }
}

/// A new hash of the password, if the costs of hashing have changed since the one that is stored.
async fn rehash(place: &Place, password: &Password, account: &Account) -> Result<Option<Secret>, Error> {
    if password::is_outdated(&account.password_hash)? {
        Ok(Some(place.hash(password).await?))
    } else {
        Ok(None)
    }
}
