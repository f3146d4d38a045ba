//! The transaction behind `CreateOrder`, called by pgbench over nothing but the database's own protocol. It logs in as the owner, who has
//! no limit of connections, and takes the service's role for each transaction.

use std::{fmt, io::Write as _, path::PathBuf, process::Stdio};

use anyhow::Context as _;
use local::StackInfo;
use tokio::process::Command;
use uuid::Uuid;

/// What pgbench measured.
pub(crate) struct Bare {
    /// Transactions per second.
    pub(crate) rate: f64,
    latency: f64,
}

impl fmt::Display for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<42}{:>9.0}{:>9}   mean {:.2} ms",
            "the same transaction by pgbench", self.rate, "", self.latency
        )
    }
}

/// The script: three products of a numbered list, and one call of the function.
const SCRIPT: &str = "\
\\set a random(1, :count)
\\set b random(1, :count)
\\set c random(1, :count)
BEGIN \\;
SET LOCAL ROLE svc_orders \\;
SELECT set_config('sipup.company_id', :company, true) \\;
SELECT o.outcome
  FROM (SELECT array_agg(id) AS ids, array_agg(sku) AS skus, array_agg(name) AS names, array_agg(price) AS prices
          FROM bench.products WHERE n IN (:a, :b, :c)) AS p,
       orders.create_order(uuidv7(), :company::uuid, :company::uuid, 'CreateOrder', uuidv4()::text,
                           sha256('body'), sha256('response'), 'EUR', '', '', p.ids, p.skus, p.names,
                           array_fill(1, ARRAY[cardinality(p.ids)]), p.prices,
                           '{\"queue\": \"bench\", \"kind\": \"bench\", \"args\": {}}', now()) AS o \\;
COMMIT;
";

/// Runs the transaction with `clients` connections for `seconds`, then takes away what it needed.
pub(crate) async fn create_order(info: &StackInfo, clients: usize, seconds: u64) -> anyhow::Result<Bare> {
    let (admin, connection) = tokio_postgres::connect(&info.postgres_url, tokio_postgres::NoTls).await?;
    #[expect(clippy::disallowed_methods, reason = "ends with the client")]
    tokio::spawn(connection);
    admin.batch_execute(PREPARE).await.context("make the list of products")?;
    let count: i64 = admin.query_one("SELECT count(*) FROM bench.products", &[]).await?.get(0);
    let outcome = run(info, clients, seconds, count).await;
    admin.batch_execute("DROP SCHEMA bench CASCADE; DELETE FROM jobs.ready WHERE kind = 'bench'").await?;
    outcome
}

/// pgbench as it lies beside the server that runs.
fn program(info: &StackInfo) -> anyhow::Result<PathBuf> {
    let pid = info.pids.get("postgres-primary").context("the stack has no Postgres of its own")?;
    Ok(std::fs::read_link(format!("/proc/{pid}/exe"))?.with_file_name("pgbench"))
}

const PREPARE: &str = "
    DROP SCHEMA IF EXISTS bench CASCADE;
    CREATE SCHEMA bench;
    CREATE TABLE bench.products AS
        SELECT row_number() OVER (ORDER BY sku) AS n, id, sku, name, price_minor AS price FROM catalog.products ORDER BY sku LIMIT 1000;
    ALTER TABLE bench.products ADD PRIMARY KEY (n);
    ANALYZE bench.products;
    GRANT USAGE ON SCHEMA bench TO svc_orders;
    GRANT SELECT ON bench.products TO svc_orders;";

async fn run(info: &StackInfo, clients: usize, seconds: u64, count: i64) -> anyhow::Result<Bare> {
    let mut script = tempfile::NamedTempFile::new()?;
    script.write_all(SCRIPT.as_bytes())?;
    let config: tokio_postgres::Config = info.postgres_url.parse()?;
    let port = config.get_ports().first().context("the database has a port")?.to_string();
    let user = config.get_user().context("the URL names a role")?;
    let password =
        String::from_utf8_lossy(config.get_password().context("the role has a password")?).into_owned();
    let output = Command::new(program(info)?)
        .args(["-n", "-h", "127.0.0.1", "-p", &port, "-U", user, "-c", &clients.to_string(), "-j", "2"])
        .args(["-T", &seconds.to_string(), "-D", &format!("company='{}'", Uuid::now_v7())])
        .args(["-D", &format!("count={count}")])
        .arg("-f")
        .arg(script.path())
        .arg(config.get_dbname().unwrap_or("sipup"))
        .env("PGPASSWORD", password)
        .stdin(Stdio::null())
        .output()
        .await
        .context("run pgbench")?;
    let said = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    let after = |label: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(label));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
            .with_context(|| format!("no {label}"))
    };
    Ok(Bare { rate: after("tps = ")?, latency: after("latency average = ")? })
}
