use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

use super::*;

/// A pod that answers health checks (`Check` is no read by its name) and counts them. Its runtime is its process: dropping it cuts
/// every connection.
struct Pod {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    process: Option<tokio::runtime::Runtime>,
}

impl Pod {
    fn kill(&mut self) {
        self.process.take().unwrap().shutdown_background();
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.shutdown_background();
        }
    }
}

struct Counting(Arc<AtomicUsize>);

#[tonic::async_trait]
impl Health for Counting {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        assert!(request.metadata().contains_key("grpc-timeout"), "a call always has a deadline");
        Ok(tonic::Response::new(HealthCheckResponse::default()))
    }

    type WatchStream = tokio_stream::Pending<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

fn pod() -> Pod {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    #[expect(clippy::disallowed_methods, reason = "a server without our layers")]
    let server =
        tonic::transport::Server::builder().add_service(HealthServer::new(Counting(Arc::clone(&calls))));
    let process = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    process.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        server.serve_with_incoming(TcpListenerStream::new(listener)).await
    });
    Pod { address, calls, process: Some(process) }
}

async fn until(condition: impl Fn() -> bool) {
    let all = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all).await.expect("the condition never held");
}

#[tokio::test]
async fn calls_spread_over_the_pods_and_go_round_a_dead_one() {
    let tasks = Tasks::new(CancellationToken::new());
    let (mut one, two) = (pod(), pod());
    let url = format!("http://{},http://{}", one.address, two.address).parse().unwrap();
    let channel = Channel::connect("pods", &url, &tasks);
    until(|| channel.peers.pick(None).is_some_and(|peer| channel.peers.pick(Some(&peer)).is_some())).await;

    let mut client = HealthClient::new(channel.clone());
    for _ in 0..10 {
        client.check(HealthCheckRequest::default()).await.unwrap();
    }
    assert_eq!((one.calls.load(Ordering::SeqCst), two.calls.load(Ordering::SeqCst)), (5, 5));

    one.kill();
    until(|| std::net::TcpStream::connect(one.address).is_err()).await;
    // The first call may meet the dying connection; after that the dead pod is known to be unreachable.
    let _ = client.check(HealthCheckRequest::default()).await;
    let _ = client.check(HealthCheckRequest::default()).await;
    for _ in 0..20 {
        client.check(HealthCheckRequest::default()).await.unwrap();
    }
    assert!(two.calls.load(Ordering::SeqCst) >= 25);
}

#[tokio::test]
async fn a_service_that_is_away_is_unavailable_and_found_when_it_comes() {
    let tasks = Tasks::new(CancellationToken::new());
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    drop(taken);
    let channel = Channel::connect("pods", &format!("http://{address}").parse().unwrap(), &tasks);
    let status = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(channel.ready().is_err());
}

#[test]
fn a_list_of_urls_is_read_and_anything_else_refused() {
    assert!("http://a:1,http://[::1]:2".parse::<ServiceUrl>().is_ok());
    for text in ["", "a:1", "http://a", "https://a:1", "http://a:1/x", "http://a:1,"] {
        assert_eq!(text.parse::<ServiceUrl>(), Err(NotAServiceUrl), "{text}");
    }
}
