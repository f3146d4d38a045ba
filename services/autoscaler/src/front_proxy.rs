//! Who API servers are and what they say of callers, as `extension-apiserver-authentication` publishes it.
//!
//! A request's headers are believed only if its connection has a certificate of the front proxy's authority, made for clients, whose
//! common name is allowed.

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use platform::Invalid;
use rustls::{
    DistinguishedName, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

use crate::{bundle, certificate::unix_time};

const AUTHORITIES: &str = "requestheader-client-ca-file";
const NAMES: &str = "requestheader-allowed-names";
const USER: &str = "requestheader-username-headers";
const UID: &str = "requestheader-uid-headers";
const GROUP: &str = "requestheader-group-headers";
const EXTRA: &str = "requestheader-extra-headers-prefix";

/// How to tell an API server's requests from others, and whom they are for.
#[derive(Debug)]
pub struct FrontProxy {
    verifier: Arc<dyn ClientCertVerifier>,
    /// Empty: any name will do.
    names: Vec<String>,
    user: Vec<HeaderName>,
    uid: Vec<HeaderName>,
    group: Vec<HeaderName>,
    /// In lower case, as header names are.
    extra: Vec<String>,
}

/// For whom an API server asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// The user name.
    pub name: String,
    /// The user's id, empty where there is none.
    pub uid: String,
    /// In the order of the headers.
    pub groups: Vec<String>,
    /// What else is known.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Why a request is nobody's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// The connection has no client certificate.
    #[error("no client certificate")]
    NoCertificate,
    /// It is of another authority, has ended, or is not for clients.
    #[error("the client certificate is not one of the front proxy's: {0}")]
    NotTrusted(String),
    /// Its name is not one of the front proxy's.
    #[error("the client certificate's name {0:?} is not allowed")]
    NotAllowed(String),
    /// No header names a user.
    #[error("no user is named")]
    NoUser,
    /// A header that should say something about the user is no text.
    #[error("header {0} is no text")]
    NoText(HeaderName),
}

impl FrontProxy {
    /// Reads the `ConfigMap`'s data.
    ///
    /// # Errors
    ///
    /// Names the key.
    pub fn parse(data: &BTreeMap<String, String>) -> Result<Self, Invalid> {
        let pem = data
            .get(AUTHORITIES)
            .ok_or_else(|| Invalid::new(AUTHORITIES, "is not there: API servers have no front proxy"))?;
        let authorities: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| Invalid::new(AUTHORITIES, "must be PEM"))?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|_| Invalid::new(AUTHORITIES, "must hold at least one certificate"))?;
        let user = headers(data, USER)?;
        if user.is_empty() {
            return Err(Invalid::new(USER, "must name at least one header"));
        }
        Ok(Self {
            verifier,
            names: list(data, NAMES)?,
            user,
            uid: headers(data, UID)?,
            group: headers(data, GROUP)?,
            extra: list(data, EXTRA)?.iter().map(|prefix| prefix.to_ascii_lowercase()).collect(),
        })
    }

    /// Checks certificates, and signatures of those who present them.
    pub(crate) fn verifier(&self) -> &Arc<dyn ClientCertVerifier> {
        &self.verifier
    }

    /// The authorities' names, for clients that have several certificates: Go's send none where no name is theirs.
    pub(crate) fn hints(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    /// For whom a request is, with `headers` on a connection whose client has `certificates`.
    ///
    /// # Errors
    ///
    /// It is nobody's.
    pub fn user(
        &self,
        certificates: &[CertificateDer<'static>],
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<User, Stranger> {
        self.check(certificates, now)?;
        let first = |names: &[HeaderName]| -> Result<Option<String>, Stranger> {
            for name in names {
                let value = headers.get(name).map(|value| text(name, value)).transpose()?;
                if let Some(value) = value.filter(|value| !value.is_empty()) {
                    return Ok(Some(value));
                }
            }
            Ok(None)
        };
        let mut groups = Vec::new();
        for name in &self.group {
            for value in headers.get_all(name) {
                groups.push(text(name, value)?);
            }
        }
        Ok(User {
            name: first(&self.user)?.ok_or(Stranger::NoUser)?,
            uid: first(&self.uid)?.unwrap_or_default(),
            groups,
            extra: self.extra_of(headers)?,
        })
    }

    /// At each request, since authorities change and certificates end while connections last.
    fn check(&self, certificates: &[CertificateDer<'static>], now: Timestamp) -> Result<(), Stranger> {
        let (leaf, others) = certificates.split_first().ok_or(Stranger::NoCertificate)?;
        self.verifier
            .verify_client_cert(leaf, others, unix_time(now))
            .map_err(|error| Stranger::NotTrusted(error.to_string()))?;
        if self.names.is_empty() {
            return Ok(());
        }
        let name = bundle::common_name(leaf).unwrap_or_default();
        if self.names.contains(&name) { Ok(()) } else { Err(Stranger::NotAllowed(name)) }
    }

    fn extra_of(&self, headers: &HeaderMap) -> Result<BTreeMap<String, Vec<String>>, Stranger> {
        let mut extra = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in headers {
            let keys = self.extra.iter().filter_map(|prefix| name.as_str().strip_prefix(prefix.as_str()));
            for key in keys {
                extra.entry(percent_decoded(key)).or_default().push(text(name, value)?);
            }
        }
        Ok(extra)
    }
}

fn text(name: &HeaderName, value: &http::HeaderValue) -> Result<String, Stranger> {
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| Stranger::NoText(name.clone()))?;
    Ok(text.to_owned())
}

/// As it stands where its encoding makes no sense, as API servers read it.
fn percent_decoded(key: &str) -> String {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let Some((high, low)) = after.first().zip(after.get(1)) else { return key.to_owned() };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return key.to_owned() };
        bytes.push(high << 4 | low);
        rest = &after[2..];
    }
    String::from_utf8(bytes).unwrap_or_else(|_| key.to_owned())
}

fn headers(data: &BTreeMap<String, String>, key: &'static str) -> Result<Vec<HeaderName>, Invalid> {
    let parsed = list(data, key)?.iter().map(|name| name.parse()).collect::<Result<_, _>>();
    parsed.map_err(|_| Invalid::new(key, "must be names of headers"))
}

/// A JSON array in a string; nothing where the key is not there, as with older API servers.
fn list(data: &BTreeMap<String, String>, key: &'static str) -> Result<Vec<String>, Invalid> {
    let text = data.get(key).map_or("", |text| text.trim());
    if text.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(text).map_err(|_| Invalid::new(key, "must be a JSON array of strings"))
}

#[cfg(test)]
mod tests;
