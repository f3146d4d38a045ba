//! The probe: places an order as a new customer would, and takes everything back that can be taken back.
//!
//! What stays is a company with one user, whose address is the operator's with a tag (`operator+verify-…@…`), the category
//! `sipup-verify`, and a cancelled order.

mod api;

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use prost::Message as _;
use proto::{auth::v1 as auth, catalog::v1 as catalog, orders::v1 as orders, r#type::v1::Money};
use tonic::{Code, Status};
use uuid::Uuid;

use self::api::Api;
pub use self::api::Target;

/// What the SKU of each run begins with.
pub const SKU_PREFIX: &str = "SIPUP-VERIFY-";
/// The category of these products.
const CATEGORY: &str = "sipup-verify";
/// Units that are put in stock.
const STOCK: i32 = 5;
/// Units that are ordered.
const ORDERED: i32 = 2;
/// How long a new product may be unknown to the service that takes orders.
const SEEN_WITHIN: Duration = Duration::from_secs(15);
/// How long after an installation the ingress may not have found a service: it looks for pods every 5 s, and asks each how it is.
const FOUND_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A step that went well.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What was done.
    pub what: &'static str,
    /// How long it took, waits for rate limits included.
    pub took: Duration,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ok {:>7} ms  {}", self.took.as_millis(), self.what)
    }
}

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {problem}")]
pub struct Failed {
    /// What was tried.
    pub what: &'static str,
    /// Why it failed.
    pub problem: Problem,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The platform refused, or can't be reached.
    #[error("{:?}: {}", .0.code(), .0.message())]
    Refused(Box<Status>),
    /// The platform answered something else than it must.
    #[error("{0}")]
    Wrong(String),
}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

/// Goes through all steps and tells each that went well.
///
/// # Errors
///
/// The first step that failed. What was made before it is taken back all the same.
pub async fn run(target: &Target, tell: impl Fn(Step)) -> Result<(), Failed> {
    let probe = Probe { target, tell, done: AtomicUsize::new(0) };
    let api = probe.step("connect", found(async || Api::connect(target).await)).await?;
    let password = target.password.expose();
    let log_in = found(async || api.log_in(&target.email, password).await);
    let seller = probe.step("log in as the operator", log_in).await?;
    probe.step("find catalogue and orders", find(&seller)).await?;
    let run = Uuid::new_v4().simple().to_string();
    let mut made = Made::default();
    let outcome = Box::pin(probe.order(&seller, &run, &mut made)).await;
    let cleaned = Box::pin(probe.clean(&seller, made)).await;
    outcome.and(cleaned)
}

struct Probe<'a, T> {
    target: &'a Target,
    tell: T,
    done: AtomicUsize,
}

/// What has to be taken back.
#[derive(Default)]
struct Made {
    product: Option<String>,
    stocked: Option<String>,
    order: Option<(Api, String)>,
}

impl<T: Fn(Step)> Probe<'_, T> {
    async fn step<O>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<O, Problem>>,
    ) -> Result<O, Failed> {
        let begun = Instant::now();
        let outcome = work.await.map_err(|problem| Failed { what, problem })?;
        self.done.fetch_add(1, Ordering::Relaxed);
        (self.tell)(Step { what, took: begun.elapsed() });
        Ok(outcome)
    }

    async fn order(&self, seller: &Api, run: &str, made: &mut Made) -> Result<(), Failed> {
        let sku = format!("{SKU_PREFIX}{run}");
        self.step("make a category", make_category(seller)).await?;
        made.product = Some(self.step("make a product", make_product(seller, &sku)).await?);
        self.step("put it in stock", adjust(seller, &sku, STOCK)).await?;
        made.stocked = Some(sku.clone());
        let email = tagged(&self.target.email, run);
        let password = Uuid::new_v4().to_string();
        self.step("register a company", register(seller, run, &email, &password)).await?;
        let buyer = self
            .step("log in as its first user", async { Ok(seller.log_in(&email, &password).await?) })
            .await?;

        let key = format!("verify-{run}");
        let placed = self.step("place an order", place(&buyer, &sku, &key)).await?;
        made.order = Some((buyer.clone(), placed.id.clone()));
        self.step("place it again with the same key", place_again(&buyer, &sku, &key, &placed)).await?;
        self.step("read it back", read_back(&buyer, &placed)).await?;
        self.step("read it back as JSON", read_back_as_json(&buyer, &placed)).await?;
        made.order = None;
        self.step("cancel it", cancel(&buyer, &placed.id)).await?;
        self.step("find its units in stock again", stock_is(seller, &sku, STOCK)).await
    }

    /// Takes back what was made, as much of it as can be.
    async fn clean(&self, seller: &Api, made: Made) -> Result<(), Failed> {
        let mut outcome = Ok(());
        if let Some((buyer, id)) = made.order {
            outcome = outcome.and(self.step("cancel the order after all", cancel(&buyer, &id)).await);
        }
        if let Some(sku) = made.stocked {
            outcome = outcome.and(self.step("take the stock away", empty_stock(seller, &sku)).await);
        }
        if let Some(id) = made.product {
            outcome = outcome.and(self.step("delete the product", delete_product(seller, &id)).await);
        }
        outcome
    }
}

/// `name+verify-4f0c…@example.com`: mail about the order goes to the operator, and nowhere else. Cut so that it stays an address.
fn tagged(operator: &str, run: &str) -> String {
    let (local, domain) = operator.rsplit_once('@').unwrap_or((operator, "sipup.local"));
    let local: String = local.chars().take(24).collect();
    format!("{local}+verify-{}@{domain}", run.chars().take(16).collect::<String>())
}

async fn make_category(seller: &Api) -> Result<(), Problem> {
    let category =
        catalog::Category { id: CATEGORY.into(), name: "Verification".into(), ..Default::default() };
    let request = catalog::CreateCategoryRequest { category: Some(category), ..Default::default() };
    match seller.call(None, &request, async |api, request| api.catalog().create_category(request).await).await
    {
        Err(status) if status.code() != Code::AlreadyExists => Err(status.into()),
        _ => Ok(()),
    }
}

async fn make_product(seller: &Api, sku: &str) -> Result<String, Problem> {
    let product = catalog::Product {
        sku: sku.to_owned(),
        name: "Verification of this platform: please ignore".into(),
        category_id: CATEGORY.into(),
        price: Some(Money { currency_code: "EUR".into(), minor_units: 100 }),
        unit: "piece".into(),
        active: Some(true),
        ..Default::default()
    };
    let request = catalog::CreateProductRequest { product: Some(product), ..Default::default() };
    let answer =
        seller.call(None, &request, async |api, request| api.catalog().create_product(request).await).await?;
    let product = answer.into_inner().product.ok_or_else(|| wrong("the answer holds no product"))?;
    Ok(product.id)
}

async fn delete_product(seller: &Api, id: &str) -> Result<(), Problem> {
    let request = catalog::DeleteProductRequest { id: id.to_owned(), ..Default::default() };
    let call = seller.call(None, &request, async |api, request| api.catalog().delete_product(request).await);
    Ok(call.await.map(drop)?)
}

async fn adjust(seller: &Api, sku: &str, delta: i32) -> Result<(), Problem> {
    let request = orders::BatchAdjustInventoryRequest {
        adjustments: vec![orders::InventoryAdjustment { sku: sku.to_owned(), delta }],
        request_id: Uuid::new_v4().to_string(),
    };
    let call = seller
        .call(None, &request, async |api, request| api.inventory().batch_adjust_inventory(request).await);
    Ok(call.await.map(drop)?)
}

async fn in_stock(seller: &Api, sku: &str) -> Result<i32, Problem> {
    let request = orders::GetInventoryRequest { sku: sku.to_owned() };
    let answer = seller
        .call(None, &request, async |api, request| api.inventory().get_inventory(request).await)
        .await?;
    Ok(answer.into_inner().inventory.ok_or_else(|| wrong("the answer holds no stock"))?.on_hand)
}

/// The seller didn't cancel the order, so a replica may show the seller what was before.
async fn stock_is(seller: &Api, sku: &str, expected: i32) -> Result<(), Problem> {
    let begun = Instant::now();
    loop {
        let on_hand = in_stock(seller, sku).await?;
        if on_hand == expected {
            return Ok(());
        }
        if begun.elapsed() > SEEN_WITHIN {
            return Err(wrong(format!("{on_hand} are in stock, and {expected} should be")));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits for a service that is there and that the ingress has not found yet.
async fn found<O>(mut call: impl AsyncFnMut() -> Result<O, Status>) -> Result<O, Problem> {
    let begun = Instant::now();
    loop {
        match call().await {
            Err(status) if status.code() == Code::Unavailable && begun.elapsed() < FOUND_WITHIN => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            outcome => return Ok(outcome?),
        }
    }
}

async fn find(seller: &Api) -> Result<(), Problem> {
    let products = catalog::ListProductsRequest { page_size: 1, ..catalog::ListProductsRequest::default() };
    let placed = orders::ListOrdersRequest { page_size: 1, ..orders::ListOrdersRequest::default() };
    found(async || {
        seller.call(None, &products, async |api, request| api.catalog().list_products(request).await).await
    })
    .await?;
    found(async || {
        seller.call(None, &placed, async |api, request| api.orders().list_orders(request).await).await
    })
    .await?;
    Ok(())
}

async fn empty_stock(seller: &Api, sku: &str) -> Result<(), Problem> {
    match in_stock(seller, sku).await? {
        0 => Ok(()),
        on_hand => adjust(seller, sku, -on_hand).await,
    }
}

async fn register(api: &Api, run: &str, email: &str, password: &str) -> Result<(), Problem> {
    let request = auth::RegisterRequest {
        company_name: format!("Verification {run}"),
        email: email.to_owned(),
        password: password.to_owned(),
        display_name: "Verification".into(),
        request_id: run.to_owned(),
    };
    let anonymous = api.anonymous();
    let call = anonymous.call(None, &request, async |api, request| api.auth().register(request).await);
    Ok(call.await.map(drop)?)
}

fn wish(sku: &str) -> orders::CreateOrderRequest {
    orders::CreateOrderRequest {
        items: vec![orders::OrderItem { sku: sku.to_owned(), quantity: ORDERED }],
        note: "Verification".into(),
        ..Default::default()
    }
}

/// Places the order. The product is the work of somebody else, so for a moment it may not be seen; a refused order keeps no key.
async fn place(buyer: &Api, sku: &str, key: &str) -> Result<orders::Order, Problem> {
    let (begun, wish) = (Instant::now(), wish(sku));
    loop {
        let call =
            buyer.call(Some(key), &wish, async |api, request| api.orders().create_order(request).await);
        match call.await {
            Ok(answer) => {
                return answer.into_inner().order.ok_or_else(|| wrong("the answer holds no order"));
            }
            Err(status) if not_seen_yet(&status) && begun.elapsed() < SEEN_WITHIN => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(status) => return Err(status.into()),
        }
    }
}

fn not_seen_yet(status: &Status) -> bool {
    use tonic_types::StatusExt as _;
    let reason = status.get_details_error_info().map(|info| info.reason);
    reason.is_some_and(|reason| reason.ends_with("PRODUCT_NOT_FOUND") || reason.ends_with("OUT_OF_STOCK"))
}

async fn place_again(buyer: &Api, sku: &str, key: &str, placed: &orders::Order) -> Result<(), Problem> {
    let answer = buyer
        .call(Some(key), &wish(sku), async |api, request| api.orders().create_order(request).await)
        .await?;
    if answer.metadata().get("idempotent-replayed").is_none_or(|value| value != "true") {
        return Err(wrong("the second answer is not marked as a repeat"));
    }
    let order = answer.into_inner().order.unwrap_or_default();
    same(&order.encode_to_vec(), &placed.encode_to_vec(), "the second answer differs from the first")
}

async fn read_back(buyer: &Api, placed: &orders::Order) -> Result<(), Problem> {
    let request = orders::GetOrderRequest { id: placed.id.clone() };
    let answer =
        buyer.call(None, &request, async |api, request| api.orders().get_order(request).await).await?;
    let order = answer.into_inner().order.unwrap_or_default();
    same(
        &order.encode_to_vec(),
        &placed.encode_to_vec(),
        "the order that is read differs from the one placed",
    )
}

async fn read_back_as_json(buyer: &Api, placed: &orders::Order) -> Result<(), Problem> {
    let answer = buyer.get_json(&format!("/v1/orders/{}", placed.id)).await?;
    let order = &answer["order"];
    same(&order["id"], &placed.id, "the order read as JSON has another id")?;
    let total = placed.total.as_ref().map_or(0, |total| total.minor_units).to_string();
    let read = &order["total"]["minorUnits"];
    let read = read.as_str().map_or_else(|| read.to_string(), str::to_owned);
    same(&read, &total, "the order read as JSON has another total")
}

async fn cancel(buyer: &Api, id: &str) -> Result<(), Problem> {
    let request = orders::CancelOrderRequest {
        id: id.to_owned(),
        reason: "Verification".into(),
        request_id: Uuid::new_v4().to_string(),
    };
    let answer =
        buyer.call(None, &request, async |api, request| api.orders().cancel_order(request).await).await?;
    let state = answer.into_inner().order.unwrap_or_default().state();
    same(&state, &orders::OrderState::Cancelled, "the order is not cancelled")
}

fn same<A: PartialEq<B>, B>(one: &A, other: &B, otherwise: &str) -> Result<(), Problem> {
    if one == other { Ok(()) } else { Err(wrong(otherwise)) }
}

fn wrong(text: impl Into<String>) -> Problem {
    Problem::Wrong(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_about_the_order_goes_to_the_operator() {
        assert_eq!(
            tagged("ops@example.com", "0123456789abcdef0123"),
            "ops+verify-0123456789abcdef@example.com"
        );
        let long = tagged(&format!("{}@example.com", "x".repeat(64)), "0123456789abcdef");
        assert!(long.split('@').next().unwrap().len() <= 64, "{long}");
    }

    #[test]
    fn a_step_that_failed_says_which_and_why() {
        let failed =
            Failed { what: "place an order", problem: Status::unavailable("orders is not available").into() };
        assert_eq!(failed.to_string(), "place an order: Unavailable: orders is not available");
    }
}
