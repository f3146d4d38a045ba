-- Adds the demo's price list, unless it is there.
-- $1 id, $2 name, $3 currency
INSERT INTO catalog.price_lists (id, name, currency)
VALUES ($1, $2, $3)
ON CONFLICT ON CONSTRAINT price_lists_pkey DO NOTHING
