//! Short ways to agree on prices and to ask for them.

use platform::Role;
use proto::catalog::v1 as pb;
use tonic::Status;
use uuid::Uuid;

use super::{Shop, euro, product};

/// A list in euro.
pub(crate) fn price_list(id: &str) -> pb::PriceList {
    pb::PriceList {
        id: id.to_owned(),
        name: format!("List {id}"),
        currency_code: "EUR".to_owned(),
        ..pb::PriceList::default()
    }
}

/// A price in cents from a quantity on; a negative one removes it.
pub(crate) fn change(sku: &str, min_quantity: i32, cents: i64) -> pb::PriceChange {
    let remove = cents < 0;
    let unit_price = if remove { None } else { euro(cents) };
    pb::PriceChange { sku: sku.to_owned(), min_quantity, unit_price, remove }
}

pub(crate) fn item(sku: &str, quantity: i32) -> pb::ItemToPrice {
    pb::ItemToPrice { sku: sku.to_owned(), quantity }
}

impl Shop {
    /// A shop that sells `skus` at 100 cents, and has the price list `contract`.
    pub(crate) async fn with_price_list(skus: &[&str]) -> Self {
        let shop = Self::with_category("all").await;
        shop.stock(skus).await;
        shop
    }

    /// Fills the category `all` with `skus`, and adds the price list `contract`.
    pub(crate) async fn stock(&self, skus: &[&str]) {
        self.fill(skus.iter().map(|sku| product(sku, "all")).collect()).await;
        self.add_price_list("contract").await.unwrap();
    }

    pub(crate) async fn add_price_list(&self, id: &str) -> Result<pb::PriceList, Status> {
        let request =
            pb::CreatePriceListRequest { price_list: Some(price_list(id)), request_id: String::new() };
        let answer = self.prices.clone().create_price_list(self.seller(request)).await?;
        Ok(answer.into_inner().price_list.unwrap())
    }

    pub(crate) async fn set(
        &self,
        list: &str,
        changes: Vec<pb::PriceChange>,
    ) -> Result<pb::BatchSetPricesResponse, Status> {
        let request =
            pb::BatchSetPricesRequest { price_list_id: list.to_owned(), changes, request_id: String::new() };
        Ok(self.prices.clone().batch_set_prices(self.seller(request)).await?.into_inner())
    }

    /// Gives companies lists; an empty one takes theirs away.
    pub(crate) async fn assign(&self, rows: &[(Uuid, &str)]) -> pb::BatchAssignPriceListsResponse {
        let assignments = rows.iter().map(|(company, list)| pb::PriceListAssignment {
            company_id: company.to_string(),
            price_list_id: (*list).to_owned(),
        });
        let request = pb::BatchAssignPriceListsRequest {
            assignments: assignments.collect(),
            request_id: String::new(),
        };
        self.prices.clone().batch_assign_price_lists(self.seller(request)).await.unwrap().into_inner()
    }

    /// A new company that has the list `id`.
    pub(crate) async fn company_with(&self, id: &str) -> Uuid {
        let company = Uuid::now_v7();
        assert_eq!(self.assign(&[(company, id)]).await.created_count, 1);
        company
    }

    /// What items cost `company`, as a buyer of it is told.
    pub(crate) async fn price(&self, company: Uuid, items: Vec<pb::ItemToPrice>) -> pb::PriceItemsResponse {
        let request = pb::PriceItemsRequest { items, company_id: String::new() };
        let request = self.issuer.sign(request, Role::Buyer, company);
        self.prices.clone().price_items(request).await.unwrap().into_inner()
    }

    /// What one unit of `sku` costs `company`, in cents, if that many are wanted.
    pub(crate) async fn cents(&self, company: Uuid, sku: &str, quantity: i32) -> i64 {
        let answer = self.price(company, vec![item(sku, quantity)]).await;
        answer.items[0].unit_price.as_ref().unwrap().minor_units
    }

    /// All prices of a list: SKU, quantity and cents.
    pub(crate) async fn prices_of(&self, list: &str) -> Vec<(String, i32, i64)> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListPricesRequest {
                price_list_id: list.to_owned(),
                page_size: 1_000,
                page_token: std::mem::take(&mut page_token),
            };
            let page = self.prices.clone().list_prices(self.seller(request)).await.unwrap().into_inner();
            let cents = |price: &pb::Price| price.unit_price.as_ref().unwrap().minor_units;
            all.extend(page.prices.iter().map(|price| (price.sku.clone(), price.min_quantity, cents(price))));
            if page.next_page_token.is_empty() {
                return all;
            }
            page_token = page.next_page_token;
        }
    }
}
