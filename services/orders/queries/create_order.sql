-- Places an order with its key, lines, event and job, and takes its stock: all or nothing.
-- $1 id, $2 company id, $3 buyer id, $4 method, $5 idempotency key, $6 hash of the request, $7 encoded response, $8 currency,
-- $9 purchase order number, $10 note, $11 product ids, $12 SKUs, $13 names, $14 quantities, $15 prices in minor units, one of each
-- for a line, $16 job or NULL, $17 now
SELECT outcome, detail, response
  FROM orders.create_order($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
