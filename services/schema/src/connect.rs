//! One connection to the primary, with TLS where the server offers it and the URL doesn't forbid it.

use std::{str::FromStr, sync::Arc};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tokio_postgres::{
    Client, Config, NoTls, Socket,
    config::{SslMode, TargetSessionAttrs},
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;

/// Connects to the server behind `url` that takes writes, does `work`, and closes the connection.
pub(crate) async fn with_primary<T>(
    url: &str,
    work: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut config = Config::from_str(url).map_err(Error::Url)?;
    config.target_session_attrs(TargetSessionAttrs::ReadWrite).application_name("sipup migrate");
    if config.get_ssl_mode() == SslMode::Disable {
        drive(&config, NoTls, work).await
    } else {
        drive(&config, tls()?, work).await
    }
}

/// Runs `work` beside the connection's own future: without a task of its own, nothing is left behind whatever happens.
async fn drive<T, C>(
    config: &Config,
    tls: C,
    work: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
) -> Result<T, Error>
where
    C: MakeTlsConnect<Socket>,
{
    let (mut client, connection) = config.connect(tls).await.map_err(Error::Connect)?;
    let work = async move { work(&mut client).await };
    // A connection that fails makes the work fail, with the reason.
    let (outcome, _) = tokio::join!(work, connection);
    outcome
}

fn tls() -> Result<MakeRustlsConnect, Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
