//! `envoy.config.listener.v3`, the HTTP connection manager and access logs.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::{
    Address, ConfigSource, HeaderMatcher, HeaderValueOption, Percent, RouteConfiguration, Span, Tracing,
    TypedExtension, extensions, messages,
};

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Listener {
    pub(crate) name: &'static str,
    pub(crate) address: Address,
    pub(crate) per_connection_buffer_limit_bytes: Option<u32>,
    pub(crate) bypass_overload_manager: Option<bool>,
    pub(crate) filter_chains: Vec<FilterChain>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct FilterChain {
    pub(crate) filters: Vec<TypedExtension>,
    pub(crate) transport_socket: Option<TypedExtension>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct HttpConnectionManager {
    pub(crate) stat_prefix: &'static str,
    #[serde(flatten)]
    pub(crate) routes: RouteSpecifier,
    pub(crate) http_filters: Vec<TypedExtension>,
    #[serde(flatten)]
    pub(crate) edge: Option<Edge>,
}

/// Where the routes are.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RouteSpecifier {
    RouteConfig(RouteConfiguration),
    Rds(Rds),
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Rds {
    pub(crate) config_source: ConfigSource,
    pub(crate) route_config_name: &'static str,
}

/// The fields of [`HttpConnectionManager`] that only a listener for strangers sets.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Edge {
    pub(crate) use_remote_address: bool,
    pub(crate) xff_num_trusted_hops: u32,
    pub(crate) normalize_path: bool,
    pub(crate) merge_slashes: bool,
    pub(crate) path_with_escaped_slashes_action: &'static str,
    pub(crate) strip_any_host_port: bool,
    pub(crate) server_name: &'static str,
    pub(crate) always_set_request_id_in_response: bool,
    pub(crate) max_request_headers_kb: u32,
    pub(crate) request_headers_timeout: Span,
    pub(crate) stream_idle_timeout: Span,
    pub(crate) drain_timeout: Span,
    pub(crate) common_http_protocol_options: CommonHttpProtocolOptions,
    pub(crate) http2_protocol_options: super::Http2ProtocolOptions,
    pub(crate) early_header_mutation_extensions: Vec<TypedExtension>,
    pub(crate) local_reply_config: LocalReplyConfig,
    pub(crate) tracing: Option<Tracing>,
    pub(crate) access_log: Vec<TypedExtension>,
}

/// `envoy.config.core.v3.HttpProtocolOptions`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CommonHttpProtocolOptions {
    pub(crate) idle_timeout: Span,
    pub(crate) max_connection_duration: Span,
    pub(crate) max_connection_duration_jitter: Percent,
    pub(crate) max_headers_count: u32,
    pub(crate) headers_with_underscores_action: &'static str,
}

/// The early header mutation extension.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EarlyHeaderMutation {
    pub(crate) mutations: Vec<HeaderMutation>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HeaderMutation {
    Remove(&'static str),
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct LocalReplyConfig {
    pub(crate) mappers: Vec<ResponseMapper>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ResponseMapper {
    pub(crate) filter: AccessLogFilter,
    pub(crate) status_code: Option<u32>,
    pub(crate) headers_to_add: Vec<HeaderValueOption>,
    pub(crate) body_format_override: Option<SubstitutionFormatString>,
}

impl ResponseMapper {
    /// Changes nothing yet.
    pub(crate) const fn of(filter: AccessLogFilter) -> Self {
        Self { filter, status_code: None, headers_to_add: Vec::new(), body_format_override: None }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AccessLogFilter {
    StatusCodeFilter(StatusCodeFilter),
    HeaderFilter(HeaderFilter),
    AndFilter(FilterList),
    OrFilter(FilterList),
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct FilterList {
    filters: Vec<AccessLogFilter>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct HeaderFilter {
    header: HeaderMatcher,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct StatusCodeFilter {
    comparison: ComparisonFilter,
}

#[derive(Clone, Debug, Serialize)]
struct ComparisonFilter {
    op: &'static str,
    value: RuntimeUInt32,
}

#[derive(Clone, Debug, Serialize)]
struct RuntimeUInt32 {
    default_value: u32,
    runtime_key: &'static str,
}

impl AccessLogFilter {
    pub(crate) fn status(code: u32) -> Self {
        // Envoy insists on a run-time key, though nothing sets it.
        let value = RuntimeUInt32 { default_value: code, runtime_key: "unused" };
        Self::StatusCodeFilter(StatusCodeFilter { comparison: ComparisonFilter { op: "EQ", value } })
    }

    pub(crate) const fn header(header: HeaderMatcher) -> Self {
        Self::HeaderFilter(HeaderFilter { header })
    }

    pub(crate) const fn all(filters: Vec<Self>) -> Self {
        Self::AndFilter(FilterList { filters })
    }

    pub(crate) const fn any(filters: Vec<Self>) -> Self {
        Self::OrFilter(FilterList { filters })
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SubstitutionFormatString {
    #[serde(flatten)]
    pub(crate) format: Format,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) omit_empty_values: Option<bool>,
}

impl SubstitutionFormatString {
    pub(crate) const fn new(format: Format) -> Self {
        Self { format, content_type: None, omit_empty_values: None }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    JsonFormat(BTreeMap<&'static str, Value>),
    TextFormatSource(DataSource),
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct DataSource {
    inline_string: &'static str,
}

impl Format {
    /// No body at all.
    pub(crate) const fn empty() -> Self {
        Self::TextFormatSource(DataSource { inline_string: "" })
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct FileAccessLog {
    pub(crate) path: PathBuf,
    pub(crate) log_format: SubstitutionFormatString,
}

messages! {
    Listener = "envoy.config.listener.v3.Listener";
}

extensions! {
    HttpConnectionManager = "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    EarlyHeaderMutation = "envoy.http.early_header_mutation.header_mutation",
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation";
    FileAccessLog = "envoy.access_loggers.file", "envoy.extensions.access_loggers.file.v3.FileAccessLog";
}
