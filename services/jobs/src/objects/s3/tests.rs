//! Against a server that speaks as much of S3 as is needed.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Method, Response, StatusCode},
};
use uuid::Uuid;

use super::*;

/// What the server holds.
#[derive(Default)]
struct Store {
    objects: BTreeMap<String, Vec<u8>>,
    /// Parts of the uploads that are under way.
    uploads: BTreeMap<String, Vec<Vec<u8>>>,
    /// Every request, without its queries.
    asked: Vec<String>,
    /// Refuses to complete uploads.
    refuses: bool,
    /// Knows no bucket.
    is_empty: bool,
}

type Shared = Arc<Mutex<Store>>;

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, Store> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default();
    let mut store = lock(&shared);
    assert!(parts.headers["authorization"].to_str().unwrap().contains("AWS4-HMAC-SHA256 Credential=key/"));
    store.asked.push(format!("{} {path}", parts.method));
    let xml = |text: &str| reply(StatusCode::OK, text.as_bytes());
    match (parts.method, query) {
        (Method::POST | Method::PUT, _) if store.is_empty => {
            reply(StatusCode::NOT_FOUND, b"<Error><Code>NoSuchBucket</Code></Error>")
        }
        (Method::POST, "uploads" | "uploads=") => {
            store.uploads.insert(path, Vec::new());
            xml(
                "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId></InitiateMultipartUploadResult>",
            )
        }
        (Method::PUT, query) if query.contains("partNumber=") => {
            store.uploads.get_mut(&path).unwrap().push(body.to_vec());
            xml("")
        }
        (Method::PUT, _) => {
            store.objects.insert(path, body.to_vec());
            xml("")
        }
        (Method::POST, _) if store.refuses => reply(StatusCode::FORBIDDEN, b"no"),
        (Method::POST, _) => {
            let whole = store.uploads.remove(&path).unwrap().concat();
            store.objects.insert(path, whole);
            xml("<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
        }
        (Method::DELETE, query) => {
            if query.contains("uploadId=") {
                drop(store.uploads.remove(&path));
            } else {
                drop(store.objects.remove(&path));
            }
            reply(StatusCode::NO_CONTENT, b"")
        }
        (_, _) => match store.objects.get(&path) {
            Some(object) => reply(StatusCode::OK, object),
            None => reply(StatusCode::NOT_FOUND, b"<Error><Code>NoSuchKey</Code></Error>"),
        },
    }
}

fn reply(status: StatusCode, body: &[u8]) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("etag", "\"e\"")
        .header("last-modified", "Mon, 05 Jan 2026 10:00:00 GMT")
        .body(Body::from(body.to_vec()))
        .unwrap()
}

/// A server, and a bucket there.
async fn bucket() -> (Shared, Bucket) {
    let shared = Shared::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
    #[expect(clippy::disallowed_methods, reason = "ends with the test")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    platform::run::install_crypto();
    let builder = AmazonS3Builder::new()
        .with_bucket_name("shop")
        .with_region("eu-west-1")
        .with_endpoint(url)
        .with_allow_http(true)
        .with_access_key_id("key")
        .with_secret_access_key("secret");
    (shared, Bucket::new(builder, "reports/here").unwrap())
}

fn name() -> ObjectName {
    ObjectName { report_id: Uuid::now_v7(), object_id: Uuid::now_v7() }
}

async fn read(bucket: &Bucket, name: ObjectName) -> Result<Vec<Bytes>, Error> {
    bucket.clone().read(name).try_collect().await
}

#[tokio::test]
async fn a_small_file_is_one_object_below_the_prefix_once_it_is_finished() {
    let (server, bucket) = bucket().await;
    let name = name();
    let mut writer = bucket.create(name);
    writer.write(Bytes::from_static(b"a,b\r\n")).await.unwrap();
    assert!(matches!(read(&bucket, name).await, Err(Error::Missing)));
    writer.finish().await.unwrap();
    assert_eq!(read(&bucket, name).await.unwrap().concat(), b"a,b\r\n");
    let path = format!("/shop/reports/here/{name}");
    assert_eq!(lock(&server).objects.keys().collect::<Vec<_>>(), [&path]);

    for _ in 0..2 {
        bucket.delete(name).await.unwrap();
        assert!(matches!(read(&bucket, name).await, Err(Error::Missing)));
    }
}

#[tokio::test]
async fn a_large_file_goes_up_in_parts_and_comes_back_in_pieces() {
    let (server, bucket) = bucket().await;
    let name = name();
    let mut writer = bucket.create(name);
    let piece = |n: u8| Bytes::from(vec![n; PIECE]);
    for n in 0..70 {
        writer.write(piece(n)).await.unwrap();
    }
    assert_eq!(lock(&server).objects.len(), 0);
    writer.finish().await.unwrap();
    let pieces = read(&bucket, name).await.unwrap();
    assert!(pieces.iter().all(|piece| piece.len() <= PIECE));
    assert!(pieces.concat() == (0..70).flat_map(|n| vec![n; PIECE]).collect::<Vec<_>>());
    let store = lock(&server);
    assert_eq!(store.asked.iter().filter(|asked| asked.starts_with("PUT")).count(), 3, "{:?}", store.asked);
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing() {
    let (server, bucket) = bucket().await;
    let mut writer = bucket.create(name());
    for _ in 0..40 {
        writer.write(vec![7; PIECE].into()).await.unwrap();
    }
    assert_eq!(lock(&server).uploads.len(), 1);
    writer.abort().await.unwrap();
    let store = lock(&server);
    assert!(store.uploads.is_empty() && store.objects.is_empty());
}

#[tokio::test]
async fn a_refusal_is_not_taken_for_a_missing_file() {
    let (server, bucket) = bucket().await;
    lock(&server).refuses = true;
    let mut writer = bucket.create(name());
    for _ in 0..40 {
        writer.write(vec![7; PIECE].into()).await.unwrap();
    }
    assert!(matches!(writer.finish().await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn a_bucket_that_is_missing_is_not_taken_for_a_report_that_was_removed() {
    let (server, bucket) = bucket().await;
    lock(&server).is_empty = true;
    let mut writer = bucket.create(name());
    let mut outcome = Ok(());
    for _ in 0..40 {
        outcome = outcome.and(writer.write(vec![7; PIECE].into()).await);
    }
    assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
    let mut writer = bucket.create(name());
    writer.write(Bytes::from_static(b"small")).await.unwrap();
    assert!(matches!(writer.finish().await, Err(Error::Unavailable(_))));
}

#[test]
fn a_bucket_prints_without_its_keys() {
    let builder = AmazonS3Builder::new().with_bucket_name("shop").with_region("eu-west-1");
    let builder = builder.with_access_key_id("key").with_secret_access_key("hunter2");
    let bucket = Bucket::new(builder, "reports").unwrap();
    assert!(!format!("{bucket:?}").contains("hunter2"));
}
