//! What is set up as the demo's seller before a run: enough stock, and prices of their own for every second company.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use proto::{
    catalog::v1::{
        BatchAssignPriceListsRequest, BatchSetPricesRequest, CreatePriceListRequest, ItemToPrice,
        ListPricesRequest, Price, PriceChange, PriceItemsRequest, PriceList, PriceListAssignment, RowOutcome,
        price_service_client::PriceServiceClient,
    },
    orders::v1::{
        BatchAdjustInventoryRequest, InventoryAdjustment, inventory_service_client::InventoryServiceClient,
    },
    r#type::v1::Money,
};
use tonic::{Request, Status, transport::Channel};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    identity::{Account, Identities, Identity, log_in},
    plan::Plan,
    price::{self, Agreements, LISTED, Terms},
    stack::Stack,
    wire::grpc,
    world::World,
};

/// Units added to the stock of each product.
const UNITS: i32 = 100_000;
/// Adjustments of stock in one call.
const ADJUSTMENTS: usize = 1_000;
/// Prices or companies in one call.
const ROWS: usize = 5_000;
/// Prices in a page.
const PAGE: i32 = 1_000;
/// So long may it take until everybody sees a price that was set.
const VISIBLE_WITHIN: Duration = Duration::from_secs(30);
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The seller of a stack's demo data, logged in.
#[derive(Debug)]
struct Seller {
    channel: Channel,
    identity: Identity,
}

/// Does what `plan` wants the seller to do, and says what companies pay then.
pub(crate) async fn prepare(
    plan: &Plan,
    channel: Channel,
    world: &World,
    identities: &Identities,
) -> Result<Agreements> {
    let unagreed = Agreements::none(&identities.all);
    let Some(stack) = plan.stack.as_ref().filter(|_| plan.restock || plan.agree_prices) else {
        return Ok(unagreed);
    };
    let seller = Seller::log_in(channel, stack).await?;
    if plan.restock {
        seller.restock(world).await?;
    }
    if plan.agree_prices { seller.agree(world, &identities.all).await } else { Ok(unagreed) }
}

impl Seller {
    async fn log_in(channel: Channel, stack: &Stack) -> Result<Self> {
        let seller = stack.users.iter().find(|user| user.role == "seller");
        let seller = seller.ok_or_else(|| Error::invalid("stack", "names no seller"))?;
        let account = Account { email: seller.email.clone(), password: seller.password.clone() };
        let identity = log_in(channel.clone(), account).await.map_err(|failure| Error::Refused {
            what: "log in as the seller",
            code: failure.code.into_owned(),
            message: failure.message,
        })?;
        Ok(Self { channel, identity })
    }

    fn prices(&self) -> PriceServiceClient<Channel> {
        PriceServiceClient::new(self.channel.clone())
    }

    async fn restock(&self, world: &World) -> Result<()> {
        let mut client = InventoryServiceClient::new(self.channel.clone());
        for batch in world.products.chunks(ADJUSTMENTS) {
            let adjustment = |product: &crate::call::Product| InventoryAdjustment {
                sku: product.sku.clone(),
                delta: UNITS,
            };
            let adjustments = batch.iter().map(adjustment).collect();
            let request = BatchAdjustInventoryRequest { adjustments, request_id: key() };
            client
                .batch_adjust_inventory(signed(&self.identity, request))
                .await
                .map_err(refused("fill up the stock"))?;
        }
        Ok(())
    }

    /// Agrees the tool's prices with every second company, and takes them from the others; waits until they are seen.
    async fn agree(&self, world: &World, identities: &[Arc<Identity>]) -> Result<Agreements> {
        let currency = world.product(0).currency.clone();
        let list = format!("sipup-load-{}", currency.to_lowercase());
        // Sorted, so that the sides stay the same however the identities came.
        let companies: BTreeSet<String> =
            identities.iter().map(|identity| identity.company_id.clone()).collect();
        let companies: Vec<String> = companies.into_iter().collect();
        self.create(&list, &currency).await?;
        self.set_prices(&list, world, &currency).await?;
        let agreements = Agreements::new(list, currency, &companies);
        let new = identities.iter().filter(|identity| identity.is_new);
        let new: BTreeSet<&str> = new.map(|identity| identity.company_id.as_str()).collect();
        let changed = self.assign(&agreements, &companies, &new).await?;
        let changed = identities.iter().filter(|identity| changed.contains(&identity.company_id));
        let changed: Vec<&Identity> = changed.map(Arc::as_ref).collect();
        self.wait_until_seen(&agreements, world, &changed).await?;
        Ok(agreements)
    }

    async fn create(&self, id: &str, currency: &str) -> Result<()> {
        let list = PriceList {
            id: id.to_owned(),
            name: "Prices of load tests".to_owned(),
            currency_code: currency.to_owned(),
            ..PriceList::default()
        };
        let request = CreatePriceListRequest { price_list: Some(list), request_id: key() };
        match self.prices().create_price_list(signed(&self.identity, request)).await {
            Err(status) if status.code() != tonic::Code::AlreadyExists => {
                Err(refused("add a price list")(status))
            }
            _ => Ok(()),
        }
    }

    /// Changes what differs from what the list is to say, for an earlier run may have known other products.
    async fn set_prices(&self, list: &str, world: &World, currency: &str) -> Result<()> {
        let what = "set prices";
        let mut there = self.listed(list).await?;
        let mut changes = Vec::new();
        for (number, product) in (0..).zip(world.products.iter().take(LISTED)) {
            for tier in price::tiers(number, product, currency) {
                if there.remove(&(product.sku.clone(), tier.min_quantity)) != Some(tier.price) {
                    let price = Money { currency_code: currency.to_owned(), minor_units: tier.price };
                    changes.push(PriceChange {
                        sku: product.sku.clone(),
                        min_quantity: tier.min_quantity,
                        unit_price: Some(price),
                        remove: false,
                    });
                }
            }
        }
        let removal = |(sku, min_quantity)| PriceChange { sku, min_quantity, unit_price: None, remove: true };
        changes.extend(there.into_keys().map(removal));
        for batch in changes.chunks(ROWS) {
            let price_list_id = list.to_owned();
            let request = BatchSetPricesRequest { price_list_id, changes: batch.to_vec(), request_id: key() };
            let reply = self.prices().batch_set_prices(signed(&self.identity, request)).await;
            let results = reply.map_err(refused(what))?.into_inner().results;
            all_accepted(what, results.iter().map(|row| (row.outcome(), &*row.reason, &*row.message)))?;
        }
        Ok(())
    }

    /// What the list says now: prices by SKU and quantity.
    async fn listed(&self, list: &str) -> Result<HashMap<(String, i32), i64>> {
        let (mut there, mut page_token) = (HashMap::new(), String::new());
        loop {
            let request = ListPricesRequest { price_list_id: list.to_owned(), page_size: PAGE, page_token };
            let page = self.prices().list_prices(signed(&self.identity, request)).await;
            let page = page.map_err(refused("read the price list"))?.into_inner();
            let price = |price: Price| {
                ((price.sku, price.min_quantity), price.unit_price.unwrap_or_default().minor_units)
            };
            there.extend(page.prices.into_iter().map(price));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(there);
            }
        }
    }

    /// Gives every second company the list. The others may have it from an earlier run, unless they are `new`. Answers the companies
    /// whose list is another one now.
    async fn assign(
        &self,
        agreements: &Agreements,
        companies: &[String],
        new: &BTreeSet<&str>,
    ) -> Result<BTreeSet<String>> {
        let what = "give companies a price list";
        let assignment = |company: &String| match agreements.terms(company) {
            Terms::Agreed(list) => Some((company.clone(), list.to_owned())),
            _ => (!new.contains(company.as_str())).then(|| (company.clone(), String::new())),
        };
        let assignments: Vec<PriceListAssignment> = companies
            .iter()
            .filter_map(assignment)
            .map(|(company_id, price_list_id)| PriceListAssignment { company_id, price_list_id })
            .collect();
        let mut changed = BTreeSet::new();
        for batch in assignments.chunks(ROWS) {
            let request = BatchAssignPriceListsRequest { assignments: batch.to_vec(), request_id: key() };
            let reply = self.prices().batch_assign_price_lists(signed(&self.identity, request)).await;
            let results = reply.map_err(refused(what))?.into_inner().results;
            all_accepted(what, results.iter().map(|row| (row.outcome(), &*row.reason, &*row.message)))?;
            let rows = batch.iter().zip(&results).filter(|(_, row)| row.outcome() != RowOutcome::Unchanged);
            changed.extend(rows.map(|(row, _)| row.company_id.clone()));
        }
        Ok(changed)
    }

    /// Waits until one company of each side whose list is another one now is told the right price: reads come from a replica, a moment
    /// later.
    async fn wait_until_seen(
        &self,
        agreements: &Agreements,
        world: &World,
        changed: &[&Identity],
    ) -> Result<()> {
        let listed = (0..)
            .zip(world.products.iter().take(LISTED))
            .find_map(|(number, product)| Some((product, *agreements.tiers(number, product).first()?)));
        // Nothing differs where no product has the list's currency.
        let Some((product, tier)) = listed else { return Ok(()) };
        let item = ItemToPrice { sku: product.sku.clone(), quantity: tier.min_quantity };
        let agreed =
            |identity: &&&Identity| matches!(agreements.terms(&identity.company_id), Terms::Agreed(_));
        let (with, without): (Vec<&Identity>, Vec<_>) = changed.iter().partition(agreed);
        for (identity, price) in [(with.last(), tier.price), (without.last(), product.price)] {
            let Some(identity) = identity else { continue };
            let seen = async {
                while self.told(identity, &item).await? != price {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Ok(())
            };
            tokio::time::timeout(VISIBLE_WITHIN, seen).await.unwrap_or_else(|_| {
                Err(Error::Refused {
                    what: "see the agreed prices",
                    code: "STALE".to_owned(),
                    message: format!("{} is not told {price} for {item:?}", identity.company_id),
                })
            })?;
        }
        Ok(())
    }

    /// What one unit costs `identity`, as it is told.
    async fn told(&self, identity: &Identity, item: &ItemToPrice) -> Result<i64> {
        let request = PriceItemsRequest { items: vec![item.clone()], ..PriceItemsRequest::default() };
        let reply = self.prices().price_items(signed(identity, request)).await;
        let items = reply.map_err(refused("ask for a price"))?.into_inner().items;
        Ok(items.into_iter().find_map(|item| item.unit_price).map_or(-1, |price| price.minor_units))
    }
}

fn key() -> String {
    Uuid::new_v4().to_string()
}

fn signed<T>(identity: &Identity, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", identity.authorization());
    request
}

fn refused(what: &'static str) -> impl Fn(Status) -> Error {
    move |status| {
        let failure = grpc::failure(&status);
        Error::Refused { what, code: failure.code.into_owned(), message: failure.message }
    }
}

/// A batch is answered well even if it refuses rows.
fn all_accepted<'a>(
    what: &'static str,
    rows: impl Iterator<Item = (RowOutcome, &'a str, &'a str)>,
) -> Result<()> {
    let mut refused = rows.filter(|(outcome, ..)| *outcome == RowOutcome::Rejected);
    refused.next().map_or(Ok(()), |(_, reason, message)| {
        Err(Error::Refused { what, code: reason.to_owned(), message: message.to_owned() })
    })
}
