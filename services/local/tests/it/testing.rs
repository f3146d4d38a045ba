//! The data services that tests share.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use anyhow::Context;
use local::testing::{ROLES, Template, services};
use tokio_postgres::{Client, NoTls};

async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("connect")?;
    #[expect(clippy::disallowed_methods, reason = "ends with the client")]
    tokio::spawn(connection);
    Ok(client)
}

#[tokio::test]
async fn a_database_is_cloned_from_a_template_that_is_prepared_once() -> anyhow::Result<()> {
    let services = services().await;
    let template = Template { key: "of_the_clone_test".into() };
    let prepare = |url: String, _| async move {
        let client = connect(&url).await?;
        client.batch_execute("CREATE TABLE marks (made timestamptz DEFAULT now())").await?;
        client.batch_execute("INSERT INTO marks DEFAULT VALUES").await?;
        anyhow::Ok(())
    };
    let one = services.database_from(&template, prepare).await;
    let two = services.database_from(&template, prepare).await;
    assert_ne!(one.name(), two.name());
    let mut marks = Vec::new();
    for database in [&one, &two] {
        let client = connect(&database.admin_url()).await?;
        marks.push(client.query_one("SELECT made::text FROM marks", &[]).await?.get::<_, String>(0));
    }
    assert_eq!(marks[0], marks[1], "both come from one preparation");
    Ok(())
}

#[tokio::test]
async fn a_database_goes_with_its_value() -> anyhow::Result<()> {
    let services = services().await;
    let template = Template { key: "of_the_drop_test".into() };
    let prepare = |_, _| async { Ok::<_, Infallible>(()) };
    let database = services.database_from(&template, prepare).await;
    let name = database.name().to_owned();
    let admin = connect(&services.admin_url("postgres")).await?;
    let exists = async || -> anyhow::Result<bool> {
        let sql = "SELECT count(*) > 0 FROM pg_database WHERE datname = $1";
        Ok(admin.query_one(sql, &[&name]).await?.get(0))
    };
    assert!(exists().await?);
    drop(database);
    let end = Instant::now() + Duration::from_secs(30);
    while exists().await? {
        assert!(Instant::now() < end, "the database is still there");
    }
    Ok(())
}

#[tokio::test]
async fn a_migrated_database_lets_each_role_in_with_its_password() -> anyhow::Result<()> {
    let database = services().await.database().await;
    for role in ROLES {
        let client = connect(&database.url(role)).await.context(role)?;
        let user: String = client.query_one("SELECT current_user::text", &[]).await?.get(0);
        assert_eq!(user, role);
    }
    let admin = connect(&database.admin_url()).await?;
    let public = "SELECT has_database_privilege('svc_catalog_system', current_database(), 'CONNECT')";
    assert!(!admin.query_one(public, &[]).await?.get::<_, bool>(0), "the rights are those of the template");
    Ok(())
}

#[tokio::test]
async fn the_replica_has_what_the_primary_has() -> anyhow::Result<()> {
    let services = services().await;
    let database = services.empty_database().await;
    let primary = connect(&database.admin_url()).await?;
    let replica =
        connect(&services.admin_url("postgres").replace(
            &format!(":{}/", services.primary_port()),
            &format!(":{}/", services.replica_port().await),
        ))
        .await?;
    assert!(replica.query_one("SELECT pg_is_in_recovery()", &[]).await?.get::<_, bool>(0));
    primary.batch_execute("CREATE TABLE marks (mark int)").await?;
    let written: String = primary.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await?.get(0);
    let end = Instant::now() + Duration::from_secs(30);
    let replayed = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
    while !replica.query_one(replayed, &[&written]).await?.get::<_, bool>(0) {
        assert!(Instant::now() < end, "the replica does not replay");
    }
    Ok(())
}
