//! Prices of the stub: lists and the companies that they hold for, as far as the tool sets them up.

use std::collections::{BTreeMap, HashMap};

use proto::catalog::v1::{self as catalog, RowOutcome, price_service_server::PriceService};
use tonic::{Request, Response, Status};

use super::{
    Lie,
    platform::{Platform, Reply, euros, number_of, owner, price, product},
};

/// Prices by SKU and quantity.
type List = BTreeMap<(String, i32), i64>;

/// What was set up.
#[derive(Debug, Default)]
pub(super) struct Prices {
    lists: HashMap<String, List>,
    /// By company.
    assigned: HashMap<String, String>,
}

impl Prices {
    /// The list that holds for `company`.
    fn list_of(&self, company: &str, lie: Option<Lie>) -> Option<(&str, &List)> {
        let own = self.assigned.get(company);
        let anybodys = (lie == Some(Lie::OthersPrice)).then(|| self.lists.keys().next()).flatten();
        let id = own.or(anybodys)?;
        Some((id, self.lists.get(id)?))
    }

    /// What one unit costs `company`.
    pub(super) fn unit_price(&self, company: &str, item: (&str, i32), lie: Option<Lie>) -> i64 {
        let tier = self.list_of(company, lie).and_then(|(_, list)| tiers(list, item, lie).0);
        tier.map_or_else(|| price(number_of(item.0)), |(_, price)| price)
    }

    fn priced(&self, company: &str, item: catalog::ItemToPrice, lie: Option<Lie>) -> catalog::PricedItem {
        let product = product(number_of(&item.sku));
        let list = self.list_of(company, lie);
        let (tier, next) =
            list.map(|(_, list)| tiers(list, (&item.sku, item.quantity), lie)).unwrap_or_default();
        catalog::PricedItem {
            product_id: product.id,
            active: true,
            unit_price: tier.map_or_else(|| product.price.clone(), |(_, price)| Some(euros(price))),
            list_price: product.price,
            price_list_id: list.filter(|_| tier.is_some()).map(|(id, _)| id.to_owned()).unwrap_or_default(),
            min_quantity: tier.map_or(0, |(quantity, _)| quantity),
            next_tier: next.map(|(min_quantity, price)| catalog::PriceTier {
                min_quantity,
                unit_price: Some(euros(price)),
            }),
            sku: item.sku,
            quantity: item.quantity,
            ..catalog::PricedItem::default()
        }
    }
}

type Tier = Option<(i32, i64)>;

/// The price of an item in a list, and the next one.
fn tiers(list: &List, (sku, quantity): (&str, i32), lie: Option<Lie>) -> (Tier, Tier) {
    let of = |from: i32, to: i32| list.range((sku.to_owned(), from)..=(sku.to_owned(), to));
    let pair = |((_, quantity), price): (&(String, i32), &i64)| (*quantity, *price);
    let reached = if lie == Some(Lie::NoTier) { 1 } else { quantity };
    (of(1, reached).next_back().map(pair), of(quantity + 1, i32::MAX).next().map(pair))
}

#[tonic::async_trait]
impl PriceService for Platform {
    async fn price_items(
        &self,
        request: Request<catalog::PriceItemsRequest>,
    ) -> Reply<catalog::PriceItemsResponse> {
        self.shared.count("PriceItems");
        let ((_, company), prices) = (owner(request.metadata())?, self.prices());
        let items = request.into_inner().items.into_iter();
        let items = items.map(|item| prices.priced(&company, item, self.lie())).collect();
        Ok(Response::new(catalog::PriceItemsResponse { items, not_found: Vec::new() }))
    }

    async fn create_price_list(
        &self,
        request: Request<catalog::CreatePriceListRequest>,
    ) -> Reply<catalog::CreatePriceListResponse> {
        self.shared.count("CreatePriceList");
        let price_list = request.into_inner().price_list;
        let (id, mut prices) = (price_list.clone().unwrap_or_default().id, self.prices());
        if prices.lists.contains_key(&id) {
            return Err(Status::already_exists("there is one"));
        }
        prices.lists.insert(id, BTreeMap::new());
        Ok(Response::new(catalog::CreatePriceListResponse { price_list }))
    }

    async fn list_prices(
        &self,
        request: Request<catalog::ListPricesRequest>,
    ) -> Reply<catalog::ListPricesResponse> {
        self.shared.count("ListPrices");
        let (request, prices) = (request.into_inner(), self.prices());
        let list =
            prices.lists.get(&request.price_list_id).ok_or_else(|| Status::not_found("no such list"))?;
        let price = |((sku, min_quantity), price): (&(String, i32), &i64)| catalog::Price {
            sku: sku.clone(),
            min_quantity: *min_quantity,
            unit_price: Some(euros(*price)),
            update_time: None,
        };
        let prices = list.iter().map(price).collect();
        Ok(Response::new(catalog::ListPricesResponse { prices, next_page_token: String::new() }))
    }

    async fn batch_set_prices(
        &self,
        request: Request<catalog::BatchSetPricesRequest>,
    ) -> Reply<catalog::BatchSetPricesResponse> {
        self.shared.count("BatchSetPrices");
        let (request, mut prices) = (request.into_inner(), self.prices());
        let list = prices.lists.get_mut(&request.price_list_id);
        let list = list.ok_or_else(|| Status::not_found("no such list"))?;
        let set = |change: catalog::PriceChange| {
            let at = (change.sku, change.min_quantity);
            match change.unit_price {
                Some(price) if !change.remove => list.insert(at, price.minor_units),
                _ => list.remove(&at),
            };
            catalog::BatchSetPricesResult {
                outcome: RowOutcome::Updated.into(),
                ..catalog::BatchSetPricesResult::default()
            }
        };
        let results = request.changes.into_iter().map(set).collect();
        Ok(Response::new(catalog::BatchSetPricesResponse {
            results,
            ..catalog::BatchSetPricesResponse::default()
        }))
    }

    async fn batch_assign_price_lists(
        &self,
        request: Request<catalog::BatchAssignPriceListsRequest>,
    ) -> Reply<catalog::BatchAssignPriceListsResponse> {
        self.shared.count("BatchAssignPriceLists");
        let mut prices = self.prices();
        let assign = |row: catalog::PriceListAssignment| {
            let outcome = if row.price_list_id.is_empty() {
                prices.assigned.remove(&row.company_id);
                RowOutcome::Removed
            } else if prices.lists.contains_key(&row.price_list_id) {
                prices.assigned.insert(row.company_id, row.price_list_id);
                RowOutcome::Updated
            } else {
                RowOutcome::Rejected
            };
            catalog::BatchAssignPriceListsResult {
                outcome: outcome.into(),
                ..catalog::BatchAssignPriceListsResult::default()
            }
        };
        let results = request.into_inner().assignments.into_iter().map(assign).collect();
        Ok(Response::new(catalog::BatchAssignPriceListsResponse {
            results,
            ..catalog::BatchAssignPriceListsResponse::default()
        }))
    }

    async fn get_price_list(
        &self,
        _: Request<catalog::GetPriceListRequest>,
    ) -> Reply<catalog::GetPriceListResponse> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn list_price_lists(
        &self,
        _: Request<catalog::ListPriceListsRequest>,
    ) -> Reply<catalog::ListPriceListsResponse> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn update_price_list(
        &self,
        _: Request<catalog::UpdatePriceListRequest>,
    ) -> Reply<catalog::UpdatePriceListResponse> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn delete_price_list(&self, _: Request<catalog::DeletePriceListRequest>) -> Reply<()> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn list_price_list_assignments(
        &self,
        _: Request<catalog::ListPriceListAssignmentsRequest>,
    ) -> Reply<catalog::ListPriceListAssignmentsResponse> {
        Err(Status::unimplemented("not in the stub"))
    }
}
