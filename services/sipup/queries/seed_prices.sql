-- Adds prices of the demo's price list, unless they are there.
-- $1 price list, $2 SKUs, $3 quantities, $4 prices
INSERT INTO catalog.prices (price_list_id, sku, min_quantity, price_minor)
SELECT $1, given.sku, given.min_quantity, given.price_minor
  FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS given (sku, min_quantity, price_minor)
 ORDER BY given.sku COLLATE "C", given.min_quantity
ON CONFLICT ON CONSTRAINT prices_pkey DO NOTHING
