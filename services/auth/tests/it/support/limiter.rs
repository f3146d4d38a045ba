//! A limiter that says what a test wants, and keeps what it was asked.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use platform::{
    Allow, Clock, Permissions, Rpc,
    client::ServiceUrl,
    testing::{Running, server_args, start},
};
use proto::ratelimit::v1::{
    ActiveUsersRequest, ActiveUsersResponse, CheckRequest, CheckResponse, ExplainRequest, ExplainResponse,
    GetShadowReportRequest, GetShadowReportResponse, LimitStatus, ListPenaltiesRequest,
    ListPenaltiesResponse, ListRulesRequest, ListRulesResponse, ReportRequest, ReportResponse, UnbanRequest,
    UnbanResponse,
    limit_service_server::{LimitService, LimitServiceServer},
};
use tonic::{Request, Response, Status};

const PERMISSIONS: Permissions = Permissions::new(
    "sipup.ratelimit.v1.LimitService",
    &[("Check", Allow::Anyone), ("Report", Allow::Anyone)],
);

/// What it answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    Allow,
    Deny(Duration),
    Silence,
}

/// A running one.
pub(crate) struct Limiter {
    stub: Stub,
    running: Running,
}

#[derive(Clone)]
struct Stub(Arc<Mutex<State>>);

struct State {
    verdict: Verdict,
    checks: Vec<CheckRequest>,
    reports: Vec<ReportRequest>,
    tickets: u8,
    fails_reports: bool,
}

impl Limiter {
    pub(crate) async fn start() -> Self {
        let stub = Stub(Arc::new(Mutex::new(State {
            verdict: Verdict::Allow,
            checks: Vec::new(),
            reports: Vec::new(),
            tickets: 0,
            fails_reports: false,
        })));
        let server = LimitServiceServer::new(stub.clone());
        let serve = async |args, context: platform::Context| {
            context.serve(&args, Rpc::internal(proto::DESCRIPTORS).add(PERMISSIONS, server)).await
        };
        let running = start("ratelimit", Clock::system(), server_args(), serve).await.unwrap();
        Self { stub, running }
    }

    pub(crate) fn url(&self) -> ServiceUrl {
        self.running.url().parse().unwrap()
    }

    pub(crate) fn say(&self, verdict: Verdict) {
        self.stub.0.lock().unwrap().verdict = verdict;
    }

    pub(crate) fn fail_reports(&self) {
        self.stub.0.lock().unwrap().fails_reports = true;
    }

    /// What it was asked since the last time.
    pub(crate) fn take_checks(&self) -> Vec<CheckRequest> {
        std::mem::take(&mut self.stub.0.lock().unwrap().checks)
    }

    /// What it was told.
    pub(crate) fn reports(&self) -> Vec<ReportRequest> {
        self.stub.0.lock().unwrap().reports.clone()
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
    }
}

#[tonic::async_trait]
impl LimitService for Stub {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let (verdict, ticket) = {
            let mut state = self.0.lock().unwrap();
            state.checks.push(request.into_inner());
            state.tickets += 1;
            (state.verdict, vec![state.tickets])
        };
        let answer = match verdict {
            Verdict::Allow => CheckResponse { allowed: true, limit: None, ticket },
            Verdict::Deny(wait) => {
                let retry_after = Some(prost_types::Duration::try_from(wait).unwrap());
                let limit = LimitStatus { retry_after, denied: true, ..LimitStatus::default() };
                CheckResponse { allowed: false, limit: Some(limit), ticket: Vec::new() }
            }
            Verdict::Silence => std::future::pending().await,
        };
        Ok(Response::new(answer))
    }

    async fn report(&self, request: Request<ReportRequest>) -> Result<Response<ReportResponse>, Status> {
        let mut state = self.0.lock().unwrap();
        state.reports.push(request.into_inner());
        if state.fails_reports {
            Err(Status::unavailable("for a test"))
        } else {
            Ok(Response::new(ReportResponse {}))
        }
    }

    async fn explain(&self, _: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_rules(&self, _: Request<ListRulesRequest>) -> Result<Response<ListRulesResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_penalties(
        &self,
        _: Request<ListPenaltiesRequest>,
    ) -> Result<Response<ListPenaltiesResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn unban(&self, _: Request<UnbanRequest>) -> Result<Response<UnbanResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_shadow_report(
        &self,
        _: Request<GetShadowReportRequest>,
    ) -> Result<Response<GetShadowReportResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn active_users(
        &self,
        _: Request<ActiveUsersRequest>,
    ) -> Result<Response<ActiveUsersResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}
