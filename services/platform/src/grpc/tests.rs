use std::{collections::HashMap, future::pending, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use axum::{Router, body::Body, response::Response, routing::post};
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use serde_json::json;
use tokio::sync::Semaphore;
use tonic::{Code, Status};
use tower::ServiceExt as _;
use uuid::Uuid;

use super::*;
use crate::{
    Allow, Clock, Position, Role, Session,
    caller::Caller,
    verifier::{AUDIENCE, Revocations},
};

const TABLE: Permissions = Permissions::new(
    "x.v1.Things",
    &[
        ("Get", Allow::Anyone),
        ("Put", Allow::Roles(&[Role::Seller])),
        ("Hang", Allow::Anyone),
        ("Panic", Allow::Anyone),
        ("Watch", Allow::Anyone),
        ("CreateThing", Allow::Anyone),
        ("BatchCreateThings", Allow::Anyone),
    ],
);

/// A stack around a few handlers, and tokens that it accepts.
struct World {
    router: Router,
    registry: prometheus::Registry,
    /// Metrics end with their provider.
    _meters: SdkMeterProvider,
    key: EncodingKey,
}

impl World {
    fn new(max_calls: usize) -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let key = EncodingKey::from_ec_der(pkcs8.as_ref());
        let mut public = jwk::Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        public.common.key_id = Some("a".into());
        let keys = jwk::JwkSet { keys: vec![public] };
        let registry = prometheus::Registry::new();
        let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build().unwrap();
        let meters = SdkMeterProvider::builder().with_reader(exporter).build();
        let stack = Stack {
            permissions: PermissionMap::new(&[TABLE]),
            verifier: Some(Verifier::with_keys("https://test", &keys, Clock::system(), Revocations::none())),
            calls: Arc::new(Semaphore::new(max_calls)),
            max_call_time: Duration::from_mins(1),
            max_long_call_time: Duration::from_mins(5),
            classes: HashMap::from([
                ("/x.v1.Things/Watch".to_owned(), Class::Stream),
                ("/x.v1.Things/CreateThing".to_owned(), Class::Write),
                ("/x.v1.Things/BatchCreateThings".to_owned(), Class::Bulk),
            ]),
            metrics: CallMetrics::new(&meters.meter("test")),
        };
        let routes = Router::new()
            .route("/x.v1.Things/CreateThing", post(take))
            .route("/x.v1.Things/BatchCreateThings", post(take))
            .route("/x.v1.Things/Get", post(get))
            .route("/x.v1.Things/Put", post(get))
            .route("/x.v1.Things/Hang", post(async || pending::<Response>().await))
            .route("/x.v1.Things/Panic", post(panics))
            .route("/x.v1.Things/Watch", post(watch));
        Self { router: stack::apply(Arc::new(stack), routes), registry, _meters: meters, key }
    }

    fn token(&self, role: &str) -> String {
        let claims = json!({
            "iss": "https://test", "aud": AUDIENCE, "sub": Uuid::nil(), "cid": Uuid::nil(), "sid": Uuid::nil(),
            "role": role, "exp": Clock::system().now().as_second() + 60,
        });
        let header = Header { kid: Some("a".into()), ..Header::new(Algorithm::ES256) };
        format!("Bearer {}", jsonwebtoken::encode(&header, &claims, &self.key).unwrap())
    }

    /// The same handlers without tokens.
    fn internal() -> Self {
        let mut world = Self::new(8);
        let meters = SdkMeterProvider::default();
        let stack = Stack {
            permissions: PermissionMap::new(&[TABLE]),
            verifier: None,
            calls: Arc::new(Semaphore::new(8)),
            max_call_time: Duration::from_mins(1),
            max_long_call_time: Duration::from_mins(5),
            classes: HashMap::new(),
            metrics: CallMetrics::new(&meters.meter("test")),
        };
        let routes = Router::new().route("/x.v1.Things/Get", post(get)).route("/x.v1.Things/Put", post(get));
        world.router = stack::apply(Arc::new(stack), routes);
        world
    }

    async fn call(&self, method: &str, headers: &[(&str, &str)]) -> HeaderMap {
        let mut request = Request::post(format!("/x.v1.Things/{method}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        body.collect().await.unwrap();
        parts.headers
    }

    async fn code(&self, method: &str, headers: &[(&str, &str)]) -> Code {
        Status::from_header_map(&self.call(method, headers).await).map_or(Code::Ok, |status| status.code())
    }

    /// The answer to a call whose request comes in `words`, one after each `pause`: its code, and what it says.
    async fn slowly(&self, method: &str, words: u32, pause: Duration) -> (Code, String) {
        let body = futures::stream::unfold(words, move |left: u32| async move {
            let left = left.checked_sub(1)?;
            tokio::time::sleep(pause).await;
            Some((Ok::<_, Infallible>("word"), left))
        });
        let request = Request::post(format!("/x.v1.Things/{method}"));
        let request = request.body(Body::from_stream(Box::pin(body))).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = Status::from_header_map(response.headers());
        status.map_or((Code::Ok, String::new()), |status| (status.code(), status.message().to_owned()))
    }

    fn metrics(&self) -> String {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap()
    }
}

/// Writes at position 1-5, and tells who called.
async fn get(request: axum::extract::Request) -> Response {
    request.extensions().get::<Session>().unwrap().record(Position { timeline: 1, lsn: 5 });
    let role = request.extensions().get::<Caller>().map_or("nobody", |caller| caller.role.name());
    Response::builder().header("caller", role).body(Body::empty()).unwrap()
}

/// Waits for all of the request.
async fn take(request: axum::extract::Request) -> Response {
    match request.into_body().collect().await {
        Ok(_) => Response::new(Body::empty()),
        Err(error) => Status::from_error(error.into()).into_http(),
    }
}

/// Says a word, and then nothing for ever.
async fn watch() -> Response {
    let word = futures::stream::iter([Ok::<_, Infallible>("word")]);
    Response::new(Body::from_stream(futures::StreamExt::chain(word, futures::stream::pending())))
}

async fn panics() -> Response {
    panic!("password is hunter2")
}

#[tokio::test]
async fn the_table_decides_before_the_handler_runs() {
    let world = World::new(8);
    let (buyer, seller) = (world.token("buyer"), world.token("seller"));
    assert_eq!(world.code("Put", &[]).await, Code::Unauthenticated);
    assert_eq!(world.code("Put", &[("authorization", &buyer)]).await, Code::PermissionDenied);
    assert_eq!(world.call("Put", &[("authorization", &seller)]).await["caller"], "seller");
    assert_eq!(world.code("Missing", &[("authorization", &seller)]).await, Code::Unimplemented);
}

#[tokio::test]
async fn an_open_method_still_refuses_a_bad_token() {
    let world = World::new(8);
    assert_eq!(world.call("Get", &[]).await["caller"], "nobody");
    for token in ["Bearer nonsense", "Bearer", "Basic YTpi", &world.token("nobody")] {
        assert_eq!(world.code("Get", &[("authorization", token)]).await, Code::Unauthenticated, "{token}");
    }
}

#[tokio::test]
async fn an_internal_service_looks_at_no_token_and_opens_only_what_anyone_may_call() {
    let world = World::internal();
    let seller = world.token("seller");
    for token in ["Bearer nonsense", &seller] {
        assert_eq!(world.call("Get", &[("authorization", token)]).await["caller"], "nobody", "{token}");
    }
    assert_eq!(world.code("Put", &[("authorization", &seller)]).await, Code::Unauthenticated);
    assert_eq!(world.code("Missing", &[]).await, Code::Unimplemented);
}

#[tokio::test]
async fn the_position_of_a_commit_goes_out_and_a_bad_one_is_refused() {
    let world = World::new(8);
    assert_eq!(world.call("Get", &[(POSITION_HEADER, "1-4")]).await[POSITION_HEADER], "1-5");
    assert_eq!(world.code("Get", &[(POSITION_HEADER, "soon")]).await, Code::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_with_its_deadline_or_with_ours() {
    let world = World::new(8);
    assert_eq!(world.code("Hang", &[("grpc-timeout", "1S")]).await, Code::DeadlineExceeded);
    assert_eq!(world.code("Hang", &[("grpc-timeout", "1000H")]).await, Code::DeadlineExceeded);
    assert_eq!(world.code("Hang", &[]).await, Code::DeadlineExceeded);
    assert_eq!(world.code("Hang", &[("grpc-timeout", "soon")]).await, Code::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn a_call_of_many_things_has_more_time_than_others_as_long_as_something_comes() {
    let (world, second) = (World::new(8), Duration::from_secs(1));
    let too_late = (Code::DeadlineExceeded, "the call took longer than it may".to_owned());
    let silent = (Code::DeadlineExceeded, "nothing of the request came for too long".to_owned());
    assert_eq!(world.slowly("CreateThing", 3, 50 * second).await, too_late);
    assert_eq!(world.slowly("BatchCreateThings", 5, 50 * second).await.0, Code::Ok);
    assert_eq!(world.slowly("BatchCreateThings", 7, 50 * second).await, too_late);
    assert_eq!(world.slowly("BatchCreateThings", 2, 70 * second).await, silent);
}

#[tokio::test]
async fn a_panic_costs_one_call_and_tells_nothing() {
    let world = World::new(8);
    let status = Status::from_header_map(&world.call("Panic", &[]).await).unwrap();
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("hunter2"));
    assert_eq!(world.code("Get", &[]).await, Code::Ok);
}

#[tokio::test]
async fn one_call_too_many_is_refused_and_a_dropped_call_frees_its_place() {
    let world = World::new(1);
    let request = Request::post("/x.v1.Things/Hang").body(Body::empty()).unwrap();
    let mut hanging = Box::pin(world.router.clone().oneshot(request));
    assert!(futures::poll!(&mut hanging).is_pending());
    assert_eq!(world.code("Get", &[]).await, Code::ResourceExhausted);
    drop(hanging);
    assert_eq!(world.code("Get", &[]).await, Code::Ok);
    let metrics = world.metrics();
    assert!(
        metrics.contains("rpc_grpc_status_code=\"CANCELLED\",rpc_method=\"x.v1.Things/Hang\""),
        "{metrics}"
    );
}

#[tokio::test]
async fn callers_can_not_make_new_time_series() {
    let world = World::new(8);
    world.code("Nonsense", &[]).await;
    let metrics = world.metrics();
    assert!(metrics.contains(METHOD_UNKNOWN) && !metrics.contains("Nonsense"), "{metrics}");
}

#[tokio::test]
async fn a_refusal_is_counted_as_what_it_is_although_nobody_reads_its_body() {
    let world = World::new(8);
    let request = Request::post("/x.v1.Things/Put").body(Body::empty()).unwrap();
    drop(world.router.clone().oneshot(request).await.unwrap());
    let metrics = world.metrics();
    assert!(
        metrics.contains("rpc_grpc_status_code=\"UNAUTHENTICATED\",rpc_method=\"x.v1.Things/Put\""),
        "{metrics}"
    );
    assert!(!metrics.contains("CANCELLED"), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn an_open_stream_is_no_call_in_flight_and_has_no_deadline_of_ours() {
    let world = World::new(1);
    let request = Request::post("/x.v1.Things/Watch").body(Body::empty()).unwrap();
    let mut stream = world.router.clone().oneshot(request).await.unwrap().into_body();
    assert!(stream.frame().await.unwrap().is_ok());
    tokio::time::sleep(Duration::from_mins(9)).await;
    assert!(futures::poll!(Box::pin(stream.frame())).is_pending(), "it goes on");
    assert_eq!(world.code("Get", &[]).await, Code::Ok, "it holds no place");
    let metrics = world.metrics();
    assert!(
        metrics
            .lines()
            .any(|line| line
                == r#"rpc_server_streams{rpc_method="x.v1.Things/Watch",otel_scope_name="test"} 1"#),
        "{metrics}"
    );
    drop(stream);
    let metrics = world.metrics();
    assert!(
        !metrics.lines().any(|line| line.starts_with("rpc_server_duration") && line.contains("Watch")),
        "{metrics}"
    );
}

#[test]
fn methods_have_the_class_of_their_declaration() {
    let classes = classes(tonic_health::pb::FILE_DESCRIPTOR_SET).unwrap();
    assert_eq!(classes.get("/grpc.health.v1.Health/Watch"), Some(&Class::Stream));
    assert_eq!(classes.get("/grpc.health.v1.Health/Check"), None);
}
