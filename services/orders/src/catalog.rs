//! What the catalogue says of products, asked over gRPC.

use platform::{
    Position, Tasks,
    client::{Channel, ServiceUrl},
};
use proto::catalog::v1::{
    BatchGetProductsRequest, Product as Answer, catalog_service_client::CatalogServiceClient,
};
use tonic::Request;

use crate::{
    draft::{OrderDraft, Sku},
    error::Error,
    money::{Amount, Currency},
    pricing::{Product, Products},
};

/// 500 products, each with the longest description that the catalogue allows in the longest encoding, and room for the rest.
const MAX_ANSWER: usize = 64 << 20;

/// The catalogue's client. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    client: CatalogServiceClient<Channel>,
}

impl Catalog {
    /// Connects in the background. While the catalogue is away, orders are still shown, changed and answered again; so readiness
    /// doesn't wait for it.
    ///
    /// Answers come as they are: to compress and expand them costs more than to carry them from one pod to another.
    pub(crate) fn connect(url: &ServiceUrl, tasks: &Tasks) -> Self {
        let client = CatalogServiceClient::new(Channel::connect("catalog", url, tasks))
            .max_decoding_message_size(MAX_ANSWER);
        Self { client }
    }

    /// The products that `draft` names, as far as they exist, not older than `at`.
    ///
    /// No token goes along: prices are the same for everybody.
    pub(crate) async fn products(&self, draft: &OrderDraft, at: Option<Position>) -> Result<Products, Error> {
        let mut skus: Vec<String> = draft.items().iter().map(|item| item.sku.to_string()).collect();
        skus.sort_unstable();
        skus.dedup();
        let mut request = Request::new(BatchGetProductsRequest { skus, ..Default::default() });
        if let Some(value) = at.and_then(|position| position.to_string().parse().ok()) {
            request.metadata_mut().insert(platform::grpc::POSITION_HEADER, value);
        }
        let answer =
            self.client.clone().batch_get_products(request).await.map_err(Error::Catalog)?.into_inner();
        let products = answer.products.into_iter().map(product).collect::<Option<Products>>();
        products.ok_or(Error::Unexpected("the catalogue answered a product without id, price or name"))
    }
}

fn product(answer: Answer) -> Option<(Sku, Product)> {
    let price = answer.price?;
    let product = Product {
        id: answer.id.parse().ok()?,
        name: answer.name,
        price: Amount::new(price.minor_units)?,
        currency: Currency::parse(&price.currency_code)?,
        // The contract: active unless it says otherwise.
        active: answer.active.unwrap_or(true),
    };
    Some((Sku::parse(answer.sku).ok()?, product))
}

#[cfg(test)]
mod tests {
    use proto::r#type::v1::Money;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_product_that_could_not_be_sold_at_a_price_is_not_read() {
        let price = |minor_units, code: &str| Some(Money { currency_code: code.to_owned(), minor_units });
        let answer =
            |price, id: &str| Answer { id: id.to_owned(), sku: "A".to_owned(), price, ..Default::default() };
        let id = Uuid::nil().to_string();
        assert!(product(answer(price(1, "EUR"), &id)).is_some_and(|(_, product)| product.active));
        for bad in [
            answer(None, &id),
            answer(price(-1, "EUR"), &id),
            answer(price(1, "euro"), &id),
            answer(price(1, "EUR"), "7"),
        ] {
            assert_eq!(product(bad.clone()), None, "{bad:?}");
        }
    }
}
