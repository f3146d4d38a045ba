//! The answers that Envoy itself gives, in the form that each kind of caller expects.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tonic::Code;

use crate::api::{
    AccessLogFilter, Format, HeaderMatcher, HeaderValueOption, LocalReplyConfig, ResponseMapper,
    StringMatcher, SubstitutionFormatString,
};

/// gRPC codes of the HTTP statuses that Envoy answers REST callers with.
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

/// HTTP statuses whose gRPC code Envoy gets wrong: UNKNOWN for a body over the limit, and UNAVAILABLE, which clients
/// would try again, for limits and time-outs of gRPC-Web callers.
const GRPC_CODES: [(u32, Code, &str); 4] = [
    (408, Code::DeadlineExceeded, "the call took too long"),
    (413, Code::ResourceExhausted, "the message is too large"),
    (429, Code::ResourceExhausted, "too many calls"),
    (504, Code::DeadlineExceeded, "the call took too long"),
];

/// The HTTP status of who is over a limit. Both limiters say in a header when to come back.
const LIMITED: u32 = 429;

/// What gRPC callers are told by `grpc-status-details-bin`.
fn limited() -> Value {
    json!([
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "RATE_LIMITED",
            "domain": "ratelimit.sipup",
        },
        {
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": "%RESP(RETRY-AFTER)%s",
        },
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"description": "%LOCAL_REPLY_BODY%"}],
        },
    ])
}

/// The first mapper that fits is used.
pub(crate) fn all() -> LocalReplyConfig {
    let of = |status, caller| AccessLogFilter::all(vec![AccessLogFilter::status(status), caller]);
    let web = GRPC_CODES.map(|(status, code, message)| as_grpc_web(of(status, is_grpc_web()), code, message));
    let grpc = GRPC_CODES.map(|(status, code, _)| with_code(of(status, is_grpc()), code));
    let details = |status| if status == LIMITED { limited() } else { json!([]) };
    let rest = CODES.map(|(status, code)| as_json(of(status, is_rest()), code, &details(status)));
    let otherwise = [as_json(is_rest(), Code::Unknown, &json!([]))];
    LocalReplyConfig { mappers: web.into_iter().chain(grpc).chain(rest).chain(otherwise).collect() }
}

fn with_code(filter: AccessLogFilter, code: Code) -> ResponseMapper {
    ResponseMapper { headers_to_add: vec![status_header(code)], ..ResponseMapper::of(filter) }
}

/// A gRPC-Web answer that consists of trailers only. An answer of any other form is given a code by the gRPC-Web filter,
/// from its HTTP status.
fn as_grpc_web(filter: AccessLogFilter, code: Code, message: &str) -> ResponseMapper {
    ResponseMapper {
        status_code: Some(200),
        headers_to_add: vec![status_header(code), HeaderValueOption::set("grpc-message", message)],
        body_format_override: Some(SubstitutionFormatString {
            content_type: Some("application/grpc-web+proto"),
            ..SubstitutionFormatString::new(Format::empty())
        }),
        ..ResponseMapper::of(filter)
    }
}

fn status_header(code: Code) -> HeaderValueOption {
    HeaderValueOption::set("grpc-status", (code as i32).to_string())
}

/// The JSON form of `google.rpc.Status`, as the services answer.
fn as_json(filter: AccessLogFilter, code: Code, details: &Value) -> ResponseMapper {
    let body = BTreeMap::from([
        ("code", json!(code as i32)),
        ("message", json!("%LOCAL_REPLY_BODY%")),
        ("details", details.clone()),
    ]);
    ResponseMapper {
        headers_to_add: vec![HeaderValueOption::set("cache-control", "no-store")],
        body_format_override: Some(SubstitutionFormatString::new(Format::JsonFormat(body))),
        ..ResponseMapper::of(filter)
    }
}

/// The transcoder turns a REST call's content type into gRPC's and leaves its path in this header.
const ORIGINAL_PATH: &str = "x-envoy-original-path";

fn has_grpc_type() -> HeaderMatcher {
    HeaderMatcher::matches("content-type", StringMatcher::Prefix("application/grpc".into()))
}

/// By the header that its clients send, since its content type becomes that of gRPC on the way.
fn is_grpc_web() -> AccessLogFilter {
    AccessLogFilter::header(HeaderMatcher::present("x-grpc-web", true))
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
