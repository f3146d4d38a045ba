-- What items cost a company: one row for each item whose SKU names a product, in no order.
-- A tier counts where the product is priced in the currency of the list; else there is no agreed price, and the list price holds.
-- Keys only: one look-up of the product and two of tiers for each item, whatever the list holds.
-- $1 company, $2 places of the items, $3 their SKUs, $4 their quantities
WITH list AS MATERIALIZED (
    SELECT l.id, l.currency
      FROM company_price_lists a
      JOIN price_lists l ON l.id = a.price_list_id
     WHERE a.company_id = $1
)
SELECT i.place, p.id, p.name, p.active, p.price_minor, p.currency, l.id AS price_list_id,
       t.min_quantity AS tier_quantity, t.price_minor AS tier_minor,
       n.min_quantity AS next_quantity, n.price_minor AS next_minor
  FROM unnest($2::integer[], $3::text[], $4::integer[]) AS i (place, sku, quantity)
  JOIN products p ON p.sku = i.sku
  LEFT JOIN list l ON l.currency = p.currency
  LEFT JOIN LATERAL (
    SELECT c.min_quantity, c.price_minor
      FROM prices c
     WHERE c.price_list_id = l.id AND c.sku = i.sku AND c.min_quantity <= i.quantity
     ORDER BY c.min_quantity DESC
     LIMIT 1
 ) t ON true
  LEFT JOIN LATERAL (
    SELECT c.min_quantity, c.price_minor
      FROM prices c
     WHERE c.price_list_id = l.id AND c.sku = i.sku AND c.min_quantity > i.quantity
     ORDER BY c.min_quantity
     LIMIT 1
 ) n ON true
