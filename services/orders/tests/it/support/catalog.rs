//! A catalogue of the test's making: it knows what it is told, counts its calls, and can be stopped and started.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use proto::{
    catalog::v1::{self as pb, price_service_server::PriceService, price_service_server::PriceServiceServer},
    r#type::v1::Money,
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, metadata::MetadataMap};
use uuid::Uuid;

/// The server's handle.
pub(crate) struct StubCatalog {
    shelf: Shelf,
    address: SocketAddr,
    running: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

/// What it knows, and who has asked.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    products: HashMap<String, pb::PricedItem>,
    agreed: Vec<Agreed>,
    /// What it answers next, once.
    refusal: Option<Status>,
    calls: Vec<MetadataMap>,
}

/// What one unit costs whoever comes with a token, from a quantity on.
struct Agreed {
    token: String,
    sku: String,
    from: i32,
    price: i64,
}

impl StubCatalog {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let catalog = Self {
            shelf: Shelf::default(),
            address: listener.local_addr().unwrap(),
            running: Mutex::default(),
        };
        catalog.serve(listener);
        catalog
    }

    #[expect(clippy::disallowed_methods, reason = "a server of the test, without the common layers")]
    fn serve(&self, listener: TcpListener) {
        let (stop, stopped) = oneshot::channel();
        let server = tonic::transport::Server::builder()
            .add_service(PriceServiceServer::new(self.shelf.clone()))
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async { drop(stopped.await) });
        let task = tokio::spawn(async { server.await.unwrap() });
        *self.running.lock().unwrap() = Some((stop, task));
    }

    /// Ends the server and its connections.
    pub(crate) async fn stop(&self) {
        let running = self.running.lock().unwrap().take();
        let (stop, task) = running.expect("the catalogue runs");
        stop.send(()).unwrap();
        task.await.unwrap();
    }

    /// Starts it again where it was.
    pub(crate) async fn restart(&self) {
        self.serve(TcpListener::bind(self.address).await.unwrap());
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a product, or gives it another price.
    pub(crate) fn put(&self, sku: &str, price: i64, currency: &str, active: bool) {
        let mut known = self.shelf.0.lock().unwrap();
        let id = known
            .products
            .get(sku)
            .map_or_else(|| Uuid::now_v7().to_string(), |product| product.product_id.clone());
        known.products.insert(
            sku.to_owned(),
            pb::PricedItem {
                sku: sku.to_owned(),
                product_id: id,
                name: format!("Product {sku}"),
                list_price: Some(Money { currency_code: currency.to_owned(), minor_units: price }),
                active,
                ..Default::default()
            },
        );
    }

    /// Gives whoever comes with the header `token` a price of their own, from a quantity on. Smaller quantities first.
    pub(crate) fn agree(&self, token: &str, sku: &str, from: i32, price: i64) {
        let agreed = Agreed { token: token.to_owned(), sku: sku.to_owned(), from, price };
        self.shelf.0.lock().unwrap().agreed.push(agreed);
    }

    /// Answers the next call with `refusal`.
    pub(crate) fn refuse(&self, refusal: Status) {
        self.shelf.0.lock().unwrap().refusal = Some(refusal);
    }

    /// The metadata of every call so far.
    pub(crate) fn calls(&self) -> Vec<MetadataMap> {
        self.shelf.0.lock().unwrap().calls.clone()
    }
}

#[tonic::async_trait]
impl PriceService for Shelf {
    async fn price_items(
        &self,
        request: Request<pb::PriceItemsRequest>,
    ) -> Result<Response<pb::PriceItemsResponse>, Status> {
        let mut known = self.0.lock().unwrap();
        known.calls.push(request.metadata().clone());
        if let Some(refusal) = known.refusal.take() {
            return Err(refusal);
        }
        let token = request.metadata().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let mut answer = pb::PriceItemsResponse::default();
        for item in request.into_inner().items {
            let Some(product) = known.products.get(&item.sku) else {
                answer.not_found.push(item.sku);
                continue;
            };
            let agreed = known.agreed.iter().rev().find(|agreed| {
                Some(&agreed.token) == token.as_ref()
                    && agreed.sku == item.sku
                    && agreed.from <= item.quantity
            });
            let unit_price = match (agreed, &product.list_price) {
                (Some(agreed), Some(list)) => Some(Money { minor_units: agreed.price, ..list.clone() }),
                (_, list) => list.clone(),
            };
            answer.items.push(pb::PricedItem { quantity: item.quantity, unit_price, ..product.clone() });
        }
        Ok(Response::new(answer))
    }

    async fn get_price_list(
        &self,
        _: Request<pb::GetPriceListRequest>,
    ) -> Result<Response<pb::GetPriceListResponse>, Status> {
        Err(unused())
    }

    async fn list_price_lists(
        &self,
        _: Request<pb::ListPriceListsRequest>,
    ) -> Result<Response<pb::ListPriceListsResponse>, Status> {
        Err(unused())
    }

    async fn create_price_list(
        &self,
        _: Request<pb::CreatePriceListRequest>,
    ) -> Result<Response<pb::CreatePriceListResponse>, Status> {
        Err(unused())
    }

    async fn update_price_list(
        &self,
        _: Request<pb::UpdatePriceListRequest>,
    ) -> Result<Response<pb::UpdatePriceListResponse>, Status> {
        Err(unused())
    }

    async fn delete_price_list(
        &self,
        _: Request<pb::DeletePriceListRequest>,
    ) -> Result<Response<()>, Status> {
        Err(unused())
    }

    async fn list_prices(
        &self,
        _: Request<pb::ListPricesRequest>,
    ) -> Result<Response<pb::ListPricesResponse>, Status> {
        Err(unused())
    }

    async fn batch_set_prices(
        &self,
        _: Request<pb::BatchSetPricesRequest>,
    ) -> Result<Response<pb::BatchSetPricesResponse>, Status> {
        Err(unused())
    }

    async fn list_price_list_assignments(
        &self,
        _: Request<pb::ListPriceListAssignmentsRequest>,
    ) -> Result<Response<pb::ListPriceListAssignmentsResponse>, Status> {
        Err(unused())
    }

    async fn batch_assign_price_lists(
        &self,
        _: Request<pb::BatchAssignPriceListsRequest>,
    ) -> Result<Response<pb::BatchAssignPriceListsResponse>, Status> {
        Err(unused())
    }
}

fn unused() -> Status {
    Status::unimplemented("orders are placed by PriceItems alone")
}
