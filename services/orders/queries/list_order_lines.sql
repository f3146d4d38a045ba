-- The lines of one order, in its order.
-- $1 order id
SELECT line_no, product_id, sku, name, quantity, price_minor
  FROM orders.order_lines
 WHERE order_id = $1
 ORDER BY line_no
