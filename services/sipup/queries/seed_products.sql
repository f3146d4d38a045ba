-- Adds demo products, unless their SKUs are there. Answers how many were added.
-- $1 ids, $2 SKUs, $3 names, $4 descriptions, $5 brands, $6 categories, $7 prices, $8 currencies, $9 units, $10 active, $11 now
SELECT count(*) FILTER (WHERE p.outcome = 'created') AS created
  FROM catalog.put_products($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'skip', $11, NULL) AS p
