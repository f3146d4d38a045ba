//! `sipup seed`: a demo company, a seller, their users, as many products as wanted, and what the company has agreed to pay for some of
//! them. Seeding twice changes nothing.

use anyhow::Context as _;
use catalog::demo::{self, DemoPrice, DemoProduct};
use platform::{
    Clock,
    db::{ConnectArgs, OneConnection},
};
use tokio_postgres::Client;

const COMPANY: &str = include_str!("../queries/seed_company.sql");
const USER: &str = include_str!("../queries/seed_user.sql");
const CATEGORY: &str = include_str!("../queries/seed_category.sql");
const PRODUCTS: &str = include_str!("../queries/seed_products.sql");
const PRICE_LIST: &str = include_str!("../queries/seed_price_list.sql");
const PRICES: &str = include_str!("../queries/seed_prices.sql");
const COMPANY_PRICE_LIST: &str = include_str!("../queries/seed_company_price_list.sql");
const STOCK: &str = include_str!("../queries/seed_stock.sql");

/// Products in one statement.
const BATCH: usize = 1_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database, as the role that `migrate` uses.
    #[command(flatten)]
    database: ConnectArgs,

    /// How many products.
    #[arg(long, default_value_t = 10_000)]
    products: usize,
}

impl Args {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let connection =
            OneConnection::open(&self.database, "sipup seed").await.context("connect to the database")?;
        let client = connection.client();
        client.batch_execute("BEGIN").await?;
        let users = seed_accounts(client).await.context("add the demo's people")?;
        let products = seed_catalogue(client, self.products).await.context("add the demo's products")?;
        client
            .batch_execute(
                "COMMIT; ANALYZE catalog.categories, catalog.products, catalog.prices, orders.stock",
            )
            .await?;
        #[expect(clippy::print_stdout, reason = "a command speaks to whoever called it")]
        {
            println!("{users} users and {products} products added");
        }
        Ok(())
    }
}

async fn seed_accounts(client: &Client) -> anyhow::Result<u64> {
    client.batch_execute("SET LOCAL ROLE auth_owner").await?;
    let hash = auth::hash_password(auth::demo::PASSWORD).await?;
    let mut added = 0;
    for company in auth::demo::accounts() {
        client.execute(COMPANY, &[&company.id, &company.name]).await?;
        for user in company.users {
            let role = user.role.name();
            added += client
                .execute(USER, &[&user.id, &company.id, &user.email, &hash, &user.display_name, &role])
                .await?;
        }
    }
    client.batch_execute("RESET ROLE").await?;
    Ok(added)
}

async fn seed_catalogue(client: &Client, products: usize) -> anyhow::Result<i64> {
    client.batch_execute("SET LOCAL ROLE catalog_owner").await?;
    for category in demo::categories() {
        client.execute(CATEGORY, &[&category.id, &category.parent_id, &category.name]).await?;
    }
    let products: Vec<DemoProduct> = demo::products(products).collect();
    let (clock, mut added) = (Clock::system(), 0);
    for batch in products.chunks(BATCH) {
        added += seed_products(client, &clock, batch).await?;
    }
    seed_prices(client, &products).await?;
    client.batch_execute("RESET ROLE; SET LOCAL ROLE orders_owner").await?;
    for batch in products.chunks(BATCH) {
        let skus: Vec<&str> = batch.iter().map(|product| product.sku.as_str()).collect();
        let units: Vec<i32> = batch.iter().map(|product| product.stock).collect();
        client.execute(STOCK, &[&skus, &units]).await?;
    }
    client.batch_execute("RESET ROLE").await?;
    Ok(added)
}

/// The prices of the company that buys.
async fn seed_prices(client: &Client, products: &[DemoProduct]) -> anyhow::Result<()> {
    let (list, [buying, _]) = (demo::PRICE_LIST_ID, auth::demo::accounts());
    client.execute(PRICE_LIST, &[&list, &demo::PRICE_LIST_NAME, &demo::CURRENCY]).await?;
    let prices: Vec<DemoPrice<'_>> = demo::prices(products).collect();
    let skus: Vec<&str> = prices.iter().map(|price| price.sku).collect();
    let quantities: Vec<i32> = prices.iter().map(|price| price.min_quantity).collect();
    let minors: Vec<i64> = prices.iter().map(|price| price.price_minor).collect();
    client.execute(PRICES, &[&list, &skus, &quantities, &minors]).await?;
    client.execute(COMPANY_PRICE_LIST, &[&buying.id, &list]).await?;
    Ok(())
}

async fn seed_products(client: &Client, clock: &Clock, batch: &[DemoProduct]) -> anyhow::Result<i64> {
    let ids: Vec<_> = batch.iter().map(|_| clock.uuid_v7()).collect();
    let text = |field: fn(&DemoProduct) -> &str| batch.iter().map(field).collect::<Vec<&str>>();
    let prices: Vec<i64> = batch.iter().map(|product| product.price_minor).collect();
    let (currencies, active) = (vec!["EUR"; batch.len()], vec![true; batch.len()]);
    let row = client
        .query_one(
            PRODUCTS,
            &[
                &ids,
                &text(|product| &product.sku),
                &text(|product| &product.name),
                &text(|product| &product.description),
                &text(|product| product.brand),
                &text(|product| product.category_id),
                &prices,
                &currencies,
                &text(|product| product.unit),
                &active,
                &clock.now(),
            ],
        )
        .await?;
    Ok(row.get("created"))
}
