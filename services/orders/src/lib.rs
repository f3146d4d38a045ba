//! Orders of companies and the stock that they are placed against.
//!
//! An order is placed once for each request, at what the catalogue says that it costs the company, with all its lines or not at all; stock is never oversold. This
//! crate owns the schema `orders` and nothing else: it knows products by asking the catalogue, tells buyers by leaving jobs
//! behind in its own transactions, and holds no lock while it asks anybody.
//!
//! # Modules, in reading order
//!
//! - the domain, without database or network: [`draft`], [`money`], [`order`] (the state machine), [`event`], [`pricing`], [`inventory`];
//! - a call's way down: `permissions`, `grpc`, `convert`, `service`, `store`, `queries/*.sql`;
//! - beside it: `watch` (who is told of events), `catalog` (the catalogue's client), `mail` (the job that confirms an order), `error`,
//!   `metrics`.

mod catalog;
mod convert;
pub mod draft;
mod error;
pub mod event;
mod grpc;
pub mod inventory;
mod mail;
mod metrics;
pub mod money;
pub mod order;
mod permissions;
pub mod pricing;
mod service;
mod store;
mod watch;

use platform::{
    AuthArgs, Context, Rpc, ServerArgs,
    client::ServiceUrl,
    db::DbArgs,
    page::{PageArgs, PageTokens},
    redis::RedisArgs,
};
use proto::orders::v1::{
    inventory_service_server::InventoryServiceServer, order_service_server::OrderServiceServer,
};
use tonic::codec::CompressionEncoding::Gzip;

use crate::{
    catalog::Catalog,
    grpc::{InventoryGrpc, OrdersGrpc},
    metrics::Metrics,
    service::{Orders, inventory::Stock, watches::Watching},
    watch::Watches,
};

pub use crate::watch::WatchArgs;

/// Flags of `sipup serve orders`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Where to listen, and how to stop.
    #[command(flatten)]
    pub server: ServerArgs,

    /// The database.
    #[command(flatten)]
    pub database: DbArgs,

    /// Redis.
    #[command(flatten)]
    pub redis: RedisArgs,

    /// Who is believed.
    #[command(flatten)]
    pub auth: AuthArgs,

    /// Pages of lists.
    #[command(flatten)]
    pub page: PageArgs,

    /// Where the catalogue is: `http://host:port`, or several separated by commas.
    #[arg(long, env = "SIPUP_CATALOG_URL", default_value = "http://catalog:8080")]
    pub catalog_url: ServiceUrl,

    /// Watches.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// Serves orders and stock until told to stop.
///
/// # Errors
///
/// What kept it from starting, or made it end.
pub async fn serve(args: Args, mut ctx: Context) -> anyhow::Result<()> {
    let redis = ctx.redis(&args.redis).await?;
    let db = ctx.db(&args.database, redis).await?;
    let verifier = ctx.verifier(&args.auth, &db);
    let catalog = Catalog::connect(&args.catalog_url, &ctx.tasks);
    let tokens = PageTokens::new(&args.page)?;

    let metrics = Metrics::new(&ctx.meter);

    let watches = Watches::start(args.watch, db.clone(), &ctx.tasks, metrics.clone());
    let watching = Watching::new(db.clone(), verifier.clone(), watches);
    let orders = Orders::new(db.clone(), ctx.clock.clone(), catalog, metrics);
    let stock = Stock::new(db, ctx.clock.clone());
    let orders = OrderServiceServer::new(OrdersGrpc::new(orders, watching, tokens, ctx.clone()))
        .max_decoding_message_size(args.server.max_request_bytes)
        .accept_compressed(Gzip)
        .send_compressed(Gzip);
    let stock = InventoryServiceServer::new(InventoryGrpc::new(stock))
        .max_decoding_message_size(args.server.max_request_bytes)
        .accept_compressed(Gzip)
        .send_compressed(Gzip);
    let rpc = Rpc::new(verifier, proto::DESCRIPTORS)
        .add(permissions::ORDERS, orders)
        .add(permissions::INVENTORY, stock);
    ctx.serve(&args.server, rpc).await
}
