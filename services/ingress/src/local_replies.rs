//! The answers that Envoy itself gives, in the form that each kind of caller expects.

use std::collections::BTreeMap;

use serde_json::json;
use tonic::Code;

use crate::api::{
    AccessLogFilter, HeaderMatcher, HeaderValueOption, LocalReplyConfig, ResponseMapper, StringMatcher,
    SubstitutionFormatString,
};

/// gRPC codes of the HTTP statuses that Envoy answers with. Its own mapping says UNAVAILABLE for 429 and INTERNAL for 400.
const CODES: [(u32, Code); 12] = [
    (400, Code::InvalidArgument),
    (401, Code::Unauthenticated),
    (403, Code::PermissionDenied),
    (404, Code::NotFound),
    (405, Code::Unimplemented),
    (408, Code::DeadlineExceeded),
    (413, Code::ResourceExhausted),
    (429, Code::ResourceExhausted),
    (431, Code::ResourceExhausted),
    (502, Code::Unavailable),
    (503, Code::Unavailable),
    (504, Code::DeadlineExceeded),
];

/// The first mapper that fits is used.
pub(crate) fn all() -> LocalReplyConfig {
    let mut mappers = vec![too_large_for_grpc(), limited_for_grpc_web()];
    let rest = |status, code| {
        let filter = AccessLogFilter::all(vec![AccessLogFilter::status(status), is_rest()]);
        as_json(filter, code)
    };
    mappers.extend(CODES.into_iter().map(|(status, code)| rest(status, code)));
    mappers.push(as_json(is_rest(), Code::Unknown));
    LocalReplyConfig { mappers }
}

/// A body over the limit is RESOURCE_EXHAUSTED, where Envoy would say UNKNOWN.
fn too_large_for_grpc() -> ResponseMapper {
    exhausted(AccessLogFilter::all(vec![AccessLogFilter::status(413), is_grpc()]))
}

/// Over a limit is RESOURCE_EXHAUSTED, where the gRPC-Web filter would say UNAVAILABLE or nothing.
fn limited_for_grpc_web() -> ResponseMapper {
    let web = AccessLogFilter::header(HeaderMatcher::present("x-grpc-web", true));
    exhausted(AccessLogFilter::all(vec![AccessLogFilter::status(429), web]))
}

fn exhausted(filter: AccessLogFilter) -> ResponseMapper {
    let status = (Code::ResourceExhausted as i32).to_string();
    ResponseMapper {
        filter,
        headers_to_add: vec![HeaderValueOption::set("grpc-status", status)],
        body_format_override: None,
    }
}

/// The JSON form of `google.rpc.Status`, as the services answer.
fn as_json(filter: AccessLogFilter, code: Code) -> ResponseMapper {
    let body = BTreeMap::from([
        ("code", json!(code as i32)),
        ("message", json!("%LOCAL_REPLY_BODY%")),
        ("details", json!([])),
    ]);
    ResponseMapper {
        filter,
        headers_to_add: vec![HeaderValueOption::set("cache-control", "no-store")],
        body_format_override: Some(SubstitutionFormatString { json_format: body, omit_empty_values: None }),
    }
}

/// The transcoder turns a REST call's content type into gRPC's and leaves its path in this header.
const ORIGINAL_PATH: &str = "x-envoy-original-path";

fn has_grpc_type() -> HeaderMatcher {
    HeaderMatcher::matches("content-type", StringMatcher::Prefix("application/grpc".into()))
}

fn is_grpc() -> AccessLogFilter {
    AccessLogFilter::all(vec![
        AccessLogFilter::header(has_grpc_type()),
        AccessLogFilter::header(HeaderMatcher::present(ORIGINAL_PATH, false)),
    ])
}

fn is_rest() -> AccessLogFilter {
    AccessLogFilter::any(vec![
        AccessLogFilter::header(has_grpc_type().not()),
        AccessLogFilter::header(HeaderMatcher::present(ORIGINAL_PATH, true)),
    ])
}
