//! The API that HPAs ask, `custom.metrics.k8s.io`: one metric, of one Service.
//!
//! Reached through API servers only: whoever is not one of them is nobody (401), and whoever they ask for may see what the cluster's
//! roles grant (403). What is not known is 503 without `Retry-After`, which would make the HPA's controller wait and ask again.

mod discovery;
mod failure;
mod value;

use std::time::Duration;

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::{any, get},
};
use http::{Method, StatusCode};
use platform::Clock;
use tracing::{Instrument as _, Span, field::Empty};

use self::failure::Failure;
use crate::{
    authorize::{Authorizer, Sight},
    front_proxy::User,
    metrics::Metrics,
    tls::{Peer, Tls},
    users::Users,
};

/// How long an answer may take in all.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// What the API answers from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CustomMetrics {
    /// The number.
    pub users: Users,
    /// Who is believed.
    pub tls: Tls,
    /// Who may see what.
    pub authorizer: Authorizer,
    /// The time.
    pub clock: Clock,
    /// The namespace of the Service.
    pub namespace: String,
    /// The Service that the metric is of.
    pub service: String,
    /// What is measured.
    pub metrics: Metrics,
}

impl CustomMetrics {
    /// All paths, for connections that tell their [`Peer`].
    pub fn into_router(self) -> Router {
        Router::new()
            .route("/apis", get(discovery::groups))
            .route("/apis/custom.metrics.k8s.io", get(discovery::group))
            .route("/apis/custom.metrics.k8s.io/{version}", get(discovery::resources))
            .route(
                "/apis/custom.metrics.k8s.io/{version}/namespaces/{namespace}/{resource}/{name}/{metric}",
                get(value::value),
            )
            .fallback(async |request: Request| Failure::no_path(request.uri().path()))
            .method_not_allowed_fallback(async |method: Method| Failure::Method(method))
            .layer(from_fn_with_state(self.clone(), authenticate))
            // Asked by API servers for a user without any right; there is none, which is all the same to whom it is said.
            .route("/openapi/{*path}", any(async |request: Request| Failure::no_path(request.uri().path())))
            .layer(from_fn_with_state(self.clone(), observe))
            .with_state(self)
    }

    async fn authorize(&self, user: &User, sight: Sight) -> Result<(), Failure> {
        match self.authorizer.allows(user, sight.clone()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::forbidden(user, &sight)),
            Err(undecided) => Err(Failure::Unavailable(undecided.to_string())),
        }
    }
}

/// Outermost: every request has its span, its end in time and its place in the figures.
async fn observe(State(api): State<CustomMetrics>, request: Request, next: Next) -> Response {
    let kind = kind(request.uri().path());
    let span = tracing::info_span!(
        "custom_metrics",
        otel.name = format!("{} {kind}", request.method()),
        otel.kind = "server",
        http.response.status_code = Empty,
        enduser.id = Empty,
    );
    let answer = next.run(request).instrument(span.clone());
    let response = tokio::time::timeout(ANSWERS_WITHIN, answer).await.unwrap_or_else(|_| {
        Failure::Unavailable("there was no answer within 2 s".to_owned()).into_response()
    });
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    api.metrics.answered(kind, result(status));
    response
}

async fn authenticate(
    State(api): State<CustomMetrics>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let front_proxy = api.tls.front_proxy().ok_or_else(|| {
        Failure::Unavailable("it is not known yet by what API servers may be known".to_owned())
    })?;
    let user = front_proxy.user(&peer.0, request.headers(), api.clock.now()).map_err(|stranger| {
        tracing::info!(%stranger, "a request is nobody's");
        Failure::Unauthorized
    })?;
    Span::current().record("enduser.id", &user.name);
    request.extensions_mut().insert(user);
    Ok(next.run(request).await)
}

fn kind(path: &str) -> &'static str {
    match path {
        path if path.starts_with("/openapi/") => "openapi",
        path if path.contains("/namespaces/") => "value",
        path if path.starts_with("/apis") => "discovery",
        _ => "other",
    }
}

fn result(status: StatusCode) -> &'static str {
    match status {
        status if status.is_success() => "ok",
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        _ => "refused",
    }
}
