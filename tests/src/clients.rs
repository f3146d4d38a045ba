//! Generated clients through the ingress, with a caller's token on each call.

use proto::{
    auth::v1::{LoginRequest, RegisterRequest, TokenPair, auth_service_client::AuthServiceClient},
    catalog::v1::{
        ListProductsRequest, Product, catalog_service_client::CatalogServiceClient,
        price_service_client::PriceServiceClient,
    },
    jobs::v1::{job_service_client::JobServiceClient, report_service_client::ReportServiceClient},
    orders::v1::{
        CreateOrderRequest, Order, OrderItem, inventory_service_client::InventoryServiceClient,
        order_service_client::OrderServiceClient,
    },
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use uuid::Uuid;

/// A channel that puts a token on each call.
pub type Authorized = InterceptedService<Channel, Bearer>;

/// Puts a token on each call, if there is one.
#[derive(Clone, Debug, Default)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// A caller: nobody in particular, or somebody who has logged in.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    bearer: Bearer,
    /// The tokens, for whoever has logged in.
    pub tokens: Option<TokenPair>,
    /// The address that the caller logged in with.
    pub email: String,
}

impl Client {
    /// A caller without a token, at the ingress' URL.
    ///
    /// # Errors
    ///
    /// The URL is none, or nobody answers there.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let channel = Endpoint::try_from(url.to_owned())?.connect().await?;
        Ok(Self { channel, bearer: Bearer::default(), tokens: None, email: String::new() })
    }

    /// Logs in.
    ///
    /// # Errors
    ///
    /// The platform's refusal.
    pub async fn log_in(mut self, email: &str, password: &str) -> Result<Self, Status> {
        let request = LoginRequest {
            email: email.to_owned(),
            password: password.to_owned(),
            ..LoginRequest::default()
        };
        let tokens = self.auth().login(request).await?.into_inner().tokens.unwrap_or_default();
        let token = format!("Bearer {}", tokens.access_token);
        self.bearer = Bearer(Some(token.parse().map_err(|_| Status::internal("the token is no header"))?));
        email.clone_into(&mut self.email);
        self.tokens = Some(tokens);
        Ok(self)
    }

    /// Registers a company of its own, and logs its first user in.
    ///
    /// # Errors
    ///
    /// The platform's refusal.
    pub async fn register(self, company: &str) -> Result<Self, Status> {
        let email = format!("{}@example.com", Uuid::now_v7());
        let password = Uuid::new_v4().to_string();
        let request = RegisterRequest {
            company_name: company.to_owned(),
            email: email.clone(),
            password: password.clone(),
            ..RegisterRequest::default()
        };
        self.auth().register(request).await?;
        self.log_in(&email, &password).await
    }

    /// The access token; empty without one.
    pub fn token(&self) -> &str {
        self.tokens.as_ref().map_or("", |tokens| &tokens.access_token)
    }

    /// Companies, users and sessions.
    pub fn auth(&self) -> AuthServiceClient<Authorized> {
        AuthServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }

    /// Products and categories.
    pub fn catalog(&self) -> CatalogServiceClient<Authorized> {
        CatalogServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }

    /// Prices of companies.
    pub fn prices(&self) -> PriceServiceClient<Authorized> {
        PriceServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }

    /// Orders.
    pub fn orders(&self) -> OrderServiceClient<Authorized> {
        OrderServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }

    /// Stock.
    pub fn inventory(&self) -> InventoryServiceClient<Authorized> {
        InventoryServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }

    /// Jobs.
    pub fn jobs(&self) -> JobServiceClient<Authorized> {
        JobServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }

    /// Reports.
    pub fn reports(&self) -> ReportServiceClient<Authorized> {
        ReportServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }

    /// The connection itself, for services without a client here.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The first products of the catalogue, by SKU.
    ///
    /// # Errors
    ///
    /// The platform's refusal.
    pub async fn products(&self, count: i32) -> Result<Vec<Product>, Status> {
        let request = ListProductsRequest { page_size: count, ..ListProductsRequest::default() };
        Ok(self.catalog().list_products(request).await?.into_inner().products)
    }

    /// Places an order under `request_id`.
    ///
    /// # Errors
    ///
    /// The platform's refusal.
    pub async fn order(&self, request_id: &str, items: &[(&str, i32)]) -> Result<Order, Status> {
        let request = CreateOrderRequest { request_id: request_id.to_owned(), ..order_of(items) };
        Ok(self.orders().create_order(request).await?.into_inner().order.unwrap_or_default())
    }
}

/// A wish for SKUs and quantities.
pub fn order_of(items: &[(&str, i32)]) -> CreateOrderRequest {
    let items = items
        .iter()
        .map(|(sku, quantity)| OrderItem { sku: (*sku).to_owned(), quantity: *quantity })
        .collect();
    CreateOrderRequest { items, ..CreateOrderRequest::default() }
}
