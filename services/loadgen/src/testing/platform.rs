//! The services of the stub.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Json, Router, extract::Path, response::IntoResponse as _, routing::get};
use http::StatusCode;
use prost_types::Timestamp;
use proto::{
    auth::v1::{self as auth, auth_service_server as auth_server},
    catalog::v1::{
        self as catalog, catalog_service_server as catalog_server, price_service_server::PriceServiceServer,
    },
    jobs::v1::report_service_server::ReportServiceServer,
    orders::v1::{
        self as orders, inventory_service_server::InventoryServiceServer,
        order_service_server as orders_server,
    },
    r#type::v1::Money,
};
use serde_json::json;
use tonic::{Request, Response, Status, metadata::MetadataMap, service::Routes};
use uuid::Uuid;

use super::{Lie, Shared, prices::Prices, reports::Made};

/// When every product of the stub was last changed, in seconds since 1970.
const CHANGED: i64 = 1_750_000_000;

/// gRPC services, and the REST form of one read.
pub(super) fn routes(shared: Arc<Shared>) -> Router {
    let stub = Platform { shared, orders: Arc::default(), prices: Arc::default(), reports: Arc::default() };
    let rest = stub.clone();
    Routes::new(auth_server::AuthServiceServer::new(stub.clone()))
        .add_service(catalog_server::CatalogServiceServer::new(stub.clone()))
        .add_service(PriceServiceServer::new(stub.clone()))
        .add_service(ReportServiceServer::new(stub.clone()))
        .add_service(InventoryServiceServer::new(stub.clone()))
        .add_service(orders_server::OrderServiceServer::new(stub))
        .into_axum_router()
        .route(
            "/v1/products/{id}",
            get(move |Path(id): Path<String>| async move { rest.rest_product(&id).await }),
        )
}

#[derive(Clone, Debug)]
pub(super) struct Platform {
    pub(super) shared: Arc<Shared>,
    /// By id, and by key.
    orders: Arc<Mutex<HashMap<String, orders::Order>>>,
    prices: Arc<Mutex<Prices>>,
    /// By id.
    reports: Arc<Mutex<HashMap<String, Made>>>,
}

pub(super) type Reply<T> = Result<Response<T>, Status>;

impl Platform {
    /// What it does wrong.
    pub(super) fn lie(&self) -> Option<Lie> {
        self.shared.behaviour.lie
    }

    pub(super) fn lies(&self, lie: Lie) -> bool {
        self.lie() == Some(lie)
    }

    async fn read_product(&self, id: &str) -> Result<catalog::Product, Status> {
        let call = self.shared.count("GetProduct");
        let every = self.shared.behaviour.limit_every;
        if every > 0 && call.is_multiple_of(every) {
            self.shared.seen().limited += 1;
            return Err(Status::resource_exhausted("too many requests"));
        }
        self.shared.hold(call).await;
        let number = Uuid::parse_str(id).map_or(0, |id| id.as_u128()).checked_sub(1);
        let number = number.and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| *number < self.shared.behaviour.products);
        let number = number.ok_or_else(|| Status::not_found("no such product"))?;
        let asked =
            if self.lies(Lie::OtherProduct) { (number + 1) % self.shared.behaviour.products } else { number };
        let mut product = product(asked);
        if self.lies(Lie::OlderProduct) {
            product.update_time = Some(Timestamp { seconds: CHANGED - 1, nanos: 0 });
        }
        Ok(product)
    }

    async fn rest_product(self, id: &str) -> axum::response::Response {
        match self.read_product(id).await {
            Ok(product) => {
                let price = product.price.unwrap_or_default();
                Json(json!({"product": {
                    "id": product.id,
                    "sku": product.sku,
                    "categoryId": product.category_id,
                    "price": {"currencyCode": price.currency_code, "minorUnits": price.minor_units.to_string()},
                    "updateTime": "2025-06-15T15:06:40Z",
                }}))
                .into_response()
            }
            Err(status) => {
                let limited = status.code() == tonic::Code::ResourceExhausted;
                let http = if limited { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::NOT_FOUND };
                (http, Json(json!({"code": i32::from(status.code()), "message": status.message()})))
                    .into_response()
            }
        }
    }

    pub(super) fn order(
        &self,
        owner: (String, String),
        request: &orders::CreateOrderRequest,
    ) -> orders::Order {
        let line = |(index, item): (usize, &orders::OrderItem)| {
            let unit_price = self.prices().unit_price(&owner.1, (&item.sku, item.quantity), self.lie())
                + i64::from(self.lies(Lie::OtherCharge));
            orders::OrderLine {
                line_number: i32::try_from(index).unwrap_or(0) + 1,
                sku: item.sku.clone(),
                quantity: item.quantity,
                unit_price: Some(euros(unit_price)),
                total: Some(euros(unit_price * i64::from(item.quantity))),
                ..orders::OrderLine::default()
            }
        };
        let lines: Vec<_> = request.items.iter().enumerate().map(line).collect();
        let total: i64 =
            lines.iter().filter_map(|line| line.total.as_ref()).map(|total| total.minor_units).sum();
        let id = Uuid::now_v7();
        let created = id.get_timestamp().map_or((0, 0), |time| time.to_unix());
        orders::Order {
            id: id.to_string(),
            buyer_id: owner.0,
            company_id: if self.lies(Lie::ForeignOrder) { Uuid::new_v4().to_string() } else { owner.1 },
            lines,
            total: Some(euros(total + i64::from(self.lies(Lie::OtherTotal)))),
            create_time: Some(Timestamp { seconds: created.0.cast_signed(), nanos: created.1.cast_signed() }),
            ..orders::Order::default()
        }
    }

    /// The orders of a company, newest first.
    pub(super) fn orders_of(&self, company: &str) -> Vec<orders::Order> {
        // Each order is there by its key, too.
        let own = |(key, order): (&String, &orders::Order)| {
            (*key == order.id && order.company_id == company).then(|| order.clone())
        };
        let mut orders: Vec<orders::Order> = self.orders().iter().filter_map(own).collect();
        orders.sort_by(|one, other| other.id.cmp(&one.id));
        orders
    }

    pub(super) fn prices(&self) -> std::sync::MutexGuard<'_, Prices> {
        self.prices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reports(&self) -> std::sync::MutexGuard<'_, HashMap<String, Made>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn orders(&self) -> std::sync::MutexGuard<'_, HashMap<String, orders::Order>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn product(number: u32) -> catalog::Product {
    catalog::Product {
        id: Uuid::from_u128(u128::from(number) + 1).to_string(),
        sku: sku(number),
        name: format!("Product {number}"),
        category_id: format!("category-{}", number % 5),
        price: Some(euros(price(number))),
        update_time: Some(Timestamp { seconds: CHANGED, nanos: 0 }),
        ..catalog::Product::default()
    }
}

/// The number of the product with this SKU.
pub(super) fn number_of(sku: &str) -> u32 {
    sku.trim_start_matches("SKU-").parse().unwrap_or(0)
}

fn sku(number: u32) -> String {
    format!("SKU-{number:06}")
}

pub(super) fn price(number: u32) -> i64 {
    i64::from(number) * 7 + 100
}

pub(super) fn euros(minor_units: i64) -> Money {
    Money { currency_code: "EUR".to_owned(), minor_units }
}

/// The stub's tokens are the user and the company in the clear.
pub(super) fn owner(metadata: &MetadataMap) -> Result<(String, String), Status> {
    let bearer = metadata.get("authorization").and_then(|value| value.to_str().ok());
    let (user, company) = bearer
        .and_then(|bearer| bearer.strip_prefix("Bearer ")?.split_once('.'))
        .ok_or_else(|| Status::unauthenticated("no token"))?;
    Ok((user.to_owned(), company.to_owned()))
}

fn tokens(user: &auth::User) -> auth::TokenPair {
    let token = format!("{}.{}", user.id, user.company_id);
    auth::TokenPair {
        access_token: token.clone(),
        access_token_expire_time: Some(Timestamp { seconds: i64::MAX / 2, nanos: 0 }),
        refresh_token: token,
        refresh_token_expire_time: None,
    }
}

fn user(email: &str) -> auth::User {
    // The same address is the same user, without anything being kept.
    let id = Uuid::from_u128(email.bytes().fold(7, |hash, byte| hash * 131 % (1 << 96) + u128::from(byte)));
    auth::User {
        id: id.to_string(),
        company_id: id.to_string(),
        email: email.to_owned(),
        ..auth::User::default()
    }
}

#[tonic::async_trait]
impl auth_server::AuthService for Platform {
    async fn register(&self, request: Request<auth::RegisterRequest>) -> Reply<auth::RegisterResponse> {
        self.shared.count("Register");
        let user = user(&request.into_inner().email);
        Ok(Response::new(auth::RegisterResponse { company: None, user: Some(user) }))
    }

    async fn login(&self, request: Request<auth::LoginRequest>) -> Reply<auth::LoginResponse> {
        self.shared.count("Login");
        let user = user(&request.into_inner().email);
        let tokens = Some(tokens(&user));
        Ok(Response::new(auth::LoginResponse { tokens, user: Some(user), ..auth::LoginResponse::default() }))
    }

    async fn refresh(&self, request: Request<auth::RefreshRequest>) -> Reply<auth::RefreshResponse> {
        self.shared.count("Refresh");
        let token = request.into_inner().refresh_token;
        let (id, company_id) = token.split_once('.').ok_or_else(|| Status::unauthenticated("no token"))?;
        let user =
            auth::User { id: id.to_owned(), company_id: company_id.to_owned(), ..auth::User::default() };
        Ok(Response::new(auth::RefreshResponse { tokens: Some(tokens(&user)) }))
    }

    async fn logout(&self, _: Request<auth::LogoutRequest>) -> Reply<()> {
        Ok(Response::new(()))
    }

    async fn get_me(&self, request: Request<auth::GetMeRequest>) -> Reply<auth::GetMeResponse> {
        self.shared.count("GetMe");
        let (id, company_id) = owner(request.metadata())?;
        let user = auth::User { id, company_id, ..auth::User::default() };
        Ok(Response::new(auth::GetMeResponse { user: Some(user), company: None }))
    }
}

#[tonic::async_trait]
impl catalog_server::CatalogService for Platform {
    async fn get_product(
        &self,
        request: Request<catalog::GetProductRequest>,
    ) -> Reply<catalog::GetProductResponse> {
        let product = self.read_product(&request.into_inner().id).await?;
        Ok(Response::new(catalog::GetProductResponse { product: Some(product) }))
    }

    async fn batch_get_products(
        &self,
        _: Request<catalog::BatchGetProductsRequest>,
    ) -> Reply<catalog::BatchGetProductsResponse> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn list_products(
        &self,
        request: Request<catalog::ListProductsRequest>,
    ) -> Reply<catalog::ListProductsResponse> {
        self.shared.count("ListProducts");
        let request = request.into_inner();
        let mut products: Vec<_> = (0..self.shared.behaviour.products).map(product).collect();
        if let Some(most) =
            request.filter.strip_prefix("price <= ").and_then(|price| price.parse::<i64>().ok())
        {
            products.retain(|product| product.price.as_ref().is_some_and(|price| price.minor_units <= most));
        }
        if let Some(category) = request.filter.strip_prefix("category_id = \"") {
            products.retain(|product| product.category_id == category.trim_end_matches('"'));
        }
        if request.order_by == "price desc" {
            products.reverse();
        }
        products.truncate(usize::try_from(request.page_size).unwrap_or(50));
        Ok(Response::new(catalog::ListProductsResponse { products, next_page_token: String::new() }))
    }

    async fn create_product(
        &self,
        _: Request<catalog::CreateProductRequest>,
    ) -> Reply<catalog::CreateProductResponse> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn update_product(
        &self,
        _: Request<catalog::UpdateProductRequest>,
    ) -> Reply<catalog::UpdateProductResponse> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn delete_product(&self, _: Request<catalog::DeleteProductRequest>) -> Reply<()> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn batch_create_products(
        &self,
        _: Request<catalog::BatchCreateProductsRequest>,
    ) -> Reply<catalog::BatchCreateProductsResponse> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn get_category(
        &self,
        _: Request<catalog::GetCategoryRequest>,
    ) -> Reply<catalog::GetCategoryResponse> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn list_categories(
        &self,
        _: Request<catalog::ListCategoriesRequest>,
    ) -> Reply<catalog::ListCategoriesResponse> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn create_category(
        &self,
        _: Request<catalog::CreateCategoryRequest>,
    ) -> Reply<catalog::CreateCategoryResponse> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn update_category(
        &self,
        _: Request<catalog::UpdateCategoryRequest>,
    ) -> Reply<catalog::UpdateCategoryResponse> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn delete_category(&self, _: Request<catalog::DeleteCategoryRequest>) -> Reply<()> {
        Err(Status::unimplemented("not in the stub"))
    }
}
