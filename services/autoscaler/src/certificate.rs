//! A serving certificate with its authority: made, written as a Secret's data, read back and checked.
//!
//! Each certificate has an authority of its own, whose key is gone once it has signed: nothing that is stored can sign another one.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use platform::{Invalid, Secret};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    sign::CertifiedKey,
};

use crate::bundle::{self, Bundle};

/// The Secret's key of the certificate.
pub const CERTIFICATE: &str = "tls.crt";
/// The Secret's key of the private key.
pub const KEY: &str = "tls.key";
/// The Secret's key of the authorities: the certificate's own, then those before it that have not expired.
pub const AUTHORITIES: &str = "ca.crt";

/// Certificates are valid from a little before they are made, for API servers whose clock is behind.
const BACKDATED: Duration = Duration::from_mins(5);

/// The names by which API servers reach a service.
#[derive(Clone, Debug)]
pub struct Names(Vec<ServerName<'static>>);

impl Names {
    /// Of `service` in `namespace` of a cluster whose DNS domain is `domain`.
    ///
    /// # Errors
    ///
    /// Names the flag whose value makes no DNS name.
    pub fn of(service: &str, namespace: &str, domain: &str) -> Result<Self, Invalid> {
        let valid = |name: String, flag: &str| {
            ServerName::try_from(name.clone())
                .ok()
                .filter(|server| matches!(server, ServerName::DnsName(_)))
                .ok_or_else(|| Invalid::new(flag, format!("makes {name}, which is no DNS name")))
        };
        // Each part alone first, so that the right flag is blamed.
        valid(service.to_owned(), "--own-service")?;
        valid(namespace.to_owned(), "--namespace")?;
        let short = format!("{service}.{namespace}.svc");
        let long = format!("{short}.{}", domain.trim_end_matches('.'));
        Ok(Self(vec![valid(short, "--own-service")?, valid(long, "--cluster-domain")?]))
    }

    fn texts(&self) -> Vec<String> {
        self.0.iter().map(|name| name.to_str().into_owned()).collect()
    }
}

/// A certificate that was just made.
#[derive(Debug)]
pub struct Made {
    /// Its authority.
    pub authority: CertificateDer<'static>,
    certificate: String,
    key: Secret,
}

impl Made {
    /// Makes a certificate for `names` that ends `lifetime` after `now`.
    ///
    /// # Errors
    ///
    /// The crypto library refuses.
    pub fn new(names: &Names, now: Timestamp, lifetime: SignedDuration) -> Result<Self, rcgen::Error> {
        let authority_key = KeyPair::generate()?;
        let mut params = params(Vec::new(), now, lifetime)?;
        // A name of its own: API servers that hold several authorities find the right one by it.
        let id = uuid::Uuid::new_v4().simple().to_string();
        params.distinguished_name = named(&format!("{} {id}", bundle::AUTHORITY));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority = params.self_signed(&authority_key)?;
        let issuer = Issuer::new(params, authority_key);

        let key = KeyPair::generate()?;
        let mut params = self::params(names.texts(), now, lifetime)?;
        params.distinguished_name = named("sipup autoscaler");
        params.use_authority_key_identifier_extension = true;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(Self {
            authority: authority.der().clone(),
            certificate: certificate.pem(),
            key: Secret::new(key.serialize_pem()),
        })
    }

    /// The Secret's data, with the authorities that are trusted beside the certificate's own.
    pub fn into_data(self, others: &Bundle) -> BTreeMap<String, ByteString> {
        let mut authorities = Bundle::of(self.authority);
        authorities.add(others);
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        BTreeMap::from([
            (CERTIFICATE.to_owned(), bytes(&self.certificate)),
            (KEY.to_owned(), bytes(self.key.expose())),
            (AUTHORITIES.to_owned(), bytes(&authorities.to_pem())),
        ])
    }
}

fn params(
    names: Vec<String>,
    now: Timestamp,
    lifetime: SignedDuration,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since_epoch = |at: Timestamp| Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0));
    params.not_before = epoch + since_epoch(now).saturating_sub(BACKDATED);
    params.not_after = epoch + since_epoch(now.saturating_add(lifetime).unwrap_or(Timestamp::MAX));
    Ok(params)
}

fn named(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

/// A Secret's data that can be served.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Certificate and key.
    pub key: Arc<CertifiedKey>,
    /// The authorities, also those that have expired.
    pub authorities: Bundle,
    /// When the certificate ends.
    pub ends: Timestamp,
}

/// Why a Secret's data can't be served.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// A key is missing or empty.
    #[error("{0} is not there")]
    Missing(&'static str),
    /// A value is not what it should be.
    #[error("{0} is not PEM of what it should hold")]
    NotPem(&'static str),
    /// The two don't belong together, or the key is of a kind that nobody knows.
    #[error("tls.key is not the key of tls.crt: {0}")]
    Mismatch(#[source] rustls::Error),
    /// Nobody who trusts the authorities would accept it.
    #[error("tls.crt would not be accepted: {0}")]
    NotAccepted(#[source] rustls::Error),
}

impl Stored {
    /// Reads `data`; what a client would refuse for one of `names` at `now` is broken.
    ///
    /// # Errors
    ///
    /// Says what is wrong.
    pub fn read(data: &BTreeMap<String, ByteString>, names: &Names, now: Timestamp) -> Result<Self, Broken> {
        let get = |name: &'static str| match data.get(name) {
            Some(bytes) if !bytes.0.is_empty() => Ok(bytes.0.as_slice()),
            _ => Err(Broken::Missing(name)),
        };
        let (certificate, key, authorities) = (get(CERTIFICATE)?, get(KEY)?, get(AUTHORITIES)?);
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| Broken::NotPem(CERTIFICATE))?;
        let leaf = chain.first().ok_or(Broken::NotPem(CERTIFICATE))?.clone();
        let ends = bundle::end(&leaf).ok_or(Broken::NotPem(CERTIFICATE))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Broken::NotPem(KEY))?;
        let authorities = Bundle::parse(authorities).ok_or(Broken::NotPem(AUTHORITIES))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        accepted(&leaf, &authorities, names, now, &provider).map_err(Broken::NotAccepted)?;
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(Broken::Mismatch)?;
        Ok(Self { key: Arc::new(key), authorities, ends })
    }

    /// Whether it is time for the next one: a third of `lifetime` is left, or more than all of it, because it was made shorter.
    pub fn due(&self, now: Timestamp, lifetime: SignedDuration) -> bool {
        let left = self.ends.duration_since(now);
        left <= lifetime / 3 || left > lifetime
    }
}

/// Asks what an API server would ask.
fn accepted(
    leaf: &CertificateDer<'_>,
    authorities: &Bundle,
    names: &Names,
    now: Timestamp,
    provider: &Arc<CryptoProvider>,
) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.certificates().iter().cloned());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let now = unix_time(now);
    for name in &names.0 {
        verifier.verify_server_cert(leaf, &[], name, &[], now)?;
    }
    Ok(())
}

/// The time as TLS has it.
pub(crate) fn unix_time(at: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 90);

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn names() -> Names {
        Names::of("shop-sipup-autoscaler", "shop", "cluster.local").unwrap()
    }

    fn data() -> BTreeMap<String, ByteString> {
        Made::new(&names(), now(), LIFETIME).unwrap().into_data(&Bundle::default())
    }

    #[test]
    fn what_was_made_is_accepted_under_both_names_until_it_ends() {
        let stored = Stored::read(&data(), &names(), now()).unwrap();
        assert_eq!(stored.ends, now() + LIFETIME);
        let later = now() + LIFETIME + SignedDuration::from_secs(1);
        assert!(matches!(Stored::read(&data(), &names(), later), Err(Broken::NotAccepted(_))));
        let other = Names::of("shop-sipup-autoscaler", "other", "cluster.local").unwrap();
        assert!(matches!(Stored::read(&data(), &other, now()), Err(Broken::NotAccepted(_))));
    }

    #[test]
    fn whatever_is_wrong_with_a_secret_is_named() {
        for key in [CERTIFICATE, KEY, AUTHORITIES] {
            let mut data = data();
            data.insert(key.to_owned(), ByteString(b"garbage".to_vec()));
            let broken = Stored::read(&data, &names(), now()).unwrap_err();
            assert!(broken.to_string().starts_with(key), "{broken}");
            data.remove(key);
            assert!(
                matches!(Stored::read(&data, &names(), now()), Err(Broken::Missing(name)) if name == key)
            );
        }
        let (mut mixed, other) = (data(), data());
        mixed.insert(KEY.to_owned(), other[KEY].clone());
        assert!(matches!(Stored::read(&mixed, &names(), now()), Err(Broken::Mismatch(_))));
        let mut mixed = data();
        mixed.insert(AUTHORITIES.to_owned(), other[AUTHORITIES].clone());
        assert!(matches!(Stored::read(&mixed, &names(), now()), Err(Broken::NotAccepted(_))));
    }

    #[test]
    fn a_new_one_is_due_at_two_thirds_or_when_the_lifetime_became_shorter() {
        let stored = Stored::read(&data(), &names(), now()).unwrap();
        let day = SignedDuration::from_hours(24);
        assert!(!stored.due(now() + day * 59, LIFETIME));
        assert!(stored.due(now() + day * 60, LIFETIME));
        assert!(stored.due(now(), SignedDuration::from_mins(2)));
    }

    #[test]
    fn a_flag_that_makes_no_name_is_blamed() {
        for (service, namespace, domain, flag) in [
            ("a b", "ns", "cluster.local", "--own-service"),
            ("", "ns", "cluster.local", "--own-service"),
            ("a", "n/s", "cluster.local", "--namespace"),
            ("a", "ns", "cluster local", "--cluster-domain"),
        ] {
            assert_eq!(Names::of(service, namespace, domain).unwrap_err().field, flag);
        }
    }

    #[test]
    fn a_private_key_does_not_print() {
        let made = Made::new(&names(), now(), LIFETIME).unwrap();
        assert!(!format!("{made:?}").contains("PRIVATE"));
    }
}
