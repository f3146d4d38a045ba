//! A service of its own for each test, and what tests do with it.

mod http;
mod limiter;
mod logs;

use std::{net::SocketAddr, time::Duration};

use auth::{Args, keys};
use jiff::{SignedDuration, Timestamp};
use local::testing::{TestDatabase, services};
use platform::{
    Clock, Secret,
    db::DbArgs,
    redis::RedisArgs,
    testing::{Running, server_args, start},
};
use proto::auth::v1::{
    GetMeRequest, GetMeResponse, LoginRequest, LoginResponse, LogoutRequest, RefreshRequest, RegisterRequest,
    RegisterResponse, TokenPair, auth_service_client::AuthServiceClient,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, transport::Channel};
use tonic_types::StatusExt as _;

pub(crate) use self::{
    http::{Answer, get},
    limiter::{Limiter, Verdict},
    logs::logged,
};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A service with a database, keys and a clock of its own.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) client: AuthServiceClient<Channel>,
    pub(crate) keys: TempDir,
    database: TestDatabase,
    jwks: SocketAddr,
    running: Running,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A service whose configuration `change` has changed.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Args)) -> Self {
        logs::capture();
        let clock = Clock::manual("2026-03-01T09:00:00Z".parse().unwrap());
        let keys = tempfile::tempdir().unwrap();
        keys::init(keys.path(), clock.now()).unwrap();
        let database = services().await.database().await;
        let mut args = args(&database, keys.path().to_owned());
        change(&mut args);
        let listener = TcpListener::bind(args.jwks_listen).await.unwrap();
        let jwks = listener.local_addr().unwrap();
        let serve = move |args, context| auth::serve_keys_on(listener, args, context);
        let running = start("auth", clock.clone(), args, serve).await.unwrap();
        let client = AuthServiceClient::connect(running.url()).await.unwrap();
        Self { clock, client, keys, database, jwks, running }
    }

    /// Lets time pass, and waits until the service has asked anew which sessions were ended.
    pub(crate) async fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
        // A process stays ready without a fresh list, and says so.
        let ready = async || self.admin("/readyz").await.body == "ok\n";
        until("the service is ready", ready).await;
    }

    /// Tells the service to stop, and waits until it has.
    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
    }

    pub(crate) async fn admin(&self, path: &str) -> Answer {
        get(self.running.bound.admin, path).await
    }

    pub(crate) async fn jwks(&self) -> Answer {
        get(self.jwks, auth::jwks::PATH).await
    }

    /// The value of a metric without labels; 0 if it has none yet.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self.admin("/metrics").await.body;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// A superuser of the database.
    pub(crate) async fn sql(&self) -> tokio_postgres::Client {
        connect(&self.database.admin_url()).await
    }

    /// The role that the service logs in as.
    pub(crate) async fn own_sql(&self) -> tokio_postgres::Client {
        connect(&self.database.url("svc_auth")).await
    }

    pub(crate) async fn register(&self, email: &str) -> Result<Response<RegisterResponse>, Status> {
        self.client.clone().register(registration(email)).await
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Result<LoginResponse, Status> {
        let (email, password) = (email.into(), password.into());
        let request = LoginRequest { email, password, ..LoginRequest::default() };
        Ok(self.client.clone().login(request).await?.into_inner())
    }

    /// Registers `email` and logs it in.
    pub(crate) async fn session(&self, email: &str) -> TokenPair {
        self.register(email).await.unwrap();
        self.login(email, PASSWORD).await.unwrap().tokens.unwrap()
    }

    pub(crate) async fn refresh(&self, token: &str) -> Result<TokenPair, Status> {
        let request = RefreshRequest { refresh_token: token.into() };
        Ok(self.client.clone().refresh(request).await?.into_inner().tokens.unwrap())
    }

    pub(crate) async fn logout(&self, token: &str) -> Result<(), Status> {
        self.client
            .clone()
            .logout(LogoutRequest { refresh_token: token.into() })
            .await
            .map(Response::into_inner)
    }

    pub(crate) async fn get_me(&self, access_token: &str) -> Result<GetMeResponse, Status> {
        let mut request = Request::new(GetMeRequest {});
        request.metadata_mut().insert("authorization", format!("Bearer {access_token}").parse().unwrap());
        Ok(self.client.clone().get_me(request).await?.into_inner())
    }

    /// Waits until the access token of an ended session is refused.
    pub(crate) async fn until_refused(&self, access_token: &str) {
        let refused =
            async || self.get_me(access_token).await.is_err_and(|status| reason(&status) == "SESSION_ENDED");
        until("the access token is refused", refused).await;
    }
}

pub(crate) fn registration(email: &str) -> RegisterRequest {
    RegisterRequest {
        company_name: "Nordwerk".into(),
        email: email.into(),
        password: PASSWORD.into(),
        display_name: "Anna Albers".into(),
        request_id: String::new(),
    }
}

/// The stable reason of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

pub(crate) fn time(at: Option<prost_types::Timestamp>) -> Timestamp {
    let at = at.unwrap();
    Timestamp::new(at.seconds, at.nanos).unwrap()
}

/// Asks again until the answer is `true`; fails after half a minute.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let polled = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), polled)
        .await
        .unwrap_or_else(|_| panic!("not so in time: {what}"));
}

fn args(database: &TestDatabase, signing_keys: std::path::PathBuf) -> Args {
    Args {
        server: server_args(),
        database: DbArgs::new(database.url("svc_auth").parse().unwrap()),
        redis: RedisArgs::new(Vec::new()),
        jwks_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        signing_keys,
        signing_keys_reload: Duration::from_millis(20),
        token_issuer: "https://auth.test".into(),
        access_token_life: keys::LONGEST_TOKEN_LIFE,
        refresh_key: Secret::new("a refresh key for tests, long enough"),
        limiter_url: None,
        // Generous, so that a busy machine is not mistaken for a limiter that hangs.
        limiter_timeout: Duration::from_secs(20),
        password_threads: None,
        password_queue: 64,
        password_wait: Duration::from_mins(1),
    }
}

#[expect(clippy::disallowed_methods, reason = "a connection of a test ends with the test's runtime")]
async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
