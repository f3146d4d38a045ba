-- One price list.
-- $1 id
SELECT id, name, currency, version, created_at, updated_at
  FROM price_lists
 WHERE id = $1
