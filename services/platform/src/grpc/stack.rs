//! The layers of a call, from the outside in: observed, panics caught, a deadline, a place among the calls in flight, a caller.

use std::{any::Any, collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use calls::Class;
use http_body_util::BodyExt as _;
use tokio::{sync::Semaphore, time::Instant};
use tonic::Status;
use tower_http::{
    catch_panic::CatchPanicLayer,
    timeout::{TimeoutBody, TimeoutError},
};

use super::{
    POSITION_HEADER,
    observe::{CallMetrics, observe},
};
use crate::{
    Code, Details, Invalid, Position, ServiceError, Session,
    caller::Caller,
    deadline,
    permissions::{Denied, PermissionMap},
    status::to_status,
    verifier::{Rejected, Verifier},
};

/// What the layers need.
#[derive(Debug)]
pub(super) struct Stack {
    pub(super) permissions: PermissionMap,
    /// None where callers have no tokens.
    pub(super) verifier: Option<Verifier>,
    pub(super) calls: Arc<Semaphore>,
    pub(super) max_call_time: Duration,
    pub(super) max_long_call_time: Duration,
    /// By path.
    pub(super) classes: HashMap<String, Class>,
    pub(super) metrics: CallMetrics,
}

impl Stack {
    /// What kind of call goes to `path`.
    pub(super) fn class(&self, path: &str) -> Option<Class> {
        self.classes.get(path).copied()
    }
}

/// Why the stack itself refuses a call.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{0}")]
    Invalid(#[from] Invalid),
    #[error("a token is needed")]
    NoToken,
    #[error("{0}")]
    Token(#[from] Rejected),
    #[error("this role may not call this method")]
    Role,
    #[error("the service is at its limit of calls in flight")]
    Busy,
    #[error("the call took longer than it may")]
    TooLate,
    #[error("nothing of the request came for too long")]
    Silent,
    #[error("the handler panicked: {0}")]
    Panic(String),
}

impl ServiceError for Refused {
    const DOMAIN: &'static str = "sipup";

    fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidArgument,
            Self::NoToken | Self::Token(Rejected::Invalid | Rejected::Expired | Rejected::Revoked) => {
                Code::Unauthenticated
            }
            Self::Token(Rejected::Undecided) => Code::Unavailable,
            Self::Role => Code::PermissionDenied,
            Self::Busy => Code::ResourceExhausted,
            Self::TooLate | Self::Silent => Code::DeadlineExceeded,
            Self::Panic(_) => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_FIELD",
            Self::NoToken => "TOKEN_MISSING",
            Self::Token(Rejected::Invalid) => "TOKEN_INVALID",
            Self::Token(Rejected::Expired) => "TOKEN_EXPIRED",
            Self::Token(Rejected::Revoked) => "SESSION_ENDED",
            Self::Token(Rejected::Undecided) => "TOKEN_UNDECIDED",
            Self::Role => "ROLE_NOT_ALLOWED",
            Self::Busy => "TOO_MANY_CALLS",
            Self::TooLate | Self::Silent => "DEADLINE_EXCEEDED",
            Self::Panic(_) => "INTERNAL",
        }
    }

    fn details(&self) -> Details {
        match self {
            Self::Invalid(invalid) => Details { fields: vec![invalid.clone()], ..Details::default() },
            _ => Details::default(),
        }
    }
}

impl From<Refused> for Response {
    fn from(refused: Refused) -> Self {
        to_status(&refused).into_http()
    }
}

/// Puts the layers around `routes`. The last one added is the outermost.
pub(super) fn apply(stack: Arc<Stack>, routes: Router) -> Router {
    routes
        // A valid caller is known before any handler runs, and a commit's position goes out with the answer.
        .layer(from_fn_with_state(Arc::clone(&stack), authenticate))
        // Callers that wait for a place must not outlive their deadline; handlers hold their place to the end.
        .layer(from_fn_with_state(Arc::clone(&stack), limit))
        // What the caller granted, or the longest that we do.
        .layer(from_fn_with_state(Arc::clone(&stack), bound))
        // A panic costs one call, not the connection with all its others.
        .layer(CatchPanicLayer::custom(panicked))
        // Every call is seen, also those that an inner layer refuses.
        .layer(from_fn_with_state(stack, observe))
}

#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let text =
        cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    Refused::Panic(text.unwrap_or("no message").to_owned()).into()
}

/// Ends when the answer begins. A stream goes on after that, and has a [`super::Lifetime`] instead.
async fn bound(State(stack): State<Arc<Stack>>, request: Request, next: Next) -> Response {
    let long = stack.class(request.uri().path()).is_some_and(Class::is_long);
    let longest = if long { stack.max_long_call_time } else { stack.max_call_time };
    let granted = match deadline::parse(request.headers()) {
        Ok(granted) => granted.unwrap_or(longest).min(longest),
        Err(invalid) => return Refused::from(invalid).into(),
    };
    let request = if long { request.map(unless_silent) } else { request };
    // A little early: the server's own timer would say CANCELLED, and the answer has a way to go.
    let granted = granted.saturating_sub((granted / 10).min(Duration::from_millis(10)));
    let deadline = Instant::now() + granted;
    match tokio::time::timeout_at(deadline, deadline::scope(deadline, next.run(request))).await {
        Ok(response) => response,
        Err(_) => Refused::TooLate.into(),
    }
}

/// A body of which something must come every now and then: a client that has gone silent would else hold its place for all the time of a
/// long call.
fn unless_silent(body: Body) -> Body {
    let body = TimeoutBody::new(calls::LONGEST_SILENCE, body);
    Body::new(body.map_err(|error| match error.downcast::<TimeoutError>() {
        Ok(_) => to_status(&Refused::Silent).into(),
        Err(other) => other,
    }))
}

/// As [`bound`], until the answer begins: an open stream holds no place.
async fn limit(State(stack): State<Arc<Stack>>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/grpc.health.v1.") {
        return next.run(request).await;
    }
    match Arc::clone(&stack.calls).try_acquire_owned() {
        Ok(_place) => next.run(request).await,
        Err(_) => Refused::Busy.into(),
    }
}

async fn authenticate(State(stack): State<Arc<Stack>>, mut request: Request, next: Next) -> Response {
    let session = match admit(&stack, &mut request) {
        Ok(session) => session,
        Err(Some(refused)) => return refused.into(),
        Err(None) => return Status::unimplemented("there is no such method").into_http(),
    };
    let mut response = next.run(request).await;
    if let Some(position) = session.wrote()
        && let Ok(value) = http::HeaderValue::try_from(position.to_string())
    {
        response.headers_mut().insert(POSITION_HEADER, value);
    }
    response
}

/// Checks token and permission, and leaves caller and session with the request. None: there is no such method.
fn admit(stack: &Stack, request: &mut Request) -> Result<Session, Option<Refused>> {
    let caller = match &stack.verifier {
        Some(verifier) => bearer(request.headers())
            .map_err(Some)?
            .map(|token| verifier.verify(token))
            .transpose()
            .map_err(|rejected| Some(rejected.into()))?,
        None => None,
    };
    match stack.permissions.check(request.uri().path(), caller.as_deref()) {
        Ok(()) => {}
        Err(Denied::NoToken) => return Err(Some(Refused::NoToken)),
        Err(Denied::Role) => return Err(Some(Refused::Role)),
        Err(Denied::Unknown) => return Err(None),
    }
    let session =
        Session::new(caller.as_ref().map(|caller| caller.user_id), asked(request.headers()).map_err(Some)?);
    request.extensions_mut().insert(session.clone());
    if let Some(caller) = caller {
        tracing::Span::current().record("enduser.id", caller.user_id.to_string());
        request.extensions_mut().insert(Caller::clone(&caller));
    }
    Ok(session)
}

/// The bearer token, if the call has one.
fn bearer(headers: &http::HeaderMap) -> Result<Option<&str>, Refused> {
    let Some(value) = headers.get(http::header::AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Rejected::Invalid)?;
    let (scheme, token) = text.split_once(' ').ok_or(Rejected::Invalid)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Rejected::Invalid.into());
    }
    Ok(Some(token.trim()))
}

/// The log position that the caller has seen, if it says so.
fn asked(headers: &http::HeaderMap) -> Result<Option<Position>, Refused> {
    let Some(value) = headers.get(POSITION_HEADER) else { return Ok(None) };
    let position = value.to_str().ok().and_then(|text| text.parse().ok());
    position
        .map(Some)
        .ok_or_else(|| Invalid::new(POSITION_HEADER, "must be the value of an earlier answer").into())
}
