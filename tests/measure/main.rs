//! Measures a running local stack: calls through Envoy beside baselines of the same run.
//!
//! ```sh
//! cargo run --release -- up --ready-file /tmp/sipup.json
//! cargo run --release -p tests --bin measure -- --stack /tmp/sipup.json
//! ```
//!
//! The load is closed: each of `--callers` sends its next call when the last one is answered. That shows what the platform can do
//! at once, not how it behaves when more comes than it can do.

mod bench;
mod memory;
mod pgbench;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::Parser as _;
use local::StackInfo;
use proto::{
    catalog::v1::GetProductRequest,
    orders::v1::{BatchAdjustInventoryRequest, InventoryAdjustment},
};
use tests::clients::{Client, order_of};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use uuid::Uuid;

use crate::bench::{Figures, closed_loop};

/// Measures a running local stack.
#[derive(Debug, clap::Parser)]
struct Args {
    /// The file that `sipup up --ready-file` wrote.
    #[arg(long)]
    stack: PathBuf,

    /// Calls in flight at once.
    #[arg(long, default_value_t = 64)]
    callers: usize,

    /// Connections to Envoy that they share.
    #[arg(long, default_value_t = 4)]
    connections: usize,

    /// Seconds for each measurement, after two of warming up.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the figures are what this is for")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let info: StackInfo = serde_json::from_slice(&std::fs::read(&args.stack).context("read --stack")?)?;
    println!("idle memory, proportional set size in MiB");
    memory::print(&info)?;

    let world = Arc::new(World::new(&info, args.connections).await?);
    println!("\n{} callers, {} connections, {} s each", args.callers, args.connections, args.seconds);
    println!("{}", Figures::HEADER);
    let time = Duration::from_secs(args.seconds);
    let health = closed_loop(args.callers, time, Arc::clone(&world), World::health).await;
    println!("{}", health.row("Health.Check through Envoy (baseline)", None));
    let get = closed_loop(args.callers, time, Arc::clone(&world), World::get_product).await;
    println!("{}", get.row("GetProduct through Envoy", Some(&health)));
    let order = closed_loop(args.callers, time, Arc::clone(&world), World::create_order).await;
    println!("{}", order.row("CreateOrder, 3 lines, through Envoy", Some(&health)));
    let bare = pgbench::create_order(&info, args.callers, args.seconds).await?;
    println!("{bare}");
    println!("CreateOrder through Envoy is {:.2} of the bare transaction", order.rate / bare.rate);
    Ok(())
}

/// What the calls need.
struct World {
    clients: Vec<Client>,
    products: Vec<(String, String)>,
}

impl World {
    async fn new(info: &StackInfo, connections: usize) -> anyhow::Result<Self> {
        let mut clients = Vec::new();
        while clients.len() < connections.max(1) {
            clients.push(Client::connect(&info.url).await?.register("Measuring Ltd").await?);
        }
        let products =
            clients[0].products(1_000).await?.into_iter().map(|product| (product.id, product.sku)).collect();
        let world = Self { clients, products };
        world.restock(info).await?;
        Ok(world)
    }

    /// Gives every product more units than the measurement can sell.
    async fn restock(&self, info: &StackInfo) -> anyhow::Result<()> {
        let seller = info.users.iter().find(|user| user.role == "seller");
        let seller = seller.context("the demo data has a seller")?;
        let client = Client::connect(&info.url).await?.log_in(&seller.email, &seller.password).await?;
        let more = |(_, sku): &(String, String)| InventoryAdjustment { sku: sku.clone(), delta: 100_000 };
        let adjustments = self.products.iter().map(more).collect();
        let request = BatchAdjustInventoryRequest { adjustments, ..BatchAdjustInventoryRequest::default() };
        client.inventory().batch_adjust_inventory(request).await?;
        Ok(())
    }

    fn client(&self, number: usize) -> &Client {
        &self.clients[number % self.clients.len()]
    }

    /// Spreads over all products without a generator: the golden ratio's multiples fall everywhere.
    fn product(&self, number: usize) -> &(String, String) {
        &self.products[number.wrapping_mul(0x9E37_79B9) % self.products.len()]
    }

    async fn health(self: Arc<Self>, number: usize) -> Result<(), tonic::Status> {
        let request = HealthCheckRequest { service: "sipup.catalog.v1.CatalogService".into() };
        HealthClient::new(self.client(number).channel()).check(request).await.map(drop)
    }

    async fn get_product(self: Arc<Self>, number: usize) -> Result<(), tonic::Status> {
        let request = GetProductRequest { id: self.product(number).0.clone() };
        self.client(number).catalog().get_product(request).await.map(drop)
    }

    async fn create_order(self: Arc<Self>, number: usize) -> Result<(), tonic::Status> {
        let sku = |line: usize| self.product(number * 3 + line).1.as_str();
        let mut request = order_of(&[(sku(0), 1), (sku(1), 1), (sku(2), 1)]);
        request.request_id = Uuid::now_v7().to_string();
        self.client(number).orders().create_order(request).await.map(drop)
    }
}
