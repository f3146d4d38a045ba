//! The methods of the contract: parse, one call, convert.

use std::mem;

use futures::StreamExt as _;
use platform::{
    Access, Caller, Context, Invalid, RequestKey,
    grpc::Lifetime,
    page::{PageSize, PageTokens},
};
use proto::orders::v1::{
    self as pb, inventory_service_server::InventoryService, order_service_server::OrderService,
};
use tonic::{Request, Response, Status, codegen::BoxStream};
use uuid::Uuid;

use crate::{
    catalog::Token,
    convert::state_filter,
    draft::{OrderDraft, Sku, text},
    error::Error,
    inventory::Adjustments,
    order::OrderId,
    service::{Orders, inventory::Stock, watches::Watching},
};

/// Orders on a page where the caller says nothing.
const DEFAULT_PAGE: i32 = 50;
/// Characters that a reason for cancelling may have.
const MAX_REASON: usize = 500;

/// [`OrderService`] of the contract.
#[derive(Debug)]
pub(crate) struct OrdersGrpc {
    orders: Orders,
    watching: Watching,
    tokens: PageTokens,
    context: Context,
}

impl OrdersGrpc {
    pub(crate) fn new(orders: Orders, watching: Watching, tokens: PageTokens, context: Context) -> Self {
        Self { orders, watching, tokens, context }
    }
}

#[tonic::async_trait]
impl OrderService for OrdersGrpc {
    async fn create_order(
        &self,
        request: Request<pb::CreateOrderRequest>,
    ) -> Result<Response<pb::CreateOrderResponse>, Status> {
        let (caller, access) = (Caller::of(&request)?, Access::to_own_company(&request)?);
        let token = Token::of(&request)?;
        let (metadata, _, mut message) = request.into_parts();
        let request_id = mem::take(&mut message.request_id);
        let key =
            RequestKey::required(&metadata, &request_id, "CreateOrder", &message).map_err(Error::from)?;
        let draft = OrderDraft::try_from(message).map_err(Error::from)?;
        let placed = self.orders.create_order(&access, &caller, &token, &key, draft).await?;
        placed.respond(|response| response)
    }

    async fn get_order(
        &self,
        request: Request<pb::GetOrderRequest>,
    ) -> Result<Response<pb::GetOrderResponse>, Status> {
        let access = Access::of(&request);
        let id = OrderId::parse(&request.get_ref().id).map_err(Error::from)?;
        let order = self.orders.get_order(&access, id).await?;
        Ok(Response::new(pb::GetOrderResponse { order: Some(order.into()) }))
    }

    async fn list_orders(
        &self,
        request: Request<pb::ListOrdersRequest>,
    ) -> Result<Response<pb::ListOrdersResponse>, Status> {
        let (caller, access) = (Caller::of(&request)?, Access::of(&request));
        let message = request.into_inner();
        let state = state_filter(message.state).map_err(Error::from)?;
        let size = PageSize::parse(message.page_size, DEFAULT_PAGE).map_err(Error::from)?;
        let bound_to = bound_to(&caller, message.state);
        let bound_to: Vec<&str> = bound_to.iter().map(String::as_str).collect();
        let after: Option<Uuid> = self.tokens.open(&bound_to, &message.page_token).map_err(Error::from)?;
        let (orders, next) = self.orders.list_orders(&access, state, after.map(OrderId::from), size).await?;
        Ok(Response::new(pb::ListOrdersResponse {
            orders: orders.into_iter().map(Into::into).collect(),
            next_page_token: next.map(|last| self.tokens.seal(&bound_to, &last.get())).unwrap_or_default(),
        }))
    }

    async fn cancel_order(
        &self,
        request: Request<pb::CancelOrderRequest>,
    ) -> Result<Response<pb::CancelOrderResponse>, Status> {
        let (caller, access) = (Caller::of(&request)?, Access::of(&request));
        let (metadata, _, mut message) = request.into_parts();
        let request_id = mem::take(&mut message.request_id);
        let key = RequestKey::of(&metadata, &request_id, "CancelOrder", &message).map_err(Error::from)?;
        let id = OrderId::parse(&message.id).map_err(Error::from)?;
        text("reason", &message.reason, MAX_REASON).map_err(Error::from)?;
        let cancelled = self.orders.cancel_order(&access, &caller, key.as_ref(), id, &message.reason).await?;
        cancelled.respond(|response| response)
    }

    async fn ship_order(
        &self,
        request: Request<pb::ShipOrderRequest>,
    ) -> Result<Response<pb::ShipOrderResponse>, Status> {
        let (caller, access) = (Caller::of(&request)?, Access::of(&request));
        let (metadata, _, mut message) = request.into_parts();
        let request_id = mem::take(&mut message.request_id);
        let key = RequestKey::of(&metadata, &request_id, "ShipOrder", &message).map_err(Error::from)?;
        let id = OrderId::parse(&message.id).map_err(Error::from)?;
        let shipped = self.orders.ship_order(&access, &caller, key.as_ref(), id).await?;
        shipped.respond(|response| response)
    }

    type WatchOrderStream = BoxStream<pb::WatchOrderResponse>;

    async fn watch_order(
        &self,
        request: Request<pb::WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        let (caller, access) = (Caller::of(&request)?, Access::of(&request));
        let lifetime = Lifetime::of(&request, self.watching.longest(), &self.context);
        let message = request.into_inner();
        let id = OrderId::parse(&message.id).map_err(Error::from)?;
        let position = self.position(id, &message.resume_token).map_err(Error::from)?;
        let told = self.watching.watch_order(&access, caller, id, position, lifetime).await?;
        let tokens = self.tokens.clone();
        Ok(Response::new(Box::pin(told.map(move |told| {
            let resume_token = tokens.seal(&watched(id).each_ref().map(String::as_str), &told.position);
            Ok(pb::WatchOrderResponse { event: told.event.map(Into::into), resume_token })
        }))))
    }
}

impl OrdersGrpc {
    /// The position that a watch of `order` resumes behind.
    fn position(&self, order: OrderId, token: &str) -> Result<i32, Invalid> {
        let position = self.tokens.open(&watched(order).each_ref().map(String::as_str), token);
        let refused = |_| Invalid::new("resume_token", "was not given out for this order");
        Ok(position.map_err(refused)?.unwrap_or_default())
    }
}

/// What a resume token of `order` holds for: any caller who may see the order.
fn watched(order: OrderId) -> [String; 2] {
    ["WatchOrder".to_owned(), order.to_string()]
}

/// What a page token of `caller` for orders in `state` holds for.
fn bound_to(caller: &Caller, state: i32) -> [String; 5] {
    [
        "ListOrders".to_owned(),
        state.to_string(),
        caller.user_id.to_string(),
        caller.company_id.to_string(),
        caller.role.to_string(),
    ]
}

/// [`InventoryService`] of the contract.
#[derive(Debug)]
pub(crate) struct InventoryGrpc {
    stock: Stock,
}

impl InventoryGrpc {
    pub(crate) fn new(stock: Stock) -> Self {
        Self { stock }
    }
}

#[tonic::async_trait]
impl InventoryService for InventoryGrpc {
    async fn get_inventory(
        &self,
        request: Request<pb::GetInventoryRequest>,
    ) -> Result<Response<pb::GetInventoryResponse>, Status> {
        let access = Access::of(&request);
        let sku = Sku::parse(request.into_inner().sku).map_err(Error::from)?;
        let inventory = self.stock.get_inventory(&access, sku).await?;
        Ok(Response::new(pb::GetInventoryResponse { inventory: Some(inventory.into()) }))
    }

    async fn batch_adjust_inventory(
        &self,
        request: Request<pb::BatchAdjustInventoryRequest>,
    ) -> Result<Response<pb::BatchAdjustInventoryResponse>, Status> {
        let (caller, access) = (Caller::of(&request)?, Access::of(&request));
        let (metadata, _, mut message) = request.into_parts();
        let request_id = mem::take(&mut message.request_id);
        let key =
            RequestKey::of(&metadata, &request_id, "BatchAdjustInventory", &message).map_err(Error::from)?;
        let adjustments = Adjustments::try_from(message).map_err(Error::from)?;
        let adjusted = self.stock.adjust_inventory(&access, &caller, key.as_ref(), adjustments).await?;
        adjusted.respond(|response| response)
    }
}
