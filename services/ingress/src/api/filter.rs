//! HTTP filters and their overrides for single routes.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Serialize;

use super::{
    Empty, GrpcService, HeaderMatcher, PathMatch, RateLimit, RuntimeFractionalPercent, Span, StringMatcher,
    TypedExtension, extensions,
};

#[derive(Clone, Debug, Serialize)]
pub(crate) struct HealthCheckFilter {
    pub(crate) pass_through_mode: bool,
    pub(crate) headers: Vec<HeaderMatcher>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cors {}

/// The policy of a virtual host.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CorsPolicy {
    pub(crate) allow_origin_string_match: Vec<StringMatcher>,
    pub(crate) allow_methods: &'static str,
    pub(crate) allow_headers: String,
    pub(crate) expose_headers: String,
    pub(crate) max_age: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Compressor {
    pub(crate) response_direction_config: ResponseDirectionConfig,
    pub(crate) compressor_library: TypedExtension,
    pub(crate) choose_first: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ResponseDirectionConfig {
    pub(crate) common_config: CommonDirectionConfig,
    pub(crate) weaken_etag_on_compress: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct CommonDirectionConfig {
    pub(crate) min_content_length: u32,
    pub(crate) content_type_matcher: Vec<StringMatcher>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Gzip {
    pub(crate) memory_level: u32,
    pub(crate) window_bits: u32,
    pub(crate) compression_level: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Brotli {
    pub(crate) quality: u32,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Zstd {
    pub(crate) compression_level: u32,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct LocalRateLimit {
    pub(crate) stat_prefix: &'static str,
    pub(crate) filter_enabled: RuntimeFractionalPercent,
    pub(crate) filter_enforced: RuntimeFractionalPercent,
    pub(crate) rate_limits: Vec<RateLimit>,
    pub(crate) descriptors: Vec<LocalRateLimitDescriptor>,
    pub(crate) max_dynamic_descriptors: u32,
    pub(crate) rate_limited_as_resource_exhausted: bool,
    pub(crate) enable_retry_after_header: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct LocalRateLimitDescriptor {
    pub(crate) entries: Vec<DescriptorEntry>,
    pub(crate) token_bucket: TokenBucket,
}

/// An entry without a value stands for every value, each with a bucket of its own.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DescriptorEntry {
    pub(crate) key: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct TokenBucket {
    pub(crate) max_tokens: u32,
    pub(crate) tokens_per_fill: u32,
    pub(crate) fill_interval: Span,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct GrpcWeb {}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct GrpcJsonTranscoder {
    #[serde(flatten)]
    pub(crate) descriptor_set: DescriptorSet,
    pub(crate) services: Vec<String>,
    pub(crate) convert_grpc_status: bool,
    pub(crate) query_param_unescape_plus: bool,
    pub(crate) print_options: PrintOptions,
    pub(crate) request_validation_options: RequestValidationOptions,
    pub(crate) max_request_body_size: u32,
    pub(crate) max_response_body_size: u32,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DescriptorSet {
    ProtoDescriptor(PathBuf),
    /// In base64.
    ProtoDescriptorBin(String),
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct PrintOptions {
    pub(crate) always_print_primitive_fields: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RequestValidationOptions {
    pub(crate) reject_unknown_query_parameters: bool,
    pub(crate) reject_binding_body_field_collisions: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct JwtAuthentication {
    pub(crate) providers: BTreeMap<&'static str, JwtProvider>,
    pub(crate) requirement_map: BTreeMap<&'static str, JwtRequirement>,
    pub(crate) rules: Vec<RequirementRule>,
    pub(crate) bypass_cors_preflight: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct JwtProvider {
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) require_expiration: bool,
    pub(crate) max_lifetime: Span,
    pub(crate) clock_skew_seconds: u32,
    pub(crate) forward: bool,
    pub(crate) remote_jwks: RemoteJwks,
    pub(crate) payload_in_metadata: &'static str,
    pub(crate) claim_to_headers: Vec<JwtClaimToHeader>,
    pub(crate) jwt_cache_config: JwtCacheConfig,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RemoteJwks {
    pub(crate) http_uri: HttpUri,
    pub(crate) cache_duration: Span,
    pub(crate) async_fetch: JwksAsyncFetch,
    pub(crate) retry_policy: JwksRetryPolicy,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct HttpUri {
    pub(crate) uri: String,
    pub(crate) cluster: &'static str,
    pub(crate) timeout: Span,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct JwksAsyncFetch {
    pub(crate) fast_listener: bool,
    pub(crate) failed_refetch_duration: Span,
}

/// `envoy.config.core.v3.RetryPolicy`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct JwksRetryPolicy {
    pub(crate) num_retries: u32,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct JwtClaimToHeader {
    pub(crate) header_name: &'static str,
    pub(crate) claim_name: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct JwtCacheConfig {
    pub(crate) jwt_cache_size: u32,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JwtRequirement {
    ProviderName(&'static str),
    RequiresAny(JwtRequirementOrList),
    AllowMissing(Empty),
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct JwtRequirementOrList {
    pub(crate) requirements: Vec<JwtRequirement>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RequirementRule {
    #[serde(rename = "match")]
    pub(crate) matches: PathMatch,
    pub(crate) requirement_name: &'static str,
}

/// How one route deals with tokens.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JwtPerRoute {
    Disabled(bool),
    RequirementName(&'static str),
}

/// The global limiter.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RateLimitFilter {
    pub(crate) domain: &'static str,
    pub(crate) timeout: Span,
    pub(crate) failure_mode_deny: bool,
    pub(crate) rate_limited_as_resource_exhausted: bool,
    pub(crate) enable_x_ratelimit_headers: &'static str,
    pub(crate) enable_retry_after_header: bool,
    pub(crate) rate_limit_service: RateLimitServiceConfig,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RateLimitServiceConfig {
    pub(crate) transport_api_version: &'static str,
    pub(crate) grpc_service: GrpcService,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RateLimitPerRoute {
    pub(crate) rate_limits: Vec<RateLimit>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Buffer {
    pub(crate) max_request_bytes: u32,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BufferPerRoute {
    Disabled(bool),
    Buffer(Buffer),
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct GrpcStats {
    pub(crate) emit_filter_state: bool,
    pub(crate) enable_upstream_stats: bool,
    pub(crate) individual_method_stats_allowlist: GrpcMethodList,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct GrpcMethodList {
    pub(crate) services: Vec<GrpcMethods>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct GrpcMethods {
    pub(crate) name: String,
    pub(crate) method_names: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Router {}

extensions! {
    HealthCheckFilter = "envoy.filters.http.health_check",
        "envoy.extensions.filters.http.health_check.v3.HealthCheck";
    Cors = "envoy.filters.http.cors", "envoy.extensions.filters.http.cors.v3.Cors";
    CorsPolicy = Cors::NAME, "envoy.extensions.filters.http.cors.v3.CorsPolicy";
    Compressor = "envoy.filters.http.compressor", "envoy.extensions.filters.http.compressor.v3.Compressor";
    Gzip = "gzip", "envoy.extensions.compression.gzip.compressor.v3.Gzip";
    Brotli = "brotli", "envoy.extensions.compression.brotli.compressor.v3.Brotli";
    Zstd = "zstd", "envoy.extensions.compression.zstd.compressor.v3.Zstd";
    LocalRateLimit = "envoy.filters.http.local_ratelimit",
        "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit";
    GrpcWeb = "envoy.filters.http.grpc_web", "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb";
    GrpcJsonTranscoder = "envoy.filters.http.grpc_json_transcoder",
        "envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder";
    JwtAuthentication = "envoy.filters.http.jwt_authn",
        "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication";
    JwtPerRoute = JwtAuthentication::NAME, "envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig";
    RateLimitFilter = "envoy.filters.http.ratelimit", "envoy.extensions.filters.http.ratelimit.v3.RateLimit";
    RateLimitPerRoute = RateLimitFilter::NAME,
        "envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute";
    Buffer = "envoy.filters.http.buffer", "envoy.extensions.filters.http.buffer.v3.Buffer";
    BufferPerRoute = Buffer::NAME, "envoy.extensions.filters.http.buffer.v3.BufferPerRoute";
    GrpcStats = "envoy.filters.http.grpc_stats", "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig";
    Router = "envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router";
}
