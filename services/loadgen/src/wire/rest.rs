//! Calls over REST.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy, client::legacy::connect::HttpConnector, rt::TokioExecutor};
use proto::jobs::v1::{ReportFormat, ReportKind};
use serde_json::json;

use super::{Envelope, chain, grpc, json as answers};
use crate::{
    call::{Answer, Call, Failure, Reply, code_name},
    check::HISTORY,
    error::{Error, Result},
    orders_report::{self, File},
    world::World,
};

/// Idle HTTP/1.1 connections that one client keeps: open files are limited.
const IDLE: usize = 16;
/// The largest answer that is read, in bytes.
const MOST_BYTES: usize = 4 << 20;

/// A REST client with connections of its own from one address.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Client {
    pub(super) fn new(base: &Uri, source: Option<IpAddr>, connect_timeout: Duration) -> Result<Self> {
        if base.scheme_str() != Some("http") {
            return Err(Error::invalid("url", "must begin with http://: TLS ends before what is measured"));
        }
        let mut connector = HttpConnector::new();
        connector.set_local_address(source);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(connect_timeout));
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE)
            // A call that is sent again by the client would be a hidden retry.
            .retry_canceled_requests(false)
            .build(connector);
        Ok(Self { http, base: base.to_string().trim_end_matches('/').to_owned() })
    }

    /// Sends `call`.
    pub(super) async fn send(
        &self,
        envelope: Envelope<'_>,
        world: &World,
        call: &Call,
    ) -> Result<Reply, Failure> {
        let request = self.request(envelope, world, call)?;
        let lost = |error: &(dyn std::error::Error + 'static)| Failure::new("CONNECTION", chain(error));
        let response = self.http.request(request).await.map_err(|error| lost(&error))?;
        let (head, body) = response.into_parts();
        let most = if matches!(call, Call::Download { .. }) { orders_report::MOST_BYTES } else { MOST_BYTES };
        let body = http_body_util::Limited::new(body, most).collect().await;
        let body = body.map_err(|error| lost(&*error))?.to_bytes();
        if !head.status.is_success() {
            return Err(failure(&head, &body));
        }
        let position = head.headers.get("sipup-lsn").and_then(|value| value.to_str().ok()).map(str::to_owned);
        if matches!(call, Call::Download { .. }) {
            let digest = head.headers.get("repr-digest").and_then(|value| value.to_str().ok());
            let file = File { data: body, digest: digest.unwrap_or_default().to_owned() };
            return Ok(Reply { answer: Answer::File(file), position });
        }
        let answer = answer(call, &body).map_err(|error| Failure::new("UNREADABLE", error.to_string()))?;
        Ok(Reply { answer, position })
    }

    fn request(
        &self,
        envelope: Envelope<'_>,
        world: &World,
        call: &Call,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let unfit = |error: http::Error| Failure::new("UNREADABLE", error.to_string());
        let body = body(world, call);
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut request =
            Request::builder().method(method).uri(format!("{}{}", self.base, path(world, call)));
        let authorization = Bytes::copy_from_slice(envelope.authorization.as_bytes());
        request = request.header(header::AUTHORIZATION, &authorization[..]);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let key = match call {
            Call::Order(wish) => Some(wish.key),
            Call::AskReport(wish) => Some(wish.key),
            _ => None,
        };
        if let Some(key) = key {
            request = request.header("idempotency-key", key.to_string());
        }
        if let Some(position) = envelope.position {
            request = request.header("sipup-lsn", position);
        }
        if let Some((name, address)) = envelope.client {
            request = request.header(name, address);
        }
        request.body(Full::new(body.unwrap_or_default())).map_err(unfit)
    }
}

fn path(world: &World, call: &Call) -> String {
    match call {
        Call::View { product } => format!("/v1/products/{}", world.product(*product).id),
        Call::Prices { .. } => "/v1/items:price".to_owned(),
        Call::List { .. } | Call::Search { .. } => {
            let (filter, order_by) = grpc::listing(world, call);
            let (filter, order_by) = (escaped(&filter), escaped(&order_by));
            format!("/v1/products?page_size={}&filter={filter}&order_by={order_by}", grpc::PAGE)
        }
        Call::Order(_) => "/v1/orders".to_owned(),
        Call::ReadOrder { id } => format!("/v1/orders/{}", escaped(id)),
        Call::Watch { id } => format!("/v1/orders/{}:watch", escaped(id)),
        Call::History => format!("/v1/orders?page_size={HISTORY}"),
        Call::AskReport(_) => "/v1/reports".to_owned(),
        Call::LookAtReport { id } => format!("/v1/reports/{}", escaped(id)),
        Call::Download { id } => format!("/v1/reports/{}:download", escaped(id)),
        Call::Reports => format!("/v1/reports?page_size={HISTORY}"),
        Call::Me => "/v1/me".to_owned(),
    }
}

/// The body of a call that has one.
fn body(world: &World, call: &Call) -> Option<Bytes> {
    let item = |product: u32, quantity: i32| json!({"sku": world.product(product).sku, "quantity": quantity});
    let body = match call {
        Call::Order(wish) => {
            let items: Vec<_> = wish.items.iter().map(|each| item(each.product, each.quantity)).collect();
            json!({"items": items})
        }
        Call::Prices { items } => {
            let items: Vec<_> = items.iter().map(|(product, quantity)| item(*product, *quantity)).collect();
            json!({"items": items})
        }
        Call::AskReport(wish) => json!({
            "kind": ReportKind::Orders.as_str_name(),
            "format": ReportFormat::Csv.as_str_name(),
            "periodStart": wish.from.to_string(),
            "periodEnd": wish.to.to_string(),
        }),
        _ => return None,
    };
    Some(body.to_string().into())
}

/// `text` with everything but unreserved characters percent-encoded.
fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn answer(call: &Call, body: &[u8]) -> Result<Answer, serde_json::Error> {
    Ok(match call {
        Call::View { .. } => serde_json::from_slice::<answers::OneProduct>(body)?.into(),
        Call::List { .. } | Call::Search { .. } => serde_json::from_slice::<answers::Products>(body)?.into(),
        Call::Prices { .. } => serde_json::from_slice::<answers::PricedItems>(body)?.into(),
        Call::AskReport(_) | Call::LookAtReport { .. } => {
            serde_json::from_slice::<answers::OneReport>(body)?.into()
        }
        Call::Download { .. } | Call::Reports => serde_json::from_slice::<answers::Reports>(body)?.into(),
        Call::Order(_) | Call::ReadOrder { .. } | Call::Watch { .. } => {
            serde_json::from_slice::<answers::OneOrder>(body)?.into()
        }
        Call::History => serde_json::from_slice::<answers::Orders>(body)?.into(),
        Call::Me => serde_json::from_slice::<answers::Me>(body)?.into(),
    })
}

/// An error's body is `google.rpc.Status` in JSON, unless something before the platform made it.
fn failure(head: &http::response::Parts, body: &[u8]) -> Failure {
    let status = head.status;
    let mut error: answers::Status = serde_json::from_slice(body).unwrap_or_default();
    if error.code.is_none() {
        // An ingress that could not translate an error leaves it in gRPC's headers.
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        error.code = header("grpc-status").and_then(|code| code.parse().ok());
        error.message =
            header("grpc-message").map_or(error.message, |text| format!("{text} (without a body)"));
    }
    let code = match (status, error.code) {
        (http::StatusCode::TOO_MANY_REQUESTS, _) => "RESOURCE_EXHAUSTED",
        (http::StatusCode::BAD_GATEWAY | http::StatusCode::SERVICE_UNAVAILABLE, None) => "UNAVAILABLE",
        (http::StatusCode::GATEWAY_TIMEOUT, None) => "DEADLINE_EXCEEDED",
        (_, Some(code)) => code_name(code),
        (_, None) => "UNKNOWN",
    };
    let mut failure = Failure::new(code, format!("HTTP {}: {}", status.as_u16(), error.message));
    failure.reason = error
        .details
        .into_iter()
        .map(|detail| detail.reason)
        .find(|reason| !reason.is_empty())
        .unwrap_or_default();
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Outcome;

    #[test]
    fn text_is_escaped_for_a_query() {
        assert_eq!(escaped("price <= 5 \"ä/+\""), "price%20%3C%3D%205%20%22%C3%A4%2F%2B%22");
    }

    fn of(status: u16, grpc_status: Option<&str>, body: &[u8]) -> Failure {
        let mut response = http::Response::builder().status(status);
        if let Some(status) = grpc_status {
            response = response.header("grpc-status", status);
        }
        failure(&response.body(()).unwrap().into_parts().0, body)
    }

    #[test]
    fn an_error_keeps_its_code_and_reason() {
        let body =
            br#"{"code":9,"message":"not enough","details":[{"@type":"x"},{"reason":"OUT_OF_STOCK"}]}"#;
        let failure = of(400, None, body);
        assert_eq!((&*failure.code, &*failure.reason), ("FAILED_PRECONDITION", "OUT_OF_STOCK"));
        assert!(matches!(Outcome::of(failure), Outcome::Declined));
    }

    #[test]
    fn an_error_that_was_not_translated_is_a_failure_with_its_code() {
        let failure = of(400, Some("9"), b"");
        assert_eq!(failure.code, "FAILED_PRECONDITION");
        assert!(matches!(Outcome::of(failure), Outcome::Failed(_)));
    }

    #[test]
    fn too_many_requests_is_a_limit_whoever_says_it() {
        assert!(matches!(Outcome::of(of(429, None, b"local_rate_limited")), Outcome::Limited(_)));
    }
}
