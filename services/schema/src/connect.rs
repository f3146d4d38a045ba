//! One connection to the primary, with TLS where the server offers it and the URL doesn't forbid it.

use std::{fmt, path::Path, str::FromStr, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_postgres::{
    Client, Config, NoTls, Socket,
    config::{SslMode, TargetSessionAttrs},
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;

/// Who migrates which database, and how its server is known.
#[derive(Clone, Copy)]
pub struct Admin<'a> {
    /// `postgres://role@host:port/database`; several hosts are fine.
    pub url: &'a str,
    /// The role's password, if it isn't in the URL.
    pub password: Option<&'a str>,
    /// PEM file of the authorities that may have signed the server's certificate. Without it, the public ones.
    pub ca_file: Option<&'a Path>,
}

impl<'a> Admin<'a> {
    /// All is in the URL, and the server is publicly known.
    pub fn new(url: &'a str) -> Self {
        Self { url, password: None, ca_file: None }
    }
}

impl fmt::Debug for Admin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("ca_file", &self.ca_file).finish_non_exhaustive()
    }
}

/// Connects to the server of `admin` that takes writes, does `work`, and closes the connection.
pub(crate) async fn with_primary<T>(
    admin: Admin<'_>,
    work: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut config = Config::from_str(admin.url).map_err(Error::Url)?;
    if let Some(password) = admin.password {
        config.password(password);
    }
    config.target_session_attrs(TargetSessionAttrs::ReadWrite).application_name("sipup migrate");
    if config.get_ssl_mode() == SslMode::Disable {
        drive(&config, NoTls, work).await
    } else {
        drive(&config, tls(admin.ca_file)?, work).await
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

fn tls(ca_file: Option<&Path>) -> Result<MakeRustlsConnect, Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = ca_file {
        let unreadable = |problem: String| Error::Authorities { file: file.to_owned(), problem };
        let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        roots = RootCertStore::empty();
        let (added, _) =
            roots.add_parsable_certificates(read.map_err(|error| unreadable(error.to_string()))?);
        if added == 0 {
            return Err(unreadable("no certificate in it".to_owned()));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_authorities_is_named() {
        for file in ["Cargo.toml", "no such file"] {
            let Err(error) = tls(Some(Path::new(file))) else { panic!("{file} must be refused") };
            assert!(error.to_string().contains(file), "{error}");
        }
        assert!(tls(None).is_ok());
    }

    #[test]
    fn passwords_are_not_printed() {
        let admin = Admin { url: "postgres://a:topsecret@b/c", password: Some("hidden"), ca_file: None };
        let printed = format!("{admin:?}");
        assert!(!printed.contains("topsecret") && !printed.contains("hidden"), "{printed}");
    }
}
