-- Gives companies their price lists; what became of each row, in the order given.
-- $1 companies, $2 price lists, NULL for none, $3 now, $4 by whom
SELECT outcome
  FROM assign_price_lists($1, $2, $3, $4)
 ORDER BY n
