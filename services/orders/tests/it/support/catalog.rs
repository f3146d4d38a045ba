//! A catalogue of the test's making: it knows what it is told, counts its calls, and can be stopped and started.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use proto::{
    catalog::v1::{
        self as pb, catalog_service_server::CatalogService, catalog_service_server::CatalogServiceServer,
    },
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
    products: HashMap<String, pb::Product>,
    calls: Vec<MetadataMap>,
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
            .add_service(CatalogServiceServer::new(self.shelf.clone()))
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
        let id =
            known.products.get(sku).map_or_else(|| Uuid::now_v7().to_string(), |product| product.id.clone());
        known.products.insert(
            sku.to_owned(),
            pb::Product {
                id,
                sku: sku.to_owned(),
                name: format!("Product {sku}"),
                price: Some(Money { currency_code: currency.to_owned(), minor_units: price }),
                active: Some(active),
                ..Default::default()
            },
        );
    }

    /// The metadata of every call so far.
    pub(crate) fn calls(&self) -> Vec<MetadataMap> {
        self.shelf.0.lock().unwrap().calls.clone()
    }
}

#[tonic::async_trait]
impl CatalogService for Shelf {
    async fn batch_get_products(
        &self,
        request: Request<pb::BatchGetProductsRequest>,
    ) -> Result<Response<pb::BatchGetProductsResponse>, Status> {
        let mut known = self.0.lock().unwrap();
        known.calls.push(request.metadata().clone());
        let mut answer = pb::BatchGetProductsResponse::default();
        for sku in request.into_inner().skus {
            match known.products.get(&sku) {
                Some(product) => answer.products.push(product.clone()),
                None => answer.not_found.push(sku),
            }
        }
        Ok(Response::new(answer))
    }

    async fn get_product(
        &self,
        _: Request<pb::GetProductRequest>,
    ) -> Result<Response<pb::GetProductResponse>, Status> {
        Err(unused())
    }

    async fn list_products(
        &self,
        _: Request<pb::ListProductsRequest>,
    ) -> Result<Response<pb::ListProductsResponse>, Status> {
        Err(unused())
    }

    async fn create_product(
        &self,
        _: Request<pb::CreateProductRequest>,
    ) -> Result<Response<pb::CreateProductResponse>, Status> {
        Err(unused())
    }

    async fn update_product(
        &self,
        _: Request<pb::UpdateProductRequest>,
    ) -> Result<Response<pb::UpdateProductResponse>, Status> {
        Err(unused())
    }

    async fn delete_product(&self, _: Request<pb::DeleteProductRequest>) -> Result<Response<()>, Status> {
        Err(unused())
    }

    async fn batch_create_products(
        &self,
        _: Request<pb::BatchCreateProductsRequest>,
    ) -> Result<Response<pb::BatchCreateProductsResponse>, Status> {
        Err(unused())
    }

    async fn get_category(
        &self,
        _: Request<pb::GetCategoryRequest>,
    ) -> Result<Response<pb::GetCategoryResponse>, Status> {
        Err(unused())
    }

    async fn list_categories(
        &self,
        _: Request<pb::ListCategoriesRequest>,
    ) -> Result<Response<pb::ListCategoriesResponse>, Status> {
        Err(unused())
    }

    async fn create_category(
        &self,
        _: Request<pb::CreateCategoryRequest>,
    ) -> Result<Response<pb::CreateCategoryResponse>, Status> {
        Err(unused())
    }

    async fn update_category(
        &self,
        _: Request<pb::UpdateCategoryRequest>,
    ) -> Result<Response<pb::UpdateCategoryResponse>, Status> {
        Err(unused())
    }

    async fn delete_category(&self, _: Request<pb::DeleteCategoryRequest>) -> Result<Response<()>, Status> {
        Err(unused())
    }
}

fn unused() -> Status {
    Status::unimplemented("orders are placed by BatchGetProducts alone")
}
