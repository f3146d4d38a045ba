//! Certificates of servers.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{Cause, Error};

/// For connections to Postgres.
pub(crate) fn connector(file: Option<&Path>) -> Result<MakeRustlsConnect, Error> {
    trusted_roots(file).map(MakeRustlsConnect::new)
}

/// Trusts the authorities in `file`, or the public ones.
pub(crate) fn trusted_roots(file: Option<&Path>) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    let unusable = |file: &Path, problem: &str| {
        Error::Authorities(Cause::new(&format!("{}: {problem}", file.display())))
    };
    match file {
        Some(file) => {
            let certificates = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| unusable(file, &error.to_string()))?;
            let (added, _) = roots.add_parsable_certificates(certificates);
            if added == 0 {
                return Err(unusable(file, "no certificate in it"));
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(&format!("TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_named() {
        let Err(Error::Authorities(cause)) = connector(Some(Path::new("Cargo.toml"))) else {
            panic!("must be refused")
        };
        assert!(cause.to_string().contains("Cargo.toml"), "{cause}");
        assert!(connector(None).is_ok());
    }
}
