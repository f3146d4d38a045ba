//! Where a call comes from, as the services are told.

use http::Method;
use proto::catalog::v1::{GetProductRequest, GetProductResponse};

use crate::{
    edge::{Edge, http, shared},
    stub::{Calls, KEY},
};

const HEADER: &str = "x-client-address";

/// Every value of the header that the backend got with this call.
fn told(calls: &Calls, key: &str) -> Vec<String> {
    let call = &calls.of(key)[0];
    call.headers.get_all(HEADER).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn services_learn_the_address_of_the_client_and_not_what_it_says() {
    let edge = shared();
    let says = [(HEADER, "10.1.1.1"), ("x_client_address", "10.1.1.2"), ("x-forwarded-for", "10.1.1.3")];

    let mut headers = says.to_vec();
    headers.push((KEY, "address-rest"));
    let source = Some("127.0.0.9".parse().unwrap());
    let reply = http(edge.envoy.listen, source, Method::GET, "/v1/products/7", &headers, "".into()).await;
    assert_eq!(reply.status, 200);
    assert_eq!(told(&edge.calls, "address-rest"), ["127.0.0.9"]);

    let mut metadata = says.to_vec();
    metadata.push((KEY, "address-grpc"));
    let path = "/sipup.catalog.v1.CatalogService/GetProduct";
    edge.grpc::<_, GetProductResponse>(path, GetProductRequest::default(), &metadata).await.unwrap();
    assert_eq!(told(&edge.calls, "address-grpc"), ["127.0.0.1"]);
}

#[tokio::test]
async fn behind_a_proxy_the_client_is_whom_the_proxy_names() {
    let edge = Edge::start(1, |config| config.trusted_hops = 1);
    let headers = [("x-forwarded-for", "10.1.1.1, 203.0.113.7"), (HEADER, "10.1.1.2"), (KEY, "hop")];
    assert_eq!(edge.get("/v1/products/7", &headers).await.status, 200);
    assert_eq!(told(&edge.calls, "hop"), ["203.0.113.7"]);
}
