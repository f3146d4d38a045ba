//! The use cases, and their transactions.

pub(crate) mod reports;

use platform::{
    Access, Caller,
    db::Db,
    page::{PageSize, PageTokens},
};
use uuid::Uuid;

use crate::{
    error::Error,
    job::{Filter, Job},
    store::{self, Cancelled},
};

/// Looking at jobs, and calling them off.
#[derive(Clone, Debug)]
pub(crate) struct Jobs {
    db: Db,
    tokens: PageTokens,
}

/// A page of jobs.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) jobs: Vec<Job>,
    /// Asks for the next page; empty on the last.
    pub(crate) next: String,
}

impl Jobs {
    pub(crate) fn new(db: Db, tokens: PageTokens) -> Self {
        Self { db, tokens }
    }

    pub(crate) async fn get_job(&self, access: &Access, id: Uuid) -> Result<Job, Error> {
        self.db
            .read("jobs.get", access, async |ro| {
                store::select_job(ro, id).await?.ok_or(Error::JobNotFound { id })
            })
            .await
    }

    pub(crate) async fn list_jobs(
        &self,
        caller: &Caller,
        access: &Access,
        filter: &Filter,
        size: PageSize,
        token: &str,
    ) -> Result<Page, Error> {
        let caller = caller.user_id.to_string();
        let bound_to =
            ["ListJobs", filter.state().unwrap_or_default(), filter.kind().unwrap_or_default(), &caller];
        let after: Option<Uuid> = self.tokens.open(&bound_to, token)?;
        let mut jobs = self
            .db
            .read("jobs.list", access, async |ro| store::list_jobs(ro, filter, after, size.limit()).await)
            .await?;
        let last = size.cut(&mut jobs).map(|job| job.id);
        Ok(Page { jobs, next: last.map(|last| self.tokens.seal(&bound_to, &last)).unwrap_or_default() })
    }

    pub(crate) async fn cancel_job(&self, access: &Access, id: Uuid) -> Result<Job, Error> {
        self.db
            .tx("jobs.cancel", access, async |tx| match store::cancel_job(tx, id).await? {
                Cancelled::Yes => store::select_job(tx, id).await?.ok_or(Error::JobNotFound { id }),
                Cancelled::TooLate => Err(Error::NotCancellable { id }),
                Cancelled::NotFound => Err(Error::JobNotFound { id }),
            })
            .await
    }
}
