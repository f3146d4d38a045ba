//! A jobs service of its own for each test, and short ways to talk to it.

use std::{path::PathBuf, time::Duration};

use jobs::{Args, ElectionArgs, MailArgs, ReportArgs};
use local::testing::{TestDatabase, services};
use platform::{
    Clock, Role,
    db::DbArgs,
    redis::RedisArgs,
    testing::{Issuer, Running, page_args, server_args, start},
};
use proto::jobs::v1::{
    self as pb, job_service_client::JobServiceClient, report_service_client::ReportServiceClient,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::{Request, Status, transport::Channel};
use tonic_types::StatusExt as _;
use uuid::Uuid;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service with a database and a mail folder of its own.
pub(crate) struct Office {
    pub(crate) admin: tokio_postgres::Client,
    pub(crate) issuer: Issuer,
    pub(crate) reports: ReportServiceClient<Channel>,
    client: JobServiceClient<Channel>,
    service: Running,
    folder: TempDir,
    database: TestDatabase,
}

pub(crate) async fn connect(database: &TestDatabase) -> tokio_postgres::Client {
    let (client, connection) =
        tokio_postgres::connect(&database.admin_url(), tokio_postgres::NoTls).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "ends with its client")]
    tokio::spawn(async move { drop(connection.await) });
    client
}

/// How mail is sent to `url`.
pub(crate) fn mail_args(url: &str) -> MailArgs {
    MailArgs {
        smtp_url: url.parse().unwrap(),
        mail_from: "sipup <no-reply@sipup.test>".parse().unwrap(),
        smtp_timeout: Duration::from_secs(5),
    }
}

/// How reports are stored where a test doesn't say: in the database.
pub(crate) fn report_args() -> ReportArgs {
    ReportArgs { objects_url: "database:".parse().unwrap(), report_max_bytes: 64 << 20 }
}

impl Office {
    /// A service that writes mail into its folder.
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mail = mail_args(&format!("file://{}", folder.path().display()));
        Self::on(services().await.database().await, mail, folder).await
    }

    /// A service that sends mail as `mail` says.
    pub(crate) async fn sending(mail: MailArgs) -> Self {
        Self::on(services().await.database().await, mail, tempfile::tempdir().unwrap()).await
    }

    /// A service that stores reports as `report` says.
    pub(crate) async fn reporting(report: ReportArgs) -> Self {
        Self::reporting_on(services().await.database().await, report).await
    }

    pub(crate) async fn reporting_on(database: TestDatabase, report: ReportArgs) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mail = mail_args(&format!("file://{}", folder.path().display()));
        Self::with(database, mail, report, folder).await
    }

    pub(crate) async fn on(database: TestDatabase, mail: MailArgs, folder: TempDir) -> Self {
        Self::with(database, mail, report_args(), folder).await
    }

    async fn with(database: TestDatabase, mail: MailArgs, report: ReportArgs, folder: TempDir) -> Self {
        let admin = connect(&database).await;
        let clock = Clock::system();
        let issuer = Issuer::start(clock.clone()).await.unwrap();
        let url = database.url("svc_jobs").parse().unwrap();
        let args = Args {
            server: server_args(),
            database: DbArgs { database_pool_budget: 8, database_pool_warm: 1, ..DbArgs::new(url) },
            redis: RedisArgs::new(Vec::new()),
            auth: issuer.auth_args(),
            page: page_args(),
            mail,
            report,
            election: ElectionArgs::default(),
            job_slots: 4,
        };
        let service = start("jobs", clock, args, jobs::serve).await.unwrap();
        let client = JobServiceClient::connect(service.url()).await.unwrap();
        let reports = ReportServiceClient::connect(service.url()).await.unwrap();
        Self { admin, issuer, reports, client, service, folder, database }
    }

    /// Enqueues as SQL functions of other services do.
    pub(crate) async fn enqueue(
        &self,
        company_id: Option<Uuid>,
        queue: &str,
        kind: &str,
        args: &Value,
    ) -> Uuid {
        let sql = "SELECT jobs.enqueue($1, $2, $3, $4)";
        self.admin.query_one(sql, &[&company_id, &queue, &kind, args]).await.unwrap().get(0)
    }

    /// Enqueues a job that waits for an hour.
    pub(crate) async fn enqueue_for_later(&self, company_id: Uuid) -> Uuid {
        let sql = "SELECT jobs.enqueue($1, 'email', 'email', '{}', p_run_at => now() + interval '1 hour')";
        self.admin.query_one(sql, &[&company_id]).await.unwrap().get(0)
    }

    pub(crate) async fn email(&self, args: &Value) -> Uuid {
        self.enqueue(None, "email", "email", args).await
    }

    /// State, attempt and error of a job.
    pub(crate) async fn look(&self, id: Uuid) -> (String, i16, Option<String>) {
        let sql = "SELECT state, attempt, error FROM jobs.all_jobs WHERE id = $1";
        let row = self.admin.query_one(sql, &[&id]).await.unwrap();
        (row.get(0), row.get(1), row.get(2))
    }

    /// Waits until a job has this state; its attempt and error.
    pub(crate) async fn until_state(&self, id: Uuid, state: &str) -> (i16, Option<String>) {
        until(&format!("job {id} is {state}"), async || self.look(id).await.0 == state).await;
        let (_, attempt, error) = self.look(id).await;
        (attempt, error)
    }

    /// Makes every scheduled job due.
    pub(crate) async fn make_due(&self) {
        self.admin.batch_execute("UPDATE jobs.scheduled SET run_at = now()").await.unwrap();
    }

    /// Where the mail of a job is written.
    pub(crate) fn path(&self, id: Uuid) -> PathBuf {
        self.folder.path().join(format!("{id}.eml"))
    }

    pub(crate) async fn get(&self, token: &str, id: &str) -> Result<pb::Job, Status> {
        let request = Issuer::with_token(pb::GetJobRequest { id: id.to_owned() }, token);
        Ok(self.client.clone().get_job(request).await?.into_inner().job.unwrap())
    }

    pub(crate) async fn list(
        &self,
        token: &str,
        request: pb::ListJobsRequest,
    ) -> Result<pb::ListJobsResponse, Status> {
        let request = Issuer::with_token(request, token);
        Ok(self.client.clone().list_jobs(request).await?.into_inner())
    }

    pub(crate) async fn cancel(&self, token: &str, id: Uuid) -> Result<pb::Job, Status> {
        let request = Issuer::with_token(pb::CancelJobRequest { id: id.to_string() }, token);
        Ok(self.client.clone().cancel_job(request).await?.into_inner().job.unwrap())
    }

    pub(crate) async fn list_without_token(&self) -> Status {
        self.client.clone().list_jobs(Request::new(pb::ListJobsRequest::default())).await.unwrap_err()
    }

    pub(crate) fn token(&self, role: Role, company_id: Uuid) -> String {
        self.issuer.token(role, company_id)
    }

    /// The token of one buyer among several.
    pub(crate) fn token_of(&self, company_id: Uuid, user_id: Uuid) -> String {
        self.issuer.token_for(Role::Buyer, company_id, user_id, Uuid::now_v7())
    }

    pub(crate) async fn stop(self) {
        self.service.stop().await.unwrap();
    }

    /// Another connection as a superuser.
    pub(crate) async fn connection(&self) -> tokio_postgres::Client {
        connect(&self.database).await
    }

    /// Stops the service and keeps its database, for another one.
    pub(crate) async fn close(self) -> TestDatabase {
        self.service.stop().await.unwrap();
        self.database
    }
}

/// The stable reason of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

/// The arguments of an order's confirmation, as the orders service writes them.
pub(crate) fn order_placed(to: &str) -> Value {
    json!({
        "to": to,
        "template": "order_placed",
        "order": {
            "id": "0198c0de-0000-7000-8000-000000000001",
            "company_id": "0198c0de-0000-7000-8000-000000000002",
            "created_at": "2026-01-05T10:07:00.123456Z",
            "currency": "EUR",
            "total_minor": 123_450,
            "purchase_order_number": "PO-7",
            "lines": [{
                "line_number": 1,
                "sku": "BOLT-M8",
                "name": "Hex bolt M8",
                "quantity": 1_000,
                "unit_price_minor": 123,
                "total_minor": 123_000
            }]
        }
    })
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "waited in vain until {what}");
}
