-- Reads the lines of the next orders of a period; an order without lines has one row without a line number.
-- $1 company id (NULL: all), $2 start and $3 end of the period, $4 id of the last order of the page before (NULL: none), $5 how many orders
SELECT order_id, company_id, state, created_at, purchase_order_number, line_no, sku, name, quantity, price_minor, currency
  FROM orders.report_lines($1, $2, $3, $4, $5)
