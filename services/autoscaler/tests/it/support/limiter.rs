//! A limiter that counts as it is told.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use platform::Clock;
use proto::ratelimit::v1::{
    ActiveUsersRequest, ActiveUsersResponse, CheckRequest, CheckResponse, ExplainRequest, ExplainResponse,
    GetShadowReportRequest, GetShadowReportResponse, ListPenaltiesRequest, ListPenaltiesResponse,
    ListRulesRequest, ListRulesResponse, ReportRequest, ReportResponse, UnbanRequest, UnbanResponse,
    limit_service_server::{LimitService, LimitServiceServer},
};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

/// What it says.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    /// So many, counted now.
    Users(u64),
    /// This, whatever it is.
    This(ActiveUsersResponse),
    /// That it doesn't know.
    Unknown,
    /// Nothing, ever.
    Nothing,
}

/// The limiter. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Limiter {
    says: Arc<Mutex<Says>>,
    asked: Arc<AtomicUsize>,
    clock: Clock,
    url: String,
}

impl Limiter {
    pub(crate) async fn start(clock: Clock, says: Says) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let limiter = Self { says: Arc::new(Mutex::new(says)), asked: Arc::default(), clock, url };
        #[expect(
            clippy::disallowed_methods,
            reason = "a server without our layers, which ends with the test's runtime"
        )]
        drop(tokio::spawn(
            tonic::transport::Server::builder()
                .add_service(LimitServiceServer::new(limiter.clone()))
                .serve_with_incoming(TcpIncoming::from(listener)),
        ));
        limiter
    }

    pub(crate) fn url(&self) -> platform::client::ServiceUrl {
        self.url.parse().unwrap()
    }

    pub(crate) fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// An answer as the limiter makes it.
pub(crate) fn answer(users: u64, at: jiff::Timestamp) -> ActiveUsersResponse {
    ActiveUsersResponse {
        users,
        window: Some(prost_types::Duration { seconds: 300, nanos: 0 }),
        relative_error: 0.008,
        as_of_time: Some(prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }),
    }
}

fn no<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not here"))
}

#[tonic::async_trait]
impl LimitService for Limiter {
    async fn active_users(
        &self,
        _: Request<ActiveUsersRequest>,
    ) -> Result<Response<ActiveUsersResponse>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let says = self.says.lock().unwrap().clone();
        match says {
            Says::Users(users) => Ok(Response::new(answer(users, self.clock.now()))),
            Says::This(answer) => Ok(Response::new(answer)),
            Says::Unknown => {
                Err(Status::unavailable("active users have not been counted for a whole window yet"))
            }
            Says::Nothing => std::future::pending().await,
        }
    }

    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        no()
    }

    async fn report(&self, _: Request<ReportRequest>) -> Result<Response<ReportResponse>, Status> {
        no()
    }

    async fn explain(&self, _: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        no()
    }

    async fn list_rules(&self, _: Request<ListRulesRequest>) -> Result<Response<ListRulesResponse>, Status> {
        no()
    }

    async fn list_penalties(
        &self,
        _: Request<ListPenaltiesRequest>,
    ) -> Result<Response<ListPenaltiesResponse>, Status> {
        no()
    }

    async fn unban(&self, _: Request<UnbanRequest>) -> Result<Response<UnbanResponse>, Status> {
        no()
    }

    async fn get_shadow_report(
        &self,
        _: Request<GetShadowReportRequest>,
    ) -> Result<Response<GetShadowReportResponse>, Status> {
        no()
    }
}
