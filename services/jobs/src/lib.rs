#![doc = include_str!("../README.md")]

mod convert;
mod election;
mod error;
mod grpc;
mod housekeeping;
mod job;
pub mod kinds;
mod objects;
mod permissions;
mod report;
mod service;
mod store;

use platform::{
    AuthArgs, Context, Rpc, ServerArgs,
    db::DbArgs,
    page::{PageArgs, PageTokens},
    redis::RedisArgs,
};
use proto::jobs::v1::{job_service_server::JobServiceServer, report_service_server::ReportServiceServer};
use queue::WorkerOptions;
use tonic::codec::CompressionEncoding::Gzip;

pub use self::{
    election::ElectionArgs,
    error::Error,
    kinds::{email::MailArgs, report::ReportArgs},
    objects::{InvalidObjectsUrl, ObjectsUrl},
};
use self::{
    grpc::{Grpc, ReportsGrpc},
    kinds::email::Emails,
    objects::Objects,
    service::{Jobs, reports::Reports},
};

/// Flags of `sipup serve jobs`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Where it listens, and how it stops.
    #[command(flatten)]
    pub server: ServerArgs,
    /// The database.
    #[command(flatten)]
    pub database: DbArgs,
    /// Redis.
    #[command(flatten)]
    pub redis: RedisArgs,
    /// Who is believed.
    #[command(flatten)]
    pub auth: AuthArgs,
    /// Pages of lists.
    #[command(flatten)]
    pub page: PageArgs,
    /// How mail is sent.
    #[command(flatten)]
    pub mail: MailArgs,
    /// How reports are made and stored.
    #[command(flatten)]
    pub report: ReportArgs,

    /// Which process does what only one needs to do.
    #[command(flatten)]
    pub election: ElectionArgs,

    /// Jobs of one queue that run at the same time in this process.
    #[arg(long, env = "SIPUP_JOB_SLOTS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub job_slots: u16,
}

/// Serves the API and works through the queues until it is told to stop; then running jobs end or are handed back.
///
/// # Errors
///
/// What keeps it from starting, or made it end by itself.
pub async fn serve(args: Args, mut ctx: Context) -> anyhow::Result<()> {
    let tokens = PageTokens::new(&args.page)?;
    let emails = Emails::new(&args.mail)?;
    let election = args.election.start(&args.database, &ctx.clock).await?;
    let redis = ctx.redis(&args.redis).await?;
    let db = ctx.db(&args.database, redis).await?;
    let verifier = ctx.verifier(&args.auth, &db);
    let objects = Objects::new(&args.report.objects_url, &db)?;
    let options = WorkerOptions {
        slots: usize::from(args.job_slots),
        drain_timeout: args.server.drain_timeout,
        ..WorkerOptions::default()
    };
    let makes = kinds::report::Reports::new(db.clone(), objects.clone(), ctx.clock.clone(), &args.report);
    let workers = queue::start(&ctx, &db, kinds::registry(emails, makes), options);
    housekeeping::schedule(&db, &objects).start(&ctx, election);
    let reports = Reports::new(db.clone(), ctx.clock.clone(), tokens.clone(), objects);
    let jobs = JobServiceServer::new(Grpc::new(Jobs::new(db, tokens)))
        .max_decoding_message_size(args.server.max_request_bytes)
        .accept_compressed(Gzip)
        .send_compressed(Gzip);
    let reports = ReportServiceServer::new(ReportsGrpc::new(reports))
        .max_decoding_message_size(args.server.max_request_bytes)
        .accept_compressed(Gzip)
        .send_compressed(Gzip);
    let rpc = Rpc::new(verifier, proto::DESCRIPTORS)
        .add(permissions::JOBS, jobs)
        .add(permissions::REPORTS, reports);
    ctx.serve(&args.server, rpc).await?;
    Ok(workers.stopped().await?)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        args: super::Args,
    }

    const NEEDED: [&str; 6] = [
        "jobs",
        "--database-url=postgres://svc_jobs@127.0.0.1/sipup",
        "--page-token-key=0123456789abcdef0123456789abcdef",
        "--jwks-url=http://127.0.0.1/jwks.json",
        "--token-issuer=https://sipup.test",
        "--smtp-url=smtp://me:hunter2@mail.example:587?tls=required",
    ];

    #[test]
    fn the_flags_are_read_and_print_without_secrets() {
        let args = Program::try_parse_from(NEEDED).unwrap().args;
        assert_eq!(args.mail.mail_from.to_string(), "sipup <no-reply@sipup.local>");
        let printed = format!("{args:?}");
        assert!(printed.contains("mail.example") && !printed.contains("hunter2"), "{printed}");
    }

    #[test]
    fn a_flag_that_can_not_be_right_is_refused_by_name() {
        for flag in [
            "--smtp-url=http://mail.example",
            "--mail-from=nobody",
            "--job-slots=0",
            "--smtp-timeout=soon",
            "--objects-url=/srv/reports",
            "--report-max-bytes=0",
        ] {
            let given = NEEDED
                .iter()
                .filter(|needed| !flag.starts_with("--smtp-url") || !needed.starts_with("--smtp-url"));
            let error = Program::try_parse_from(given.copied().chain([flag])).unwrap_err().to_string();
            assert!(error.contains(flag.split('=').next().unwrap()), "{error}");
        }
    }
}
