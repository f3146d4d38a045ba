//! The services' side: `LimitService`.

use platform::Invalid;
use proto::ratelimit::v1::{
    ActiveUsersRequest, ActiveUsersResponse, CheckRequest, CheckResponse, ExplainRequest, ExplainResponse,
    GetShadowReportRequest, GetShadowReportResponse, ListPenaltiesRequest, ListPenaltiesResponse,
    ListRulesRequest, ListRulesResponse, ReportOutcome, ReportRequest, ReportResponse, UnbanRequest,
    UnbanResponse, limit_service_server::LimitService,
};
use tonic::{Request, Response, Status};

use crate::{
    active::ActiveUsers,
    convert,
    error::Error,
    limiter::{self, Limiter, deciding},
    penalties::Penalties,
    pulse::Pulse,
    store::Mode,
    ticket::Ticket,
};

/// Answers services and operators. What only Redis knows is refused where there is none.
#[derive(Clone, Debug)]
pub struct Grpc {
    /// Decides.
    pub limiter: Limiter,
    /// Who is blocked.
    pub penalties: Penalties,
    /// Shadow counts of all pods.
    pub pulse: Option<Pulse>,
    /// The count of users.
    pub active: Option<ActiveUsers>,
}

#[tonic::async_trait]
impl LimitService for Grpc {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let request = convert::request(request.get_ref()).map_err(Error::from)?;
        let decision = self.limiter.decide(&[request], Mode::Count).await;
        Ok(Response::new(CheckResponse {
            allowed: decision.allowed,
            limit: deciding(decision.limits.iter().flatten()).map(convert::limit),
            ticket: decision.ticket.seal(),
        }))
    }

    async fn report(&self, request: Request<ReportRequest>) -> Result<Response<ReportResponse>, Status> {
        let request = request.into_inner();
        let ticket = Ticket::open(&request.ticket)
            .ok_or_else(|| Error::from(Invalid::new("ticket", "must be one that `Check` gave")))?;
        match request.outcome() {
            ReportOutcome::Success => self.limiter.succeeded(ticket).await,
            ReportOutcome::Failure => {}
            ReportOutcome::Unspecified => {
                return Err(Error::from(Invalid::new("outcome", "must be success or failure")).into());
            }
        }
        Ok(Response::new(ReportResponse {}))
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        let facts = convert::facts(&request.get_ref().facts).map_err(Error::from)?;
        let asked = limiter::Request { facts, cost: request.get_ref().cost.max(1) };
        let decision = self.limiter.decide(&[asked], Mode::Peek).await;
        let limits = decision.limits.iter().flatten().map(convert::limit).collect();
        Ok(Response::new(ExplainResponse { allowed: decision.allowed, limits }))
    }

    async fn list_rules(&self, _: Request<ListRulesRequest>) -> Result<Response<ListRulesResponse>, Status> {
        let loaded = self.limiter.rules().loaded();
        Ok(Response::new(ListRulesResponse {
            rules: loaded.rules.iter().map(|rule| convert::rule(rule)).collect(),
            load_time: Some(convert::timestamp(loaded.at)),
            problem: loaded.problem.clone().unwrap_or_default(),
        }))
    }

    async fn list_penalties(
        &self,
        _: Request<ListPenaltiesRequest>,
    ) -> Result<Response<ListPenaltiesResponse>, Status> {
        let listed = self.penalties.list().await.map_err(Error::from)?;
        Ok(Response::new(ListPenaltiesResponse {
            penalties: listed.into_iter().map(convert::penalty).collect(),
        }))
    }

    async fn unban(&self, request: Request<UnbanRequest>) -> Result<Response<UnbanResponse>, Status> {
        let given = &request.get_ref().facts;
        let facts = convert::facts(given).map_err(Error::from)?;
        let mut per: Vec<String> = given.keys().cloned().collect();
        per.sort();
        let principal = facts.principal(&per).ok_or_else(|| {
            Error::from(Invalid::new("facts", "must have the names that rules use, and values"))
        })?;
        let found = self.penalties.unban(&principal).await.map_err(Error::from)?;
        self.limiter.unbanned(&principal);
        Ok(Response::new(UnbanResponse { found }))
    }

    async fn get_shadow_report(
        &self,
        _: Request<GetShadowReportRequest>,
    ) -> Result<Response<GetShadowReportResponse>, Status> {
        let pulse = self.pulse.as_ref().ok_or(Error::Away)?;
        // With what this pod tallied since its last pulse.
        pulse.beat().await.map_err(Error::from)?;
        let report = pulse.shadow_report().await.map_err(Error::from)?;
        Ok(Response::new(GetShadowReportResponse {
            rules: report.into_iter().map(convert::shadowed).collect(),
        }))
    }

    async fn active_users(
        &self,
        _: Request<ActiveUsersRequest>,
    ) -> Result<Response<ActiveUsersResponse>, Status> {
        let active = self.active.as_ref().ok_or(Error::Away)?;
        Ok(Response::new(convert::active(active.count().await?)))
    }
}
