//! Template `order_placed`: confirms an order.

use std::fmt::Write as _;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::message::{Content, escape, one_line};
use crate::kinds::money;

/// The order that was placed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct OrderPlaced {
    /// Its id.
    pub id: Uuid,
    /// The company that ordered.
    pub company_id: Uuid,
    /// When it was placed.
    pub created_at: Timestamp,
    /// ISO 4217 code of all amounts.
    pub currency: String,
    /// What it costs, in minor units.
    pub total_minor: i64,
    /// The buyer's own number for it.
    #[serde(default)]
    pub purchase_order_number: Option<String>,
    /// What was ordered.
    pub lines: Vec<OrderLine>,
}

/// A line of an order.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct OrderLine {
    /// Its number, from 1.
    pub line_number: i32,
    /// The product's SKU.
    pub sku: String,
    /// The product's name.
    pub name: String,
    /// How many.
    pub quantity: i64,
    /// What one costs, in minor units.
    pub unit_price_minor: i64,
    /// What all cost, in minor units.
    pub total_minor: i64,
}

/// What the confirmation of `order` says.
pub(crate) fn content(order: &OrderPlaced) -> Content {
    let reference = order.purchase_order_number.as_deref().map(one_line).filter(|number| !number.is_empty());
    let subject = match &reference {
        Some(number) => format!("Your order {number} ({})", order.id),
        None => format!("Your order {}", order.id),
    };
    let facts = Facts {
        placed: order.created_at.to_zoned(TimeZone::UTC).strftime("%-d %B %Y, %H:%M UTC").to_string(),
        total: money::format(order.total_minor, &order.currency),
        reference,
    };
    Content { subject, text: text(order, &facts), html: html(order, &facts) }
}

/// What both forms of the message say, ready to be read.
struct Facts {
    placed: String,
    total: String,
    reference: Option<String>,
}

fn text(order: &OrderPlaced, facts: &Facts) -> String {
    let mut text =
        format!("Thank you for your order.\n\nOrder:     {}\nPlaced:    {}\n", order.id, facts.placed);
    // Writing to a string does not fail, here and below.
    if let Some(reference) = &facts.reference {
        let _ = writeln!(text, "Reference: {reference}");
    }
    text.push('\n');
    for line in &order.lines {
        let _ = writeln!(
            text,
            "{}. {} x {} ({})\n   {} each, {}",
            line.line_number,
            line.quantity,
            one_line(&line.name),
            one_line(&line.sku),
            money::format(line.unit_price_minor, &order.currency),
            money::format(line.total_minor, &order.currency),
        );
    }
    let _ = writeln!(text, "\nTotal: {}", facts.total);
    text
}

fn html(order: &OrderPlaced, facts: &Facts) -> String {
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<body>\n<p>Thank you for your order.</p>\n<p>Order: {}<br>Placed: {}",
        order.id, facts.placed
    );
    if let Some(reference) = &facts.reference {
        let _ = write!(html, "<br>Reference: {}", escape(reference));
    }
    html.push_str("</p>\n<table>\n<tr><th>#</th><th>SKU</th><th>Product</th><th>Quantity</th><th>Each</th><th>Sum</th></tr>\n");
    for line in &order.lines {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            line.line_number,
            escape(&one_line(&line.sku)),
            escape(&one_line(&line.name)),
            line.quantity,
            escape(&money::format(line.unit_price_minor, &order.currency)),
            escape(&money::format(line.total_minor, &order.currency)),
        );
    }
    let _ = write!(html, "</table>\n<p><b>Total: {}</b></p>\n</body>\n</html>\n", escape(&facts.total));
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> OrderPlaced {
        OrderPlaced {
            id: Uuid::nil(),
            company_id: Uuid::nil(),
            created_at: "2026-01-05T10:07:00Z".parse().unwrap(),
            currency: "EUR".to_owned(),
            total_minor: 123_450,
            purchase_order_number: Some("PO-7\r\n<b>".to_owned()),
            lines: vec![OrderLine {
                line_number: 1,
                sku: "BOLT-M8".to_owned(),
                name: "Schraube <M8> & Mutter".to_owned(),
                quantity: 1_000,
                unit_price_minor: 123,
                total_minor: 123_000,
            }],
        }
    }

    #[test]
    fn both_forms_say_what_was_ordered_and_what_it_costs() {
        let content = content(&order());
        assert_eq!(content.subject, "Your order PO-7 <b> (00000000-0000-0000-0000-000000000000)");
        for form in [&content.text, &content.html] {
            for fact in [
                "BOLT-M8",
                "1000",
                "EUR 1.23",
                "EUR 1,230.00",
                "Total: EUR 1,234.50",
                "5 January 2026, 10:07 UTC",
            ] {
                assert!(form.contains(fact), "{fact} is not in {form}");
            }
        }
    }

    #[test]
    fn what_a_customer_wrote_is_text_in_the_html() {
        let html = content(&order()).html;
        assert!(
            html.contains("Schraube &lt;M8&gt; &amp; Mutter") && html.contains("PO-7 &lt;b&gt;"),
            "{html}"
        );
        assert!(!html.contains("<M8>"));
    }

    #[test]
    fn an_order_without_a_reference_mentions_none() {
        let content = content(&OrderPlaced { purchase_order_number: Some("  ".to_owned()), ..order() });
        assert!(!content.text.contains("Reference") && !content.html.contains("Reference"));
        assert_eq!(content.subject, "Your order 00000000-0000-0000-0000-000000000000");
    }
}
