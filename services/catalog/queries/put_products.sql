-- Adds, and if asked updates, many products; what became of each, in the order given.
-- $1 ids, $2 SKUs, $3 names, $4 descriptions, $5 brands, $6 categories, $7 prices, $8 currencies, $9 units, $10 whether active,
-- $11 policy, $12 now, $13 by whom
SELECT outcome, id
  FROM put_products($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
 ORDER BY n
