//! Somebody who calls the service.

use std::time::Duration;

use platform::testing::Issuer;
use proto::orders::v1::{
    self as pb, inventory_service_client::InventoryServiceClient, order_service_client::OrderServiceClient,
};
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap, transport::Channel};
use uuid::Uuid;

/// A signed-in user. Clones are the same user on the same connection.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) company: Uuid,
    pub(crate) session: Uuid,
    token: String,
    orders: OrderServiceClient<Channel>,
    stock: InventoryServiceClient<Channel>,
}

/// An open watch of an order.
#[derive(Debug)]
pub(crate) struct Watched {
    messages: Streaming<pb::WatchOrderResponse>,
    /// Resumes behind the last message that was read.
    pub(crate) token: String,
}

impl Watched {
    fn new(messages: Streaming<pb::WatchOrderResponse>) -> Self {
        Self { messages, token: String::new() }
    }

    /// The next message: an event, or that it is alive; none once it has ended well.
    pub(crate) async fn message(&mut self) -> Option<Option<pb::OrderEvent>> {
        let next = tokio::time::timeout(Duration::from_secs(30), self.messages.message());
        let message = next.await.expect("a watch tells something or ends").unwrap()?;
        self.token = message.resume_token;
        Some(message.event)
    }

    /// The next event. Fails if the watch ends instead.
    pub(crate) async fn event(&mut self) -> pb::OrderEvent {
        loop {
            if let Some(event) = self.message().await.expect("the watch has ended") {
                return event;
            }
        }
    }

    /// Reads to the end, which must be a good one. Answers the events that came.
    pub(crate) async fn rest(&mut self) -> Vec<pb::OrderEvent> {
        let mut events = Vec::new();
        while let Some(message) = self.message().await {
            events.extend(message);
        }
        events
    }
}

/// What `create` asks for: SKUs and how many units of each.
pub(crate) fn wish(items: &[(&str, i32)], key: &str) -> pb::CreateOrderRequest {
    pb::CreateOrderRequest {
        items: items
            .iter()
            .map(|(sku, quantity)| pb::OrderItem { sku: (*sku).to_owned(), quantity: *quantity })
            .collect(),
        request_id: key.to_owned(),
        ..Default::default()
    }
}

/// Whether an answer says that it was given before.
pub(crate) fn was_replayed(metadata: &MetadataMap) -> bool {
    metadata.get("idempotent-replayed").is_some_and(|value| value == "true")
}

impl User {
    pub(crate) fn new(channel: Channel, id: Uuid, company: Uuid, session: Uuid, token: String) -> Self {
        let (orders, stock) =
            (OrderServiceClient::new(channel.clone()), InventoryServiceClient::new(channel));
        Self { id, company, session, token, orders, stock }
    }

    /// The same user on another connection.
    pub(crate) fn over(&self, channel: Channel) -> Self {
        Self::new(channel, self.id, self.company, self.session, self.token.clone())
    }

    /// A request of this user.
    pub(crate) fn sign<T>(&self, message: T) -> Request<T> {
        Issuer::with_token(message, &self.token)
    }

    /// The header that this user's requests carry.
    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// The order service, for calls that are not spelt out here.
    pub(crate) fn orders(&self) -> OrderServiceClient<Channel> {
        self.orders.clone()
    }

    /// Sends a wish and shows the whole answer.
    pub(crate) async fn send(
        &self,
        wish: pb::CreateOrderRequest,
    ) -> Result<Response<pb::CreateOrderResponse>, Status> {
        self.orders().create_order(self.sign(wish)).await
    }

    /// Orders, once for `key`.
    pub(crate) async fn create(&self, items: &[(&str, i32)], key: &str) -> Result<pb::Order, Status> {
        Ok(self.send(wish(items, key)).await?.into_inner().order.unwrap())
    }

    pub(crate) async fn get(&self, id: &str) -> Result<pb::Order, Status> {
        let request = self.sign(pb::GetOrderRequest { id: id.to_owned() });
        Ok(self.orders().get_order(request).await?.into_inner().order.unwrap())
    }

    pub(crate) async fn list(
        &self,
        size: i32,
        token: &str,
        state: i32,
    ) -> Result<pb::ListOrdersResponse, Status> {
        let request = pb::ListOrdersRequest { page_size: size, page_token: token.to_owned(), state };
        Ok(self.orders().list_orders(self.sign(request)).await?.into_inner())
    }

    pub(crate) async fn cancel(
        &self,
        id: &str,
        key: &str,
    ) -> Result<Response<pb::CancelOrderResponse>, Status> {
        let (id, request_id) = (id.to_owned(), key.to_owned());
        let request = pb::CancelOrderRequest { id, reason: "changed our minds".to_owned(), request_id };
        self.orders().cancel_order(self.sign(request)).await
    }

    pub(crate) async fn ship(&self, id: &str, key: &str) -> Result<Response<pb::ShipOrderResponse>, Status> {
        let request = pb::ShipOrderRequest { id: id.to_owned(), request_id: key.to_owned() };
        self.orders().ship_order(self.sign(request)).await
    }

    pub(crate) async fn watch(&self, id: &str, resume_token: &str) -> Result<Watched, Status> {
        let request = pb::WatchOrderRequest { id: id.to_owned(), resume_token: resume_token.to_owned() };
        Ok(Watched::new(self.orders().watch_order(self.sign(request)).await?.into_inner()))
    }

    pub(crate) async fn stock(&self, sku: &str) -> Result<i32, Status> {
        let request = self.sign(pb::GetInventoryRequest { sku: sku.to_owned() });
        Ok(self.stock.clone().get_inventory(request).await?.into_inner().inventory.unwrap().on_hand)
    }

    pub(crate) async fn adjust(
        &self,
        changes: &[(&str, i32)],
        key: Option<&str>,
    ) -> Result<Response<pb::BatchAdjustInventoryResponse>, Status> {
        let change =
            |(sku, delta): &(&str, i32)| pb::InventoryAdjustment { sku: (*sku).to_owned(), delta: *delta };
        let request = pb::BatchAdjustInventoryRequest {
            adjustments: changes.iter().map(change).collect(),
            request_id: key.unwrap_or_default().to_owned(),
        };
        self.stock.clone().batch_adjust_inventory(self.sign(request)).await
    }
}
