//! `envoy.config.route.v3`.

use serde::Serialize;

use super::{
    Empty, Extensions, HeaderMatcher, HeaderValueOption, MetadataKey, Span, TypedExtension, extensions,
    messages,
};

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RouteConfiguration {
    pub(crate) name: &'static str,
    pub(crate) virtual_hosts: Vec<VirtualHost>,
    pub(crate) validate_clusters: Option<bool>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct VirtualHost {
    pub(crate) name: &'static str,
    pub(crate) domains: Vec<&'static str>,
    pub(crate) routes: Vec<Route>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) request_headers_to_add: Vec<HeaderValueOption>,
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub(crate) typed_per_filter_config: Extensions,
    pub(crate) include_request_attempt_count: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Route {
    pub(crate) name: String,
    #[serde(rename = "match")]
    pub(crate) matches: RouteMatch,
    pub(crate) route: RouteAction,
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub(crate) typed_per_filter_config: Extensions,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RouteMatch {
    #[serde(flatten)]
    pub(crate) path: PathMatch,
    pub(crate) headers: Vec<HeaderMatcher>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PathMatch {
    Path(String),
    Prefix(String),
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct RouteAction {
    pub(crate) cluster: String,
    pub(crate) cluster_not_found_response_code: Option<&'static str>,
    pub(crate) prefix_rewrite: Option<String>,
    pub(crate) timeout: Option<Span>,
    pub(crate) idle_timeout: Option<Span>,
    pub(crate) max_stream_duration: Option<MaxStreamDuration>,
    pub(crate) retry_policy: Option<RetryPolicy>,
    pub(crate) priority: Option<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct MaxStreamDuration {
    pub(crate) max_stream_duration: Span,
    pub(crate) grpc_timeout_header_max: Span,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RetryPolicy {
    pub(crate) retry_on: &'static str,
    pub(crate) num_retries: u32,
    pub(crate) retry_back_off: Option<RetryBackOff>,
    pub(crate) retry_host_predicate: Vec<TypedExtension>,
    pub(crate) host_selection_retry_max_attempts: u32,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RetryBackOff {
    pub(crate) base_interval: Span,
    pub(crate) max_interval: Span,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct PreviousHostsPredicate {}

/// `envoy.config.route.v3.RateLimit`: one descriptor, made of the entries of its actions.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RateLimit {
    pub(crate) actions: Vec<RateLimitAction>,
    pub(crate) hits_addend: Option<HitsAddend>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct HitsAddend {
    pub(crate) number: u64,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RateLimitAction {
    RemoteAddress(Empty),
    MaskedRemoteAddress(MaskedRemoteAddress),
    GenericKey(GenericKey),
    HeaderValueMatch(HeaderValueMatch),
    Metadata(MetaData),
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct MaskedRemoteAddress {
    pub(crate) v4_prefix_mask_len: u32,
    pub(crate) v6_prefix_mask_len: u32,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct GenericKey {
    pub(crate) descriptor_key: &'static str,
    pub(crate) descriptor_value: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct HeaderValueMatch {
    pub(crate) descriptor_key: &'static str,
    pub(crate) descriptor_value: &'static str,
    pub(crate) headers: Vec<HeaderMatcher>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct MetaData {
    pub(crate) descriptor_key: &'static str,
    pub(crate) source: &'static str,
    pub(crate) metadata_key: MetadataKey,
}

messages! {
    RouteConfiguration = "envoy.config.route.v3.RouteConfiguration";
}

extensions! {
    PreviousHostsPredicate = "envoy.retry_host_predicates.previous_hosts",
        "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";
}
