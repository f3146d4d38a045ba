-- Changes the stock of many SKUs, all or none; what became of each, in their order.
-- $1 SKUs, each once, $2 units to add or, where negative, to take, $3 now, $4 who
SELECT n, outcome, on_hand
  FROM orders.adjust_stock($1, $2, $3, $4)
 ORDER BY n
