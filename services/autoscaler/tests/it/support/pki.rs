//! Authorities and client certificates.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// An authority.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A client's certificate and key.
pub(crate) struct Client {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn client(&self, name: &str) -> Client {
        self.certificate(name, ExtendedKeyUsagePurpose::ClientAuth, None)
    }

    /// One that is for something else.
    pub(crate) fn server(&self, name: &str) -> Client {
        self.certificate(name, ExtendedKeyUsagePurpose::ServerAuth, None)
    }

    /// One that ended long ago.
    pub(crate) fn ended(&self, name: &str) -> Client {
        self.certificate(name, ExtendedKeyUsagePurpose::ClientAuth, Some(2001))
    }

    fn certificate(&self, name: &str, usage: ExtendedKeyUsagePurpose, ended: Option<i32>) -> Client {
        let key = KeyPair::generate().unwrap();
        let mut params = params(name);
        params.extended_key_usages = vec![usage];
        if let Some(year) = ended {
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Client { certificate, key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) }
    }
}
