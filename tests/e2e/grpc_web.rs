//! gRPC-Web, as a browser speaks it: over HTTP/1.1, with the trailers in the body.

use std::io::Write as _;

use prost::Message;
use proto::catalog::v1::{GetCategoryRequest, ListProductsRequest, ListProductsResponse};
use tests::curl::{Reply, curl};

use crate::world::world;

/// A message in its five-byte frame.
fn frame(message: &impl Message) -> Vec<u8> {
    let body = message.encode_to_vec();
    let length = u32::try_from(body.len()).unwrap();
    [&[0_u8], length.to_be_bytes().as_slice(), &body].concat()
}

async fn call(method: &str, message: &impl Message) -> Reply {
    let mut body = tempfile::NamedTempFile::new().unwrap();
    body.write_all(&frame(message)).unwrap();
    let url = format!("{}/sipup.catalog.v1.CatalogService/{method}", world().stack.url());
    let data = format!("@{}", body.path().display());
    curl(&[
        "--http1.1",
        "--header",
        "content-type: application/grpc-web+proto",
        "--header",
        "x-grpc-web: 1",
        "--header",
        "origin: http://localhost:3000",
        "--data-binary",
        &data,
        &url,
    ])
    .await
    .unwrap()
}

#[tokio::test]
async fn a_browser_reads_the_catalogue() {
    let reply =
        call("ListProducts", &ListProductsRequest { page_size: 3, ..ListProductsRequest::default() }).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("access-control-allow-origin"), Some("http://localhost:3000"));
    let length = usize::try_from(u32::from_be_bytes(reply.body[1..5].try_into().unwrap())).unwrap();
    let message = ListProductsResponse::decode(&reply.body[5..5 + length]).unwrap();
    assert_eq!(message.products.len(), 3);
    let trailers = &reply.body[5 + length..];
    assert_eq!(trailers[0], 0x80);
    assert!(String::from_utf8_lossy(trailers).contains("grpc-status:0"));
}

#[tokio::test]
async fn a_browser_is_told_why_it_is_refused() {
    let reply = call("GetCategory", &GetCategoryRequest { id: "no-such-category".into() }).await;
    assert_eq!((reply.status, reply.header("grpc-status")), (200, Some("5")), "{reply:?}");
}
