//! The platform's API as an import needs it: logged in, and patient.

use std::{
    path::Path,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use anyhow::Context as _;
use catalog::import::upload::Catalogue;
use platform::Secret;
use proto::{
    auth::v1::{LoginRequest, auth_service_client::AuthServiceClient},
    catalog::v1::{self as pb, catalog_service_client::CatalogServiceClient},
};
use tonic::{
    Code, Request, Response, Status,
    metadata::AsciiMetadataValue,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

/// How often a call is made before the import gives up: for half a minute in sum.
const ATTEMPTS: u32 = 9;
/// The wait after the first attempt; each further one waits twice as long, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// The longest that one attempt may take: what the platform grants a call that carries many things.
const CALL_WITHIN: Duration = Duration::from_mins(5);
/// Answers to batches are larger than tonic's default allows: one line for each row.
const LARGEST_ANSWER: usize = 16 << 20;

/// Who imports.
pub(super) enum Login {
    /// Whoever the token stands for.
    Token(Secret),
    /// A user.
    Password { email: String, password: Secret },
}

/// The API of a platform, as one user.
pub(super) struct Remote {
    catalog: CatalogServiceClient<Channel>,
    auth: AuthServiceClient<Channel>,
    login: Login,
    /// The header of every call.
    authorization: RwLock<AsciiMetadataValue>,
}

impl Remote {
    /// Connects and logs in.
    pub(super) async fn connect(
        url: &http::Uri,
        ca_file: Option<&Path>,
        login: Login,
    ) -> anyhow::Result<Self> {
        let mut endpoint = Endpoint::from(url.clone()).connect_timeout(Duration::from_secs(5));
        if url.scheme_str() == Some("https") {
            let file = ca_file.context("an https URL needs --ca-file")?;
            let pem = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
            endpoint = endpoint.tls_config(tls).context("set up TLS")?;
        }
        let channel = endpoint.connect().await.with_context(|| format!("connect to {url}"))?;
        let auth = AuthServiceClient::new(channel.clone());
        let catalog = CatalogServiceClient::new(channel).max_decoding_message_size(LARGEST_ANSWER);
        let authorization = authorize(&auth, &login).await.context("log in")?;
        Ok(Self { catalog, auth, login, authorization: RwLock::new(authorization) })
    }

    /// Makes a call until it succeeds, or is refused for good. Safe for calls with a `request_id`.
    async fn patiently<M, T, F>(
        &self,
        message: M,
        call: impl Fn(CatalogServiceClient<Channel>, Request<M>) -> F + Send + Sync,
    ) -> Result<T, Status>
    where
        M: Clone + Send + Sync,
        F: Future<Output = Result<Response<T>, Status>> + Send,
    {
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            let status = match call(self.catalog.clone(), self.request(message.clone())).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => status,
            };
            if attempt == ATTEMPTS || !self.may_help(&status).await? {
                return Err(status);
            }
            tracing::debug!(%status, attempt, "trying again");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
            attempt += 1;
        }
    }

    fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        let authorization = self.authorization.read().unwrap_or_else(PoisonError::into_inner).clone();
        request.metadata_mut().insert("authorization", authorization);
        request.set_timeout(CALL_WITHIN);
        request
    }

    /// Whether the same call may succeed later. Logs in again if that is what it takes.
    async fn may_help(&self, status: &Status) -> Result<bool, Status> {
        match (status.code(), &self.login) {
            // A connection that broke comes as UNKNOWN.
            (
                Code::Unavailable
                | Code::Aborted
                | Code::ResourceExhausted
                | Code::DeadlineExceeded
                | Code::Unknown,
                _,
            ) => Ok(true),
            (Code::Unauthenticated, Login::Password { .. }) => {
                let authorization = authorize(&self.auth, &self.login).await?;
                *self.authorization.write().unwrap_or_else(PoisonError::into_inner) = authorization;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

async fn authorize(auth: &AuthServiceClient<Channel>, login: &Login) -> Result<AsciiMetadataValue, Status> {
    let token = match login {
        Login::Token(token) => token.expose().to_owned(),
        Login::Password { email, password } => {
            let (email, password) = (email.clone(), password.expose().to_owned());
            let request = LoginRequest { email, password, ..LoginRequest::default() };
            let answer = auth.clone().login(request).await?.into_inner();
            answer.tokens.ok_or_else(|| Status::internal("the answer holds no token"))?.access_token
        }
    };
    format!("Bearer {token}").parse().map_err(|_| Status::unauthenticated("the token is no token"))
}

impl Catalogue for Remote {
    async fn add_category(&self, request: pb::CreateCategoryRequest) -> Result<(), Status> {
        let added = self
            .patiently(request, |mut client, request| async move { client.create_category(request).await });
        added.await.map(drop)
    }

    async fn put(
        &self,
        request: pb::BatchCreateProductsRequest,
    ) -> Result<pb::BatchCreateProductsResponse, Status> {
        self.patiently(
            request,
            |mut client, request| async move { client.batch_create_products(request).await },
        )
        .await
    }
}
