//! Sets of authorities, as a Secret and an `APIService` hold them: PEM, one after the other.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

/// What the names of our authorities begin with.
pub const AUTHORITY: &str = "sipup autoscaler authority";

/// Characters of base64 in a line of PEM.
const LINE: usize = 64;

/// Authorities, in order, none twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle(Vec<CertificateDer<'static>>);

impl Bundle {
    /// Only `authority`.
    pub fn of(authority: CertificateDer<'static>) -> Self {
        Self(vec![authority])
    }

    /// Reads PEM. None where it is not, or holds nothing.
    pub fn parse(pem: &[u8]) -> Option<Self> {
        let mut bundle = Self::default();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            bundle.push(certificate.ok()?);
        }
        (!bundle.0.is_empty()).then_some(bundle)
    }

    /// Adds what `other` holds beyond this.
    pub fn add(&mut self, other: &Self) {
        for certificate in &other.0 {
            self.push(certificate.clone());
        }
    }

    fn push(&mut self, certificate: CertificateDer<'static>) {
        if !self.0.contains(&certificate) {
            self.0.push(certificate);
        }
    }

    /// Those that have not ended at `now`.
    pub fn valid_at(&self, now: Timestamp) -> Self {
        self.filtered(|certificate| end(certificate).is_some_and(|end| end > now))
    }

    /// Those that the autoscaler made.
    pub fn ours(&self) -> Self {
        self.filtered(|certificate| common_name(certificate).is_some_and(|name| name.starts_with(AUTHORITY)))
    }

    fn filtered(&self, keep: impl Fn(&CertificateDer<'static>) -> bool) -> Self {
        Self(self.0.iter().filter(|certificate| keep(certificate)).cloned().collect())
    }

    /// Each of them.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.0
    }

    /// As PEM.
    pub fn to_pem(&self) -> String {
        self.0.iter().map(|certificate| pem(certificate)).collect()
    }
}

fn pem(certificate: &[u8]) -> String {
    let text = STANDARD.encode(certificate);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// When a certificate ends. None where it can't be read.
pub fn end(certificate: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

/// The common name of a certificate's subject.
pub fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(count: u8) -> Bundle {
        Bundle((0..count).map(|byte| CertificateDer::from(vec![byte; 100])).collect())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let three = bundle(3);
        assert_eq!(Bundle::parse(three.to_pem().as_bytes()).unwrap(), three);
        assert_eq!(Bundle::parse(b""), None);
        assert_eq!(Bundle::parse(b"-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n"), None);
    }

    #[test]
    fn nothing_is_in_a_bundle_twice() {
        let mut two = bundle(2);
        two.add(&bundle(3));
        assert_eq!(two, bundle(3));
    }
}
