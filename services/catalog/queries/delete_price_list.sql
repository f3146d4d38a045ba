-- Removes a price list with its prices. Refused by constraint where a company has it.
-- $1 id
DELETE FROM price_lists
 WHERE id = $1
