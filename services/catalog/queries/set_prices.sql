-- Sets and removes prices of a price list; what became of each row, in the order given. The caller holds the list.
-- $1 price list, $2 SKUs, $3 quantities, $4 prices, NULL to remove, $5 their currencies, $6 now, $7 by whom
SELECT outcome
  FROM set_prices($1, $2, $3, $4, $5, $6, $7)
 ORDER BY n
