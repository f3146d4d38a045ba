//! TLS for clients, with a certificate that is read again when it changes.

use std::path::PathBuf;

use serde::Serialize;

use super::{ConfigSource, WatchedDirectory, extensions, messages};

/// `envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DownstreamTlsContext {
    pub(crate) common_tls_context: CommonTlsContext,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct CommonTlsContext {
    pub(crate) tls_params: TlsParameters,
    pub(crate) alpn_protocols: Vec<&'static str>,
    #[serde(flatten)]
    pub(crate) certificates: Certificates,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct TlsParameters {
    pub(crate) tls_minimum_protocol_version: &'static str,
}

/// Where certificates come from.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Certificates {
    TlsCertificates(Vec<TlsCertificate>),
    TlsCertificateSdsSecretConfigs(Vec<SdsSecretConfig>),
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SdsSecretConfig {
    pub(crate) name: &'static str,
    pub(crate) sds_config: ConfigSource,
}

/// A resource of SDS.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Secret {
    pub(crate) name: &'static str,
    pub(crate) tls_certificate: TlsCertificate,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct TlsCertificate {
    pub(crate) certificate_chain: FileSource,
    pub(crate) private_key: FileSource,
    pub(crate) watched_directory: Option<WatchedDirectory>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct FileSource {
    pub(crate) filename: PathBuf,
}

messages! {
    Secret = "envoy.extensions.transport_sockets.tls.v3.Secret";
}

extensions! {
    DownstreamTlsContext = "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
}
