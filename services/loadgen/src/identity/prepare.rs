//! Gets as many identities as wanted: known ones by their refresh token or password, the others by registering.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use proto::auth::v1::{
    LoginRequest, RefreshRequest, RegisterRequest, auth_service_client::AuthServiceClient,
};
use tonic::transport::Channel;
use uuid::Uuid;

use super::{Account, Identity, IdentityFile, Mint, Tokens, file::Saved};
use crate::{
    call::Failure,
    error::{Error, Result},
    wire::grpc,
};

/// Identities prepared at once. A password costs the platform tens of milliseconds of a core, so more would only queue.
const AT_ONCE: usize = 8;
/// How often an identity is tried again when the platform is busy.
const TRIES: u32 = 8;
/// The wait after the first refusal; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// The identities of a run, and what it took to get them.
#[derive(Debug)]
pub(crate) struct Identities {
    pub(crate) all: Vec<Arc<Identity>>,
    pub(crate) registered: usize,
    pub(crate) logged_in: usize,
    pub(crate) resumed: usize,
    pub(crate) minted: usize,
}

/// How an identity was got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Registered,
    LoggedIn,
    Resumed,
}

impl Identities {
    /// Makes `count` identities without asking the platform.
    pub(crate) fn mint(mint: &Arc<Mint>, count: usize) -> Result<Self> {
        let all: Result<Vec<_>, Failure> = (0..count).map(|_| mint.identity().map(Arc::new)).collect();
        let all = all.map_err(unprepared)?;
        Ok(Self { all, registered: 0, logged_in: 0, resumed: 0, minted: count })
    }

    /// Prepares `count` identities; `progress` hears of each. `channels` are used in turn.
    pub(crate) async fn prepare(
        channels: &[Channel],
        count: usize,
        file: &IdentityFile,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Self> {
        let mut saved = file.read()?;
        saved.truncate(count);
        if let Some(first) = saved.first()
            && known(channels[0].clone(), first).await.is_err()
        {
            // The database was made anew: asking for the others would cost a hash each.
            saved.clear();
        }
        let wanted: Vec<Option<Saved>> =
            saved.into_iter().map(Some).chain(std::iter::repeat_with(|| None)).take(count).collect();
        let done = &AtomicUsize::new(0);
        let prepared: Vec<(Identity, How)> = stream::iter(wanted.into_iter().zip(channels.iter().cycle()))
            .map(|(saved, channel)| async move {
                let prepared = patiently(async || one(channel.clone(), saved.as_ref()).await).await;
                progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                prepared
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
            .map_err(unprepared)?;
        let count = |how| prepared.iter().filter(|(_, each)| *each == how).count();
        let (registered, logged_in, resumed) =
            (count(How::Registered), count(How::LoggedIn), count(How::Resumed));
        let all: Vec<_> = prepared.into_iter().map(|(identity, _)| Arc::new(identity)).collect();
        file.write(all.iter().map(Arc::as_ref))?;
        Ok(Self { all, registered, logged_in, resumed, minted: 0 })
    }
}

fn unprepared(failure: Failure) -> Error {
    Error::Refused {
        what: "prepare virtual users",
        code: failure.code.into_owned(),
        message: failure.message,
    }
}

async fn one(channel: Channel, saved: Option<&Saved>) -> Result<(Identity, How), Failure> {
    match saved {
        None => register(channel).await,
        Some(saved) => match known(channel.clone(), saved).await {
            Err(failure) if failure.code == "UNAUTHENTICATED" => register(channel).await,
            other => other,
        },
    }
}

/// Goes on with the session, else begins a new one.
async fn known(channel: Channel, saved: &Saved) -> Result<(Identity, How), Failure> {
    let request = RefreshRequest { refresh_token: saved.refresh_token.clone() };
    let Ok(reply) = AuthServiceClient::new(channel.clone()).refresh(request).await else {
        return Ok((log_in(channel, saved.account.clone()).await?, How::LoggedIn));
    };
    let tokens = Tokens::of(reply.into_inner().tokens.unwrap_or_default())?;
    let (user, company) = (saved.user_id.clone(), saved.company_id.clone());
    Ok((Identity::new(saved.account.clone(), user, company, tokens), How::Resumed))
}

/// Begins a session.
pub(crate) async fn log_in(channel: Channel, account: Account) -> Result<Identity, Failure> {
    let (email, password) = (account.email.clone(), account.password.clone());
    let request = LoginRequest { email, password, ..LoginRequest::default() };
    let reply = AuthServiceClient::new(channel).login(request).await;
    let reply = reply.map_err(|status| grpc::failure(&status))?.into_inner();
    let (user, tokens) = (reply.user.unwrap_or_default(), Tokens::of(reply.tokens.unwrap_or_default())?);
    Ok(Identity::new(account, user.id, user.company_id, tokens))
}

/// A company of its own with one user, then a session.
async fn register(channel: Channel) -> Result<(Identity, How), Failure> {
    let name = Uuid::new_v4();
    let account = Account { email: format!("load-{name}@example.com"), password: Uuid::new_v4().to_string() };
    let request = RegisterRequest {
        company_name: format!("Load {name}"),
        email: account.email.clone(),
        password: account.password.clone(),
        ..RegisterRequest::default()
    };
    let reply = AuthServiceClient::new(channel.clone()).register(request).await;
    reply.map_err(|status| grpc::failure(&status))?;
    let identity = patiently(async || log_in(channel.clone(), account.clone()).await).await?;
    Ok((Identity { is_new: true, ..identity }, How::Registered))
}

/// Tries again while the platform is busy: preparing is not what is measured.
async fn patiently<T>(attempt: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES {
        match attempt().await {
            Err(failure) if matches!(&*failure.code, "RESOURCE_EXHAUSTED" | "UNAVAILABLE" | "CONNECTION") => {
            }
            other => return other,
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    attempt().await
}
