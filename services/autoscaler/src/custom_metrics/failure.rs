//! What is not answered, as Kubernetes says it: a `Status`. Its message is what the HPA's condition shows.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode};
use serde_json::json;

use crate::{authorize::Sight, cluster::GROUP, front_proxy::User};

/// A refusal.
#[derive(Debug)]
pub(super) enum Failure {
    /// Not from an API server.
    Unauthorized,
    /// The user may not.
    Forbidden(String),
    /// There is no such thing.
    NotFound(String),
    /// The API only answers.
    Method(Method),
    /// There is no answer now.
    Unavailable(String),
}

impl Failure {
    pub(super) fn forbidden(user: &User, sight: &Sight) -> Self {
        let user = &user.name;
        Self::Forbidden(match sight {
            Sight::Metric { namespace, resource, name, metric, .. } => format!(
                "{resource}.{GROUP} {name:?} is forbidden: User {user:?} cannot get resource \
                 \"{resource}/{metric}\" in API group {GROUP:?} in the namespace {namespace:?}"
            ),
            Sight::Discovery(path) => format!("forbidden: User {user:?} cannot get path {path:?}"),
        })
    }

    pub(super) fn no_path(path: &str) -> Self {
        Self::NotFound(format!("there is nothing at {path}"))
    }

    fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "Forbidden"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "NotFound"),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (code, reason) = self.status();
        let message = match self {
            Self::Unauthorized => "Unauthorized".to_owned(),
            Self::Method(method) => format!("{method} is not allowed"),
            Self::Forbidden(message) | Self::NotFound(message) | Self::Unavailable(message) => message,
        };
        let body = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code.as_u16(),
        });
        (code, Json(body)).into_response()
    }
}
