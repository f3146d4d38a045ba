//! What the trace of an order has to show, wherever it was placed.

use crate::collector::Span;

/// The spans of an order's trace.
#[derive(Debug)]
pub struct OrderTrace(pub Vec<Span>);

impl OrderTrace {
    fn find(&self, service: &str, name: &str) -> Option<&Span> {
        self.0.iter().find(|span| span.service == service && span.name == name)
    }

    /// Whether `span` hangs below `ancestor`, however far.
    fn is_below(&self, span: &Span, ancestor: &Span) -> bool {
        let mut at = span.clone();
        loop {
            if at.parent == ancestor.id {
                return true;
            }
            match self.0.iter().find(|parent| parent.id == at.parent) {
                Some(parent) => at = parent.clone(),
                None => return false,
            }
        }
    }

    /// The spans on the order's way, in its order. None until all have come.
    pub fn way(&self) -> Option<[&Span; 7]> {
        Some([
            self.find("ingress", "ingress")?,
            self.find("sipup-orders", "sipup.orders.v1.OrderService/CreateOrder")?,
            self.find("sipup-orders", "sipup.catalog.v1.PriceService/PriceItems")?,
            self.find("sipup-catalog", "sipup.catalog.v1.PriceService/PriceItems")?,
            self.find("sipup-catalog", "db.catalog.price_items")?,
            self.find("sipup-orders", "db.orders.create")?,
            self.find("sipup-jobs", "job.email")?,
        ])
    }

    /// Says which edge of the order's way is missing or wrong; `caller` is the span that the client called from. None until all spans
    /// have come.
    pub fn wrong_edges(&self, caller: &str) -> Option<Vec<&'static str>> {
        let [ingress, order, asks, answers, reads, writes, job] = self.way()?;
        let edges = [
            (ingress.parent == caller, "Envoy goes on with the client's trace"),
            (self.is_below(order, ingress), "orders hangs below Envoy"),
            (self.is_below(asks, order), "asking for prices hangs below the order"),
            (answers.parent == asks.id, "catalog hangs below the call that asked it"),
            (self.is_below(reads, answers), "the query for prices hangs below the call"),
            (self.is_below(writes, order), "the transaction hangs below the order"),
            (job.parent == order.id, "the e-mail hangs below the order"),
            (job.links == std::slice::from_ref(&order.id), "and links to it, for those who cut long traces"),
        ];
        Some(edges.into_iter().filter(|(holds, _)| !holds).map(|(_, edge)| edge).collect())
    }
}
