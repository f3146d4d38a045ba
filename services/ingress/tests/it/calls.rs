//! gRPC: every RPC has the route, the backend and the door that its name promises.

use ingress::{Access, Endpoints, Rpc, rpcs};
use proto::{
    catalog::v1::{GetProductRequest, GetProductResponse},
    ratelimit::v1::{CheckRequest, CheckResponse},
};
use tonic::{Code, Status};

use crate::{
    edge::{Edge, bearer, shared},
    stub::KEY,
};

const GET_PRODUCT: &str = "/sipup.catalog.v1.CatalogService/GetProduct";

/// Calls with an empty message, which every RPC understands.
async fn code(edge: &Edge, path: &str, metadata: &[(&'static str, &str)]) -> Code {
    let called: Result<tonic::Response<()>, Status> = edge.grpc(path, (), metadata).await;
    called.map_or_else(|status| status.code(), |_| Code::Ok)
}

fn reachable() -> Vec<Rpc> {
    rpcs().unwrap().into_iter().filter(|rpc| rpc.access != Access::Internal).collect()
}

#[tokio::test]
async fn every_rpc_reaches_the_backend_of_its_area() {
    let edge = shared();
    let token = bearer(&edge.token());
    for rpc in reachable() {
        let path = rpc.path();
        assert_eq!(code(edge, &path, &[("authorization", &token), (KEY, &path)]).await, Code::Ok, "{path}");
        let [call] = &edge.calls.of(&path)[..] else { panic!("{path} was not called once") };
        assert_eq!((&call.backend, &call.path), (&rpc.area, &path));
    }
}

#[tokio::test]
async fn without_a_token_only_what_is_open_answers() {
    let edge = shared();
    for rpc in reachable() {
        let expected = if rpc.access == Access::Required { Code::Unauthenticated } else { Code::Ok };
        assert_eq!(code(edge, &rpc.path(), &[]).await, expected, "{}", rpc.path());
    }
}

#[tokio::test]
async fn services_for_services_can_not_be_reached() {
    let edge = shared();
    let token = bearer(&edge.token());
    for rpc in rpcs().unwrap().iter().filter(|rpc| rpc.access == Access::Internal) {
        assert_eq!(code(edge, &rpc.path(), &[("authorization", &token)]).await, Code::Unimplemented);
    }
    let check = "/sipup.ratelimit.v1.LimitService/Check";
    let checked = edge.grpc::<_, CheckResponse>(check, CheckRequest::default(), &[]).await;
    assert_eq!(checked.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn unknown_methods_are_unimplemented_but_only_for_those_who_may_know() {
    let edge = shared();
    let token = bearer(&edge.token());
    for path in ["/shop.Other/Get", "/sipup.catalog.v1.CatalogService/GetNothing"] {
        assert_eq!(code(edge, path, &[("authorization", &token)]).await, Code::Unimplemented, "{path}");
        assert_eq!(code(edge, path, &[]).await, Code::Unauthenticated, "{path}");
    }
}

#[tokio::test]
async fn a_backend_may_be_given_by_its_name() {
    let edge = Edge::start(1, |config| {
        let Endpoints::Static(addresses) = &config.backends[0].endpoints else { panic!("not static") };
        config.backends[0].endpoints = Endpoints::Dns { host: "localhost".into(), port: addresses[0].port() };
    });
    assert_eq!(code(&edge, GET_PRODUCT, &[]).await, Code::Ok);
}

#[tokio::test]
async fn health_needs_no_token() {
    assert_eq!(code(shared(), "/grpc.health.v1.Health/Check", &[]).await, Code::Ok);
}

#[tokio::test]
async fn reflection_answers_while_the_client_holds_its_stream_open() {
    let mut client = tonic::client::Grpc::new(shared().channel());
    client.ready().await.unwrap();
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo".parse().unwrap();
    let questions = tonic::Request::new(futures::stream::pending::<()>());
    let answers = client.streaming(questions, path, tonic_prost::ProstCodec::<(), ()>::default()).await;
    assert!(answers.unwrap().into_inner().message().await.unwrap().is_some());
}

#[tokio::test]
async fn our_headers_pass_in_both_directions() {
    let edge = shared();
    let sent = [("sipup-lsn", "1-1F"), ("idempotency-key", "again"), (KEY, "headers")];
    let message = GetProductRequest { id: "7".into() };
    let answer = edge.grpc::<_, GetProductResponse>(GET_PRODUCT, message, &sent).await.unwrap();
    for (name, value) in [("sipup-lsn", "1-2A"), ("idempotent-replayed", "true"), ("etag", "\"7\"")] {
        assert_eq!(answer.metadata().get(name).unwrap(), value);
    }
    let [call] = &edge.calls.of("headers")[..] else { panic!("not called once") };
    assert_eq!((call.header("sipup-lsn"), call.header("idempotency-key")), ("1-1F", "again"));
    assert_eq!(call.header("x-request-id"), answer.metadata().get("x-request-id").unwrap());
}

#[tokio::test]
async fn a_grpc_answer_is_never_compressed_as_a_whole() {
    let sent = [("accept-encoding", "gzip, br, zstd"), ("x-test-pad", "5000")];
    let message = GetProductRequest { id: "7".into() };
    let answer = shared().grpc::<_, GetProductResponse>(GET_PRODUCT, message, &sent).await.unwrap();
    assert!(answer.metadata().get("content-encoding").is_none());
    assert_eq!(answer.into_inner().product.unwrap().description.len(), 5_000);
}
