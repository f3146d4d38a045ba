//! Traces and the access log.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    Config, Otlp,
    api::{
        CustomTag, Empty, EnvironmentResourceDetectorConfig, EnvoyGrpc, Extension, FileAccessLog, Format,
        FractionalPercent, GrpcService, JwtAuthentication, MetadataKey, MetadataKind, MetadataTag,
        OpenTelemetryConfig, ParentBasedSamplerConfig, Percent, Span, SubstitutionFormatString,
        TraceIdRatioBasedSamplerConfig, Tracing, TypedExtension,
    },
    clusters, filters,
};

/// A span per request and one per attempt, exported over OTLP.
pub(crate) fn tracing(otlp: &Otlp) -> Tracing {
    let user = MetadataTag {
        kind: MetadataKind { request: Empty {} },
        metadata_key: MetadataKey::new(JwtAuthentication::NAME, &[filters::CLAIMS, "sub"]),
    };
    // Below 100, Envoy's own sampling would overrule the caller's decision; the sampler of the tracer keeps it.
    let all = Percent { value: 100.0 };
    Tracing {
        random_sampling: all,
        client_sampling: all,
        overall_sampling: all,
        spawn_upstream_span: true,
        max_path_tag_length: 128,
        custom_tags: vec![CustomTag { tag: "user.id", metadata: user }],
        provider: TypedExtension::new(&exporter(otlp.per_million)),
    }
}

fn exporter(per_million: u32) -> OpenTelemetryConfig {
    let share = FractionalPercent { numerator: per_million, denominator: Some("MILLION") };
    let ratio = TraceIdRatioBasedSamplerConfig { sampling_percentage: share };
    let sampler = ParentBasedSamplerConfig { wrapped_sampler: TypedExtension::new(&ratio) };
    OpenTelemetryConfig {
        service_name: "ingress",
        sampler: TypedExtension::new(&sampler),
        grpc_service: GrpcService {
            envoy_grpc: EnvoyGrpc { cluster_name: clusters::OTLP },
            timeout: Span::secs(1),
        },
        resource_detectors: vec![TypedExtension::new(&EnvironmentResourceDetectorConfig {})],
    }
}

/// Fields of a line. `grpc_status` is empty for answers that Envoy gives to REST: `status` and `details` tell then.
const FIELDS: [(&str, &str); 22] = [
    ("time", "%START_TIME%"),
    ("trace_id", "%TRACE_ID%"),
    ("span_id", "%SPAN_ID%"),
    ("traceparent", "%REQ(TRACEPARENT)%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("rpc", "%REQ(:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("status", "%RESPONSE_CODE%"),
    ("grpc_status", "%GRPC_STATUS(SNAKE_STRING)%"),
    ("details", "%RESPONSE_CODE_DETAILS%"),
    ("flags", "%RESPONSE_FLAGS%"),
    ("route", "%ROUTE_NAME%"),
    ("upstream", "%UPSTREAM_HOST%"),
    ("attempts", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"),
    ("duration_ms", "%DURATION%"),
    ("bytes_in", "%BYTES_RECEIVED%"),
    ("bytes_out", "%BYTES_SENT%"),
    ("client", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ("user_id", "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:claims:sub)%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
];

/// One JSON line per request; tokens and bodies are never in it.
pub(crate) fn access_log(config: &Config) -> TypedExtension {
    let json_format: BTreeMap<_, _> =
        FIELDS.into_iter().map(|(name, format)| (name, Value::from(format))).collect();
    TypedExtension::new(&FileAccessLog {
        path: config.access_log.clone(),
        log_format: SubstitutionFormatString {
            omit_empty_values: Some(true),
            ..SubstitutionFormatString::new(Format::JsonFormat(json_format))
        },
    })
}
