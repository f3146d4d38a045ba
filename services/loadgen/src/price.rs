//! What a company pays, as far as the tool knows: it agrees prices with every second company, by a rule of its own, so that each answer
//! can be judged. Of other companies it knows less, and checks less.

use std::{collections::HashSet, sync::Arc};

use crate::{
    call::{Failure, Product},
    check::require,
    identity::Identity,
    user::User,
    world::World,
};

/// So many of the most wanted products are in the tool's price list, but for every fourth of them, which has no price there.
pub(crate) const LISTED: usize = 4_000;
/// The quantity from which a volume price holds: users order one to five.
const VOLUME: i32 = 3;

/// What was agreed with whom.
#[derive(Debug, Default)]
pub(crate) struct Agreements {
    /// The tool's price list, and its currency; none where it could not agree prices.
    list: Option<(String, String)>,
    with: HashSet<String>,
    /// Companies that have no price list.
    without: HashSet<String>,
}

/// How a company buys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terms<'a> {
    /// By the tool's list of this id.
    Agreed(&'a str),
    /// At list prices.
    ListPrices,
    /// By a list of an earlier run, or not.
    Unknown,
}

/// The price of one unit from a quantity on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tier {
    pub(crate) min_quantity: i32,
    pub(crate) price: i64,
}

/// What one item costs, in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Priced {
    pub(crate) sku: String,
    pub(crate) quantity: i32,
    pub(crate) product: String,
    /// Of all its prices; `mixed` if they differ in it.
    pub(crate) currency: String,
    pub(crate) list_price: i64,
    pub(crate) unit_price: i64,
    pub(crate) price_list: String,
    pub(crate) min_quantity: i32,
    pub(crate) next: Option<Tier>,
}

impl Priced {
    /// The currency of all prices of an item, `mixed` if they differ.
    pub(crate) fn one_currency(list: &str, unit: &str, next: Option<&str>) -> String {
        let same = list == unit && next.is_none_or(|next| next == list);
        if same { list } else { "mixed" }.to_owned()
    }
}

impl Agreements {
    /// The list `id` holds for every second company; `companies` are all of the tool's.
    pub(crate) fn new(id: String, currency: String, companies: &[String]) -> Self {
        let mut agreements = Self { list: Some((id, currency)), ..Self::default() };
        for (number, company) in companies.iter().enumerate() {
            let side = if number % 2 == 0 { &mut agreements.with } else { &mut agreements.without };
            side.insert(company.clone());
        }
        agreements
    }

    /// Nothing was agreed: companies that are new have no list, others may have one of an earlier run.
    pub(crate) fn none(identities: &[Arc<Identity>]) -> Self {
        let new = identities.iter().filter(|identity| identity.is_new);
        Self { without: new.map(|identity| identity.company_id.clone()).collect(), ..Self::default() }
    }

    /// How `company` buys.
    pub(crate) fn terms(&self, company: &str) -> Terms<'_> {
        match &self.list {
            Some((id, _)) if self.with.contains(company) => Terms::Agreed(id),
            _ if self.without.contains(company) => Terms::ListPrices,
            _ => Terms::Unknown,
        }
    }

    /// Whether the tool agreed prices in this run.
    pub(crate) fn are_in_play(&self) -> bool {
        self.list.is_some()
    }

    /// The tiers of a product for those with whom prices were agreed.
    pub(crate) fn tiers(&self, number: u32, product: &Product) -> Vec<Tier> {
        match &self.list {
            Some((_, currency)) => tiers(number, product, currency),
            None => Vec::new(),
        }
    }

    /// What was agreed, in words.
    pub(crate) fn told(&self) -> String {
        match &self.list {
            Some((id, _)) => format!(
                "price list {id} for {} of {} companies",
                self.with.len(),
                self.with.len() + self.without.len()
            ),
            None => format!("none agreed; {} companies are new and have none", self.without.len()),
        }
    }
}

/// The tiers of a product in the tool's list, by quantity: none, one for all quantities, one for volumes, or both.
pub(crate) fn tiers(number: u32, product: &Product, currency: &str) -> Vec<Tier> {
    if number as usize >= LISTED || product.currency != currency {
        return Vec::new();
    }
    let part = |tenths: i64| product.price / 10 * tenths + product.price % 10 * tenths / 10;
    let each = Tier { min_quantity: 1, price: part(9) };
    let volume = Tier { min_quantity: VOLUME, price: part(8) };
    match number % 4 {
        0 => vec![each, volume],
        1 => vec![volume],
        2 => vec![each],
        _ => Vec::new(),
    }
}

/// Whether `seen` is what `quantity` units of the product cost the user's company.
pub(crate) fn check(
    user: &User,
    world: &World,
    number: u32,
    quantity: i32,
    seen: &Priced,
) -> Result<(), Failure> {
    let known = world.product(number);
    let same = seen.sku == known.sku && seen.product == known.id && seen.quantity == quantity;
    require(same, "PRODUCT", || format!("{quantity} of {} asked for, answered {seen:?}", known.sku))?;
    let list_price = user.may_have_changed(number, known)
        || (seen.list_price == known.price && seen.currency == known.currency);
    require(list_price, "PRICE", || format!("{seen:?}, the catalogue said {}", known.price))?;
    adds_up(seen)?;
    let (list, tiers) = match world.agreements.terms(&user.identity.company_id) {
        Terms::Unknown => return Ok(()),
        Terms::ListPrices => ("", Vec::new()),
        Terms::Agreed(list) => (list, world.agreements.tiers(number, known)),
    };
    require(seen.price_list.is_empty() || seen.price_list == list, "FOREIGN", || {
        format!("the price of another company: {seen:?}")
    })?;
    let tier = tiers.iter().rev().find(|tier| tier.min_quantity <= quantity);
    let next = tiers.iter().find(|tier| tier.min_quantity > quantity);
    let right = seen.min_quantity == tier.map_or(0, |tier| tier.min_quantity) && seen.next.as_ref() == next;
    require(right, "TIER", || format!("{seen:?}, agreed were {tiers:?}"))?;
    let price = tier.map_or(seen.list_price, |tier| tier.price);
    require(seen.unit_price == price, "PRICE", || format!("{seen:?}, agreed were {tiers:?}"))
}

/// What holds for every company: a price is of a tier that the quantity reaches, or it is the list price.
fn adds_up(seen: &Priced) -> Result<(), Failure> {
    let of_list = !seen.price_list.is_empty() && (1..=seen.quantity).contains(&seen.min_quantity);
    let at_list_price =
        seen.price_list.is_empty() && seen.min_quantity == 0 && seen.unit_price == seen.list_price;
    let next = seen.next.is_none_or(|next| next.min_quantity > seen.quantity);
    require((of_list || at_list_price) && next, "TIER", || format!("does not add up: {seen:?}"))
}

/// What one unit costs the user's company, if the tool knows.
pub(crate) fn unit_price(user: &User, world: &World, number: u32, quantity: i32) -> Option<i64> {
    let known = world.product(number);
    match world.agreements.terms(&user.identity.company_id) {
        Terms::Unknown => None,
        Terms::ListPrices => Some(known.price),
        Terms::Agreed(_) => {
            let tiers = world.agreements.tiers(number, known);
            let tier = tiers.iter().rev().find(|tier| tier.min_quantity <= quantity);
            Some(tier.map_or(known.price, |tier| tier.price))
        }
    }
}

#[cfg(test)]
mod tests;
