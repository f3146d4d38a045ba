//! The catalogue: what can be bought, the tree of categories that it stands in, and what it costs whom.
//!
//! It owns the schema `catalog`. It knows no stock and no order, and of a company only which price list it has. Products and categories
//! are the same for everyone, so their rows have no owner; price lists and prices are shown to the company that has them, and to the
//! seller.
//!
//! Reading order: [`product`], [`category`], [`price_list`] and [`quote`] (the domain, pure), `grpc` (parse, one call, convert), `service` (use cases and their
//! transactions), `store` (rows), `convert`, [`error`], [`permissions`]. Beside the service, and without a database:
//! [`import`] (files of products) and [`demo`] (products to try things with).

pub mod category;
mod convert;
pub mod demo;
pub mod error;
pub mod etag;
mod grpc;
pub mod import;
pub mod permissions;
pub mod price_list;
pub mod product;
pub mod quote;
mod service;
mod store;
mod text;

use platform::{
    AuthArgs, Context, Rpc, ServerArgs,
    db::DbArgs,
    page::{PageArgs, PageTokens},
    redis::RedisArgs,
};
use proto::catalog::v1::{
    catalog_service_server::CatalogServiceServer, price_service_server::PriceServiceServer,
};
use tonic::codec::CompressionEncoding::Gzip;

pub use self::{
    error::Error,
    permissions::{PERMISSIONS, PRICE_PERMISSIONS},
    store::page_statements,
};

/// Flags of `sipup serve catalog`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Where it listens, and how it stops.
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
}

/// Serves the catalogue until it is told to stop.
///
/// # Errors
///
/// What keeps it from starting.
pub async fn serve(args: Args, mut ctx: Context) -> anyhow::Result<()> {
    let tokens = PageTokens::new(&args.page)?;
    let redis = ctx.redis(&args.redis).await?;
    let db = ctx.db(&args.database, redis).await?;
    let verifier = ctx.verifier(&args.auth, &db);
    let catalog = service::Catalog::new(db, ctx.clock.clone(), tokens);
    let prices = PriceServiceServer::new(grpc::PricesGrpc::new(catalog.clone()))
        .max_decoding_message_size(args.server.max_request_bytes)
        .accept_compressed(Gzip)
        .send_compressed(Gzip);
    let catalog = CatalogServiceServer::new(grpc::Grpc::new(catalog))
        .max_decoding_message_size(args.server.max_request_bytes)
        .accept_compressed(Gzip)
        .send_compressed(Gzip);
    let rpc = Rpc::new(verifier, proto::DESCRIPTORS).add(PERMISSIONS, catalog).add(PRICE_PERMISSIONS, prices);
    ctx.serve(&args.server, rpc).await
}
