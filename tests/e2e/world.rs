//! The stacks that tests share.

use std::sync::LazyLock;

use proto::{
    catalog::v1::{CreateProductRequest, Product},
    orders::v1::{BatchAdjustInventoryRequest, InventoryAdjustment},
};
use tests::{Stack, clients::Client, collector::Collector};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

/// What every stack here is started with. Its replica is always behind by more than reads wait for it, so that a test that
/// depends on a replica being quick fails each time and not now and then; whoever wrote something sees it all the same.
pub(crate) const OPTIONS: [&str; 2] = ["--replica-delay", "200ms"];

/// A stack that nobody breaks, with its traces collected.
pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) collector: Collector,
}

/// The shared stack.
pub(crate) fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let collector = Collector::start().expect("a collector");
        let url = collector.url();
        let options = [&OPTIONS[..], &["--replicas", "catalog=2", "--otlp-url", &url]].concat();
        let stack = Stack::start(&options).expect("a stack");
        World { stack, collector }
    });
    &WORLD
}

/// The stack that tests break, each for itself. What a test breaks is whole again, or restarted by `up`, when the next one begins.
pub(crate) async fn breakable() -> MutexGuard<'static, Stack> {
    static BREAKABLE: LazyLock<Mutex<Stack>> = LazyLock::new(|| {
        let options = [&OPTIONS[..], &["--products", "500"]].concat();
        Mutex::new(Stack::start(&options).expect("a stack"))
    });
    BREAKABLE.lock().await
}

/// A new company's admin, logged in.
pub(crate) async fn buyer(stack: &Stack) -> Client {
    let client = Client::connect(&stack.url()).await.expect("the ingress answers");
    client.register("A Company").await.expect("a company can register")
}

/// The seller of the demo data, logged in.
pub(crate) async fn seller(stack: &Stack) -> Client {
    let client = Client::connect(&stack.url()).await.expect("the ingress answers");
    let (email, password) = stack.seller();
    client.log_in(&email, &password).await.expect("the seller can log in")
}

/// The SKU of a new product with `units` of stock, which everybody sees. Nobody else orders it: tests that share a stack share no stock.
pub(crate) async fn product(stack: &Stack, units: usize) -> String {
    let seller = seller(stack).await;
    let template = seller.products(1).await.unwrap().remove(0);
    let sku = format!("TEST-{}", Uuid::now_v7());
    let product = Product { sku: sku.clone(), ..template };
    let request = CreateProductRequest { product: Some(product), ..CreateProductRequest::default() };
    seller.catalog().create_product(request).await.unwrap();
    let adjustments = vec![InventoryAdjustment { sku: sku.clone(), delta: i32::try_from(units).unwrap() }];
    let request = BatchAdjustInventoryRequest { adjustments, ..BatchAdjustInventoryRequest::default() };
    seller.inventory().batch_adjust_inventory(request).await.unwrap();
    stack.replicated().await;
    sku
}
