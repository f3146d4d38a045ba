//! The platform as one caller sees it: over one connection, patient with rate limits and with nothing else.

use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use platform::Secret;
use proto::{
    auth::v1::{LoginRequest, auth_service_client::AuthServiceClient},
    catalog::v1::catalog_service_client::CatalogServiceClient,
    orders::v1::{
        inventory_service_client::InventoryServiceClient, order_service_client::OrderServiceClient,
    },
};
use serde_json::Value;
use tonic::{
    Code, Request, Response, Status,
    body::Body,
    metadata::AsciiMetadataValue,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

/// The longest that one call may take.
const CALL_WITHIN: Duration = Duration::from_secs(30);
/// The wait where a refusal names none.
const WAIT: Duration = Duration::from_secs(2);

/// Which platform, and as whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where the ingress is.
    pub url: http::Uri,
    /// PEM of the authorities that may have signed its certificate.
    pub authorities: Option<Vec<u8>>,
    /// The address of a user of the seller's staff.
    pub email: String,
    /// The user's password.
    pub password: Secret,
    /// How long rate limits may keep one call waiting.
    pub patience: Duration,
}

/// The platform, as one caller.
#[derive(Clone)]
pub(super) struct Api {
    channel: Channel,
    url: http::Uri,
    authorization: Option<AsciiMetadataValue>,
    patience: Duration,
}

impl Api {
    pub(super) async fn connect(target: &Target) -> Result<Self, Status> {
        let unavailable =
            |error: &(dyn std::error::Error + 'static)| Status::unavailable(platform::status::chain(error));
        let mut endpoint =
            Endpoint::from(target.url.clone()).connect_timeout(Duration::from_secs(10)).timeout(CALL_WITHIN);
        if target.url.scheme_str() == Some("https") {
            let pem = target.authorities.as_ref();
            let pem = pem.ok_or_else(|| Status::invalid_argument("an https URL needs --ca-file"))?;
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
            endpoint = endpoint.tls_config(tls).map_err(|error| unavailable(&error))?;
        }
        let channel = endpoint.connect().await.map_err(|error| unavailable(&error))?;
        Ok(Self { channel, url: target.url.clone(), authorization: None, patience: target.patience })
    }

    /// The platform as nobody in particular.
    pub(super) fn anonymous(&self) -> Self {
        Self { authorization: None, ..self.clone() }
    }

    /// The platform as this user.
    pub(super) async fn log_in(&self, email: &str, password: &str) -> Result<Self, Status> {
        let request = LoginRequest {
            email: email.to_owned(),
            password: password.to_owned(),
            ..LoginRequest::default()
        };
        let anonymous = self.anonymous();
        let answer =
            anonymous.call(None, &request, async |api, request| api.auth().login(request).await).await?;
        let tokens =
            answer.into_inner().tokens.ok_or_else(|| Status::internal("the answer holds no token"))?;
        let authorization = format!("Bearer {}", tokens.access_token).parse();
        let authorization = authorization.map_err(|_| Status::internal("the token is none"))?;
        Ok(Self { authorization: Some(authorization), ..anonymous })
    }

    pub(super) fn auth(&self) -> AuthServiceClient<Channel> {
        AuthServiceClient::new(self.channel.clone())
    }

    pub(super) fn catalog(&self) -> CatalogServiceClient<Channel> {
        CatalogServiceClient::new(self.channel.clone())
    }

    pub(super) fn orders(&self) -> OrderServiceClient<Channel> {
        OrderServiceClient::new(self.channel.clone())
    }

    pub(super) fn inventory(&self) -> InventoryServiceClient<Channel> {
        InventoryServiceClient::new(self.channel.clone())
    }

    /// Makes a call, again and again while a rate limit says to come later. Nothing else is tried again: that is what is verified.
    pub(super) async fn call<M: Clone, O>(
        &self,
        key: Option<&str>,
        message: &M,
        call: impl AsyncFn(&Self, Request<M>) -> Result<Response<O>, Status>,
    ) -> Result<Response<O>, Status> {
        let begun = Instant::now();
        loop {
            let status = match call(self, self.request(key, message.clone())?).await {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            let wait = status.get_details_retry_info().and_then(|info| info.retry_delay).unwrap_or(WAIT);
            if status.code() != Code::ResourceExhausted || begun.elapsed() + wait > self.patience {
                return Err(status);
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn request<M>(&self, key: Option<&str>, message: M) -> Result<Request<M>, Status> {
        let mut request = Request::new(message);
        request.set_timeout(CALL_WITHIN);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        if let Some(key) = key {
            let key = key.parse().map_err(|_| Status::internal("the key is none"))?;
            request.metadata_mut().insert("idempotency-key", key);
        }
        Ok(request)
    }

    /// Reads `path` as JSON, over the same connection.
    pub(super) async fn get_json(&self, path: &str) -> Result<Value, Status> {
        let begun = Instant::now();
        loop {
            let response = self.get(path).await?;
            let status = response.status();
            let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
            let wait = wait.and_then(|seconds| seconds.parse().ok()).map_or(WAIT, Duration::from_secs);
            let body = response.into_body().collect().await?.to_bytes();
            if status == http::StatusCode::TOO_MANY_REQUESTS && begun.elapsed() + wait <= self.patience {
                tokio::time::sleep(wait).await;
                continue;
            }
            if !status.is_success() {
                let text = String::from_utf8_lossy(&body);
                return Err(Status::unknown(format!(
                    "HTTP {status}: {}",
                    text.chars().take(200).collect::<String>()
                )));
            }
            return serde_json::from_slice(&body)
                .map_err(|error| Status::data_loss(format!("the body is no JSON: {error}")));
        }
    }

    async fn get(&self, path: &str) -> Result<http::Response<Body>, Status> {
        let mut uri = self.url.clone().into_parts();
        uri.path_and_query = path.parse().ok();
        let uri = http::Uri::from_parts(uri).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let mut request = http::Request::get(uri).header("accept", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization.as_bytes());
        }
        let request = request.body(Body::empty()).map_err(|error| Status::internal(error.to_string()))?;
        let answer = self.channel.clone().oneshot(request).await;
        answer.map_err(|error| Status::unavailable(platform::status::chain(&error)))
    }
}
