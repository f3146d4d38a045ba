//! One trace, from the client's `traceparent` to the e-mail that went out later.

use tests::{clients::order_of, collector::Span, wait};
use tonic::Request;
use uuid::Uuid;

use crate::world::{buyer, world};

/// The edges of an order's trace: a span, and what it hangs below.
struct Trace(Vec<Span>);

impl Trace {
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
    fn way(&self) -> Option<[&Span; 7]> {
        Some([
            self.find("ingress", "ingress")?,
            self.find("sipup-orders", "sipup.orders.v1.OrderService/CreateOrder")?,
            self.find("sipup-orders", "sipup.catalog.v1.CatalogService/BatchGetProducts")?,
            self.find("sipup-catalog", "sipup.catalog.v1.CatalogService/BatchGetProducts")?,
            self.find("sipup-catalog", "db.catalog.batch_get_products")?,
            self.find("sipup-orders", "db.orders.create")?,
            self.find("sipup-jobs", "job.email")?,
        ])
    }
}

#[tokio::test]
async fn an_order_is_one_trace_from_the_client_to_the_email() {
    let world = world();
    let client = buyer(&world.stack).await;
    let sku = client.products(1).await.unwrap()[0].sku.clone();
    let (trace, caller) = (Uuid::new_v4().simple().to_string(), "00f067aa0ba902b7");
    let mut request = Request::new(order_of(&[(&sku, 1)]));
    request.metadata_mut().insert("traceparent", format!("00-{trace}-{caller}-01").parse().unwrap());
    request.metadata_mut().insert("idempotency-key", Uuid::now_v7().to_string().parse().unwrap());
    client.orders().create_order(request).await.unwrap();

    let trace = wait::until("every span of the order", async || {
        let trace = Trace(world.collector.trace(&trace));
        trace.way().is_some().then_some(trace)
    })
    .await;
    let [ingress, order, asks, answers, reads, writes, job] = trace.way().unwrap();
    assert_eq!(ingress.parent, caller, "Envoy goes on with the client's trace");
    assert!(trace.is_below(order, ingress), "orders hangs below Envoy");
    assert!(trace.is_below(asks, order), "asking for prices hangs below the order");
    assert_eq!(answers.parent, asks.id, "catalog hangs below the call that asked it");
    assert!(trace.is_below(reads, answers), "the query for prices hangs below the call");
    assert!(trace.is_below(writes, order), "the transaction hangs below the order");
    assert_eq!(job.parent, order.id, "the e-mail hangs below the order");
    assert_eq!(job.links, std::slice::from_ref(&order.id), "and links to it, for those who cut long traces");
}
