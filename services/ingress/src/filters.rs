//! The chain of HTTP filters. Their order decides what works together; each step says why it is where it is.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    Access, Config, Descriptors, LocalLimit, Rpc,
    api::{
        Brotli, Buffer, CommonDirectionConfig, Compressor, Cors, DescriptorEntry, DescriptorSet, Empty,
        EnvoyGrpc, GrpcJsonTranscoder, GrpcMethodList, GrpcMethods, GrpcService, GrpcStats, GrpcWeb, Gzip,
        HeaderMatcher, HealthCheckFilter, HttpUri, JwksAsyncFetch, JwksRetryPolicy, JwtAuthentication,
        JwtCacheConfig, JwtClaimToHeader, JwtProvider, JwtRequirement, JwtRequirementOrList, LocalRateLimit,
        LocalRateLimitDescriptor, MaskedRemoteAddress, PathMatch, PrintOptions, RateLimit, RateLimitAction,
        RateLimitFilter, RateLimitServiceConfig, RemoteJwks, RequestValidationOptions, RequirementRule,
        ResponseDirectionConfig, Router, RuntimeFractionalPercent, Span, StringMatcher, TokenBucket,
        TypedExtension, Zstd,
    },
    clusters,
};

/// Requirement of the JWT filter: a valid token.
pub(crate) const TOKEN_REQUIRED: &str = "required";
/// Requirement of the JWT filter: no token, or a valid one.
pub(crate) const TOKEN_OPTIONAL: &str = "optional";
/// Key of a token's claims in the dynamic metadata of the JWT filter.
pub(crate) const CLAIMS: &str = "claims";

const PROVIDER: &str = "sipup";
/// Tokens that each worker remembers as checked. Checking one anew costs 140 µs, half as much as all the rest of a call; remembering one
/// costs 10 KiB. Users stay on their connection's worker, so two workers are enough for 20,000 of them.
const CACHED_TOKENS: u32 = 10_000;
/// Lists of full pages with long texts; what is larger belongs into pages.
const MAX_JSON_RESPONSE: u32 = 32 << 20;

/// The filters, in the order in which requests pass them; responses pass them backwards.
pub(crate) fn chain(config: &Config, rpcs: &[Rpc]) -> Vec<TypedExtension> {
    // First, so that a load balancer gets its answer without a token or a limit.
    let mut chain = vec![TypedExtension::new(&health_check())];
    // Preflights carry no token and count for no limit.
    chain.push(TypedExtension::new(&Cors {}));
    // Before the transcoder, so that on the way back they see its JSON.
    chain.extend(compressors());
    // Before the token is checked, so that it also slows those who guess tokens.
    chain.extend(config.local_limit.map(|limit| TypedExtension::new(&local_limit(limit))));
    chain.push(TypedExtension::new(&GrpcWeb {}));
    // From here on a REST call is a gRPC call: one set of paths for tokens, limits, time-outs and retries.
    chain.push(TypedExtension::new(&transcoder(config, rpcs)));
    chain.push(TypedExtension::new(&jwt(config)));
    // After the token, whose subject is what it counts.
    chain.extend(config.limiter.as_ref().map(|limiter| TypedExtension::new(&global_limit(limiter.timeout))));
    // Holds the whole body before a backend is bothered with it; bounds it in gRPC form for all callers alike.
    chain.push(TypedExtension::new(&Buffer { max_request_bytes: config.limits.unary_bytes }));
    chain.push(TypedExtension::new(&stats(rpcs)));
    chain.push(TypedExtension::new(&Router {}));
    chain
}

/// `/healthz` says whether this Envoy wants traffic, not how the backends are.
fn health_check() -> HealthCheckFilter {
    let path = HeaderMatcher::matches(":path", StringMatcher::Exact("/healthz".into()));
    HealthCheckFilter { pass_through_mode: false, headers: vec![path] }
}

/// Among encodings that a client likes equally well, the last of these wins.
fn compressors() -> [TypedExtension; 3] {
    let gzip = Gzip { memory_level: 5, window_bits: 12, compression_level: "COMPRESSION_LEVEL_4" };
    let compressor = |library, choose_first| Compressor {
        response_direction_config: ResponseDirectionConfig {
            common_config: CommonDirectionConfig {
                min_content_length: 512,
                // Never gRPC: most stacks don't expect a whole gRPC body in gzip. Its messages are compressed one by one,
                // by the services.
                content_type_matcher: vec![StringMatcher::Exact("application/json".into())],
            },
            weaken_etag_on_compress: true,
        },
        compressor_library: library,
        choose_first,
    };
    [
        ("envoy.filters.http.compressor.gzip", compressor(TypedExtension::new(&gzip), false)),
        (
            "envoy.filters.http.compressor.brotli",
            compressor(TypedExtension::new(&Brotli { quality: 4 }), true),
        ),
        (
            "envoy.filters.http.compressor.zstd",
            compressor(TypedExtension::new(&Zstd { compression_level: 3 }), true),
        ),
    ]
    .map(|(name, filter)| TypedExtension::named(name, &filter))
}

fn local_limit(limit: LocalLimit) -> LocalRateLimit {
    // A customer of IPv6 has a whole /64 and could come from another address of it each time.
    let network = MaskedRemoteAddress { v4_prefix_mask_len: 32, v6_prefix_mask_len: 64 };
    LocalRateLimit {
        stat_prefix: "edge",
        filter_enabled: RuntimeFractionalPercent::ALWAYS,
        filter_enforced: RuntimeFractionalPercent::ALWAYS,
        rate_limits: vec![RateLimit {
            actions: vec![RateLimitAction::MaskedRemoteAddress(network)],
            hits_addend: None,
        }],
        descriptors: vec![LocalRateLimitDescriptor {
            entries: vec![DescriptorEntry { key: "masked_remote_address" }],
            token_bucket: TokenBucket {
                max_tokens: limit.burst,
                tokens_per_fill: limit.per_second,
                fill_interval: Span::secs(1),
            },
        }],
        max_dynamic_descriptors: limit.addresses,
        rate_limited_as_resource_exhausted: true,
        enable_retry_after_header: true,
    }
}

fn transcoder(config: &Config, rpcs: &[Rpc]) -> GrpcJsonTranscoder {
    let descriptor_set = match &config.descriptors {
        Descriptors::Inline => DescriptorSet::ProtoDescriptorBin(STANDARD.encode(proto::SLIM_DESCRIPTORS)),
        Descriptors::File(path) => DescriptorSet::ProtoDescriptor(path.clone()),
    };
    GrpcJsonTranscoder {
        descriptor_set,
        services: methods(rpcs).into_keys().collect(),
        convert_grpc_status: true,
        // Browsers write a space in a query as `+`.
        query_param_unescape_plus: true,
        print_options: PrintOptions { always_print_primitive_fields: true },
        request_validation_options: RequestValidationOptions {
            reject_unknown_query_parameters: true,
            reject_binding_body_field_collisions: true,
        },
        // JSON is larger than the message it becomes, which the buffer filter bounds.
        max_request_body_size: config.limits.bulk_bytes.saturating_mul(2),
        max_response_body_size: MAX_JSON_RESPONSE,
    }
}

fn jwt(config: &Config) -> JwtAuthentication {
    let from_provider = || JwtRequirement::ProviderName(PROVIDER);
    let optional =
        JwtRequirementOrList { requirements: vec![from_provider(), JwtRequirement::AllowMissing(Empty {})] };
    JwtAuthentication {
        providers: BTreeMap::from([(PROVIDER, provider(config))]),
        requirement_map: BTreeMap::from([
            (TOKEN_REQUIRED, from_provider()),
            (TOKEN_OPTIONAL, JwtRequirement::RequiresAny(optional)),
        ]),
        // Denied unless a route says otherwise, so a path without a route tells a stranger nothing.
        rules: vec![RequirementRule {
            matches: PathMatch::Prefix("/".into()),
            requirement_name: TOKEN_REQUIRED,
        }],
        bypass_cors_preflight: true,
    }
}

fn provider(config: &Config) -> JwtProvider {
    JwtProvider {
        issuer: config.jwt.issuer.clone(),
        audiences: vec![config.jwt.audience.clone()],
        require_expiration: true,
        max_lifetime: Span::secs(24 * 3_600),
        clock_skew_seconds: 30,
        // The services check the token again.
        forward: true,
        remote_jwks: RemoteJwks {
            http_uri: HttpUri {
                uri: format!("http://{}{}", clusters::JWKS, config.jwt.jwks_path),
                cluster: clusters::JWKS,
                timeout: Span::secs(2),
            },
            cache_duration: Span(config.jwt.cache),
            // The listener opens only after the first answer or failure, and a failure is repaired in a second.
            async_fetch: JwksAsyncFetch { fast_listener: false, failed_refetch_duration: Span::secs(1) },
            retry_policy: JwksRetryPolicy { num_retries: 2 },
        },
        payload_in_metadata: CLAIMS,
        claim_to_headers: vec![
            JwtClaimToHeader { header_name: "x-user-id", claim_name: "sub" },
            JwtClaimToHeader { header_name: "x-user-role", claim_name: "role" },
        ],
        jwt_cache_config: JwtCacheConfig { jwt_cache_size: CACHED_TOKENS },
    }
}

fn global_limit(timeout: std::time::Duration) -> RateLimitFilter {
    let envoy_grpc = EnvoyGrpc { cluster_name: clusters::LIMITER };
    RateLimitFilter {
        domain: "sipup",
        timeout: Span(timeout),
        failure_mode_deny: false,
        rate_limited_as_resource_exhausted: true,
        enable_x_ratelimit_headers: "DRAFT_VERSION_03",
        enable_retry_after_header: true,
        rate_limit_service: RateLimitServiceConfig {
            transport_api_version: "V3",
            grpc_service: GrpcService { envoy_grpc, timeout: Span(timeout) },
        },
    }
}

/// One series per known method: counting every name that a client makes up would be without bound.
fn stats(rpcs: &[Rpc]) -> GrpcStats {
    let services =
        methods(rpcs).into_iter().map(|(name, method_names)| GrpcMethods { name, method_names }).collect();
    GrpcStats {
        emit_filter_state: true,
        enable_upstream_stats: true,
        individual_method_stats_allowlist: GrpcMethodList { services },
    }
}

/// Methods that clients can reach, by service.
fn methods(rpcs: &[Rpc]) -> BTreeMap<String, Vec<String>> {
    let mut services = BTreeMap::<String, Vec<String>>::new();
    for rpc in rpcs.iter().filter(|rpc| rpc.access != Access::Internal) {
        services.entry(rpc.service.clone()).or_default().push(rpc.method.clone());
    }
    services
}
