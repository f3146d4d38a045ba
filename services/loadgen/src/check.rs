//! Is the answer right? Fast wrong answers are worth nothing, so they are counted apart and fail the run.

use std::sync::Arc;

use crate::{
    call::{Answer, Call, Failure, Order, Product, Wish, WishedItem},
    orders_report,
    price::{self, Priced},
    user::User,
    world::World,
};

/// What a checked answer is, or what is wrong with it.
type Checked = Result<(), Failure>;

/// Checks `answer` to `call`, and lets `user` remember what it saw.
pub(crate) fn check(user: &mut User, world: &World, call: &Call, answer: &Answer) -> Checked {
    match (call, answer) {
        (Call::View { product }, Answer::Product(seen)) => {
            require(seen.id == world.product(*product).id, "PRODUCT", || format!("another id: {seen:?}"))?;
            look(user, world, seen)
        }
        (Call::List { .. }, Answer::Products(found)) => {
            let sorted = found.is_sorted_by(|one, next| one.sku < next.sku);
            require(sorted, "ORDER_OF_LIST", || "the list is not in the order of SKUs".to_owned())?;
            found.iter().try_for_each(|seen| look(user, world, seen))
        }
        (Call::Search { max_price }, Answer::Products(found)) => {
            let fits = found.iter().all(|seen| seen.price <= *max_price) && !found.is_empty();
            require(fits, "FILTER", || format!("the list is empty or holds prices above {max_price}"))?;
            let sorted = found.is_sorted_by(|one, next| one.price >= next.price);
            require(sorted, "ORDER_OF_LIST", || "the list is not in the order of prices".to_owned())?;
            found.iter().try_for_each(|seen| look(user, world, seen))
        }
        (Call::Prices { items }, Answer::Priced { items: seen, missing }) => {
            priced(user, world, items, seen, *missing)
        }
        (Call::Order(wish), Answer::Order(order)) => placed(user, world, wish, order),
        (Call::ReadOrder { id }, Answer::Order(order)) => read(user, id, order),
        (Call::History, Answer::Orders(orders)) => history(user, orders),
        (Call::AskReport(wish), Answer::Report(report)) => orders_report::asked(user, wish, report),
        (Call::LookAtReport { id }, Answer::Report(report)) => orders_report::looked_at(user, id, report),
        (Call::Download { .. }, Answer::File(file)) => orders_report::fetched(user, file),
        (Call::Reports, Answer::Reports(reports)) => orders_report::listed(user, reports),
        (Call::Me, Answer::Me { user: id, company }) => {
            let own = *id == user.identity.user_id && *company == user.identity.company_id;
            require(own, "FOREIGN", || format!("user {id} of company {company}"))
        }
        _ => Err(Failure::new("ANSWER", "an answer to another question")),
    }
}

/// One product: what it was at the start, or newer; never older than this user saw it.
fn look(user: &mut User, world: &World, seen: &Product) -> Checked {
    // A product that was added after the start, or lies beyond what was listed.
    let Some(number) = world.number_of(&seen.sku) else { return Ok(()) };
    let known = world.product(number);
    let newest = user.last_seen(number).unwrap_or(known.version).max(known.version);
    require(seen.version >= newest, "STALE", || {
        format!("{} as of {}, {newest} was seen before", seen.sku, seen.version)
    })?;
    user.remember(number, seen.version);
    let same = seen.version != known.version || seen == known;
    require(same, "PRODUCT", || format!("{seen:?}, but the catalogue said {known:?}"))
}

fn placed(user: &mut User, world: &World, wish: &Arc<Wish>, order: &Order) -> Checked {
    own(user, order)?;
    let lines_fit = order.lines.len() == wish.items.len()
        && order.lines.iter().zip(&wish.items).all(|(line, item)| {
            line.sku == world.product(item.product).sku && line.quantity == item.quantity
        });
    require(lines_fit, "LINES", || format!("order {} does not have the lines asked for", order.id))?;
    sums(order)?;
    for (line, item) in order.lines.iter().zip(&wish.items) {
        let WishedItem { product, quantity, told } = *item;
        // A price that differs is right only for a version of the product that the tool does not know.
        let may_differ = user.may_have_changed(product, world.product(product));
        let price = told.or_else(|| price::unit_price(user, world, product, quantity));
        let is_charged = price.is_none_or(|price| line.unit_price == price);
        require(may_differ || is_charged, "PRICE", || {
            format!("{quantity} of {} at {}, the price was {price:?}", line.sku, line.unit_price)
        })?;
    }
    let before = user.order.as_ref().filter(|before| before.wish.key == wish.key);
    require(before.is_none_or(|before| before.id == order.id), "DUPLICATE", || {
        format!("a second order {} under the key {}", order.id, wish.key)
    })?;
    user.placed(wish, order);
    Ok(())
}

fn priced(user: &mut User, world: &World, items: &[(u32, i32)], seen: &[Priced], missing: usize) -> Checked {
    require(missing == 0 && seen.len() == items.len(), "PRODUCT", || {
        format!("{} of {} items have a price, {missing} are not found", seen.len(), items.len())
    })?;
    for ((number, quantity), seen) in items.iter().zip(seen) {
        price::check(user, world, *number, *quantity, seen)?;
    }
    let told = items.iter().zip(seen).map(|((product, quantity), seen)| WishedItem {
        product: *product,
        quantity: *quantity,
        told: Some(seen.unit_price),
    });
    user.was_told(told);
    Ok(())
}

fn read(user: &User, id: &str, order: &Order) -> Checked {
    own(user, order)?;
    require(order.id == id, "ORDER", || format!("order {} instead of {id}", order.id))?;
    sums(order)?;
    let total =
        user.order.as_ref().filter(|placed| placed.id == id).map_or(order.total, |placed| placed.total);
    require(order.total == total, "TOTAL", || format!("order {id} was placed at {total}, is {}", order.total))
}

fn history(user: &User, orders: &[Order]) -> Checked {
    let foreign = orders.iter().find(|order| order.company != user.identity.company_id);
    require(foreign.is_none(), "FOREIGN", || format!("an order of another company: {foreign:?}"))?;
    let sorted = orders.is_sorted_by(|one, next| one.created >= next.created);
    require(sorted, "ORDER_OF_LIST", || "the newest order is not the first".to_owned())?;
    let Some(placed) = &user.order else { return Ok(()) };
    // Colleagues may have pushed it off the page; then all of the page is at least as new.
    let there = orders.iter().any(|order| order.id == placed.id);
    let pushed_off = orders.len() >= HISTORY && orders.iter().all(|order| order.created >= placed.created);
    require(there || pushed_off, "STALE", || format!("order {} is not in the history", placed.id))
}

/// Orders in a page of the history.
pub(crate) const HISTORY: usize = 20;

fn own(user: &User, order: &Order) -> Checked {
    let own = order.company == user.identity.company_id && order.buyer == user.identity.user_id;
    require(own, "FOREIGN", || format!("order {} of user {} at {}", order.id, order.buyer, order.company))
}

fn sums(order: &Order) -> Checked {
    let lines = order.lines.iter().all(|line| line.total == line.unit_price * i64::from(line.quantity));
    let sum: i64 = order.lines.iter().map(|line| line.total).sum();
    require(lines && sum == order.total, "TOTAL", || {
        format!("order {}: total {}, its lines sum to {sum}", order.id, order.total)
    })
}

pub(crate) fn require(holds: bool, what: &'static str, detail: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Failure::new(what, detail())) }
}

#[cfg(test)]
mod tests;
