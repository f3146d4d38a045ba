//! Calls over gRPC.

mod prices;
mod reports;

use prost_types::Timestamp;
use proto::{
    auth::v1::{GetMeRequest, auth_service_client::AuthServiceClient},
    catalog::v1::{self as catalog, catalog_service_client::CatalogServiceClient},
    orders::v1::{self as orders, order_service_client::OrderServiceClient},
};
use tonic::{Request, Status, Streaming, TimeoutExpired, metadata::MetadataMap, transport::Channel};
use tonic_types::StatusExt as _;

use super::{Envelope, chain};
use crate::{
    call::{Answer, Call, Failure, Line, Order, Product, Reply, WishedItem, code_name},
    check::HISTORY,
    world::World,
};

/// Products in a page.
pub(super) const PAGE: i32 = 20;

/// Sends `call` on `channel`.
pub(super) async fn send(
    channel: Channel,
    envelope: Envelope<'_>,
    world: &World,
    call: &Call,
) -> Result<Reply, Failure> {
    let sent = match call {
        Call::List { .. } | Call::Search { .. } | Call::View { .. } => {
            read_catalogue(CatalogServiceClient::new(channel), envelope, world, call).await
        }
        Call::Order(_) | Call::ReadOrder { .. } | Call::History => {
            use_orders(OrderServiceClient::new(channel), envelope, world, call).await
        }
        Call::Prices { items } => prices::price_items(channel, envelope, world, items).await,
        Call::AskReport(_) | Call::LookAtReport { .. } | Call::Download { .. } | Call::Reports => {
            reports::use_reports(channel, envelope, call).await
        }
        Call::Me => me(AuthServiceClient::new(channel), envelope).await,
        Call::Watch { .. } => Err(Status::internal("a watch is no call with one answer")),
    };
    let (answer, metadata) = sent.map_err(|status| failure(&status))?;
    let position = metadata.get("sipup-lsn").and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Reply { answer, position })
}

/// Opens a watch of `order`.
pub(super) async fn watch(
    channel: Channel,
    envelope: Envelope<'_>,
    order: String,
    resume_token: &str,
) -> Result<Streaming<orders::WatchOrderResponse>, Failure> {
    let message = orders::WatchOrderRequest { id: order, resume_token: resume_token.to_owned() };
    let opened = async { OrderServiceClient::new(channel).watch_order(envelope.around(message)?).await };
    Ok(opened.await.map_err(|status| failure(&status))?.into_inner())
}

type Sent = Result<(Answer, MetadataMap), Status>;

async fn read_catalogue(
    mut client: CatalogServiceClient<Channel>,
    envelope: Envelope<'_>,
    world: &World,
    call: &Call,
) -> Sent {
    if let Call::View { product: number } = call {
        let message = catalog::GetProductRequest { id: world.product(*number).id.clone() };
        let (metadata, reply, _) = client.get_product(envelope.around(message)?).await?.into_parts();
        return Ok((Answer::Product(product(reply.product.unwrap_or_default())), metadata));
    }
    let (filter, order_by) = listing(world, call);
    let message = catalog::ListProductsRequest { page_size: PAGE, filter, order_by, ..Default::default() };
    let (metadata, reply, _) = client.list_products(envelope.around(message)?).await?.into_parts();
    Ok((Answer::Products(reply.products.into_iter().map(product).collect()), metadata))
}

/// The filter and the order of a list.
pub(super) fn listing(world: &World, call: &Call) -> (String, String) {
    match call {
        Call::Search { max_price } => (format!("price <= {max_price}"), "price desc".to_owned()),
        Call::List { category } => match world.categories.get(*category) {
            Some(category) if !category.is_empty() => {
                (format!("category_id = \"{category}\""), "sku".to_owned())
            }
            _ => (String::new(), "sku".to_owned()),
        },
        _ => (String::new(), String::new()),
    }
}

async fn use_orders(
    mut client: OrderServiceClient<Channel>,
    envelope: Envelope<'_>,
    world: &World,
    call: &Call,
) -> Sent {
    match call {
        Call::Order(wish) => {
            let item = |item: &WishedItem| orders::OrderItem {
                sku: world.product(item.product).sku.clone(),
                quantity: item.quantity,
            };
            let message = orders::CreateOrderRequest {
                items: wish.items.iter().map(item).collect(),
                request_id: wish.key.to_string(),
                ..Default::default()
            };
            let (metadata, reply, _) = client.create_order(envelope.around(message)?).await?.into_parts();
            Ok((Answer::Order(order(reply.order.unwrap_or_default())), metadata))
        }
        Call::ReadOrder { id } => {
            let message = orders::GetOrderRequest { id: id.clone() };
            let (metadata, reply, _) = client.get_order(envelope.around(message)?).await?.into_parts();
            Ok((Answer::Order(order(reply.order.unwrap_or_default())), metadata))
        }
        _ => {
            let page_size = i32::try_from(HISTORY).unwrap_or(0);
            let message = orders::ListOrdersRequest { page_size, ..Default::default() };
            let (metadata, reply, _) = client.list_orders(envelope.around(message)?).await?.into_parts();
            Ok((Answer::Orders(reply.orders.into_iter().map(order).collect()), metadata))
        }
    }
}

async fn me(mut client: AuthServiceClient<Channel>, envelope: Envelope<'_>) -> Sent {
    let (metadata, reply, _) = client.get_me(envelope.around(GetMeRequest {})?).await?.into_parts();
    let user = reply.user.unwrap_or_default();
    Ok((Answer::Me { user: user.id, company: user.company_id }, metadata))
}

impl Envelope<'_> {
    fn around<T>(self, message: T) -> Result<Request<T>, Status> {
        let unfit = |_| Status::internal("a value that fits into no header");
        let mut request = Request::new(message);
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        let metadata = request.metadata_mut();
        metadata.insert("authorization", self.authorization);
        if let Some(position) = self.position {
            metadata.insert("sipup-lsn", position.parse().map_err(unfit)?);
        }
        if let Some((name, address)) = self.client {
            metadata.as_mut().insert(name, address.parse().map_err(|_| Status::internal("no address"))?);
        }
        Ok(request)
    }
}

/// What is kept of a product.
pub(crate) fn product(product: catalog::Product) -> Product {
    let price = product.price.unwrap_or_default();
    Product {
        id: product.id,
        sku: product.sku,
        category: product.category_id,
        currency: price.currency_code,
        price: price.minor_units,
        version: micros(product.update_time),
    }
}

fn order(order: orders::Order) -> Order {
    let minor = |money: Option<proto::r#type::v1::Money>| money.unwrap_or_default().minor_units;
    let line = |line: orders::OrderLine| Line {
        sku: line.sku,
        quantity: line.quantity,
        unit_price: minor(line.unit_price),
        total: minor(line.total),
    };
    Order {
        id: order.id,
        company: order.company_id,
        buyer: order.buyer_id,
        total: minor(order.total),
        created: micros(order.create_time),
        lines: order.lines.into_iter().map(line).collect(),
    }
}

fn micros(time: Option<Timestamp>) -> i64 {
    time.map_or(0, |time| time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000)
}

/// A status as a failure. Where no status came back, tonic makes one with the connection's error inside; its code says nothing about the
/// platform: a connection that broke must not pass for a limit.
pub(crate) fn failure(status: &Status) -> Failure {
    let mut causes =
        std::iter::successors(std::error::Error::source(status), |cause| cause.source()).peekable();
    let code = if causes.peek().is_none() {
        code_name(i64::from(i32::from(status.code())))
    } else if causes.any(<dyn std::error::Error>::is::<TimeoutExpired>) {
        // The deadline of the call, kept on this side.
        "TIMEOUT"
    } else {
        "CONNECTION"
    };
    let message = match std::error::Error::source(status) {
        Some(cause) if code == "CONNECTION" => chain(cause),
        _ => status.message().to_owned(),
    };
    let mut failure = Failure::new(code, message);
    failure.unsent = is_unsent(status);
    if let Some(info) = status.get_details_error_info() {
        failure.reason = info.reason;
    }
    failure
}

/// Whether nobody has begun to handle the call: it waited to be sent when the connection ended, or the server named it among those that
/// came too late.
fn is_unsent(status: &Status) -> bool {
    std::iter::successors(std::error::Error::source(status), |cause| cause.source()).any(|cause| {
        cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled)
            || cause.downcast_ref::<h2::Error>().is_some_and(came_too_late)
    })
}

/// A stream above the last one that a GOAWAY names, or one that was refused, was not looked at (RFC 9113, sections 6.8 and 8.7).
fn came_too_late(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    let behind_the_last = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
    error.is_remote() && (refused || behind_the_last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_tonic_made_of_a_broken_connection_is_no_limit() {
        let broken = std::io::Error::other("the connection broke");
        assert_eq!(failure(&Status::from_error(Box::new(broken))).code, "CONNECTION");
        assert_eq!(failure(&Status::resource_exhausted("slow down")).code, "RESOURCE_EXHAUSTED");
        assert_eq!(failure(&Status::from_error(Box::new(TimeoutExpired(())))).code, "TIMEOUT");
    }

    /// The failure of a call whose stream the server resets.
    async fn failure_of_reset(reason: h2::Reason) -> Failure {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (socket, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(socket).await.unwrap();
            while let Some(call) = connection.accept().await {
                call.unwrap().1.send_reset(reason);
            }
        };
        let client = async {
            let endpoint = tonic::transport::Endpoint::try_from(format!("http://{address}")).unwrap();
            let channel = endpoint.connect().await.unwrap();
            AuthServiceClient::new(channel).get_me(GetMeRequest {}).await.unwrap_err()
        };
        tokio::select! {
            status = client => failure(&status),
            () = server => panic!("the client hung up"),
        }
    }

    #[tokio::test]
    async fn only_a_call_that_nobody_looked_at_goes_out_again() {
        let refused = failure_of_reset(h2::Reason::REFUSED_STREAM).await;
        assert!(refused.unsent, "{refused:?}");
        let broken = failure_of_reset(h2::Reason::INTERNAL_ERROR).await;
        assert!(!broken.unsent, "{broken:?}");
    }
}
