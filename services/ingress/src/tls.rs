//! TLS for clients.

use crate::{
    Tls,
    api::{
        Certificates, CommonTlsContext, ConfigSource, DownstreamTlsContext, FileSource, SdsSecretConfig,
        Secret, TlsCertificate, TlsParameters, TypedExtension, WatchedDirectory,
    },
    files::{Place, SDS},
};

const CERTIFICATE: &str = "edge";

/// The socket of a listener. From a file of its own the certificate is renewed without closing a connection.
pub(crate) fn socket(tls: &Tls, place: Place<'_>) -> TypedExtension {
    let certificates = match place {
        Place::Whole => Certificates::TlsCertificates(vec![certificate(tls)]),
        Place::Files(folder) => {
            let sds_config = ConfigSource::file(folder, SDS);
            Certificates::TlsCertificateSdsSecretConfigs(vec![SdsSecretConfig {
                name: CERTIFICATE,
                sds_config,
            }])
        }
    };
    TypedExtension::new(&DownstreamTlsContext {
        common_tls_context: CommonTlsContext {
            tls_params: TlsParameters { tls_minimum_protocol_version: "TLSv1_2" },
            alpn_protocols: vec!["h2", "http/1.1"],
            certificates,
        },
    })
}

/// What that file says.
pub(crate) fn secret(tls: &Tls) -> Secret {
    let watched_directory = Some(WatchedDirectory { path: tls.folder.clone() });
    Secret { name: CERTIFICATE, tls_certificate: TlsCertificate { watched_directory, ..certificate(tls) } }
}

fn certificate(tls: &Tls) -> TlsCertificate {
    let file = |name| FileSource { filename: tls.folder.join(name) };
    TlsCertificate {
        certificate_chain: file("tls.crt"),
        private_key: file("tls.key"),
        watched_directory: None,
    }
}
