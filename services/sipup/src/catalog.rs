//! `sipup catalog`: works on the catalogue of a running platform, through its public API.

mod progress;
mod remote;
mod report;

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::Context as _;
use catalog::import::{
    self, Format,
    upload::{Event, Options, Totals, Upload},
};
use clap::{Args, Subcommand, ValueEnum};
use platform::Secret;
use proto::catalog::v1::ConflictPolicy;
use tokio::sync::mpsc;

use self::{
    progress::{Counted, Progress},
    remote::{Login, Remote},
    report::Report,
};

/// The exit code when some rows were refused and all others were taken.
const SOME_REFUSED: u8 = 2;
/// Bytes read from the file at once.
const READ_AT_ONCE: usize = 256 << 10;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Put the products of a file into the catalogue.
    ///
    /// Categories that don't exist are added. A row that is refused is told on standard error with its line, and stops no other.
    /// Exit code: 0 if every row was taken, 2 if some were refused, 1 if the import failed; what was taken by then stays, and the
    /// import can be run again.
    Import(Box<Import>),
}

#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The file; `-` for standard input. Read row by row, whatever its size.
    file: PathBuf,

    /// What the file is: CSV with a header, JSON lines, or what `apt-cache dumpavail` prints.
    #[arg(long, value_enum)]
    format: FileFormat,

    /// Where the platform is.
    #[arg(long, env = "SIPUP_URL", default_value = "http://127.0.0.1:18000")]
    url: http::Uri,

    /// PEM file of the authorities that may have signed the certificate of an `https` URL.
    #[arg(long, env = "SIPUP_CA_FILE")]
    ca_file: Option<PathBuf>,

    /// An access token of the seller's staff.
    #[arg(long, env = "SIPUP_TOKEN", hide_env_values = true, conflicts_with_all = ["email", "password"])]
    token: Option<Secret>,

    /// Log in as this user of the seller's staff; also again, when the token expires on the way.
    #[arg(long, env = "SIPUP_EMAIL", requires = "password", required_unless_present = "token")]
    email: Option<String>,

    /// The user's password.
    #[arg(long, env = "SIPUP_PASSWORD", hide_env_values = true, requires = "email")]
    password: Option<Secret>,

    /// Rows sent in one call: 1 to 5,000.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    batch: u16,

    /// Calls in flight at once: 1 to 64.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    in_flight: u16,

    /// What becomes of rows whose SKU exists. Of rows with the same SKU in one file, the later is put later.
    #[arg(long, value_enum, default_value = "update")]
    conflict: Conflict,

    /// Also write each refused row to this file, a JSON object on a line: line, field, problem.
    #[arg(long)]
    report: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FileFormat {
    Csv,
    Jsonl,
    DebianIndex,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Conflict {
    /// The product gets the values of the row.
    Update,
    /// The product stays as it is.
    Skip,
    /// The row is refused.
    Reject,
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Import(import) => import.run().await,
        }
    }
}

impl Import {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let (file, size) = open(&self.file).with_context(|| format!("open {}", self.file.display()))?;
        let mut report = Report::create(self.report.as_deref())?;
        let remote = Remote::connect(&self.url, self.ca_file.as_deref(), self.login()?).await?;
        let begun = Instant::now();
        let (file, read) = Counted::new(file);
        let progress = Progress::start(size, read);
        let rows = read_beside(self.format.into(), BufReader::with_capacity(READ_AT_ONCE, file));

        let mut upload = Upload::new(&remote, self.options(), |event| match event {
            Event::Refused(bad) => progress.aside(|| report.refused(bad)),
            Event::Progress(totals) => progress.show(totals),
        });
        let outcome = upload.run(rows).await;
        let totals = upload.totals();
        drop(upload);
        progress.end();
        report.finish()?;
        say(&summary(totals, begun));
        outcome.context("the import did not get to the end of the file")?;
        Ok(if totals.refused == 0 { ExitCode::SUCCESS } else { SOME_REFUSED.into() })
    }

    fn login(&self) -> anyhow::Result<Login> {
        match (&self.token, &self.email, &self.password) {
            (Some(token), ..) => Ok(Login::Token(token.clone())),
            (None, Some(email), Some(password)) => {
                Ok(Login::Password { email: email.clone(), password: password.clone() })
            }
            // Flags are checked before: only an odd mix of flags and environment comes here.
            _ => anyhow::bail!("give --token, or --email and --password"),
        }
    }

    fn options(&self) -> Options {
        Options {
            batch: usize::from(self.batch),
            in_flight: usize::from(self.in_flight),
            policy: self.conflict.into(),
            run: uuid::Uuid::now_v7().simple().to_string(),
        }
    }
}

impl From<FileFormat> for Format {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Csv => Self::Csv,
            FileFormat::Jsonl => Self::Jsonl,
            FileFormat::DebianIndex => Self::DebianIndex,
        }
    }
}

impl From<Conflict> for ConflictPolicy {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::Update => Self::Update,
            Conflict::Skip => Self::Skip,
            Conflict::Reject => Self::Reject,
        }
    }
}

/// The file and its size, if it has one.
fn open(path: &Path) -> io::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(path)?;
    let about = file.metadata()?;
    Ok((Box::new(file), about.is_file().then_some(about.len())))
}

/// Reads rows on a thread of its own, no further ahead than a few thousand. The thread is left behind if the import fails: it may be
/// waiting for a terminal.
fn read_beside(format: Format, file: impl io::BufRead + Send + 'static) -> mpsc::Receiver<import::Item> {
    let (sender, receiver) = mpsc::channel(2_000);
    std::thread::spawn(move || {
        for item in import::rows(format, file) {
            if sender.blocking_send(item).is_err() {
                return;
            }
        }
    });
    receiver
}

fn summary(totals: Totals, begun: Instant) -> String {
    let Totals { created, updated, unchanged, refused } = totals;
    let elapsed = begun.elapsed();
    let rate = totals.rows() * 1_000 / u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    format!(
        "{} rows in {:.1} s ({rate} rows/s): {created} added, {updated} changed, {unchanged} left alone, {refused} refused",
        totals.rows(),
        elapsed.as_secs_f64(),
    )
}

#[expect(clippy::print_stdout, reason = "a command speaks to whoever called it")]
fn say(text: &str) {
    println!("{text}");
}
