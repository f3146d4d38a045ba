//! What the tool knows about the platform before the load begins: the catalogue, against which answers are checked.

use std::collections::{BTreeSet, HashMap};

use proto::catalog::v1::{ListProductsRequest, catalog_service_client::CatalogServiceClient};
use tonic::{Request, metadata::MetadataValue, transport::Channel};

use crate::{
    call::Product,
    error::{Error, Result},
    identity::Identity,
    popularity::Popularity,
    price::Agreements,
    wire::grpc,
};

/// Products in one page of the listing.
const PAGE: i32 = 1_000;
/// More products than this are not needed for a Zipf-distributed demand, and would only cost memory.
const MOST_PRODUCTS: usize = 100_000;

/// The catalogue at the start of the run.
#[derive(Debug)]
pub(crate) struct World {
    /// In the order of demand: the first is wanted most.
    pub(crate) products: Vec<Product>,
    pub(crate) categories: Vec<String>,
    by_sku: HashMap<String, u32>,
    pub(crate) popularity: Popularity,
    /// What companies pay.
    pub(crate) agreements: Agreements,
}

impl World {
    pub(crate) fn new(products: Vec<Product>, skew: f64) -> Result<Self> {
        if products.is_empty() {
            return Err(Error::invalid("catalogue", "the platform has no product: seed it first"));
        }
        let by_sku = (0..).zip(&products).map(|(number, product)| (product.sku.clone(), number)).collect();
        let categories: BTreeSet<String> = products.iter().map(|product| product.category.clone()).collect();
        let popularity = Popularity::new(products.len(), skew);
        Ok(Self {
            products,
            categories: categories.into_iter().collect(),
            by_sku,
            popularity,
            agreements: Agreements::default(),
        })
    }

    /// Reads the catalogue, page by page.
    pub(crate) async fn read(channel: Channel, identity: &Identity, skew: f64) -> Result<Self> {
        let mut client = CatalogServiceClient::new(channel).max_decoding_message_size(64 << 20);
        let (mut products, mut page_token) = (Vec::new(), String::new());
        loop {
            let page = ListProductsRequest { page_size: PAGE, page_token, ..ListProductsRequest::default() };
            let mut request = Request::new(page);
            let token: MetadataValue<_> = identity.authorization();
            request.metadata_mut().insert("authorization", token);
            let page = client.list_products(request).await.map_err(|status| refused(&status))?.into_inner();
            products.extend(page.products.into_iter().map(grpc::product));
            page_token = page.next_page_token;
            if page_token.is_empty() || products.len() >= MOST_PRODUCTS {
                return Self::new(products, skew);
            }
        }
    }

    /// The number of the product with this SKU.
    pub(crate) fn number_of(&self, sku: &str) -> Option<u32> {
        self.by_sku.get(sku).copied()
    }

    /// The product with this number; numbers come from this world, so there is one.
    pub(crate) fn product(&self, number: u32) -> &Product {
        &self.products[number as usize]
    }
}

fn refused(status: &tonic::Status) -> Error {
    let failure = grpc::failure(status);
    Error::Refused { what: "read the catalogue", code: failure.code.into_owned(), message: failure.message }
}
