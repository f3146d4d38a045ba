-- Gives demo products their first stock, unless they have any.
-- $1 SKUs, $2 units
INSERT INTO orders.stock (sku, on_hand)
SELECT given.sku, given.units
  FROM unnest($1::text[], $2::integer[]) AS given (sku, units)
 ORDER BY given.sku COLLATE "C"
ON CONFLICT ON CONSTRAINT stock_pkey DO NOTHING
