-- Marks an order as shipped: shipped, unchanged, not_shippable or not_found.
-- $1 id, $2 who, $3 now
SELECT orders.ship_order($1, $2, NULL, $3) AS outcome
