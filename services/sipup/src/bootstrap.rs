//! `sipup bootstrap`: the first user of the seller's staff. Without one nobody may add products, and nobody could add the first one
//! through the API.

use anyhow::{Context as _, bail};
use auth::{
    name::Name,
    user::{Email, Password},
};
use platform::{
    Clock, Secret,
    db::{ConnectArgs, OneConnection},
};
use tokio_postgres::Client;
use uuid::Uuid;

const LOCK: &str = include_str!("../queries/lock_bootstrap.sql");
const ROLE: &str = include_str!("../queries/select_user_role.sql");
const COMPANY_OF_SELLERS: &str = include_str!("../queries/select_seller_company.sql");
const ADD_COMPANY: &str = include_str!("../queries/insert_operator_company.sql");
const ADD_USER: &str = include_str!("../queries/insert_operator.sql");

/// The role of whoever runs the platform.
const SELLER: &str = "seller";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database, as the role that `migrate` uses.
    #[command(flatten)]
    database: ConnectArgs,

    /// The address that the user logs in with.
    #[arg(long, env = "SIPUP_OPERATOR_EMAIL")]
    email: String,

    /// The password: 10 to 200 characters. It is set when the user is added, and never changed here.
    #[arg(long, env = "SIPUP_OPERATOR_PASSWORD", hide_env_values = true)]
    password: Secret,

    /// What the user is called.
    #[arg(long, env = "SIPUP_OPERATOR_NAME", default_value = "Operator")]
    name: String,

    /// What the seller's company is called, if there is none yet.
    #[arg(long, env = "SIPUP_OPERATOR_COMPANY", default_value = "Seller")]
    company: String,
}

/// The user to be.
struct Operator {
    email: Email,
    password: Secret,
    name: Name,
    company: Name,
}

/// What became of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Added,
    Kept,
}

impl Args {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let operator = self.operator()?;
        let connection = OneConnection::open(&self.database, "sipup bootstrap")
            .await
            .context("connect to the database")?;
        let outcome = operator.bootstrap(connection.client(), &Clock::system()).await?;
        #[expect(clippy::print_stdout, reason = "a command speaks to whoever called it")]
        {
            println!(
                "{} {}",
                operator.email.address(),
                if outcome == Outcome::Added { "added" } else { "kept" }
            );
        }
        Ok(())
    }

    fn operator(&self) -> anyhow::Result<Operator> {
        Password::choose(self.password.expose().to_owned()).context("read --password")?;
        Ok(Operator {
            email: Email::parse(&self.email).context("read --email")?,
            password: self.password.clone(),
            name: Name::parse("name", &self.name).context("read --name")?,
            company: Name::parse("company", &self.company).context("read --company")?,
        })
    }
}

impl Operator {
    /// Adds the user unless it is there. A connection that is dropped half-way leaves nothing behind.
    async fn bootstrap(&self, client: &Client, clock: &Clock) -> anyhow::Result<Outcome> {
        let hash = auth::hash_password(self.password.expose()).await?;
        client.batch_execute("BEGIN; SET LOCAL ROLE auth_owner").await?;
        client.execute(LOCK, &[]).await?;
        if let Some(row) = client.query_opt(ROLE, &[&self.email.key()]).await? {
            client.batch_execute("ROLLBACK").await?;
            return match row.get(0) {
                SELLER => Ok(Outcome::Kept),
                // Somebody registered with the address; to give them the platform would be a way to take it over.
                other => {
                    bail!("{} exists with the role {other}: choose another address", self.email.address())
                }
            };
        }
        let company = self.company(client, clock).await?;
        let (id, email) = (clock.uuid_v7(), &self.email);
        client
            .execute(ADD_USER, &[&id, &company, &email.address(), &email.key(), &hash, &self.name.as_str()])
            .await
            .context("add the user")?;
        client.batch_execute("COMMIT").await?;
        Ok(Outcome::Added)
    }

    /// The company of the seller's staff, added where there is nobody of it yet.
    async fn company(&self, client: &Client, clock: &Clock) -> anyhow::Result<Uuid> {
        if let Some(row) = client.query_opt(COMPANY_OF_SELLERS, &[]).await? {
            return Ok(row.get(0));
        }
        let id = clock.uuid_v7();
        client
            .execute(ADD_COMPANY, &[&id, &self.company.as_str()])
            .await
            .context("add the seller's company")?;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use local::testing::{TestDatabase, services};

    use super::*;

    #[derive(Debug, clap::Parser)]
    #[command(args_override_self = true)]
    struct Program {
        #[command(flatten)]
        args: Args,
    }

    fn args(more: &[&str]) -> Args {
        let given = [
            "bootstrap",
            "--database-url=postgres://postgres:hunter2@127.0.0.1/sipup",
            "--email=Operator@Example.com",
            "--password=correct horse battery",
        ];
        Program::try_parse_from(given.iter().chain(more)).unwrap().args
    }

    async fn connect(database: &TestDatabase) -> Client {
        let (client, connection) =
            tokio_postgres::connect(&database.admin_url(), tokio_postgres::NoTls).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "ends with its client")]
        tokio::spawn(async move { drop(connection.await) });
        client
    }

    async fn users(client: &Client) -> Vec<(String, String, String)> {
        let sql = "SELECT u.email, u.role, c.name FROM auth.users u JOIN auth.companies c ON c.id = u.company_id ORDER BY u.id";
        let rows = client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    }

    fn user(email: &str, company: &str) -> (String, String, String) {
        (email.to_owned(), SELLER.to_owned(), company.to_owned())
    }

    #[tokio::test]
    async fn the_first_user_is_added_once_and_keeps_its_password() {
        let database = services().await.database().await;
        let (client, clock) = (connect(&database).await, Clock::system());
        let operator = args(&[]).operator().unwrap();
        assert_eq!(operator.bootstrap(&client, &clock).await.unwrap(), Outcome::Added);
        let hash = "SELECT password_hash FROM auth.users";
        let before: String = client.query_one(hash, &[]).await.unwrap().get(0);
        let again = args(&["--email=operator@example.COM", "--password=another password"]).operator();
        assert_eq!(again.unwrap().bootstrap(&client, &clock).await.unwrap(), Outcome::Kept);
        assert_eq!(users(&client).await, [user("Operator@Example.com", "Seller")]);
        assert_eq!(client.query_one(hash, &[]).await.unwrap().get::<_, String>(0), before);
    }

    #[tokio::test]
    async fn a_second_one_joins_the_company_of_the_first() {
        let database = services().await.database().await;
        let (client, clock) = (connect(&database).await, Clock::system());
        args(&["--company=Schrauben AG"]).operator().unwrap().bootstrap(&client, &clock).await.unwrap();
        let other = args(&["--email=second@example.com", "--company=Ignored"]).operator().unwrap();
        assert_eq!(other.bootstrap(&client, &clock).await.unwrap(), Outcome::Added);
        let expected =
            [user("Operator@Example.com", "Schrauben AG"), user("second@example.com", "Schrauben AG")];
        assert_eq!(users(&client).await, expected);
    }

    #[tokio::test]
    async fn of_many_at_once_one_adds_the_user() {
        let database = services().await.database().await;
        let operator = args(&[]).operator().unwrap();
        let outcomes = futures::future::join_all((0..4).map(async |_| {
            let client = connect(&database).await;
            operator.bootstrap(&client, &Clock::system()).await.unwrap()
        }))
        .await;
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Added).count(), 1);
        assert_eq!(users(&connect(&database).await).await.len(), 1);
    }

    #[tokio::test]
    async fn an_address_that_a_customer_registered_with_is_refused() {
        let database = services().await.database().await;
        let (client, clock) = (connect(&database).await, Clock::system());
        let operator = args(&[]).operator().unwrap();
        operator.bootstrap(&client, &clock).await.unwrap();
        client.batch_execute("UPDATE auth.users SET role = 'company_admin'").await.unwrap();
        let error = operator.bootstrap(&client, &clock).await.unwrap_err().to_string();
        assert!(error.contains("company_admin"), "{error}");
    }

    #[test]
    fn what_can_not_be_is_refused_by_flag() {
        for (flag, named) in
            [("--email=nobody", "--email"), ("--password=short", "--password"), ("--name=", "--name")]
        {
            let mut given = args(&[]);
            match named {
                "--email" => given.email = flag.split_once('=').unwrap().1.to_owned(),
                "--password" => given.password = Secret::new("short"),
                _ => given.name = String::new(),
            }
            let error = format!("{:#}", given.operator().err().unwrap());
            assert!(error.contains(named) && !error.contains("short"), "{error}");
        }
    }
}
