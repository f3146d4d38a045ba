-- Gives the demo's company its price list, unless it has one.
-- $1 company id, $2 price list
INSERT INTO catalog.company_price_lists (company_id, price_list_id)
VALUES ($1, $2)
ON CONFLICT ON CONSTRAINT company_price_lists_pkey DO NOTHING
