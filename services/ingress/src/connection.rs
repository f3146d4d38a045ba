//! How connections of clients are treated, before any filter sees a request.

use crate::{
    Config,
    api::{
        CommonHttpProtocolOptions, EarlyHeaderMutation, Edge, HeaderMutation, Http2ProtocolOptions,
        KeepaliveSettings, Percent, Span, TypedExtension,
    },
    local_replies, observability, routes,
};

/// Headers that only Envoy may set: who the caller is and from where, and how a call is retried.
const OURS: [&str; 7] = [
    routes::CLIENT_ADDRESS,
    "x-user-id",
    "x-user-role",
    "x-envoy-retry-on",
    "x-envoy-retry-grpc-on",
    "x-envoy-max-retries",
    "x-envoy-upstream-rq-timeout-ms",
];

/// The settings of the listener for clients.
pub(crate) fn edge(config: &Config) -> Edge {
    let mutations = OURS.into_iter().map(HeaderMutation::Remove).collect();
    Edge {
        use_remote_address: true,
        xff_num_trusted_hops: config.trusted_hops,
        normalize_path: true,
        merge_slashes: true,
        // SKUs may hold a slash. What decides about access is the gRPC path, found after this.
        path_with_escaped_slashes_action: "UNESCAPE_AND_FORWARD",
        strip_any_host_port: true,
        server_name: "sipup",
        always_set_request_id_in_response: true,
        max_request_headers_kb: 32,
        request_headers_timeout: Span::secs(10),
        stream_idle_timeout: Span::secs(300),
        drain_timeout: Span::secs(5),
        common_http_protocol_options: common_options(),
        http2_protocol_options: http2_options(),
        early_header_mutation_extensions: vec![TypedExtension::new(&EarlyHeaderMutation { mutations })],
        local_reply_config: local_replies::all(),
        tracing: config.otlp.as_ref().map(observability::tracing),
        access_log: vec![observability::access_log(config)],
    }
}

fn common_options() -> CommonHttpProtocolOptions {
    CommonHttpProtocolOptions {
        idle_timeout: Span::secs(3_600),
        // So that long-lived connections find their way to new Envoys.
        max_connection_duration: Span::secs(7_200),
        max_connection_duration_jitter: Percent { value: 20.0 },
        max_headers_count: 100,
        // Some servers read `x_user_id` as `x-user-id`; refusing it would reset the stream without a word.
        headers_with_underscores_action: "DROP_HEADER",
    }
}

fn http2_options() -> Http2ProtocolOptions {
    Http2ProtocolOptions {
        max_concurrent_streams: 100,
        initial_stream_window_size: 64 << 10,
        initial_connection_window_size: 1 << 20,
        connection_keepalive: KeepaliveSettings { interval: Span::secs(60), timeout: Span::secs(20) },
    }
}
