-- One order without its lines.
-- $1 id
SELECT id, company_id, buyer_id, state, currency, total_minor, purchase_order_number, note, created_at, updated_at
  FROM orders.orders
 WHERE id = $1
