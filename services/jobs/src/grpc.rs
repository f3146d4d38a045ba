//! The contract's calls: parse, one use case, convert.

mod reports;

use platform::{Access, Caller, page::PageSize};
use proto::jobs::v1::{self as pb, job_service_server::JobService};
use tonic::{Request, Response, Status};

pub(crate) use self::reports::ReportsGrpc;
use crate::{convert, error::Error, job::Filter, service::Jobs};

/// How many jobs a page holds where nothing is said.
const JOBS_PAGE: i32 = 50;

/// The jobs behind gRPC.
#[derive(Debug)]
pub(crate) struct Grpc(Jobs);

impl Grpc {
    pub(crate) fn new(jobs: Jobs) -> Self {
        Self(jobs)
    }
}

#[tonic::async_trait]
impl JobService for Grpc {
    async fn get_job(
        &self,
        request: Request<pb::GetJobRequest>,
    ) -> Result<Response<pb::GetJobResponse>, Status> {
        let access = Access::of(&request);
        let id = convert::id(&request.get_ref().id).map_err(Error::from)?;
        let job = self.0.get_job(&access, id).await?;
        Ok(Response::new(pb::GetJobResponse { job: Some(job.into()) }))
    }

    async fn list_jobs(
        &self,
        request: Request<pb::ListJobsRequest>,
    ) -> Result<Response<pb::ListJobsResponse>, Status> {
        let (caller, access) = (Caller::of(&request)?, Access::of(&request));
        let request = request.get_ref();
        let filter = Filter::try_from(request).map_err(Error::from)?;
        let size = PageSize::parse(request.page_size, JOBS_PAGE).map_err(Error::from)?;
        let page = self.0.list_jobs(&caller, &access, &filter, size, &request.page_token).await?;
        Ok(Response::new(pb::ListJobsResponse {
            jobs: page.jobs.into_iter().map(Into::into).collect(),
            next_page_token: page.next,
        }))
    }

    async fn cancel_job(
        &self,
        request: Request<pb::CancelJobRequest>,
    ) -> Result<Response<pb::CancelJobResponse>, Status> {
        let access = Access::of(&request);
        let id = convert::id(&request.get_ref().id).map_err(Error::from)?;
        let job = self.0.cancel_job(&access, id).await?;
        Ok(Response::new(pb::CancelJobResponse { job: Some(job.into()) }))
    }
}
