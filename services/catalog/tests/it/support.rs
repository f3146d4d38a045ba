//! A catalogue of its own for each test, and short ways to talk to it.

mod prices;

use catalog::Args;
use local::testing::{TestDatabase, services};
use platform::{
    Clock, Role,
    db::DbArgs,
    redis::RedisArgs,
    testing::{Issuer, Running, page_args, server_args, start},
};
use proto::{
    catalog::v1::{
        self as pb, catalog_service_client::CatalogServiceClient, price_service_client::PriceServiceClient,
    },
    r#type::v1::Money,
};
use tonic::{Request, Status, transport::Channel};
use tonic_types::StatusExt as _;
use uuid::Uuid;

pub(crate) use self::prices::{change, item, price_list};

pub(crate) type Client = CatalogServiceClient<Channel>;

/// A service with a database of its own.
pub(crate) struct Shop {
    pub(crate) database: TestDatabase,
    pub(crate) client: Client,
    pub(crate) prices: PriceServiceClient<Channel>,
    pub(crate) issuer: Issuer,
    seller: String,
    service: Running,
}

impl Shop {
    /// A catalogue with nothing in it.
    pub(crate) async fn open() -> Self {
        let database = services().await.database().await;
        let url = database.url("svc_catalog");
        Self::on(database, &url).await
    }

    /// As [`Shop::open`], with a replica to read from.
    pub(crate) async fn open_with_replica() -> Self {
        let database = services().await.database().await;
        let url = database.url_with_replica("svc_catalog").await;
        Self::on(database, &url).await
    }

    /// As [`Shop::open`], with a category to put things in.
    pub(crate) async fn with_category(id: &str) -> Self {
        let shop = Self::open().await;
        shop.add_category(id, "").await;
        shop
    }

    async fn on(database: TestDatabase, url: &str) -> Self {
        let clock = Clock::system();
        let issuer = Issuer::start(clock.clone()).await.unwrap();
        let args = Args {
            server: server_args(),
            database: DbArgs {
                database_pool_budget: 8,
                database_pool_warm: 1,
                ..DbArgs::new(url.parse().unwrap())
            },
            redis: RedisArgs::new(Vec::new()),
            auth: issuer.auth_args(),
            page: page_args(),
        };
        let service = start("catalog", clock, args, catalog::serve).await.unwrap();
        let client = CatalogServiceClient::connect(service.url()).await.unwrap();
        let client = client.max_decoding_message_size(64 << 20);
        let prices = PriceServiceClient::connect(service.url()).await.unwrap();
        let seller = issuer.token(Role::Seller, Uuid::now_v7());
        Self { database, client, prices, issuer, seller, service }
    }

    /// Signs `message` as the one seller of this shop.
    pub(crate) fn seller<T>(&self, message: T) -> Request<T> {
        Issuer::with_token(message, &self.seller)
    }

    /// Signs `message` as somebody of a company that buys.
    pub(crate) fn buyer<T>(&self, message: T) -> Request<T> {
        self.issuer.sign(message, Role::Buyer, Uuid::now_v7())
    }

    pub(crate) async fn add_category(&self, id: &str, parent: &str) {
        let category = category(id, parent);
        let request = pb::CreateCategoryRequest { category: Some(category), request_id: String::new() };
        self.client.clone().create_category(self.seller(request)).await.unwrap();
    }

    pub(crate) async fn add(&self, product: pb::Product) -> pb::Product {
        self.create(product).await.unwrap()
    }

    pub(crate) async fn create(&self, product: pb::Product) -> Result<pb::Product, Status> {
        let request = pb::CreateProductRequest { product: Some(product), request_id: String::new() };
        let answer = self.client.clone().create_product(self.seller(request)).await?;
        Ok(answer.into_inner().product.unwrap())
    }

    pub(crate) async fn get(&self, id: &str) -> Result<pb::Product, Status> {
        let request = pb::GetProductRequest { id: id.to_owned() };
        Ok(self.client.clone().get_product(request).await?.into_inner().product.unwrap())
    }

    pub(crate) async fn update(&self, product: pb::Product, paths: &[&str]) -> Result<pb::Product, Status> {
        let request = pb::UpdateProductRequest {
            product: Some(product),
            update_mask: mask(paths),
            ..Default::default()
        };
        let answer = self.client.clone().update_product(self.seller(request)).await?;
        Ok(answer.into_inner().product.unwrap())
    }

    /// Adds `products` in batches, all of which must be new.
    pub(crate) async fn fill(&self, products: Vec<pb::Product>) {
        for products in products.chunks(5_000) {
            let request =
                pb::BatchCreateProductsRequest { products: products.to_vec(), ..Default::default() };
            let answer =
                self.client.clone().batch_create_products(self.seller(request)).await.unwrap().into_inner();
            assert_eq!(usize::try_from(answer.created_count).unwrap(), products.len());
        }
    }

    pub(crate) async fn list(
        &self,
        request: pb::ListProductsRequest,
    ) -> Result<pb::ListProductsResponse, Status> {
        Ok(self.client.clone().list_products(request).await?.into_inner())
    }

    /// Where the service listens.
    pub(crate) fn url(&self) -> String {
        self.service.url()
    }

    /// Stops the service and sees that it ended well.
    pub(crate) async fn close(self) {
        drop((self.client, self.prices));
        self.service.stop().await.unwrap();
    }
}

/// A valid product that stands in `category`.
pub(crate) fn product(sku: &str, category: &str) -> pb::Product {
    pb::Product {
        sku: sku.to_owned(),
        name: format!("Product {sku}"),
        category_id: category.to_owned(),
        price: euro(100),
        ..pb::Product::default()
    }
}

pub(crate) fn category(id: &str, parent: &str) -> pb::Category {
    pb::Category {
        id: id.to_owned(),
        parent_id: parent.to_owned(),
        name: format!("Category {id}"),
        ..pb::Category::default()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the field of a message")]
pub(crate) fn euro(cents: i64) -> Option<Money> {
    Some(Money { currency_code: "EUR".to_owned(), minor_units: cents })
}

pub(crate) fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    let paths: Vec<String> = paths.iter().map(|&path| path.to_owned()).collect();
    (!paths.is_empty()).then_some(prost_types::FieldMask { paths })
}

/// The stable reason of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

/// The field that a refusal names.
pub(crate) fn field(status: &Status) -> String {
    let details = status.get_error_details();
    details.bad_request().map(|bad| bad.field_violations[0].field.clone()).unwrap_or_default()
}
