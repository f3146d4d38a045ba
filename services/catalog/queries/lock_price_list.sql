-- One price list as it is now, kept from changing until the transaction ends. Its prices have one writer at a time: whoever holds it.
-- Companies may still be given it.
-- $1 id
SELECT id, name, currency, version, created_at, updated_at
  FROM price_lists
 WHERE id = $1
   FOR NO KEY UPDATE
