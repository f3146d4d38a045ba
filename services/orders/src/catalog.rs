//! What the catalogue says that items cost, asked over gRPC.

use platform::{
    Position, Tasks,
    client::{Channel, ServiceUrl},
};
use proto::catalog::v1::{
    ItemToPrice, PriceItemsRequest, PriceItemsResponse, PricedItem, price_service_client::PriceServiceClient,
};
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
};

use crate::{
    draft::{Item, OrderDraft},
    error::Error,
    money::{Amount, Currency},
    pricing::{Product, Products},
};

/// The header that tokens travel in.
const AUTHORIZATION: &str = "authorization";

/// The token of a caller, to ask another service in the caller's own name: what it may see is decided there.
///
/// Shown by no log.
#[derive(Clone, Debug)]
pub(crate) struct Token(MetadataValue<Ascii>);

impl Token {
    /// The token that `request` came with.
    ///
    /// # Errors
    ///
    /// UNAUTHENTICATED if it came without one. The stack has refused such calls already, where the permission table asks for one.
    pub(crate) fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        let value = request.metadata().get(AUTHORIZATION);
        let mut value = value.cloned().ok_or_else(|| Status::unauthenticated("a token is needed"))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

/// The catalogue's client. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    client: PriceServiceClient<Channel>,
}

impl Catalog {
    /// Connects in the background. While the catalogue is away, orders are still shown, changed and answered again; so readiness
    /// doesn't wait for it.
    ///
    /// Answers come as they are: to compress and expand them costs more than to carry them from one pod to another.
    pub(crate) fn connect(url: &ServiceUrl, tasks: &Tasks) -> Self {
        Self { client: PriceServiceClient::new(Channel::connect("catalog", url, tasks)) }
    }

    /// What the items of `draft` cost the company that `token` names, not older than `at`.
    pub(crate) async fn products(
        &self,
        draft: &OrderDraft,
        token: &Token,
        at: Option<Position>,
    ) -> Result<Products, Error> {
        let items = draft
            .items()
            .iter()
            .map(|item| ItemToPrice { sku: item.sku.to_string(), quantity: item.quantity.get() });
        let mut request = Request::new(PriceItemsRequest { items: items.collect(), ..Default::default() });
        request.metadata_mut().insert(AUTHORIZATION, token.0.clone());
        if let Some(value) = at.and_then(|position| position.to_string().parse().ok()) {
            request.metadata_mut().insert(platform::grpc::POSITION_HEADER, value);
        }
        let answer = self.client.clone().price_items(request).await.map_err(refused)?.into_inner();
        products(draft.items(), answer)
            .ok_or(Error::Unexpected("the catalogue's prices are not those of the items"))
    }
}

/// A token that was good when the call came may run out, or its session end, before the catalogue looks at it.
fn refused(status: Status) -> Error {
    if status.code() == Code::Unauthenticated { Error::Token(status) } else { Error::Catalog(status) }
}

/// For each item its product, in their order. None if `answer` is no answer to `items`: a price that was meant for something else must
/// never be charged.
fn products(items: &[Item], answer: PriceItemsResponse) -> Option<Products> {
    let mut priced = answer.items.into_iter().peekable();
    let mut products = Vec::with_capacity(items.len());
    for item in items {
        let own =
            |priced: &PricedItem| priced.sku == item.sku.as_str() && priced.quantity == item.quantity.get();
        products.push(match priced.next_if(own) {
            Some(priced) => Some(product(priced)?),
            None => None,
        });
    }
    let missing = products.iter().filter(|product| product.is_none()).count();
    (priced.next().is_none() && missing == answer.not_found.len()).then_some(products)
}

fn product(priced: PricedItem) -> Option<Product> {
    let price = priced.unit_price?;
    Some(Product {
        id: priced.product_id.parse().ok()?,
        name: priced.name,
        price: Amount::new(price.minor_units)?,
        currency: Currency::parse(&price.currency_code)?,
        active: priced.active,
    })
}

#[cfg(test)]
mod tests {
    use proto::r#type::v1::Money;
    use uuid::Uuid;

    use super::*;

    fn priced(sku: &str, quantity: i32, minor_units: i64) -> PricedItem {
        PricedItem {
            sku: sku.to_owned(),
            quantity,
            product_id: Uuid::nil().to_string(),
            name: "A".to_owned(),
            active: true,
            unit_price: Some(Money { currency_code: "EUR".to_owned(), minor_units }),
            ..Default::default()
        }
    }

    /// The prices that are read for `items` from an answer with `priced` and as many that were not found.
    fn read(items: &[(&str, i32)], priced: Vec<PricedItem>, missing: usize) -> Option<Vec<Option<i64>>> {
        let items = items.iter().map(|(sku, units)| ((*sku).to_owned(), *units)).collect();
        let draft = OrderDraft::new(items, String::new(), String::new()).unwrap();
        let answer = PriceItemsResponse { items: priced, not_found: vec![String::new(); missing] };
        let products = products(draft.items(), answer)?;
        Some(products.into_iter().map(|product| product.map(|product| product.price.minor())).collect())
    }

    #[test]
    fn each_item_has_the_price_of_its_own_quantity() {
        let answer = vec![priced("A", 10, 80), priced("A", 1, 100), priced("B", 1, 7)];
        let prices = read(&[("A", 10), ("X", 1), ("A", 1), ("B", 1)], answer, 1);
        assert_eq!(prices, Some(vec![Some(80), None, Some(100), Some(7)]));
    }

    #[test]
    fn an_answer_to_another_question_is_not_read() {
        let asked = [("A", 10), ("B", 1)];
        for (answer, missing) in [
            (vec![priced("A", 1, 80), priced("B", 1, 7)], 0),
            (vec![priced("B", 1, 7), priced("A", 10, 80)], 0),
            (vec![priced("A", 10, 80), priced("B", 1, 7), priced("C", 1, 7)], 0),
            (vec![priced("A", 10, 80)], 0),
        ] {
            assert_eq!(read(&asked, answer.clone(), missing), None, "{answer:?}");
        }
    }

    #[test]
    fn a_product_that_could_not_be_sold_at_a_price_is_not_read() {
        let money = |minor_units, code: &str| Some(Money { currency_code: code.to_owned(), minor_units });
        assert!(product(priced("A", 1, 0)).is_some());
        for bad in [
            PricedItem { unit_price: None, ..priced("A", 1, 1) },
            priced("A", 1, -1),
            PricedItem { unit_price: money(1, "euro"), ..priced("A", 1, 1) },
            PricedItem { product_id: "7".to_owned(), ..priced("A", 1, 1) },
        ] {
            assert_eq!(product(bad.clone()), None, "{bad:?}");
        }
    }

    #[test]
    fn a_token_is_passed_on_and_never_shown() {
        let mut request = Request::new(());
        assert_eq!(Token::of(&request).unwrap_err().code(), Code::Unauthenticated);
        request.metadata_mut().insert(AUTHORIZATION, "Bearer secret".parse().unwrap());
        let token = Token::of(&request).unwrap();
        assert_eq!(token.0, "Bearer secret");
        assert!(!format!("{token:?}").contains("secret"), "{token:?}");
    }
}
