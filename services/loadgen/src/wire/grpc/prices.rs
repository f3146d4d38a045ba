//! Prices of companies over gRPC.

use proto::{
    catalog::v1::{
        ItemToPrice, PriceItemsRequest, PriceTier, PricedItem, price_service_client::PriceServiceClient,
    },
    r#type::v1::Money,
};
use tonic::transport::Channel;

use super::Sent;
use crate::{
    call::Answer,
    price::{Priced, Tier},
    wire::Envelope,
    world::World,
};

/// Asks for the prices of `items`: products and quantities.
pub(super) async fn price_items(
    channel: Channel,
    envelope: Envelope<'_>,
    world: &World,
    items: &[(u32, i32)],
) -> Sent {
    let item = |(product, quantity): &(u32, i32)| ItemToPrice {
        sku: world.product(*product).sku.clone(),
        quantity: *quantity,
    };
    let message =
        PriceItemsRequest { items: items.iter().map(item).collect(), ..PriceItemsRequest::default() };
    let reply = PriceServiceClient::new(channel).price_items(envelope.around(message)?).await?;
    let (metadata, reply, _) = reply.into_parts();
    let items = reply.items.into_iter().map(priced).collect();
    Ok((Answer::Priced { items, missing: reply.not_found.len() }, metadata))
}

fn priced(item: PricedItem) -> Priced {
    let (list, unit) = (item.list_price.unwrap_or_default(), item.unit_price.unwrap_or_default());
    let next = item.next_tier;
    let next_currency = next.as_ref().and_then(|tier| tier.unit_price.as_ref()).map(currency);
    Priced {
        sku: item.sku,
        quantity: item.quantity,
        product: item.product_id,
        list_price: list.minor_units,
        unit_price: unit.minor_units,
        price_list: item.price_list_id,
        min_quantity: item.min_quantity,
        currency: Priced::one_currency(&list.currency_code, &unit.currency_code, next_currency),
        next: next.as_ref().map(tier),
    }
}

fn tier(tier: &PriceTier) -> Tier {
    let price = tier.unit_price.as_ref().map_or(-1, |price| price.minor_units);
    Tier { min_quantity: tier.min_quantity, price }
}

fn currency(money: &Money) -> &str {
    &money.currency_code
}
