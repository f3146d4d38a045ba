-- Lists one page of price lists by id.
-- $1 the last id of the page before, empty for the first page, $2 how many rows
SELECT id, name, currency, version, created_at, updated_at
  FROM price_lists
 WHERE id > $1
 ORDER BY id
 LIMIT $2
