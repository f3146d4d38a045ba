//! Orders of the stub: kept in memory, by id and by key.

use proto::orders::v1::{self as orders, order_service_server::OrderService};
use tonic::{Request, Response, Status};

use super::{
    Lie,
    platform::{Platform, Reply, owner},
    watch::watch,
};

#[tonic::async_trait]
impl OrderService for Platform {
    type WatchOrderStream = tonic::codegen::BoxStream<orders::WatchOrderResponse>;

    async fn create_order(
        &self,
        request: Request<orders::CreateOrderRequest>,
    ) -> Reply<orders::CreateOrderResponse> {
        self.shared.count("CreateOrder");
        let (owner, request) = (owner(request.metadata())?, request.into_inner());
        let known = self.orders().get(&request.request_id).cloned();
        let order =
            known.filter(|_| !self.lies(Lie::SecondOrder)).unwrap_or_else(|| self.order(owner, &request));
        let mut orders = self.orders();
        orders.insert(order.id.clone(), order.clone());
        orders.insert(request.request_id, order.clone());
        Ok(Response::new(orders::CreateOrderResponse { order: Some(order) }))
    }

    async fn get_order(&self, request: Request<orders::GetOrderRequest>) -> Reply<orders::GetOrderResponse> {
        self.shared.count("GetOrder");
        let order =
            self.orders().get(&request.into_inner().id).cloned().filter(|_| !self.lies(Lie::LostOrder));
        let order = order.ok_or_else(|| Status::not_found("no such order"))?;
        Ok(Response::new(orders::GetOrderResponse { order: Some(order) }))
    }

    async fn list_orders(
        &self,
        request: Request<orders::ListOrdersRequest>,
    ) -> Reply<orders::ListOrdersResponse> {
        self.shared.count("ListOrders");
        let (_, company) = owner(request.metadata())?;
        let mut orders = self.orders_of(&company);
        orders.truncate(usize::try_from(request.into_inner().page_size).unwrap_or(50));
        Ok(Response::new(orders::ListOrdersResponse { orders, next_page_token: String::new() }))
    }

    async fn cancel_order(
        &self,
        _: Request<orders::CancelOrderRequest>,
    ) -> Reply<orders::CancelOrderResponse> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn ship_order(&self, _: Request<orders::ShipOrderRequest>) -> Reply<orders::ShipOrderResponse> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn watch_order(
        &self,
        request: Request<orders::WatchOrderRequest>,
    ) -> Reply<Self::WatchOrderStream> {
        self.shared.count("WatchOrder");
        let request = request.into_inner();
        if !self.orders().contains_key(&request.id) {
            return Err(Status::not_found("no such order"));
        }
        watch(&self.shared.behaviour, &request).map(Response::new)
    }
}
